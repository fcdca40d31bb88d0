"""Compiled probes: map definitions, and instructions that refer to maps by index.

An image contains no descriptors of a running process, so it can be cached (bpf/build/cache.py) and
loaded without a compiler.
"""

from __future__ import annotations

import base64
import json
import os
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, NamedTuple

from httptop.bpf.build.linker import INT_TYPE, types_of_functions
from httptop.linux import bpf_syscall

_LOAD_WIDE: Final = 0x18  # a 16-byte instruction; the upper half of byte 1 says what it loads
_MAP: Final = 1
#: BCC creates no storages of tasks without type information: these are compiled as hash maps.
_TASK_STORAGES: Final = ("marks",)
#: These have one value, all of their words. BCC compiles functions that read and write each member
#: of a value, which takes a second and a half here: so they are compiled as arrays of words.
_ONE_VALUE: Final = ("window_log", "filter_ranges", "filter_globs", "shares")
_WIDTH: Final = 8
_DIGEST_LEN: Final = 64  # in hexadecimal digits
_NO_VALUES: Final[Mapping[str, int]] = {}


class MapShape(NamedTuple):
    """The parameters that a map is created with."""

    name: str
    kind: int
    key_len: int
    value_len: int
    entries: int
    flags: int


@dataclass(frozen=True, slots=True)
class Image:
    """Maps, and programs whose references to maps are indices into them."""

    maps: tuple[MapShape, ...]
    programs: dict[str, bytes]

    def to_bytes(self) -> bytes:
        """Return the image as the contents of a file, which begin with their digest."""
        programs = {name: base64.b64encode(code).decode() for name, code in self.programs.items()}
        data = json.dumps({**asdict(self), "programs": programs}).encode()
        return _digest(data) + data

    @classmethod
    def from_bytes(cls, data: bytes) -> Image:
        """Return the image in a file's contents; raise :class:`ValueError` if they are none."""
        digest, data = data[:_DIGEST_LEN], data[_DIGEST_LEN:]
        if digest != _digest(data):
            raise ValueError("not an image of programs: its digest is another")
        try:
            found = json.loads(data)
            maps = tuple(
                MapShape(str(name), *map(int, numbers)) for name, *numbers in found["maps"]
            )
            programs = {
                str(name): base64.b64decode(code, validate=True)
                for name, code in found["programs"].items()
            }
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError(f"not an image of programs: {error}") from None
        for code in programs.values():
            if len(code) % _WIDTH or any(n >= len(maps) for _, n in _references(code)):
                raise ValueError("not an image of programs: a reference to no map")
        return cls(maps, programs)


def _digest(data: bytes) -> bytes:
    import hashlib  # once the loader has left OpenSSL out

    return hashlib.sha256(data).hexdigest().encode()


def image_of(programs: Mapping[str, bytes]) -> Image:
    """Return the image of programs that refer to maps by this process's open descriptors."""
    numbers: dict[int, int] = {}
    shapes: list[MapShape] = []
    code: dict[str, bytes] = {}
    for name, instructions in programs.items():
        changed = bytearray(instructions)
        for at, descriptor in _references(instructions):
            if descriptor not in numbers:
                numbers[descriptor] = len(shapes)
                shapes.append(_shape_of(descriptor))
            struct.pack_into("<I", changed, at + 4, numbers[descriptor])
        code[name] = bytes(changed)
    return Image(tuple(shapes), code)


def _shape_of(descriptor: int) -> MapShape:
    shape = MapShape(*bpf_syscall.map_info(descriptor))
    if shape.name in _TASK_STORAGES:
        kind, flags = bpf_syscall.TASK_STORAGE, bpf_syscall.NO_PREALLOC
        return shape._replace(kind=kind, entries=0, flags=flags)
    if shape.name in _ONE_VALUE:
        return shape._replace(value_len=shape.value_len * shape.entries, entries=1)
    return shape


class Loaded:
    """The created maps of an image, and its programs ready to be loaded."""

    def __init__(
        self, image: Image, entries: Mapping[str, int], longest: Mapping[str, int] = _NO_VALUES
    ) -> None:
        """Create the maps, some with another number of entries than compiled; raises OSError.

        ``longest``: lengths of values, in bytes, that maps are to have room for.
        """
        self._image = image
        self.shapes = {
            shape.name: shape._replace(
                entries=entries.get(shape.name, shape.entries),
                value_len=max(shape.value_len, longest.get(shape.name, 0)),
            )
            for shape in image.maps
        }
        self.maps: dict[str, int] = {}
        try:
            for name, shape in self.shapes.items():
                self.maps[name] = _create(shape)
        except OSError:
            self.close()
            raise

    def instructions(self, name: str) -> bytes:
        """Return a program that refers to our maps' descriptors; raise KeyError."""
        code = bytearray(self._image.programs[name])
        for at, number in _references(code):
            descriptor = self.maps[self._image.maps[number].name]
            struct.pack_into("<I", code, at + 4, descriptor)
        return bytes(code)

    def close(self) -> None:
        """Close the maps; idempotent."""
        for descriptor in self.maps.values():
            os.close(descriptor)
        self.maps = {}


def _create(shape: MapShape) -> int:
    """Create a map; return its descriptor. The storage of a task is to have a type, an int."""
    if shape.kind != bpf_syscall.TASK_STORAGE:
        return bpf_syscall.map_create(*shape)
    types = bpf_syscall.btf_load(types_of_functions())
    try:
        return bpf_syscall.map_create(*shape, types=(types, INT_TYPE, INT_TYPE))
    finally:
        os.close(types)


def _references(code: bytes | bytearray) -> list[tuple[int, int]]:
    """Return the (offset in bytes, map) pairs of a program's references to maps."""
    found = []
    at = 0
    while at < len(code):
        wide = code[at] == _LOAD_WIDE
        if wide and code[at + 1] >> 4 == _MAP:
            found.append((at, struct.unpack_from("<I", code, at + 4)[0]))
        at += 2 * _WIDTH if wide else _WIDTH
    return found
