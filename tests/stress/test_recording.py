"""What ``make test-recording`` compares: it agrees where it should, and finds what differs."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from httptop.output.json import to_json
from httptop.report.csv import to_csv
from httptop.report.har import to_har
from httptop.report.html import to_html
from tests.factory import samples, shop, snapshot
from tests.report.of import report_of
from tests.stress.recording import (
    _numbers,
    _Page,
    differences,
    faults_of_csv,
    faults_of_har,
    faults_of_page,
)

ROWS = shop()
REPORT = report_of(snapshot(ROWS, samples(ROWS)))
TABLE = list(csv.DictReader(io.StringIO("".join(to_csv(REPORT)))))
LOG = json.loads("".join(to_har(REPORT)))["log"]
PAGE = _Page("\n".join(to_html(REPORT)))
_, SAMPLED, KEPT = _numbers(LOG["comment"])[:3]


def document() -> dict[str, Any]:
    return dict(json.loads(to_json(REPORT.last)))


def test_what_agrees_has_no_faults() -> None:
    last = document()
    assert [*differences(last, document())] == []
    assert [*faults_of_csv(TABLE, last)] == []
    assert [*faults_of_har(LOG["entries"], LOG["comment"], last)] == []
    assert [*faults_of_page(PAGE, SAMPLED, KEPT, last)] == []


@pytest.mark.parametrize("name", ["requests", "unanswered"])
def test_one_request_more_is_found(name: str) -> None:
    last = document()
    last["endpoints"][3][name] += 1
    last["totals"]["server"][name] += 1
    assert len([*differences(document(), last)]) == 2
    assert len([*faults_of_csv(TABLE, last)]) == 2
    if name == "requests":
        assert [*faults_of_har(LOG["entries"], LOG["comment"], last)]
        assert [*faults_of_page(PAGE, SAMPLED, KEPT, last)]


def test_a_request_that_is_missing_from_the_archive_is_found() -> None:
    assert [*faults_of_har(LOG["entries"][1:], LOG["comment"], document())]
    entries = json.loads(json.dumps(LOG["entries"]))
    entries[0]["response"]["status"] = 418
    assert [*faults_of_har(entries, LOG["comment"], document())]
