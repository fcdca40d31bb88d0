"""What all tests share: who may load probes, and saying so loudly when nobody could."""

from __future__ import annotations

import pytest

from httptop.doctor import checks

_REFUSAL = pytest.StashKey[str]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the tests that load probes where this host cannot be traced."""
    wanting = [item for item in items if item.get_closest_marker("ebpf")]
    refusal = checks.refusal() if wanting else None
    if refusal is None:
        return
    config.stash[_REFUSAL] = refusal
    for item in wanting:
        item.add_marker(pytest.mark.skip(reason=refusal))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Tell at the very end what was not tested, and why."""
    refusal = config.stash.get(_REFUSAL, None)
    if refusal is None:
        return
    skipped = [
        report for report in terminalreporter.stats.get("skipped", []) if "ebpf" in report.keywords
    ]
    if not skipped:
        return
    terminalreporter.section("EBPF TESTS WERE SKIPPED", sep="!", red=True, bold=True)
    terminalreporter.line(f"{len(skipped)} tests that load real probes did NOT run: {refusal}")
