"""What a reading says beside counts: what was missed, and who speaks something else."""

from __future__ import annotations

from collections.abc import Iterator

from httptop.collect.source import Losses, Reading
from httptop.model import Health


def health_of(losses: Losses, overflow_requests: int, late_ticks: int) -> Health:
    """Return what was missed since start."""
    return Health(
        orphan_responses=losses.orphan_responses,
        lost_samples=losses.lost_samples,
        overflow_requests=overflow_requests,
        parse_errors=losses.parse_errors,
        lost_pieces=losses.lost_pieces,
        late_ticks=late_ticks,
        missed_calls=losses.missed_calls,
        overfull_pipelines=losses.overfull_pipelines,
        discarded_requests=losses.discarded_requests,
    )


def protocols_of(reading: Reading) -> dict[tuple[int, str], int]:
    """Return the connections of other protocols by process; see model.Snapshot."""
    return {(pid, kind): count for pid, kind, count in reading.other_protocols}


def notes_on(losses: Losses, unmeasured_latencies: int) -> Iterator[str]:
    """Yield a sentence for each kind of figures that lacks something."""
    if losses.untracked_requests:
        yield (
            f"{losses.untracked_requests} requests came while performance.max_connections "
            "connections were followed already; they are counted under ~other, their outcome is "
            "unknown"
        )
    if unmeasured_latencies:
        yield (
            f"no histogram was left for {unmeasured_latencies} latencies: means and percentiles "
            "lack them; a higher performance.max_histograms gives room"
        )
