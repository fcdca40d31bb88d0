"""The kernel's type information, from blobs of our own."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from httptop.linux import btf
from httptop.linux.btf import Btf, BtfError

INT, POINTER, ARRAY, STRUCT, UNION, ENUM, TYPEDEF, CONST, FUNC, PROTO = (
    1, 2, 3, 4, 5, 6, 8, 10, 12, 13,
)  # fmt: skip


class Blob:
    """Builds BTF."""

    def __init__(self) -> None:
        self._strings = bytearray(b"\0")
        self._types = bytearray()
        self._count = 0

    def name(self, text: str) -> int:
        if not text:
            return 0
        at = len(self._strings)
        self._strings += text.encode() + b"\0"
        return at

    def add(
        self, kind: int, name: str, *words: int, count: int = 0, flag: int = 0, size: int = 0
    ) -> int:
        info = flag << 31 | kind << 24 | count
        self._types += struct.pack(f"<3I{len(words)}I", self.name(name), info, size, *words)
        self._count += 1
        return self._count

    def struct(
        self, name: str, *members: tuple[str, int, int], kind: int = STRUCT, flag: int = 0
    ) -> int:
        words = [
            word for text, type_id, bits in members for word in (self.name(text), type_id, bits)
        ]
        return self.add(kind, name, *words, count=len(members), flag=flag)

    def bytes(self) -> bytes:
        types, strings = bytes(self._types), bytes(self._strings)
        head = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings))
        return head + types + strings


def _blob() -> Blob:
    blob = Blob()
    number = blob.add(INT, "int", 0, size=4)  # 1
    blob.add(ARRAY, "", number, number, 4)  # 2
    inner = blob.struct("", ("left", number, 0), ("right", number, 32))  # 3
    union = blob.struct("", ("a", number, 0), ("", inner, 0), kind=UNION)  # 4
    blob.add(ENUM, "colour", 0, 0, count=1, size=4)  # 5
    alias = blob.add(TYPEDEF, "inner_t", size=inner)  # 6
    const = blob.add(CONST, "", size=alias)  # 7
    blob.struct("outer", ("x", number, 0), ("", union, 64), ("held", const, 128))  # 8
    blob.struct("bits", ("flag", number, 1 << 24 | 3), ("byte", number, 40), flag=1)  # 9
    proto = blob.add(PROTO, "", 0, number, count=1)  # 10
    blob.add(FUNC, "a_function", size=proto)  # 11
    blob.add(TYPEDEF, "btf_trace_it", size=proto)  # 12
    return blob


NAMES = ("outer", "bits", "a_function", "btf_trace_it", "missing", "colour")


def test_offsets() -> None:
    found = Btf(_blob().bytes(), NAMES)
    assert found.offset("outer", "x") == 0
    assert found.offset("outer", "a") == 8  # inside an anonymous union
    assert found.offset("outer", "right") == 12  # inside an anonymous struct in it
    assert found.offset("outer", "held.right") == 20  # by way of const and typedef
    assert found.offset("bits", "byte") == 5


def test_ids() -> None:
    found = Btf(_blob().bytes(), NAMES)
    assert found.struct_id("outer") == 8
    assert found.function_id("a_function") == 11
    assert found.typedef_id("btf_trace_it") == 12
    assert found.typedef_id("missing") is None
    assert found.function_id("outer") is None


@pytest.mark.parametrize(
    ("struct_name", "member"), [("outer", "y"), ("missing", "x"), ("outer", "x.y"), ("colour", "x")]
)
def test_what_is_not_there(struct_name: str, member: str) -> None:
    with pytest.raises(BtfError):
        Btf(_blob().bytes(), NAMES).offset(struct_name, member)


@pytest.mark.parametrize("blob", [b"", b"\x9f\xeb", bytes(64), b"\xeb\x9f" + bytes(40)])
def test_what_is_no_btf(blob: bytes) -> None:
    with pytest.raises(BtfError):
        Btf(blob, NAMES)


def test_types_in_a_circle() -> None:
    blob = Blob()
    blob.add(CONST, "", size=2)
    blob.add(CONST, "", size=1)
    blob.struct("outer", ("x", 1, 0))
    with pytest.raises(BtfError):
        Btf(blob.bytes(), ("outer",)).offset("outer", "x.y")


def test_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(btf, "VMLINUX", tmp_path / "none")
    with pytest.raises(BtfError, match="none"):
        Btf.of_kernel(NAMES)


@pytest.mark.skipif(not btf.VMLINUX.exists(), reason="this kernel has no BTF")
def test_this_kernel() -> None:
    kernel = btf.describe_kernel()
    assert all(value >= 0 for value in kernel.offsets.values())
    assert kernel.offsets["OFF_SOCK_FAMILY"] == 16  # has been so since 2.6
    assert "sys_exit" in kernel.tracepoints
