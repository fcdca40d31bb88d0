"""The parties that the kernel counts for (bpf/c/parties.h)."""

from __future__ import annotations

import functools
import socket
import struct
import zlib
from array import array
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from operator import add
from typing import Final, Literal

from httptop.bpf import abi
from httptop.bpf.mapped import MappedMap
from httptop.bpf.own_pids import OwnPids
from httptop.collect.party_figures import AllFigures, Party, PartyColumns, PartyFigures
from httptop.linux import bpf_syscall
from httptop.linux.stretches import give_way
from httptop.model import UNIX_PEER

_UNIT_NS: Final = 1024  # of the longest latency
#: If no more parties than these are left of many, their figures are asked for one by one.
_FEW: Final = 32
#: Where the longest latency stands in a party's counts of 32 bits; then come the generation, the
#: unanswered requests and the unknown ones.
_LONGEST_AT: Final = 6
#: Figures of so many bytes are kept as they are, of more they are packed, and of the most not kept:
#: to pack those takes five milliseconds.
_FEW_BYTES: Final = 64 << 10
_MOST_BYTES: Final = 1 << 20
_LEVEL: Final = 1


class KernelFigures:
    """What parties have had, as the kernel counts it; see ``collect.parties.AllFigures``."""

    def __init__(self, counts: bytes, size: int, places: Mapping[int, int] | None = None) -> None:
        """``counts``: of each party so many bytes, ``size``, at the place of its number.

        ``places``: where those of some are, by number, if there are no others.
        """
        self._counts, self._size, self._places = counts, size, places

    def _bytes(self, number: int) -> bytes:
        """Return what the shards of a party have; nothing, if it was not there yet."""
        place = number if self._places is None else self._places.get(number, len(self._counts))
        return self._counts[place * self._size : (place + 1) * self._size]

    def of(self, number: int) -> PartyFigures:
        """Return the figures of a party."""
        answered = sum_ns = failed = longest = unanswered = unknown = 0
        for one in abi.PARTY_COUNTS.iter_unpack(self._bytes(number)):
            answered += one[0]
            sum_ns += one[1]
            failed += one[2]
            longest = max(longest, one[3])
            unanswered += one[5]
            unknown += one[6]
        requests = answered + unanswered + unknown
        max_ns = (longest + 1) * _UNIT_NS - 1 if answered else 0  # not below the others
        return PartyFigures(requests, failed + unanswered, answered, sum_ns, max_ns)

    def columns(self, end: int) -> PartyColumns:
        """Return the figures of all parties with numbers below ``end``; see AllFigures."""
        if self._places is not None:
            found = [self.of(number) for number in range(end)]
            return PartyColumns(*([one[at] for one in found] for at in range(5)))
        answered, sum_ns, failed = (self._column("Q", at, end) for at in range(3))
        longest = self._column("I", _LONGEST_AT, end, max)
        unanswered, unknown = (self._column("I", _LONGEST_AT + at, end) for at in (2, 3))
        return PartyColumns(
            list(map(add, map(add, answered, unanswered), unknown)),
            list(map(add, failed, unanswered)),
            answered,
            sum_ns,
            [
                (most + 1) * _UNIT_NS - 1 if count else 0
                for most, count in zip(longest, answered, strict=True)
            ],
        )

    def _column(
        self, kind: Literal["Q", "I"], at: int, end: int, both: Callable[[int, int], int] = add
    ) -> list[int]:
        """Return one of the counts of each party, of all its shards together."""
        counts = memoryview(self._counts).cast(kind)
        shard, party = abi.PARTY_COUNTS.size // counts.itemsize, self._size // counts.itemsize
        column = counts[at::party].tolist()
        for first in range(shard, party, shard):
            column = list(map(both, column, counts[first + at :: party].tolist()))
        return column[:end] + [0] * (end - len(column))

    def packed(self) -> KernelFigures | PackedFigures | None:
        """Return the same in less memory; see AllFigures."""
        if len(self._counts) > _MOST_BYTES:
            return None
        return self._packed if len(self._counts) > _FEW_BYTES else self

    def whole(self) -> KernelFigures:
        """Return itself."""
        return self

    @cached_property
    def _packed(self) -> PackedFigures:
        return PackedFigures(zlib.compress(self._counts, _LEVEL), self._size, self._places)

    def changed(self, before: AllFigures, numbers: Iterable[int]) -> list[int]:
        """Return those of some parties that have had something since ``before``."""
        assert isinstance(before, KernelFigures)
        if self._places is not None or before._places is not None:
            return [at for at in numbers if self._bytes(at) != before._bytes(at)]
        size, now, old = self._size, self._counts, before._counts
        places = ((number, slice(number * size, (number + 1) * size)) for number in numbers)
        return [number for number, place in places if now[place] != old[place]]


class PackedFigures:
    """What parties have had, compressed until somebody looks."""

    def __init__(self, packed: bytes, size: int, places: Mapping[int, int] | None) -> None:
        """``size`` and ``places``: as in KernelFigures."""
        self._bytes, self._size, self._places = packed, size, places

    def whole(self) -> KernelFigures:
        """Return the same unpacked."""
        return KernelFigures(zlib.decompress(self._bytes), self._size, self._places)

    def of(self, number: int) -> PartyFigures:
        """Return the figures of a party."""
        return self.whole().of(number)

    def columns(self, end: int) -> PartyColumns:
        """Return the figures of all parties with numbers below ``end``; see AllFigures."""
        return self.whole().columns(end)

    def changed(self, before: AllFigures, numbers: Iterable[int]) -> list[int]:
        """Return those of some parties that have had something since ``before``."""
        return self.whole().changed(before, numbers)

    def packed(self) -> PackedFigures:
        """Return itself."""
        return self


class KernelParties:
    """A :class:`httptop.collect.parties.PartySource`.

    Every method raises :class:`OSError` if the kernel refuses.
    """

    def __init__(
        self,
        maps: Mapping[str, int],
        end_party: int,
        shards: int,
        own_pids: OwnPids,
    ) -> None:
        """``end_party``: the program of that name."""
        self._end_party, self._shards, self._own_pids = end_party, shards, own_pids
        self._free, self._counts_map = maps["free_parties"], maps["party_counts"]
        self._keys, self._counts = MappedMap(maps["party_keys"]), MappedMap(maps["party_counts"])
        self.most = bpf_syscall.map_info(maps["party_keys"])[4] - abi.FIRST_PARTY
        self._end = abi.FIRST_PARTY  # the number behind those in use
        self._known = array("I")  # the endpoint of each number, as it was seen last
        self._used: list[int] | None = None  # the numbers that have an endpoint; None: out of date
        self._given_back: list[int] = []
        self._without = b""  # what requests without a party had counted

    def new(self) -> dict[int, Party]:
        """Return the parties that have got a number; see PartySource."""
        for number in self._given_back:
            give_way()
            bpf_syscall.run_raw_tracepoint(self._end_party, number, 1)
            self._known[number] = 0
            self._used = None
        self._given_back = []
        self._have_look_again()
        top = bpf_syscall.map_lookup(self._free, b"", 4)
        # One that was given back may be on top; none is: all are in use.
        end = self.most + abi.FIRST_PARTY if top is None else int.from_bytes(top, "little")
        self._end = max(self._end, end)
        size = abi.PARTY_KEY.size
        endpoints = array("I", self._keys.column(self._end * size, "I", size))
        if endpoints == self._known:
            return {}
        self._known.extend([0] * (len(endpoints) - len(self._known)))
        pairs = enumerate(zip(endpoints, self._known, strict=True))
        numbers = [number for number, (now, before) in pairs if now and now != before]
        self._known, self._used = endpoints, None
        keys = self._keys.up_to(self._end * size)
        raw = {number: abi.PARTY_KEY.unpack_from(keys, number * size) for number in numbers}
        pids = self._own_pids.of_each({tgid for _, tgid, *_ in raw.values()})
        return {
            number: Party(endpoint, pids.get(tgid, 0), address_of(family, address))
            for number, (endpoint, tgid, family, _, address) in raw.items()
        }

    def _have_look_again(self) -> None:
        """Have connections without a party find one, if they have had requests since."""
        size = self._shards * abi.PARTY_COUNTS.size
        at = abi.NO_PARTY_YET * size
        without = bytes(self._counts.up_to(at + size)[at : at + size])
        if without != self._without:
            bpf_syscall.run_raw_tracepoint(self._end_party, abi.NO_PARTY_YET, 0)
            self._without = bytes(self._counts.up_to(at + size)[at : at + size])

    def figures(self) -> KernelFigures:
        """Return what all have had; see PartySource."""
        size = self._shards * abi.PARTY_COUNTS.size
        if self._used is None:
            self._used = [number for number, endpoint in enumerate(self._known) if endpoint]
        if len(self._used) > _FEW or self._end <= _FEW:
            end = self._end * size
            return KernelFigures(self._counts.up_to(end)[:end], size)
        self._counts.shrink(0)
        found = b"".join(map(self._counts_of, self._used))
        places = {number: place for place, number in enumerate(self._used)}
        return KernelFigures(found, size, places)

    def _counts_of(self, number: int) -> bytes:
        """Ask the kernel for what the shards of a party have."""
        size, first = abi.PARTY_COUNTS.size, number * self._shards
        keys = (struct.pack("<I", first + shard) for shard in range(self._shards))
        found = (bpf_syscall.map_lookup(self._counts_map, key, size) for key in keys)
        return b"".join(counts or bytes(size) for counts in found)

    def give_back(self, numbers: Collection[int]) -> None:
        """Have these parties count no more; see PartySource."""
        for number in numbers:
            give_way()
            bpf_syscall.run_raw_tracepoint(self._end_party, number, 0)
        self._given_back += numbers

    def close(self) -> None:
        """Unmap the maps; idempotent."""
        self._keys.close()
        self._counts.close()


@functools.lru_cache(maxsize=4096)
def address_of(family: int, address: bytes) -> str:
    """Return a peer's address as text, that of IPv4 in IPv6 as one of IPv4."""
    if family == socket.AF_INET:
        return socket.inet_ntop(family, address[:4])
    if family == socket.AF_INET6:
        return socket.inet_ntop(family, address).removeprefix("::ffff:")
    return UNIX_PEER
