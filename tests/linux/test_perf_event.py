"""Numbers of tracepoints, and programs that are attached as perf's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from httptop.linux import perf_event


def test_the_number_is_where_tracefs_is_mounted(tmp_path: Path) -> None:
    event = tmp_path / "events/sock/sock_send_length"
    event.mkdir(parents=True)
    (event / "id").write_text("70001\n")
    assert perf_event.number_of("sock_send_length", tmp_path) == 70001


@pytest.mark.ebpf
def test_the_number_without_a_mount(tmp_path: Path) -> None:
    """The kernel's own: small, one for each; what it does not have has none. Nothing is mounted."""
    mounts = Path("/proc/self/mounts").read_text()
    descriptors = os.listdir("/proc/self/fd")
    found = {
        name: perf_event.number_of(name, tmp_path)
        for name in ("inet_sock_set_state", "sock_rcvqueue_full", "sock_no_such")
    }
    assert found.pop("sock_no_such") is None
    assert None not in found.values()
    assert len(set(found.values())) == len(found)
    assert Path("/proc/self/mounts").read_text() == mounts
    assert os.listdir("/proc/self/fd") == descriptors


@pytest.mark.ebpf
def test_a_number_is_usable_for_root(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "inet_sock_set_state"
    assert perf_event.usable_number_of(name) == perf_event.number_of(name) is not None
    monkeypatch.setattr(perf_event, "number_of", lambda _: 1 << 32)
    assert perf_event.usable_number_of(name) is None


@pytest.mark.ebpf
def test_what_is_no_program_is_not_attached() -> None:
    number = perf_event.number_of("inet_sock_set_state")
    assert number is not None
    descriptors = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match=r"Invalid argument|Bad file descriptor"):
        perf_event.attach(0, number)
    with pytest.raises(OSError, match=r"Invalid argument|No such"):
        perf_event.attach(0, 1 << 32)  # nor to no tracepoint
    assert os.listdir("/proc/self/fd") == descriptors
