"""The conformance cases as data, and the observer that says what they mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from httptop import cli
from httptop.conformance import case as cases_of
from httptop.conformance import selftest
from httptop.conformance.case import PATH, Case, load_cases
from httptop.conformance.live import Result, difference
from httptop.conformance.observer import Observer
from httptop.conformance.reference import Counts, Endpoint, by_the_data, expected, watched
from httptop.conformance.sockets import SEND, TAKE
from httptop.doctor import checks
from httptop.errors import UsageError

CASES = load_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_observer_agrees_with_the_data(case: Case) -> None:
    """Outcomes agree with the data; every byte belongs to a message or is listed as loose."""
    found = expected(case, PATH)
    outcomes = {
        key: replace(counts, request_bytes=0, response_bytes=0) for key, counts in found.items()
    }
    assert outcomes == by_the_data(case, PATH)
    for side, end in watched(case, PATH).items():
        rows = [counts for key, counts in found.items() if key.side == side]
        if rows:
            requests = sum(counts.request_bytes for counts in rows)
            responses = sum(counts.response_bytes for counts in rows)
            discarded = [one for one in end.observer.exchanges if one.discarded]
            requests += sum(one.request_bytes for one in discarded)
            assert (requests + case.loose[0], responses + case.loose[1]) == tuple(end.sent)


def _size(case: Case) -> int:
    """Return how many bytes both ends send."""
    sent = (case.played(step, PATH) for step in case.steps if step.do == "send")
    return sum(len(piece) for pieces in sent for piece in pieces)


SMALL = [case for case in CASES if _size(case) < 5_000]


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_the_observer_does_not_care_how_bytes_are_cut(case: Case) -> None:
    steps = tuple(replace(step, manner=replace(step.manner, split=1)) for step in case.steps)
    assert expected(replace(case, steps=steps), PATH) == expected(case, PATH)


@pytest.mark.parametrize("case", [one for one in CASES if one.client], ids=lambda case: case.name)
def test_whom_a_proxy_names(case: Case) -> None:
    """It is the server's peer; the proxy's own is the server."""
    ends = watched(case, PATH)
    assert (ends["server"].observer.client, ends["client"].observer.client) == (case.client, None)


def test_the_manners_exist() -> None:
    for case in CASES:
        for step in case.steps:
            assert step.manner.send in SEND
            assert step.manner.take in TAKE
            assert step.manner.read in ("each", "after", "never")


def test_an_observer_takes_any_bytes() -> None:
    for data in (b"\0\xff\n", b"\n\n\n", b"GET\n", b"GET / HTTP/1.1\r\n\xff\r\n\r\nz\r\n", b"\r"):
        observer = Observer("server")
        for _ in range(3):
            observer.request(data)
            observer.response(data)
        observer.close()
        assert all(exchange.unanswered or exchange.discarded for exchange in observer.exchanges)


def _loaded(directory: Path, text: str) -> list[Case]:
    (directory / "texts.toml").write_text('[text]\nok = "ok{2*dot}"\ndot = "."\n')
    (directory / "some.toml").write_text(text)
    return load_cases(directory)


def test_texts_and_variants(tmp_path: Path) -> None:
    (first, second) = _loaded(
        tmp_path,
        """
        [[case]]
        name = "one"
        vary = { split = [0, 3] }
        steps = [{ client = ["{ok}{#ok}{%10*ok}", "{3*'ab'}$"] }, { close = "client" }]
        expect = ["server: GET $/x HTTP/1.0 -> 200, 404 x2, unanswered, in flight x3"]
        """,
    )
    assert (first.name, second.name) == ("one, split 0", "one, split 3")
    assert first.played(first.steps[0], "/p") == [b"ok..428", b"ababab/p"]
    assert second.played(second.steps[0], "/p") == [b"ok.", b".42", b"8ab", b"aba", b"b/p"]
    assert by_the_data(first, "/p") == {
        Endpoint("server", "GET", "/p/x", "HTTP/1.0"): Counts({200: 1, 404: 2}, 1, 3)
    }


@pytest.mark.parametrize(
    "fault",
    [
        'steps = [{ client = "{nothing}" }]\nexpect = []',
        'steps = [{ nobody = "x" }]\nexpect = []',
        'steps = [{ client = "x", sent = "by post" }]\nexpect = []',
        "steps = []\nexpect = ['GET / HTTP/1.1 -> lost']",
        "steps = []\nexpect = ['GET /']",
        "steps = []\nexpect = []\nother = 1",
        "steps = []",
    ],
)
def test_a_fault_in_a_case_names_it(tmp_path: Path, fault: str) -> None:
    with pytest.raises(UsageError, match=r"some.toml: one: "):
        _loaded(tmp_path, f'[[case]]\nname = "one"\n{fault}\n')


def test_names_are_unique(tmp_path: Path) -> None:
    case = '[[case]]\nname = "one"\nsteps = []\nexpect = []\n'
    with pytest.raises(UsageError, match="one"):
        _loaded(tmp_path, case + case)


def test_differences_are_told() -> None:
    key = Endpoint("server", "GET", "/a", "HTTP/1.1")
    wanted, seen = Counts({200: 1}, request_bytes=5), Counts(unanswered=2)
    assert difference({key: wanted}, {key: wanted}) == []
    assert difference({key: wanted}, {key: seen}) == [
        "server GET /a HTTP/1.1: expected 200; 5 and 0 bytes, seen unanswered x2; 0 and 0 bytes"
    ]
    assert "seen nothing" in difference({key: wanted}, {})[0]


def test_the_table() -> None:
    plain = replace(CASES[0], name="a case", known="")
    known = replace(plain, known="it is hard")
    results = [
        Result(plain, "tcp", ()),
        Result(plain, "unix", ("this and that",)),
        Result(known, "tcp", ("other",)),
    ]
    assert [" ".join(line.split()) for line in selftest.lines_of(plain, results[:2])] == [
        "a case agrees FAILED",
        "unix: this and that",
    ]
    assert [" ".join(line.split()) for line in selftest.lines_of(known, results[2:])] == [
        "a case known -",
        "known: it is hard",
    ]
    text = selftest.summary(results, 1.5)
    assert text == ("3 played in 1.5 s: 1 agree, 1 do not and are known not to, 1 FAILED")


def test_where_nothing_can_be_traced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checks, "refusal", lambda: "root is needed")
    assert cli.main(["--selftest"]) == 77
    assert capsys.readouterr().err == "httptop: root is needed\n"


def test_paths_are_as_long_as_each_other() -> None:
    assert {len(cases_of.path_of(number)) for number in range(8)} == {len(PATH)}
