"""Give shares back of which nothing is taken any more (bpf/c/shares.h)."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from httptop.bpf import abi
from httptop.linux import bpf_syscall

_KEY: Final = abi.TENANT_KEY.size
_SHARE: Final = abi.SHARE.size
#: What stands in the map: a share's number and, of a user, how many tenants have one (shares.h).
_NUMBER: Final = 0xFFFF
_COUNT_AT: Final = 16


class Tenants:
    """The tenants and users that have a share; for the collector's thread alone.

    A share goes back in three steps, each with nothing taken: a look, another when its key is
    deleted, and a third when its number is free again. A program that has just found it is done by
    then. Every method raises :class:`OSError` if the kernel refuses.
    """

    def __init__(self, maps: Mapping[str, int]) -> None:
        self._maps = maps
        self._reader = bpf_syscall.BatchReader(maps["tenants"], _KEY, 4, 256)
        self._unused: set[int] = set()
        self._deleted: set[int] = set()

    def sweep(self, shares: bytes) -> None:
        """Take the next step for each share; ``shares`` as in struct shares."""
        for number in [at for at in self._deleted if not _is_taken(shares, at)]:
            self._deleted.discard(number)
            bpf_syscall.map_update(self._maps["free_shares"], b"", struct.pack("<I", number))
        tenants = list(self._tenants())
        users = Counter(
            abi.SHARE.unpack_from(shares, number * _SHARE)[abi.RESOURCES]
            for key, number, _ in tenants
            if not _is_user(key)
        )
        for key, number, counted in tenants:
            if _is_user(key) and users[number] != counted:
                self._count(key, number, users[number])
        unused = {
            number: key
            for key, number, _ in tenants
            if not _is_taken(shares, number) and not (_is_user(key) and users[number])
        }
        for number in unused.keys() & self._unused:
            bpf_syscall.map_delete(self._maps["tenants"], unused.pop(number))
            self._deleted.add(number)
        self._unused = set(unused)

    def _tenants(self) -> Iterator[tuple[bytes, int, int]]:
        """Yield keys and numbers of shares and, of users, how many tenants the kernel counts."""
        keys, values = self._reader.read()
        for at, (value,) in enumerate(struct.iter_unpack("<I", values)):
            yield keys[at * _KEY : (at + 1) * _KEY], value & _NUMBER, value >> _COUNT_AT

    def _count(self, key: bytes, number: int, tenants: int) -> None:
        """Note how many tenants a user has; what the kernel adds meanwhile is noted next time."""
        value = struct.pack("<I", number | tenants << _COUNT_AT)
        bpf_syscall.map_update(self._maps["tenants"], key, value)


def _is_user(key: bytes) -> bool:
    return bool(abi.TENANT_KEY.unpack(key)[2] == abi.SIDE_OF_USER)


def _is_taken(shares: bytes, number: int) -> bool:
    """Return whether a share has anything, a row of ~other included."""
    taken = abi.SHARE.unpack_from(shares, number * _SHARE)
    return any(taken[: abi.RESOURCES]) or bool(taken[abi.RESOURCES + 1])
