"""What all tests share: who may load probes, what runs beside what, and what is told at the end.

Where several processes share the tests (scripts/test), each loads a set of probes once and uses it
again (tests/live/pool.py). Tests that must not run beside each other, such as those that start
httptop and look at the whole host, form groups (xdist_group): one process runs a whole group. So
do the tests of screens, in three groups: they wait for screens more than they use the CPU, and with
one for each process they would leave it idle. They come first, those that load probes next, the
short ones last.
"""

from __future__ import annotations

import faulthandler
import gc
from collections import Counter
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from httptop.doctor.checks import checks
from httptop.doctor.host import this_host
from httptop.linux import seccomp
from tests.idle import see_what_is_ready

#: No test depends on how fast the machine is. Examples differ in each run; `make test-fuzz` takes
#: many (--hypothesis-profile=thorough).
settings.register_profile(
    "httptop", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=25
)
settings.register_profile("thorough", settings.get_profile("httptop"), max_examples=1000)
settings.load_profile("httptop")


@pytest.fixture(autouse=True, scope="session")
def no_deadline() -> Generator[None]:
    """Have no run that a test makes in this process end all tests with it where that is slow.

    What a deadline does is tested in processes of their own.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(faulthandler, "dump_traceback_later", lambda *_, **__: None)
        yield


@pytest.fixture(autouse=True, scope="session")
def idle_is_idle() -> Generator[None]:
    """Have a pause of a test end when the app has nothing to do, not when the CPU is others'."""
    with pytest.MonkeyPatch.context() as patched:
        see_what_is_ready(patched)
        yield


@pytest.fixture(autouse=True)
def unconfined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no run within this process restrict its system calls: that lasts."""
    monkeypatch.setattr(seccomp.Filter, "apply", lambda _: None)
    monkeypatch.setattr(seccomp, "unrestricted_tasks", lambda: iter(()))


_SCREEN_GROUPS = 3

_OUTCOMES = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for garbage neither while tests are collected nor among them later: they stay."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests; skip those that load probes where this host cannot be traced."""
    for number, item in enumerate(filter(_is_of_screens, items)):
        item.add_marker(pytest.mark.xdist_group(f"screens{number % _SCREEN_GROUPS}"))
    items.sort(key=lambda item: (not _is_of_screens(item), not item.get_closest_marker("ebpf")))
    loading = [item for item in items if item.get_closest_marker("ebpf")]
    refusal = _refusal() if loading else None
    for item in loading:
        if refusal is not None:
            item.add_marker(pytest.mark.skip(reason=refusal))


def _is_of_screens(item: pytest.Item) -> bool:
    return item.nodeid.startswith(("tests/screens/", "tests/snapshots/"))


def _refusal() -> str | None:
    """Return why this host cannot be traced; None where it can."""
    return next((check.finding for check in checks(this_host()) if check.ok is False), None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell at the very end what was tested, with probes and without; what was not, and why."""
    counts: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    spent_s: dict[bool, float] = {True: 0.0, False: 0.0}
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                with_probes = "ebpf" in report.keywords
                spent_s[with_probes] += report.duration
                counts[with_probes][outcome] += 1
    terminalreporter.section("summary")
    for with_probes, name in ((True, "with probes"), (False, "without")):
        found = counts[with_probes]
        words = [f"{found[word]} {word}" for word in _OUTCOMES if found[word]]
        terminalreporter.line(
            f"{name:<11}: {', '.join(words) or 'none'}, in {spent_s[with_probes]:.0f} s of work"
        )
    skipped = counts[True]["skipped"]
    if skipped and (refusal := _refusal()) is not None:
        terminalreporter.section("EBPF TESTS WERE SKIPPED", sep="!", red=True, bold=True)
        terminalreporter.line(f"{skipped} tests that load real probes did NOT run: {refusal}")
