"""Series of metrics: whatever becomes of rows and cells, they add up, and never fall."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.collect.collected_series import Pages, packed, unpacked
from httptop.collect.endpoint_cells import Endpoint
from httptop.collect.histogram import BUCKETS_PER_OCTAVE, OCTAVES, bucket_of
from httptop.collect.metrics import Series
from httptop.collect.path_rules import PathRules
from httptop.collect.series_names import LINGER_S
from httptop.collect.source import LEFT_OUT, RawEndpoint, RawResponse
from httptop.collect.wide_counters import LARGE, LOOK_S, PAGE
from httptop.config.scope import Scope, limited
from httptop.model import OVERFLOW_PATH, SIDES, EndpointKey
from tests.collect import reference_sums
from tests.collect.cells import FedRows, Reading, answered, delta, endpoint
from tests.collect.reference_sums import CellDelta

#: What a path is to get: a code, or what has no cell of its own.
STATUSES = (200, 404, 500, 0)
PROCESSES = (b"web", b"api")
FORGET_S = 5.0
BEGAN_AT = 500.0


class Traffic:
    """Rows that are fed by the request, with cells as the kernel has them."""

    def __init__(
        self,
        most: int = 1000,
        *,
        max_distinct: int = 1000,
        max_not_found: int = 0,
        scope: Scope | None = None,
        methods: frozenset[str] | None = None,
    ) -> None:
        self.rows = FedRows(
            max_distinct=max_distinct,
            max_not_found=max_not_found,
            max_series=most,
            scope=scope,
            methods=methods,
        )
        assert self.rows.series is not None
        self.series = self.rows.series
        self.series.since = BEGAN_AT
        self.now_s = 1000.0
        self._cells: dict[RawEndpoint, int] = {}
        self._responses: dict[tuple[int, int], int] = {}
        self._reading = Reading(endpoints={}, responses={}, deltas=[])
        self._numbers = itertools.count(10)
        self._free: list[int] = []
        self.rows._ledger.cells.leaving = self._leave
        self._slots = itertools.count()
        self.seen: dict[EndpointKey, Series] = {}
        #: Of those that are gone.
        self.gone: Counter[str] = Counter()

    def _leave(self, endpoints: Mapping[int, Endpoint], now_s: float) -> None:
        self.series.keep(endpoints, now_s)
        self._cells = {raw: cell for raw, cell in self._cells.items() if cell not in endpoints}
        for cell in endpoints:
            self._free.append(cell)
            for key in [key for key in self._responses if key[0] == cell]:
                self._free.append(self._responses.pop(key))

    # What happens to an endpoint

    def cell(self, raw: RawEndpoint) -> int:
        known = self._cells.get(raw)
        if known is None or known in self.rows._ledger.cells.retired:
            known = self._cells[raw] = self._number()
            self._new(endpoints={known: raw})
        return known

    def _number(self) -> int:
        """Return the number of a cell that is free: one that was used before if there is one."""
        return self._free.pop() if self._free else next(self._numbers)

    def _new(self, **of: dict[int, object]) -> None:
        for name, found in of.items():
            getattr(self._reading, name).update(found)

    def _count(self, *deltas: CellDelta) -> None:
        assert isinstance(self._reading.deltas, list)
        self._reading.deltas += deltas

    def begin(self, raw: RawEndpoint, count: int = 1) -> int:
        cell = self.cell(raw)
        self._count(delta(cell, counted=count, bytes=7 * count))
        return cell

    def answer(self, cell: int, status: int, count: int = 1, latency_ns: int = 10_000) -> None:
        at = self._responses.get((cell, status))
        if at is None:
            at = self._responses[cell, status] = self._number()
            self._new(responses={at: RawResponse(cell, status)})
        one = answered(at, count, 3 * count)
        measured = {bucket_of(latency_ns): count} if status and status != LEFT_OUT else {}
        sum_ns = latency_ns * count if measured else 0
        self._count(one._replace(sum_ns=sum_ns, max_ns=latency_ns, histogram=measured))

    def serve(self, raw: RawEndpoint, status: int, count: int = 1, latency_ns: int = 10_000) -> int:
        cell = self.begin(raw, count)
        self.answer(cell, status, count, latency_ns)
        return cell

    def drop(self, raw: RawEndpoint, count: int = 1) -> None:
        self._count(delta(self.begin(raw, count), unanswered=count))

    def rest(self, raw: RawEndpoint, hundreds: int, count: int = 1) -> None:
        classes = tuple(count * (hundreds == n) for n in range(6))
        self._count(delta(self.begin(raw, count), rest=classes, rest_bytes=5 * count))

    def move(self, raw: RawEndpoint) -> None:
        self._count(delta(self.begin(raw), moved=1))

    # Readings

    def tick(self, seconds: float = 1.0) -> None:
        if seconds >= LINGER_S:
            self.read()  # as who asks now and then does in that time
        self.now_s += seconds
        self.add()
        self.rows.end_tick(seconds)
        self.rows.forget(self.now_s, FORGET_S, self.rows.source.names)
        self.series.look_after(self.now_s, self.now_s)

    def forget(self) -> None:
        """Let so much time pass that cells of what is idle are back."""
        for _ in range(5):
            self.tick(FORGET_S)
        self.read()

    def add(self) -> None:
        taken, self._reading = self._reading, Reading(endpoints={}, responses={}, deltas=[])
        self.rows.take(taken, next(self._slots))

    def read(self) -> dict[EndpointKey, Series]:
        """Add up what has happened; return all series, after a check of what always holds."""
        self.add()
        found = list(self.series.read(self.now_s, self.now_s))
        by_key = {series.key: series for series in found}
        assert len(by_key) == len(found)
        for series in found:
            assert len({outcome.status for outcome in series.outcomes}) == len(series.outcomes)
            for outcome in series.outcomes:
                assert sum(outcome.buckets.values()) <= outcome.count
        for key, before in self.seen.items():
            if key in by_key and by_key[key].began_at == before.began_at:  # not another one
                _never_falls(before, by_key[key])
                continue
            assert key.path != OVERFLOW_PATH
            assert not before.in_flight
            for name in ("request_bytes", "response_bytes"):
                self.gone[f"{key.side} {name}"] += getattr(before, name)
            self.gone[f"{key.side} requests"] += requests_of([before])
            self.gone[f"{key.side} buckets"] += buckets_of([before])
            self.gone[f"{key.process} requests"] += requests_of([before])
        self.seen = by_key
        self._adds_up(found)
        return by_key

    def _adds_up(self, found: list[Series]) -> None:
        """Check that all there is is in the series, or was in one that has ended."""
        for side in SIDES:
            total = self.rows.totals(1.0)[side]
            of_side = [series for series in found if series.key.side == side]
            gone = self.gone[f"{side} requests"]
            assert self.series.ended_requests[side] == gone
            assert requests_of(of_side) + gone == total.requests
            assert sum(series.in_flight for series in of_side) == total.in_flight
            gone = self.gone[f"{side} buckets"]
            assert buckets_of(of_side) + gone == total.latency_total.count
            unanswered = sum(series.unanswered for series in of_side)
            assert unanswered <= total.unanswered
            for name in ("request_bytes", "response_bytes"):
                now = sum(getattr(series, name) for series in of_side)
                assert now + self.gone[f"{side} {name}"] == getattr(total, name)
        by_process: Counter[str] = Counter()
        for row in self.rows.table(1.0):
            by_process[row.key.process] += row.requests
        if not any(process.startswith("~") for process in by_process):
            for process, requests in by_process.items():
                of_process = [series for series in found if series.key.process == process]
                others = [series for series in found if series.key.process.startswith("~")]
                if not others:
                    gone = self.gone[f"{process} requests"]
                    assert requests_of(of_process) + gone == requests


def requests_of(series: Iterable[Series]) -> int:
    return sum(one.unanswered + sum(outcome.count for outcome in one.outcomes) for one in series)


def buckets_of(series: Iterable[Series]) -> int:
    return sum(sum(outcome.buckets.values()) for one in series for outcome in one.outcomes)


def _never_falls(before: Series, now: Series) -> None:
    for name in ("unanswered", "request_bytes", "response_bytes"):
        assert getattr(now, name) >= getattr(before, name)
    outcomes = {outcome.status: outcome for outcome in now.outcomes}
    for outcome in before.outcomes:
        later = outcomes[outcome.status]
        assert later.count >= outcome.count
        assert later.sum_ns >= outcome.sum_ns
        for bucket, count in outcome.buckets.items():
            assert later.buckets[bucket] >= count


def web(path: str, side: int = 0, process: bytes = b"web", method: str = "GET") -> RawEndpoint:
    return endpoint(path, side, method, process)


def by_path(series: dict[EndpointKey, Series]) -> dict[str, dict[int, int]]:
    """Return how many responses there are by path and status."""
    return {
        key.path: {outcome.status: outcome.count for outcome in one.outcomes}
        for key, one in series.items()
    }


ENDPOINTS = st.builds(
    web,
    st.sampled_from(("/a/1", "/a/2", "/b/1", "/b/2")),
    st.sampled_from((0, 0, 1)),
    st.sampled_from((*PROCESSES, PROCESSES[0])),
    st.sampled_from(("GET", "GET", "PUT")),
)
STEPS = st.one_of(
    st.tuples(
        st.just("serve"), ENDPOINTS, st.sampled_from((*STATUSES, LEFT_OUT)), st.integers(1, 3),
        st.sampled_from((600, 10_000, 5_000_000, 10**10)),
    ),
    st.tuples(st.just("begin"), ENDPOINTS),
    st.tuples(st.just("drop"), ENDPOINTS),
    st.tuples(st.just("rest"), ENDPOINTS, st.integers(0, 5)),
    st.tuples(st.just("move"), ENDPOINTS),
    st.tuples(st.just("answer the oldest"), st.sampled_from(STATUSES)),
    st.tuples(st.just("tick"), st.sampled_from((1.0, FORGET_S, LINGER_S))),
    st.tuples(st.just("forget")),
    st.tuples(st.just("forget")),
    st.tuples(st.just("regroup"), st.sampled_from(((), ("/a/*",), ("/*/1",)))),
    st.tuples(st.just("read")),
)  # fmt: skip


@given(st.lists(STEPS, max_size=60), st.sampled_from((1, 3, 8, 1000)), st.sampled_from((0, 2)))
def test_whatever_happens_series_add_up_and_never_fall(
    steps: list[tuple[Any, ...]], most: int, max_not_found: int
) -> None:
    traffic = Traffic(most, max_distinct=3, max_not_found=max_not_found)
    open_: list[int] = []
    for name, *arguments in steps:
        if name == "begin":
            open_.append(traffic.begin(*arguments))
        elif name == "answer the oldest":
            if open_:
                traffic.answer(open_.pop(0), *arguments)
        elif name == "regroup":
            traffic.add()
            traffic.rows.regroup(PathRules(*arguments))
        elif name == "read":
            traffic.read()
        else:
            getattr(traffic, str(name))(*arguments)
    found = traffic.read()
    own = [one for key, one in found.items() if key.path != OVERFLOW_PATH]
    assert sum(max(1, len(one.outcomes)) for one in own) <= most
    for _ in range(4):
        traffic.tick(LINGER_S)
        traffic.read()


def test_what_becomes_of_rows_does_not_matter() -> None:
    traffic = Traffic(max_not_found=2)
    for number in range(6):
        traffic.serve(web(f"/missing/{number}"), 404)
        traffic.serve(web(f"/a/{number}"), 200)
    before = by_path(traffic.read())
    assert len(before) == 12
    traffic.rows.regroup(PathRules(("/a/*",)))
    assert {"~not found", "/a/{id}"} <= traffic.rows.by_path().keys()
    traffic.serve(web("/missing/0"), 200)
    traffic.serve(web("/a/9"), 200)
    traffic.serve(web("/a/8"), 200)
    found = by_path(traffic.read())
    # What is new has the name that it has now, and one name is one series.
    assert found == before | {"/missing/0": {404: 1, 200: 1}, "/a/{id}": {200: 2}}


def test_methods_that_are_not_told_apart_are_one_series() -> None:
    traffic = Traffic(most=2, methods=frozenset({"GET", "POST"}))
    for method in ("GET", "PUT", "DELETE", "OTHER"):
        traffic.serve(web("/a", method=method), 200, 2)
    found = traffic.read()
    assert {key.method: of.outcomes[0].count for key, of in found.items()} == {"GET": 2, "OTHER": 6}
    traffic.serve(web("/b", method="TRACE"), 404)  # beyond the bound, likewise
    [other] = [of for key, of in traffic.read().items() if key.path == OVERFLOW_PATH]
    assert (other.key.method, other.outcomes[0].status) == ("OTHER", 404)


def test_who_comes_first_has_a_series_and_the_others_count_together() -> None:
    traffic = Traffic(most=4)
    for number in range(6):
        traffic.serve(web(f"/{number}", method="PUT"), 200, 2, latency_ns=1000 << number)
    traffic.read()
    traffic.serve(web("/0", method="PUT"), 500)  # a further status, for which there is no place
    traffic.drop(web("/5", method="PUT"))
    traffic.serve(web("/6"), 200)
    found = traffic.read()
    own = {path: of for path, of in by_path(found).items() if path != OVERFLOW_PATH}
    assert own == {f"/{number}": {200: 2} for number in range(4)}
    others = {key.method: one for key, one in found.items() if key.path == OVERFLOW_PATH}
    assert {outcome.status: outcome.count for outcome in others["PUT"].outcomes} == {200: 4, 500: 1}
    assert others["PUT"].unanswered == 1
    histogram = {bucket_of(1000 << 4): 2, bucket_of(1000 << 5): 2}
    assert others["PUT"].outcomes[0].buckets == histogram
    assert {key.method for key in found if key.path == OVERFLOW_PATH} == {"PUT", "GET"}
    assert traffic.series.folded == 4
    # For good: there is room once the first have ended, but what counts under ~other stays there.
    for _ in range(100):
        traffic.serve(web("/5", method="PUT"), 200)
        traffic.tick(FORGET_S)
    traffic.serve(web("/7"), 200)
    found = traffic.read()
    assert by_path(found)["/7"] == {200: 1}
    assert "/0" not in by_path(found)
    assert "/5" not in by_path(found)


def test_there_is_a_bound_to_others_too() -> None:
    traffic = Traffic(most=16)
    for number in range(300):
        traffic.serve(web("/a", process=b"p%d" % number), 200 + number)
    found = traffic.read()
    assert sum(len(one.outcomes) for one in found.values()) < 16 + 64 + 7
    last = [one for key, one in found.items() if key.process == OVERFLOW_PATH]
    assert [outcome.status for outcome in last[0].outcomes] == [2, 3, 4]
    assert sum(outcome.count for outcome in last[0].outcomes) == 300 - 16 - 64


def test_an_endpoint_that_is_forgotten_ends_some_minutes_later() -> None:
    traffic = Traffic()
    traffic.serve(web("/a"), 200, 5)
    traffic.drop(web("/a"))
    traffic.tick()
    traffic.forget()
    assert not traffic.rows._ledger.cells.known
    (series,) = traffic.read().values()
    assert (series.outcomes[0].count, series.unanswered) == (5, 1)
    traffic.now_s += LINGER_S - 60
    assert by_path(traffic.read()) == {"/a": {200: 5}}
    traffic.now_s += 60
    assert not traffic.read()
    assert (traffic.series.ended, traffic.series.ended_requests) == (1, {"server": 6})
    traffic.serve(web("/a"), 200)
    (series,) = traffic.read().values()
    assert series.outcomes[0].count == 1
    assert series.began_at > BEGAN_AT


def test_one_that_comes_again_before_that_goes_on() -> None:
    traffic = Traffic()
    traffic.serve(web("/a"), 200, 5)
    traffic.read()
    traffic.forget()
    for _ in range(3):
        traffic.serve(web("/a"), 200)
        traffic.read()
        traffic.forget()
        traffic.now_s += LINGER_S / 2
    assert by_path(traffic.read()) == {"/a": {200: 8}}
    traffic.now_s += LINGER_S
    assert not traffic.read()
    assert traffic.series.ended_requests == {"server": 8}


def test_what_nobody_has_asked_for_in_time_is_kept_until_somebody_does() -> None:
    traffic = Traffic()
    traffic.serve(web("/a"), 200, 5)
    traffic.rest(web("/a"), 4, 3)
    for _ in range(6):
        traffic.tick(FORGET_S)
    (series,) = traffic.read().values()
    assert [(one.status, one.count) for one in series.outcomes] == [(200, 5), (4, 3)]
    assert series.response_bytes == 5 * 3 + 3 * 5
    assert series.began_at == BEGAN_AT


def test_a_series_begins_when_it_was_not_there_last() -> None:
    traffic = Traffic()
    traffic.serve(web("/a"), 200)
    traffic.read()
    at_s = traffic.now_s
    traffic.tick(3.0)
    traffic.serve(web("/b"), 200)
    began = {key.path: one.began_at for key, one in traffic.read().items()}
    assert began == {"/a": BEGAN_AT, "/b": at_s}


@pytest.mark.parametrize("by_status", ["status = 200", "status < 300"])
def test_what_is_out_of_scope_is_in_no_series(by_status: str) -> None:
    traffic = Traffic(scope=limited(f"{by_status} and path != /b"))
    for path in ("/a", "/b"):
        traffic.serve(web(path), 200)
        traffic.serve(web(path), 500)
        traffic.drop(web(path))
    traffic.begin(web("/a"))
    (series,) = traffic.read().values()
    assert [(one.status, one.count) for one in series.outcomes] == [(200, 1)]
    assert (series.unanswered, series.in_flight) == (0, 1)


def test_counters_of_32_bits_may_wrap_around(monkeypatch: pytest.MonkeyPatch) -> None:
    # The percentiles of rows are found by listing each latency there.
    monkeypatch.setattr(reference_sums, "buckets_of", lambda _: (0,) * 6)
    traffic = Traffic()
    bucket = bucket_of(10_000)
    for step in range(1, 9):
        traffic.serve(web("/a"), 200, (1 << 30) + step)
        traffic.drop(web("/a"), 1 << 30)
        traffic.tick(LOOK_S)  # nobody asks, and nothing wraps around twice
    (series,) = traffic.read().values()
    assert series.outcomes[0].buckets == {bucket: (1 << 33) + 36}
    assert series.outcomes[0].count == (1 << 33) + 36 > LARGE
    assert series.unanswered == 1 << 33
    traffic.forget()
    (series,) = traffic.read().values()
    assert series.outcomes[0].buckets == {bucket: (1 << 33) + 36}
    assert series.unanswered == 1 << 33


def test_a_response_that_is_read_too_early_raises_the_count() -> None:
    """The kernel has read a cell's counters before its histogram."""
    traffic = Traffic()
    cell = traffic.serve(web("/a"), 200, 3)
    at = traffic._responses[cell, 200]
    traffic._count(delta(at, counted=0, sum_ns=1, histogram={bucket_of(10_000): 1}))
    traffic.add()
    (series,) = traffic.series.read(0.0, 0.0)
    assert series.outcomes[0].count == sum(series.outcomes[0].buckets.values()) == 4


@given(st.dictionaries(st.integers(0, 1023), st.integers(1, (1 << 64) - 1)))
def test_a_packed_histogram_is_the_same(histogram: dict[int, int]) -> None:
    assert unpacked(packed(histogram)) == histogram
    assert len(packed(histogram)) == 10 * len(histogram)


PAGES = st.one_of(
    *(
        st.lists(
            st.sampled_from((0, 1, most)), min_size=BUCKETS_PER_OCTAVE, max_size=BUCKETS_PER_OCTAVE
        )
        for most in (255, 256, (1 << 16) - 1, 1 << 16, (1 << 32) - 1)
    )
)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, OCTAVES - 1), PAGES), max_size=20))
def test_pages_come_back_however_much_is_counted_in_them(
    some: list[tuple[int, int, list[int]]],
) -> None:
    pages, expected = Pages(4), [Counter[int]() for _ in range(4)]
    for pair, octave, counts in some:
        pages.put(pair, octave, memoryview(PAGE.pack(*counts)))
        first = octave * BUCKETS_PER_OCTAVE
        expected[pair].update({first + n: count for n, count in enumerate(counts) if count})
    for pair, of_pair in enumerate(expected):
        found: dict[int, int] = {}
        pages.add_to(found, pair)
        assert found == of_pair
