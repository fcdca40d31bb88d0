"""The HTTP archive of a report: accepted by a validator, a library, and Chromium's own tools."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

#: Where scripts/browser-setup puts what comes from npm.
VALIDATOR = Path(__file__).parents[2] / ".browser" / "node_modules" / "har-validator"
_VALIDATE = """
const validate = require(process.argv[1]);
validate.har(JSON.parse(require("fs").readFileSync(0, "utf8")))
  .catch(error => { console.error(JSON.stringify(error.errors)); process.exit(1); });
"""
#: What DevTools do with a file that is dropped on their network panel.
_IMPORT = """
async text => {
  const {HARFormat, Importer} = await import("devtools://devtools/bundled/models/har/har.js");
  const {log} = new HARFormat.HARRoot(JSON.parse(text));
  return Importer.Importer.requestsFromHARLog(log).map(one => ({
    url: one.url(), method: one.requestMethod, status: one.statusCode, reason: one.statusText,
    wait: one.duration * 1000, fields: one.responseHeaders.length, finished: one.finished,
  }));
}
"""


@pytest.fixture(scope="module")
def document(reports: dict[str, Path]) -> str:
    return reports["har"].read_text(encoding="utf-8")


def entries(document: str) -> list[dict[str, Any]]:
    return list(json.loads(document)["log"]["entries"])


def validated(document: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["node", "-e", _VALIDATE, str(VALIDATOR)],
        input=document,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_validator_finds_nothing_wrong(document: str) -> None:
    ran = validated(document)
    assert (ran.returncode, ran.stderr) == (0, "")
    wrong = json.loads(document)
    del wrong["log"]["entries"][3]["response"]
    ran = validated(json.dumps(wrong))
    assert ran.returncode == 1
    assert "response" in ran.stderr


def test_a_library_reads_it(document: str) -> None:
    from haralyzer import HarParser

    parser = HarParser(json.loads(document))
    (page,) = parser.pages
    read = [(one.request.method, one.request.url, one.response.status) for one in page.entries]
    assert read == [
        (one["request"]["method"], one["request"]["url"], one["response"]["status"])
        for one in entries(document)
    ]
    assert len(page.filter_entries(status_code="5.*")) > 20
    assert parser.creator["name"] == "httptop"


def test_chromiums_tools_open_it(browser: Browser, document: str) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto("devtools://devtools/bundled/devtools_app.html")
        found = page.evaluate(_IMPORT, document)
    wanted = entries(document)
    assert len(found) == len(wanted) > 60
    for one, entry in zip(found, wanted, strict=True):
        assert one["method"] == entry["request"]["method"]
        assert one["status"] == entry["response"]["status"]
        assert one["reason"] == entry["response"]["statusText"]
        assert one["fields"] == len(entry["response"]["headers"])
        assert one["wait"] == pytest.approx(entry["time"], abs=1e-3)
        assert one["url"].startswith(("http://", "https://"))
        assert one["finished"]
