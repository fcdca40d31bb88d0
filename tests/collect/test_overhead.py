"""The meter of our own cost: rates over time enough to mean something."""

from __future__ import annotations

import subprocess
import sys

import pytest

from httptop.collect.overhead import OverheadMeter
from httptop.collect.source import UNMEASURED, KernelCost


def test_rates_cover_the_time_between_calls() -> None:
    meter = OverheadMeter()
    first = meter.measure(10.0, 5, None)
    assert (first.cpu_percent, first.samples_per_s, first.bpf_calls) == (None, None, None)
    assert first.rss_bytes
    assert first.open_fds
    second = meter.measure(12.0, 30, KernelCost(7, None, 0.5))
    assert second.samples_per_s == 15.0
    assert second.cpu_percent is not None
    assert (second.bpf_calls, second.bpf_ns_per_call, second.bpf_cpu_percent) == (7, None, 0.5)


def test_what_was_not_measured_is_not_shown() -> None:
    """The programs are timed in every other tick; between, the latest cost is shown."""
    meter = OverheadMeter()
    shown = []
    for tick, cost in enumerate(
        (None, KernelCost(7, 120.0, 0.5), None, UNMEASURED, None, KernelCost(9, 80.0, 0.25))
    ):
        overhead = meter.measure(float(tick), 0, cost)
        shown.append((overhead.bpf_calls, overhead.bpf_ns_per_call, overhead.bpf_cpu_percent))
    nothing = (None, None, None)
    assert shown == [nothing, (7, 120.0, 0.5), (7, 120.0, 0.5), nothing, nothing, (9, 80.0, 0.25)]


def test_a_call_right_behind_another_makes_no_new_rate() -> None:
    meter = OverheadMeter()
    meter.measure(10.0, 0, None)
    before = meter.measure(11.0, 10, None)
    hasty = meter.measure(11.01, 4, None)
    assert (hasty.cpu_percent, hasty.samples_per_s) == (before.cpu_percent, 10.0)
    assert meter.measure(12.0, 6, None).samples_per_s == pytest.approx(10.0)


def test_helpers_count_until_they_end() -> None:
    alone = OverheadMeter().measure(10.0, 0, None)
    helper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert helper.stdin is not None
    meter = OverheadMeter(helpers=[helper.pid])
    with_helper = meter.measure(10.0, 0, None)
    helper.stdin.close()
    helper.wait()
    after = meter.measure(11.0, 0, None)
    assert (with_helper.rss_bytes or 0) > (alone.rss_bytes or 0)
    assert (with_helper.open_fds or 0) > (alone.open_fds or 0)
    assert after.rss_bytes is not None
    assert after.cpu_percent is not None
    assert after.rss_bytes < (with_helper.rss_bytes or 0)
