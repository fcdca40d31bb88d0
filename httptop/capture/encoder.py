"""Turn snapshots into the frames of a capture (parts.py), each as what has changed since before."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Final

from httptop.capture.frames import CHANGES, MORE, WHOLE
from httptop.capture.parts import Part, Row, Tick, encode, values_of
from httptop.capture.trends import TotalsTrends, difference
from httptop.linux.stretches import give_way
from httptop.model import EndpointKey, EndpointStats, Snapshot, Transaction
from httptop.view.rows import RowsOnDemand

#: How many snapshots there are from one that needs no other to the next.
EVERY: Final = 60
#: About how many bytes a part has that is not the last one; in memory there is one at a time.
_ENOUGH: Final = 512 << 10
_KEY_BYTES: Final = 120
_REQUEST_BYTES: Final = 500
_ROW_BYTES: Final = 16


class Encoder:
    """Makes the frames of one snapshot after the other; remembers little of the previous one."""

    def __init__(self) -> None:
        self._number = 0
        self._forget()

    def _forget(self) -> None:
        self._numbers: dict[EndpointKey, int] = {}
        self._digests: dict[int, bytes] = {}
        self._row_trends: dict[int, tuple[float | None, ...]] = {}
        self._order = b""
        self._recent: frozenset[Transaction] = frozenset()
        self._trends = TotalsTrends()

    def frames(self, snapshot: Snapshot) -> Iterator[tuple[bytes, bytes]]:
        """Yield the kind and the content of each frame of the next snapshot.

        All are to be taken; what the screen alone has asked for is not among them.
        """
        whole = self._number % EVERY == 0
        self._number += 1
        if whole:
            self._forget()
        rows = snapshot.endpoints
        keys = rows.keys if isinstance(rows, RowsOnDemand) else [row.key for row in rows]
        new = [key for key in keys if key not in self._numbers]
        for key in new:
            self._numbers[key] = len(self._numbers)
        numbers = [self._numbers[key] for key in keys]
        kind, part, size = WHOLE if whole else CHANGES, Part(tick=self._tick(snapshot, numbers)), 0

        def full(adds: int) -> Iterator[tuple[bytes, bytes]]:
            nonlocal kind, part, size
            size += adds
            if size > _ENOUGH:
                part.more = True
                yield kind, encode(part)
                kind, part, size = MORE, Part(), adds

        for key in new:
            yield from full(_KEY_BYTES + 4 * len(key.path))
            part.keys.append(key)
        for request in snapshot.recent:
            if request not in self._recent:
                heads = sum(map(len, (*request.request_head, *request.response_head)))
                yield from full(_REQUEST_BYTES + 4 * (len(request.path) + heads))
                part.requests.append(request)
        self._recent = frozenset(snapshot.recent)
        for number, row in zip(numbers, _each(rows), strict=True):
            changed = self._changed(number, row, for_screen=snapshot.in_flight_for_screen)
            if changed is not None:
                yield from full(_ROW_BYTES + 9 * len(changed.added) + len(changed.values or b""))
                part.rows.append(changed)
            if number & 1:  # two rows take half as long as a stretch
                give_way()
        yield kind, encode(part)

    def _tick(self, snapshot: Snapshot, numbers: Sequence[int]) -> Tick:
        dropped, totals = self._trends.differences(snapshot)
        order = struct.pack(f"<{len(numbers)}I", *numbers)
        same, self._order = order == self._order, order
        if not same:  # a row that went is another one when it comes again
            for number in self._digests.keys() - set(numbers):
                del self._digests[number], self._row_trends[number]
        asked = snapshot.in_flight is not None and not snapshot.in_flight_for_screen
        return Tick(
            snapshot=replace(
                snapshot,
                totals=totals,
                endpoints=(),
                recent=(),
                early=False,
                in_flight=snapshot.in_flight if asked else None,
                in_flight_cut=asked and snapshot.in_flight_cut,
                in_flight_for_screen=False,
                in_flight_age_s=0.0,
                looked_at=None,
                filtered=None,
                kept_s=0.0,
            ),
            dropped={place: values for place, values in dropped.items() if values},
            recent=[request.serial for request in snapshot.recent],
            order=None if same else order,
            in_flight_after_s=max(0.0, -snapshot.in_flight_age_s) if asked else 0.0,
        )

    def _changed(self, number: int, row: EndpointStats, *, for_screen: bool) -> Row | None:
        if for_screen and row.oldest_in_flight_ns is not None:
            row = replace(row, oldest_in_flight_ns=None)
        values = encode(values_of(row))
        # Eight thousand rows' values themselves would take 8 MB.
        digest = blake2b(values, digest_size=16).digest()
        dropped, added = difference(self._row_trends.get(number, ()), row.trend_ns)
        if self._digests.get(number) == digest:
            if not (dropped or added):
                return None
            values = b""
        self._digests[number], self._row_trends[number] = digest, row.trend_ns
        return Row(number, dropped, list(added), values or None)


def _each(rows: Sequence[EndpointStats]) -> Iterator[EndpointStats]:
    """Yield each row; those that are made on demand do not stay."""
    if isinstance(rows, RowsOnDemand):
        return map(rows.passing, range(len(rows)))
    return iter(rows)
