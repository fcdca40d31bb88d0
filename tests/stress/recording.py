"""Whether a recording tells what was: ``make test-recording``.

The demo runs for ten minutes (the first argument: how many), recorded and printed as JSON. Then
the capture's last snapshot has to be the run's, number for number, and the three reports that are
made of it have to agree with that: each row of the table, the sums, the requests that are kept.
The status is 0 where they do.

A second argument is the name of the capture.
"""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

Json = dict[str, Any]

_HTTPTOP: Final = (sys.executable, "-m", "httptop")
#: What a replay has not, or not alike: what became of the recording itself.
_OF_THE_RUN: Final = ("sinks",)


def _snapshots(words: list[str], into: Path) -> Json:
    """Run httptop; return its last snapshot as JSON, and say what it took."""
    began = time.monotonic()
    command = [*_HTTPTOP, "-b", "--format", "json", *words]
    # The end may take long beside other work; how long it may is not what is tested.
    environ = os.environ | {"HTTPTOP_GENERAL__SHUTDOWN_TIMEOUT": "60s"}
    with into.open("w") as out:
        ran = subprocess.run(command, stdout=out, env=environ, check=False)
    *_, last = into.open()
    print(f"{' '.join(words[:2])}: status {ran.returncode}, {time.monotonic() - began:.1f} s")
    return dict(json.loads(last))


def differences(ours: object, theirs: object, place: str = "") -> Iterator[str]:
    """Yield where two documents differ, and in what."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in sorted({*ours} | {*theirs}):
            yield from differences(ours.get(name), theirs.get(name), f"{place}/{name}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(one, other, f"{place}/{number}")
    elif ours != theirs:
        yield f"{place}: {str(ours)[:60]} is {str(theirs)[:60]}"


class _Page(HTMLParser):
    """The texts of a page's cells, figures and list items."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.of: dict[str, list[str]] = {"th": [], "td": [], "dd": [], "li": []}
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self._in = tag
        if tag in self.of:
            self.of[tag].append("")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in in self.of:
            self.of[self._in][-1] += data


def faults_of_csv(rows: list[dict[str, str]], last: Json) -> Iterator[str]:
    """Yield what a table says otherwise than the last snapshot."""
    if len(rows) != len(last["endpoints"]):
        yield f"csv: {len(rows)} rows for {len(last['endpoints'])} endpoints"
    for side, totals in last["totals"].items():
        for name in ("requests", "unanswered", "request_bytes", "response_bytes"):
            found = sum(int(row[name]) for row in rows if row["side"] == side)
            if found != totals[name]:
                yield f"csv: {side} {name} {found:,}, not {totals[name]:,}"
    wanted = Counter(map(_row_of_json, last["endpoints"]))
    found_rows = Counter(map(_row_of_csv, rows))
    yield from (f"csv: {row}" for row in (wanted - found_rows))


def _row_of_json(row: Json) -> tuple[object, ...]:
    latency = row.get("latency_total_ms", {})
    return (
        *(row[name] for name in ("side", "process", "method", "path", "requests", "unanswered")),
        " ".join(sorted(f"{code}:{n}" for code, n in row["status"].items())),
        latency.get("count", 0),
        *(round(latency[name], 3) for name in ("mean", "p50", "p99", "max") if latency),
    )


def _row_of_csv(row: dict[str, str]) -> tuple[object, ...]:
    count = int(row["latency_count"])
    times = (f"latency_{name}_ms" for name in ("mean", "p50", "p99", "max"))
    return (
        *(row[name] for name in ("side", "process", "method")),
        re.sub("^'", "", row["path"]),
        int(row["requests"]),
        int(row["unanswered"]),
        " ".join(sorted(row["status"].split())),
        count,
        *(round(float(row[name]), 3) for name in times if count),
    )


def faults_of_har(entries: list[Json], comment: str, last: Json) -> Iterator[str]:
    """Yield what an archive says otherwise than the last snapshot."""
    total, sampled, kept = _numbers(comment)[:3]
    if total != _total(last):
        yield f"har: {total:,} requests, not {_total(last):,}"
    if kept != len(entries) or sampled < kept:
        yield f"har: {kept:,} of {sampled:,} kept, and {len(entries):,} are there"
    known: dict[tuple[object, ...], set[str]] = {}
    for row in last["endpoints"]:  # another demo beside this one has the same but for ports
        place = (row["side"], row["process"], f"{row['method']} {row['path']}")
        known.setdefault(place, set()).update(row["status"])
    for entry in entries:
        place = (entry["_side"], entry["_process"], entry["_endpoint"])
        status = str(entry["response"]["status"])
        if status != "0" and status not in known.get(place, ()):
            yield f"har: {place} with {status}"


def faults_of_page(page: _Page, sampled: int, kept: int, last: Json) -> Iterator[str]:
    """Yield what a page says otherwise than the last snapshot, and than the archive."""
    for side, totals in last["totals"].items():
        if totals["requests"] and f"{totals['requests']:,}" not in page.of["dd"]:
            yield f"html: {totals['requests']:,} of the {side} side are missing"
    for row in last["endpoints"]:
        if f"{row['method']} {row['path']}" not in page.of["th"] and row["path"][0] != "~":
            yield f"html: {row['path']} is missing"
        if f"{row['requests']:,}" not in page.of["td"]:
            yield f"html: {row['requests']:,} requests of {row['path']} are missing"
    (said,) = (text for text in page.of["li"] if text.startswith("Single requests are samples"))
    if _numbers(said)[:3] != [sampled, _total(last), kept]:
        yield f"html: {said}"


def _total(last: Json) -> int:
    return sum(int(totals["requests"]) for totals in last["totals"].values())


def _numbers(text: str) -> list[int]:
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", text)]


def faults(minutes: float, capture: Path) -> Iterator[str]:
    """Record, replay and report; yield what does not agree."""
    folder = capture.parent
    # Whatever else this host does is none of the demo.
    words = ["--demo", "--comm", "shop-*", "--record", str(capture)]
    words += ["-n", str(round(minutes * 60))]
    live = _snapshots(words, folder / "live.jsonl")
    again = _snapshots(["--replay", str(capture), "-d", "0.1"], folder / "again.jsonl")
    size = capture.stat().st_size
    print(f"{_total(live):,} requests, {len(live['endpoints'])} endpoints, {size / 1e6:.1f} MB")
    print(f"the recording: {live['sinks'][0]}")
    for document in (live, again):
        for name in _OF_THE_RUN:
            document.pop(name, None)
    yield from differences(live, again)
    exports = [f"--export={kind}={folder / 'report'}.{kind}" for kind in ("csv", "har", "html")]
    subprocess.run([*_HTTPTOP, "--replay", str(capture), *exports], check=True)
    with (folder / "report.csv").open(newline="") as table:
        yield from faults_of_csv(list(csv.DictReader(table)), live)
    log = json.loads((folder / "report.har").read_text())["log"]
    yield from faults_of_har(log["entries"], log["comment"], live)
    _, sampled, kept = _numbers(log["comment"])[:3]
    page = _Page((folder / "report.html").read_text())
    yield from faults_of_page(page, sampled, kept, live)
    print(f"{sampled:,} requests sampled, {kept:,} kept in the reports")


def main() -> int:
    """Return 0 if everything agrees, 1 if not."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    name = sys.argv[2] if len(sys.argv) > 2 else "run.capture"
    with tempfile.TemporaryDirectory(prefix="httptop-recording-") as folder:
        found = list(faults(minutes, Path(folder, name)))
    for fault in found[:20]:
        print(fault)
    print(f"{len(found)} differences" if found else "all of it agrees")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
