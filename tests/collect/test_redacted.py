"""Snapshots that are recorded or replayed are redacted again."""

from __future__ import annotations

from dataclasses import replace

from httptop.collect.redacted import SnapshotRedaction
from httptop.model import Snapshot, Transaction
from tests.factory import key, request, snapshot_at

RAW = request(
    7,
    path="/users/42/s3cr3t?name=s3cr3t",
    response_head=("HTTP/1.1 200 OK", "Server: a", "Set-Cookie: s3cr3t", "ETag: s3cr3t"),
    request_head=("Host: s3cr3t", "Accept-Encoding: br"),
)


def _of(*requests: Transaction) -> Snapshot:
    return replace(snapshot_at(1), recent=requests)


def test_strictly() -> None:
    (shown,) = SnapshotRedaction("strict").apply(_of(RAW)).recent
    assert shown == replace(
        RAW,
        path="/users/{id}/s3cr3t?***",
        response_head=("HTTP/1.1 200", "Server: a", "Set-Cookie: ***", "ETag: ***"),
        request_head=("Host: ***", "Accept-Encoding: br"),
    )


def test_by_default() -> None:
    (shown,) = SnapshotRedaction("default", ("etag", "server")).apply(_of(RAW)).recent
    assert shown.path == "/users/42/s3cr3t?name=***"
    assert shown.response_head[1:] == ("Server: a", "Set-Cookie: ***", "ETag: s3cr3t")
    assert shown.request_head == ("Host: ***", "Accept-Encoding: ***")


def test_off() -> None:
    snapshot = _of(RAW)
    assert SnapshotRedaction("off").apply(snapshot) is snapshot


def test_each_request_is_redacted_once_and_then_forgotten() -> None:
    redaction = SnapshotRedaction("strict")
    (first,) = redaction.apply(_of(RAW)).recent
    (again,) = redaction.apply(_of(RAW)).recent
    assert again is first
    renamed = replace(RAW, key=key("/other"))  # its row was merged with others
    (changed,) = redaction.apply(_of(renamed)).recent
    assert changed == replace(first, key=key("/other"))
    assert redaction.apply(_of()).recent == ()
    (anew,) = redaction.apply(_of(renamed)).recent
    assert anew is not changed


def test_what_is_no_path_stays() -> None:
    strict = SnapshotRedaction("strict")
    for path, method, shown in (
        ("~idle", "OTHER", "~idle"),
        ("h:443", "CONNECT", "h:443"),
        ("/users/{id}", "GET", "/users/{id}"),
        ("/" + "a" * 60 + "…", "GET", "/" + "a" * 60 + "…"),
    ):
        raw = replace(RAW, path=path, key=replace(RAW.key, method=method), response_head=())
        (redacted,) = strict.apply(_of(raw)).recent
        assert (redacted.path, redacted.response_head) == (shown, ())
