"""HAR 1.2: each member that the format asks for, of its type, whatever a request lacks."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from httptop.model import Transaction
from httptop.report.har import START, to_har
from tests.factory import NOON, key, request, samples, shop, snapshot
from tests.hostile import hostile
from tests.report.of import report_of

#: What http://www.softwareishard.com/blog/har-12-spec/ requires, by the place in the document.
PAIR = {"name": str, "value": str}
ENTRY: dict[str, Any] = {
    "pageref": str,
    "startedDateTime": str,
    "time": float,
    "request": {
        "method": str,
        "url": str,
        "httpVersion": str,
        "cookies": [PAIR],
        "headers": [PAIR],
        "queryString": [PAIR],
        "headersSize": int,
        "bodySize": int,
    },
    "response": {
        "status": int,
        "statusText": str,
        "httpVersion": str,
        "cookies": [PAIR],
        "headers": [PAIR],
        "content": {"size": int, "mimeType": str},
        "redirectURL": str,
        "headersSize": int,
        "bodySize": int,
    },
    "cache": {},
    "timings": {"send": float, "wait": float, "receive": float},
}
LOG = {
    "version": str,
    "creator": {"name": str, "version": str},
    "pages": [
        {
            "startedDateTime": str,
            "id": str,
            "title": str,
            "pageTimings": {"onContentLoad": int, "onLoad": int},
        }
    ],
    "entries": [ENTRY],
}


def check(value: Any, schema: Any, place: str) -> None:
    if isinstance(schema, dict):
        assert isinstance(value, dict), place
        for name, inner in schema.items():
            assert name in value, f"{place}.{name}"
            check(value[name], inner, f"{place}.{name}")
        for name in value.keys() - schema.keys():
            known = name in ("comment", "serverIPAddress")
            assert known or name.startswith("_"), f"{place}.{name}"
    elif isinstance(schema, list):
        assert isinstance(value, list), place
        for inner in value:
            check(inner, schema[0], place)
    elif schema is float:
        assert isinstance(value, int | float), place
        assert not isinstance(value, bool), place
    else:
        assert type(value) is schema, place


def har(*requests: Transaction, **more: Any) -> dict[str, Any]:
    text = "".join(to_har(report_of(snapshot(recent=requests), **more)))
    assert text.startswith(START.decode())
    log: dict[str, Any] = json.loads(text)["log"]
    valid(log)
    return log


def valid(log: dict[str, Any]) -> None:
    check(log, LOG, "log")
    assert log["version"] == "1.2"
    pages = {page["id"] for page in log["pages"]}
    for entry in log["entries"]:
        assert entry["pageref"] in pages
        assert entry["time"] == sum(entry["timings"].values())
        assert min(entry["timings"].values()) >= 0
        assert datetime.fromisoformat(entry["startedDateTime"]).tzinfo is not None
        url = entry["request"]["url"]
        assert re.fullmatch(r"https?://[0-9A-Za-z.\[\]:_-]+/[!-~]*", url), url
        assert urlsplit(url).hostname


def entry_of(one: Transaction) -> dict[str, Any]:
    (entry,) = har(one)["entries"]
    found: dict[str, Any] = entry
    return found


def test_samples_of_all_kinds_are_valid_and_in_their_order() -> None:
    requests = samples(shop())
    log = har(*requests)
    begun = [entry["startedDateTime"] for entry in log["entries"]]
    assert len(begun) == len(requests)
    assert begun == sorted(begun)
    assert log["pages"][0]["startedDateTime"] <= begun[0]
    assert "60 were sampled, of which this file has 60." in log["comment"]
    valid(json.loads("".join(to_har(report_of(hostile()))))["log"])
    assert har()["entries"] == []


def test_what_is_known_is_there() -> None:
    entry = entry_of(
        request(
            1,
            key("/a", side="client"),
            started_at=NOON + 0.25,
            path="/a?q=1&empty=&x=%C3%A9",
            peer="[2001:db8::1]:8080",
            request_head=("Host: shop.example:8080", "Accept: */*", "not a field"),
            response_head=(
                "HTTP/1.1 302 Found",
                "Location: /b",
                "Content-Type: text/html",
                "Content-Length: 12",
            ),
            status=302,
        )
    )
    sent, received = entry["request"], entry["response"]
    assert entry["startedDateTime"] == "2026-01-01T12:00:00.250000+00:00"
    assert sent["url"] == "http://shop.example:8080/a?q=1&empty=&x=%C3%A9"
    assert [(one["name"], one["value"]) for one in sent["queryString"]] == [
        ("q", "1"),
        ("empty", ""),
        ("x", "é"),
    ]
    assert [one["name"] for one in sent["headers"]] == ["Host", "Accept"]
    assert (received["status"], received["statusText"]) == (302, "Found")
    assert (received["redirectURL"], received["bodySize"]) == ("/b", 12)
    assert received["content"] == {"size": 12, "mimeType": "text/html"}
    assert entry["serverIPAddress"] == "2001:db8::1"
    assert entry["timings"] == {"send": 0, "wait": 1.5, "receive": 0}
    assert "comment" not in entry


def test_what_is_not_known_is_said_and_never_invented() -> None:
    entry = entry_of(request(1, path="/users/{id}", status=0, response_bytes=None, pid=0))
    assert entry["request"]["url"] == "http://nginx.invalid/users/%7Bid%7D"
    assert entry["response"]["status"] == 0
    assert entry["response"]["content"] == {"size": -1, "mimeType": "x-unknown"}
    assert entry["comment"] == (
        "the target was not kept, its template stands for it; the host is not known; "
        "no response was seen."
    )
    assert "_pid" not in entry
    assert "serverIPAddress" not in entry  # the peer is the client


@pytest.mark.parametrize(
    ("target", "host", "url"),
    [
        ("*", "h", "http://h/*"),
        ("h:443", "h", "http://h/h:443"),
        ("/a b\\x1b", "h", "http://h/a%20b%5Cx1b"),
        ("/é#x", "h", "http://h/%C3%A9%23x"),
        ("/", "evil.example/@x", "http://nginx.invalid/"),
        ("/", "***", "http://nginx.invalid/"),
    ],
)
def test_urls_are_urls(target: str, host: str, url: str) -> None:
    one = request(1, path=target, request_head=(f"Host: {host}",))
    assert entry_of(one)["request"]["url"] == url


def test_it_says_what_limits_it() -> None:
    assert har(scope=("path ~ /a*",))["comment"].endswith("Limited to path ~ /a*.")
