"""What the user was told, and how old figures are."""

from __future__ import annotations

from dataclasses import replace

from httptop.view.lateness import Lateness
from httptop.view.notices import MOST, Notices
from tests.factory import NOON, snapshot


def test_one_message_is_shown_and_all_are_kept_up_to_a_bound() -> None:
    notices = Notices()
    for n in range(MOST + 5):
        notices.add(f"message {n}", NOON + n)
    kept = notices.newest_first
    assert (len(kept), kept[0].lines, kept[0].at) == (MOST, (f"message {MOST + 4}",), NOON + 104)
    assert notices.shown is kept[0]
    notices.dismiss()
    assert notices.shown is None
    assert len(notices.newest_first) == MOST


def test_a_message_is_printable_and_bounded() -> None:
    notices = Notices()
    notices.add("a\x1b]0;x\x07[red]b[/]\n" + "x" * 9000 + "\n" * 5000, None, wrong=True)
    (kept,) = notices.newest_first
    assert kept.lines[0] == "a\\x1b]0;x\\x07[red]b[/]"
    assert len(kept.lines) <= 60
    assert max(map(len, kept.lines)) <= 1024
    assert kept.wrong


def test_figures_are_late_from_two_intervals_on() -> None:
    times = [100.0]
    lateness = Lateness(lambda: times[-1])
    newest = snapshot()
    assert lateness.text(None) == ""
    lateness.arrived(newest)
    said = []
    for now_s in (100.0, 101.9, 102.1, 103.0, 161.0):
        times.append(now_s)
        said.append(lateness.text(newest))
    assert said == ["", "", "2s old", "3s old", "1m01s old"]
    assert lateness.text(replace(newest, interval_s=60.0)) == ""
    assert lateness.text(replace(newest, final=True)) == ""
    newest = replace(newest, uptime_s=newest.uptime_s + 61.0)
    lateness.arrived(newest)
    assert lateness.text(newest) == ""


def test_figures_that_arrive_late_are_as_old_as_their_moment() -> None:
    times = [100.0]
    lateness = Lateness(lambda: times[-1])
    first = replace(snapshot(), uptime_s=10.0)
    lateness.arrived(first)
    times.append(130.5)
    late = replace(first, uptime_s=11.5)  # its maker has waited for the CPU for 29 s
    lateness.arrived(late)
    assert lateness.text(late) == "29s old"
    times.append(131.0)
    lateness.arrived(replace(first, uptime_s=41.0))
    assert lateness.text(replace(first, uptime_s=41.0)) == ""
    assert lateness.text(late) == "30s old"  # it is not on the screen yet
    another = replace(first, uptime_s=0.0)
    lateness.arrived(another)
    assert lateness.text(another) == ""
