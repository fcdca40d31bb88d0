"""The kernel's layout is found out once a boot, and nothing else is taken for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from httptop.bpf.build.layout import from_bytes, layout_of_kernel, to_bytes
from httptop.linux import btf
from httptop.linux.btf import Kernel

KERNEL = Kernel(
    {"OFF_SOCK_STATE": 18}, frozenset({"sys_exit"}), {"TYPE_FILE": 7}, {"bpf_rdonly_cast": 65486}
)


class Host:
    """A host whose kernel is described by this test; ``asked`` counts how often."""

    def __init__(self, root: Path) -> None:
        self._root, self.cache = root, root / "cache"
        self.asked = 0
        self.write("proc/sys/kernel/random/boot_id", "one\n")
        self.write("sys/kernel/notes", "build")
        self.write("sys/kernel/btf/vmlinux", "types")

    def write(self, name: str, text: str) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def remove(self, name: str) -> None:
        (self._root / name).unlink()

    def layout(self) -> Kernel:
        def describe() -> Kernel:
            self.asked += 1
            return KERNEL

        return layout_of_kernel(self.cache, describe, self._root)

    def file(self) -> Path:
        """Return the one file that the cache holds."""
        (file,) = self.cache.iterdir()
        return file


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_the_second_start_does_not_ask(host: Host) -> None:
    assert host.layout() == host.layout() == KERNEL
    assert host.asked == 1
    assert host.file().stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "change",
    [
        lambda host: host.write("proc/sys/kernel/random/boot_id", "two\n"),
        lambda host: host.write("sys/kernel/notes", "another"),
        lambda host: host.write("sys/kernel/btf/vmlinux", "more types"),
        lambda host: host.file().chmod(0o644),
        lambda host: host.cache.chmod(0o777),
    ],
    ids=["boot", "build", "size", "a file for others", "a directory for others"],
)
def test_it_is_asked_again_where_the_answer_could_be_another(
    host: Host, change: Callable[[Host], None]
) -> None:
    host.layout()
    change(host)
    assert host.layout() == KERNEL
    assert host.asked == 2


def test_a_boot_without_an_id_is_asked_each_time(host: Host) -> None:
    host.remove("proc/sys/kernel/random/boot_id")
    assert host.layout() == host.layout() == KERNEL
    assert host.asked == 2
    assert not host.cache.exists()


def test_our_question_is_part_of_the_name(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.layout()
    other = tmp_path / "btf.py"
    other.write_text("ask something else")
    monkeypatch.setattr(btf, "__file__", str(other))
    host.layout()
    assert host.asked == 2


def fields(**changed: Any) -> bytes:
    return json.dumps({**json.loads(to_bytes(KERNEL)), **changed}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        to_bytes(KERNEL)[:-3],
        fields(more=1),
        fields(offsets={}),
        fields(offsets={"OFF_SOCK_STATE": -1}),
        fields(offsets={"OFF_SOCK_STATE": 1 << 21}),
        fields(offsets={"OFF_SOCK_STATE": True}),
        fields(offsets={"OFF_SOCK_STATE": "18"}),
        fields(offsets={"OFF_A=1 -include/etc/shadow": 1}),
        fields(offsets=["OFF_SOCK_STATE"]),
        fields(tracepoints=["kfree"]),
        fields(tracepoints=[["sys_exit"]]),
        fields(tracepoints=7),
        fields(types={"TYPE_FILE": 1 << 40}),
        fields(functions={"bpf_override_return": 5}),
        fields(functions=None),
    ],
)
def test_what_is_no_layout_is_not_taken_for_one(host: Host, data: bytes) -> None:
    with pytest.raises(ValueError, match="not the layout"):
        from_bytes(data)
    host.layout()
    host.file().write_bytes(data)
    assert host.layout() == KERNEL
    assert host.asked == 2
    assert from_bytes(host.file().read_bytes()) == KERNEL, "written anew"


def test_a_layout_comes_back() -> None:
    assert from_bytes(to_bytes(KERNEL)) == KERNEL


def test_the_layout_of_this_kernel_is_one() -> None:
    if not btf.VMLINUX.exists():
        pytest.skip("this kernel has no BTF")
    kernel = btf.describe_kernel()
    assert from_bytes(to_bytes(kernel)) == kernel
