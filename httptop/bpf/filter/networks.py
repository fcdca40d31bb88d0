"""Networks as the kernel looks them up: a trie of prefixes, the longest of which tells all."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

from httptop.bpf.abi import PEER_KEY

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Bits of a key before the address: whether it has one word or four.
_WORDS_BITS: Final = 32


def entries(comparisons: Sequence[Sequence[Network]]) -> dict[bytes, int]:
    """Return the comparisons, as bits, that an address meets: by key of its longest prefix.

    A prefix has the bits of all that it lies in, as the kernel finds the longest alone.
    """
    bits: dict[tuple[int, int, int], int] = {}  # version, length, number of the network
    for at, networks in enumerate(comparisons):
        for network in networks:
            key = (network.version, network.prefixlen, int(network.network_address))
            bits[key] = bits.get(key, 0) | 1 << at
    lengths = {(version, length) for version, length, _ in bits}
    found = {}
    for version, length, number in bits:
        most = 32 if version == 4 else 128
        met = 0
        for other, shorter in lengths:
            if other == version and shorter <= length:
                above = number >> most - shorter << most - shorter
                met |= bits.get((version, shorter, above), 0)
        address = number.to_bytes(most // 8, "big")
        found[PEER_KEY.pack(_WORDS_BITS + length, most // 32, address)] = met
    return found
