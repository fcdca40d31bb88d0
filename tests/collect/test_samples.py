"""Which sampled requests are kept, and what of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from httptop.collect.samples import RecentRequests
from httptop.collect.source import RawSample
from httptop.config.scope import Scope
from httptop.config.settings import DEFAULTS, General, Sampling, Security
from httptop.model import EndpointKey, Transaction
from tests.collect.cells import sampled
from tests.factory import key

SLOW_NS = DEFAULTS.sampling.slow_threshold_ns


def _recent(strategy: str = "tail", per_second: int = 100) -> RecentRequests:
    return RecentRequests(
        replace(DEFAULTS, sampling=Sampling(strategy, per_second=per_second)), Scope()
    )


def _kept(
    recent: RecentRequests, samples: list[RawSample], key_: EndpointKey | None = None
) -> tuple[Transaction, ...]:
    for sample in samples:
        recent.add(sample, key_ or key(), 0.0)
    return recent.newest_first()


def _with(security: Security, sample: RawSample) -> Transaction:
    (request,) = _kept(RecentRequests(replace(DEFAULTS, security=security), Scope()), [sample])
    return request


def test_newest_first_without_end() -> None:
    recent = _recent("all")
    for _ in range(10):
        kept = _kept(recent, [sampled()] * 77)
        serials = [request.serial for request in kept]
        assert serials == sorted(serials, reverse=True)
    assert len(kept) == 200
    assert kept[0].serial == 770


def test_failed_and_slow_ones_stay() -> None:
    notable = [sampled(status=500), sampled(status=0), sampled(SLOW_NS), sampled(status=404)]
    flood = [sampled()] * 1000
    assert [r.status for r in _kept(_recent("tail"), notable + flood)[-4:]] == [404, 200, 0, 500]
    assert {r.status for r in _kept(_recent("all"), notable + flood)} == {200}
    failures = [sampled(status=500)] * 1000
    kept = _kept(_recent("tail"), [sampled()] * 1000 + failures)
    assert Counter(request.status for request in kept) == {500: 100, 200: 100}


def test_a_busy_endpoint_leaves_room_for_a_quiet_one() -> None:
    quiet, busy = key("/quiet"), key("/busy")
    for strategy, found in (("per-endpoint", 3), ("all", 0)):
        recent = _recent(strategy)
        _kept(recent, [sampled()] * 3, quiet)
        kept = _kept(recent, [sampled()] * 1000, busy)
        assert Counter(request.key for request in kept)[quiet] == found
        assert len(kept) == 200


def test_room_for_what_a_tick_may_bring() -> None:
    assert len(_kept(_recent("all", 500), [sampled()] * 5000)) == 1000
    assert len(_kept(_recent("all", 100_000), [sampled()] * 5000)) == 4000
    slower = replace(DEFAULTS, general=General(tick_s=5.0), sampling=Sampling("all"))
    assert len(_kept(RecentRequests(slower, Scope()), [sampled()] * 5000)) == 1000


def test_slow_is_what_the_settings_of_the_moment_say() -> None:
    recent = _recent()
    (before,) = _kept(recent, [sampled(2_000)])
    recent.adopt(replace(DEFAULTS, sampling=Sampling(slow_threshold_ns=2_000)))
    after, still = _kept(recent, [sampled(2_000)])
    assert (before.slow, still.slow, after.slow) == (False, False, True)


def test_requests_follow_their_row() -> None:
    recent = _recent()
    _kept(recent, [sampled()], key("/a"))
    _kept(recent, [sampled()], key("/b"))
    recent.rename({key("/a"): key("/c")})
    assert [request.key.path for request in recent.newest_first()] == ["/b", "/c"]


def test_what_is_captured_is_cut() -> None:
    sample = sampled(line=b"GET /abc/7?x=1 HTTP/1.1")
    whole = _with(Security(), sample)
    assert (whole.path, whole.response_bytes) == ("/abc/7?x=***", 43)
    assert whole.response_head == ("HTTP/1.1 200 OK", "Content-Length: 5")
    cut = _with(Security(max_captured_bytes=20), sample)
    assert (cut.path, cut.response_bytes) == ("/abc/7?x=***", None)
    assert cut.response_head == ("HTTP/1.1 200 OK",)
    assert _with(Security(max_captured_bytes=8), sample).path == "/abc…"
    nothing = _with(Security(max_captured_bytes=0), sample)
    assert (nothing.path, nothing.response_head) == ("/users/{id}", ())


def test_of_a_requests_head_no_more_is_shown_than_may_be() -> None:
    head = b"GET /abc HTTP/1.1\r\nHost: h\r\nCookie: a=s3cr3t\r\nX-A: b\r\n\r\n"
    sample = sampled()._replace(head=head)
    assert _with(Security(), sample).request_head == ("Host: h", "Cookie: ***", "X-A: ***")
    assert _with(Security(max_captured_bytes=30), sample).request_head == ("Host: h",)
    assert _with(Security(max_captured_bytes=0), sample).request_head == ()
    shown = _with(Security(shown_fields=("x-a",)), sample).request_head
    assert shown == ("Host: ***", "Cookie: ***", "X-A: b")
    assert _with(Security(), sampled()).request_head == ()


@given(
    st.binary(max_size=600),
    st.binary(max_size=600),
    st.booleans(),
    st.integers(0, 1024),
    st.binary(max_size=1200),
)
def test_any_bytes_are_safe(
    line: bytes, response: bytes, cut: bool, most: int, head: bytes
) -> None:
    security = Security(max_captured_bytes=most, redact="default" if cut else "off")
    sample = sampled(line=line, response=response)._replace(line_cut=cut, head=head)
    request = _with(security, sample)
    assert request.path.isprintable()
    assert len(request.path) <= max(most, len("/users/{id}")) * 10
    assert all(line.isprintable() for line in request.response_head + request.request_head)
    assert sum(map(len, request.request_head)) <= 10 * most
