"""The dashboard and the rules: they ask for what httptop exports, and for nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from httptop.output.prometheus.text import text
from tests.contrib import CONTRIB
from tests.output.prometheus.readings import BOUNDS, BUSY

PLACE: Final = CONTRIB / "prometheus"
DASHBOARD: Final = json.loads((PLACE / "dashboard.json").read_text())
_METRIC: Final = re.compile(r"\b((?:http|httptop)_[a-z_]+)\b(?=[\[{(\s),]|$)")
_LABELS: Final = re.compile(r"\bby \(([^)]*)\)")


def panels() -> Iterator[dict[str, Any]]:
    for panel in DASHBOARD["panels"]:
        if panel["type"] != "row":
            yield panel


def expressions() -> Iterator[str]:
    """Yield all expressions of the dashboard."""
    for panel in panels():
        for target in panel["targets"]:
            yield target["expr"]


def exported() -> tuple[set[str], set[str]]:
    """Return all metrics and all labels, of histograms also as a native one."""
    written = "".join(text(BUSY, BOUNDS))
    samples = re.findall(r"^([a-z_]+)(?:\{(.*)\})? ", written, re.MULTILINE)
    names = {name for name, _ in samples} | set(
        re.findall(r"^# TYPE (\S+) histogram$", written, re.MULTILINE)
    )
    labels = {label for _, some in samples for label in re.findall(r'([a-z_]+)="', some)}
    return names, labels | {"instance", "job", "le"}


@pytest.mark.parametrize("source", ["dashboard", "rules.yml"])
def test_every_metric_and_label_is_exported(source: str) -> None:
    names, labels = exported()
    asked = (
        "\n".join(expressions())
        if source == "dashboard"
        else re.sub(r"annotations:.*?\n\n|summary:.*", "", (PLACE / source).read_text())
    )
    found = set(_METRIC.findall(asked)) - labels
    assert len(found) >= 8
    assert found <= names
    grouped = {label.strip() for some in _LABELS.findall(asked) for label in some.split(",")}
    assert grouped - {""} <= labels


def test_the_dashboard_is_whole() -> None:
    """No two panels share an id or a place, and each says where its figures come from."""
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells
        assert panel["datasource"]["uid"] == "${datasource}"
    names = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD))) - {"__rate_interval", "__all"}
    assert used <= names


def test_every_expression_asks_for_classic_and_native_histograms() -> None:
    for expression in expressions():
        if "histogram_quantile" in expression:
            assert "_bucket{" in expression
            assert "duration_seconds{" in expression
        elif "_duration_seconds_count{" in expression:
            assert "histogram_count(rate(" in expression
