"""The page: nothing from elsewhere, no text that becomes markup, tables that can be read."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from httptop.model import Health, Snapshot
from httptop.report.html import START, to_html
from httptop.report.tables import MOST_ENDPOINTS
from tests.factory import key, request, row, samples, shop, snapshot, snapshot_at
from tests.hostile import hostile
from tests.report.of import report_of, tick_of

_VOID = ("meta", "input", "link", "br", "hr", "img")
#: All that a page has, with the attributes that each may have.
_KNOWN = {
    "html": {"lang"},
    "meta": {"charset", "name", "content", "http-equiv"},
    "svg": {"viewbox", "role", "aria-label", "aria-hidden"},
    "path": {"class", "d"},
    "text": {"class", "x", "y"},
    "th": {"scope", "class", "aria-sort", "data-value"},
    "td": {"class", "data-value"},
    "table": {"class"},
    "div": {"class"},
    "dl": {"class"},
    "span": {"class"},
    "li": {"class"},
}
_PLAIN = (
    *("head", "title", "style", "body", "main", "script", "section", "figure", "figcaption"),
    *("h1", "h2", "p", "dt", "dd", "ul", "details", "summary", "caption", "thead", "tbody", "tr"),
)


class Page(HTMLParser):
    """A page that was parsed; it fails where an element is unknown, or not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: Counter[str] = Counter()
        self.texts: dict[str, list[str]] = {}
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _KNOWN or tag in _PLAIN, tag
        assert {name for name, _ in attrs} <= _KNOWN.get(tag, set()), (tag, attrs)
        self.elements[tag] += 1
        self.attributes.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts[self.open[-1]][-1] += data


def page_of(*snapshots: Snapshot) -> tuple[str, Page]:
    text = "\n".join(to_html(report_of(*snapshots)))
    assert text.startswith(START.decode())
    return text, Page(text)


def busy() -> Snapshot:
    rows = shop()
    return snapshot(rows, samples(rows), health=Health(lost_samples=7), notes=("no tracepoint",))


def test_the_policy_lets_the_script_and_the_style_be_and_nothing_else() -> None:
    text, page = page_of(busy())
    (policy,) = [
        attributes["content"] or ""
        for _, attributes in page.attributes
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    for rule, tag in (("script-src", "script"), ("style-src", "style")):
        (part,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = b64encode(hashlib.sha256(part.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert not re.search(r"https?:|//[a-z]|url\(|@import|javascript:", text.replace("// The", ""))


def test_it_tells_what_was_and_what_was_not_seen() -> None:
    shown = busy()
    text, page = page_of(shown)
    figures = page.texts["dd"]
    for side in ("server", "client"):
        assert f"{shown.total(side).requests:,}" in figures
    assert page.elements["svg"] >= 4
    said = "\n".join(page.texts["li"])
    assert "7 samples lost" in said
    assert "no tracepoint" in said
    assert "HTTPS" in text
    assert "GET /search" in page.texts["th"]
    captions = page.texts["caption"]
    assert "18 endpoints, since start." in captions
    assert any(caption.startswith("The slowest 60 of 60") for caption in captions)


def test_tables_are_for_all_readers() -> None:
    _, page = page_of(busy())
    heads = [attributes for tag, attributes in page.attributes if tag == "th"]
    assert {attributes["scope"] for attributes in heads} == {"col", "row"}
    assert sum("aria-sort" in attributes for attributes in heads) == 3
    assert page.elements["caption"] == page.elements["table"] == 5
    charts = [a for tag, a in page.attributes if tag == "svg" and "aria-hidden" not in a]
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in charts)


@pytest.mark.parametrize(
    "name",
    [
        "</script><script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "' onmouseover='alert(1)",
        "</title></style><!--",
        "<![CDATA[&amp;&#x3c;b&#x3e;",
        "A" * 8192,
    ],
)
def test_a_name_is_text_wherever_it_stands(name: str) -> None:
    of = replace(key(name), process=name, user=name)
    one = request(1, of, path=name, peer=name, status=500, response_head=(name,))
    shown = replace(snapshot([row(of)], [one], notes=(name,)), host=name)
    text = "\n".join(to_html(report_of(shown, scope=(name,))))
    page = Page(text)
    assert page.elements["script"] == page.elements["style"] == page.elements["title"] == 1
    assert f"HTTP on {name}" in page.texts["h1"]
    assert name in page.texts["li"]
    assert any(name in cell for cell in page.texts["th"])
    assert name in page.texts["td"]


def test_hostile_snapshots_and_empty_ones_make_whole_pages() -> None:
    text, page = page_of(hostile())
    assert page.elements["script"] == 1
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b]", text)
    _, page = page_of(snapshot())
    assert "No request was seen." in page.texts["p"]


def test_rows_of_hosts_say_which() -> None:
    alike = [row(replace(key(), user="www", host=f"web-{n}"), {200: 9}) for n in (1, 2)]
    _, page = page_of(snapshot(alike))
    assert "host" in page.texts["th"]
    assert {"web-1", "web-2"} <= {*page.texts["td"]}
    _, page = page_of(snapshot([row(key())]))
    assert "host" not in page.texts["th"]


def test_it_says_how_many_endpoints_it_leaves_out() -> None:
    rows = [row(key(f"/{n}"), {200: n + 1}) for n in range(MOST_ENDPOINTS + 5)]
    _, page = page_of(snapshot(rows))
    assert any("5 are left out here" in caption for caption in page.texts["caption"])
    assert "GET /1004" in page.texts["th"]
    assert "GET /4" not in page.texts["th"]


def test_charts_stay_small_however_long_a_run_is() -> None:
    text, _ = page_of(*map(tick_of, range(1, 700)))
    assert len(text) < 250_000
    assert "Of " not in "".join(re.findall("<figcaption>.*?</figcaption>", text, re.DOTALL))


def test_it_says_when_latencies_are_missing_from_the_map() -> None:
    last = snapshot_at(5)
    totals = {side: replace(total, trend_bands=((),) * 5) for side, total in last.totals.items()}
    text, _ = page_of(replace(last, totals=totals))
    assert "it is known when 0 were" in text
