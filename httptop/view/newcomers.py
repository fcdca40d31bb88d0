"""Which endpoints are new."""

from __future__ import annotations

from typing import Final

from httptop.model import OWN_PATHS, EndpointKey, Side, Snapshot
from httptop.view.rows import keys_of

#: An endpoint is new for so long, and not in the first seconds of a run, when all are.
NEW_S: Final = 300.0
_START_S: Final = 60.0


class Newcomers:
    """Remembers since when there are endpoints; as far as snapshots have been shown."""

    def __init__(self) -> None:
        self._since_s: dict[EndpointKey, float] = {}
        self._seen: object = None  # the keys of the last snapshot

    def note(self, snapshot: Snapshot) -> None:
        """Note the endpoints of the next snapshot."""
        keys = keys_of(snapshot.endpoints)
        if keys == self._seen:  # seen at once, as on most ticks they are the same objects
            return
        # Since when there are those of the first snapshot is not known.
        now_s = 0.0 if self._seen is None else snapshot.uptime_s
        before, self._seen = self._since_s, keys
        self._since_s = {key: before.get(key, now_s) for key in keys}

    def new(self, snapshot: Snapshot, side: Side) -> dict[EndpointKey, float]:
        """Return the uptime (s) at which each endpoint of a side came that is new, and there."""
        least_s = max(snapshot.uptime_s - NEW_S, _START_S)
        new = {
            key: since_s
            for key, since_s in self._since_s.items()
            if since_s > least_s and key.side == side and key.path not in OWN_PATHS
        }
        there = set(keys_of(snapshot.endpoints)) if new else set()
        return {key: since_s for key, since_s in new.items() if key in there}
