"""CSV: exact sums, what RFC 4180 asks for, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from httptop.model import SIDES, EndpointStats
from httptop.report.csv import COLUMNS, START, to_csv
from tests.factory import key, row, shop, snapshot
from tests.hostile import hostile
from tests.report.of import report_of


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_the_sums_are_those_of_the_snapshot() -> None:
    shown = snapshot(shop())
    text = "".join(to_csv(report_of(shown)))
    assert text.startswith(START.decode())
    assert text.count("\r\n") == text.count("\n") == 1 + len(shown.endpoints)
    rows = read(text)
    for side in SIDES:
        totals, found = shown.total(side), [one for one in rows if one["side"] == side]
        for column, expected in (
            ("requests", totals.requests),
            ("unanswered", totals.unanswered),
            ("5xx", totals.status_class(5)),
            ("response_bytes", totals.response_bytes),
        ):
            assert sum(int(one[column]) for one in found) == expected, column
    requests = [int(one["requests"]) for one in rows]
    assert requests == sorted(requests, reverse=True)


def test_a_row_has_plain_numbers_and_is_empty_where_nothing_is_known() -> None:
    of_one = row(key(), {200: 10, 404: 2, 5: 1, 0: 1}, unanswered=3)
    (found,) = read("".join(to_csv(report_of(snapshot([of_one])))))
    assert list(found) == ["host", "time", *(title for title, _ in COLUMNS)]
    assert found["host"] == "web-1"
    assert found["time"] == "2026-01-01T12:04:12Z"
    assert found["status"] == "200:10 404:2 5xx:1 unknown:1"
    assert found["latency_p99_ms"] == "3.0"
    assert (found["duration_count"], found["duration_p99_ms"]) == ("0", "")
    assert (found["port"], found["tls"], found["errors"]) == ("", "false", "6")


@pytest.mark.parametrize("start", ["=cmd()", "+1", "-1", "@x", "  =1", "＝1", "\t=1"])
def test_nothing_is_taken_for_a_formula(start: str) -> None:
    name = replace(key(start), process=start[:15], user=start)
    shown = replace(snapshot([row(name)]), host=start)
    (found,) = read("".join(to_csv(report_of(shown))))
    for column in ("host", "process", "user", "path"):
        assert found[column] == f"'{start}"


def test_hostile_names_stay_in_their_cells() -> None:
    shown = hostile()
    rows = read("".join(to_csv(report_of(shown))))
    assert len(rows) == len(shown.endpoints)

    def plain(one: EndpointStats) -> str:
        return one.key.path

    assert sorted(one["path"].lstrip("'") for one in rows) == sorted(map(plain, shown.endpoints))
    awkward = key('a",\r\n"b')
    (found,) = read("".join(to_csv(report_of(snapshot([row(awkward)])))))
    assert found["path"] == 'a",\r\n"b'
