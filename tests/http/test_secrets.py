"""What looks like a secret or a person does not get through; what does not is kept."""

from __future__ import annotations

import random
import string
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.http.redaction import Redaction, redacted_template
from httptop.http.secrets import masked, without_people

#: Tokens as their services make them; none is in use. They are put together here, so that no
#: scanner of repositories takes them for real ones.
TOKENS = tuple(
    "".join(parts).encode()
    for parts in (
        ("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.", "dozjgNryP4J3"),
        ("eyJhbGciOiJub25lIn0.", "eyJzdWIiOiJhIn0."),
        ("eyJhbGciOiJkaXIifQ..", "c2VjcmV0.c2VjcmV0.dGFn"),
        ("AKIA", "IOSFODNN7EXAMPLE"),
        ("ASIA", "ABCDEFGHIJKLMNOP"),
        ("ghp_", "abcdefghijklmnopqrstuvwxyzabcdefghij"),
        ("gho_", "16C7e42F292c6912E7710c838347Ae178B4a"),
        ("github_pat_", "11ABCDEFG0abcdefghijkl_abcdefgh"),
        ("glpat-", "abcdefghijklmnopqrst"),
        ("xoxb-", "123456789012-abcdefghijkl"),
        ("xoxp-", "some-words-only"),
        ("sk_live_", "abcdefghijklmnopqrstuvwx"),
        ("rk_test_", "4eC39HqLyjWDarjtT1zdp7dc"),
        ("whsec_", "abcdefghijkl"),
        ("sk-", "abcdefghijklmnopqrstuvwx"),
        ("sk-ant-api03-", "abcdefghijkl"),
        ("AIza", "SyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe"),
        ("AIza", "abcdefghijklmnopqrstuvwxyzabcdefghi"),
        ("ya29.", "a0AfH6SMBx"),
        ("SG.", "abcdefghijklmnopqrstuv.abcdefghijklmnopqrstuvwxyzabcdefg"),
        ("hvs.", "CAESIJabcdef"),
        ("npm_", "abcdefghijklmnopqrstuvwxyzabcdefghxyz"),
        ("shpat_", "abcdefghijkl"),
        ("dckr_pat_", "abcdefghijkl"),
        ("glsa_", "abcdefghijkl"),
        ("bot110201543:", "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"),
        ("123456:", "AAE-abcdefghijklmnopqrstuvwxyz"),
    )
)  # fmt: skip


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("place", [b"/k/%s", b"/k/%s/more", b"a %s b", b"x=%s", b'"%s"', b"(%s),"])
def test_tokens_of_known_services(token: bytes, place: bytes) -> None:
    shown = masked(place % token)
    assert shown == masked(place % token, random=False)
    assert token[-6:] not in shown
    assert b"***" in shown


@pytest.mark.parametrize("token", TOKENS)
def test_templates_hold_no_tokens(token: bytes) -> None:
    assert redacted_template(b"/k/%s/more" % token) == b"/k/{id}/more"
    for cut in range(30, 96):  # a template is cut off somewhere
        assert token[-6:] not in redacted_template((b"/" + b"k" * 20 + b"/" + token)[:cut])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"/services/T000/B000/XXXX", b"/services/T000/B000/***"),
        (b"/api/webhooks/123/abc?wait=1", b"/api/webhooks/123/***?wait=1"),
        (b"Authorization: Bearer abcdef", b"Authorization: ***"),
        (b"token%20abcdef", b"***"),
        # long and random, but for UUIDs
        (b"/f/9f8e7d6c5b4a39281706f5e4d3c2b1a0", b"/f/***"),
        (b"/f/Zx8kQ2mN4vB7tR1pL5wY", b"/f/***"),
        (b"/f/Zx8k%2FQ2mN4v%2BB7tR1pL5%3D", b"/f/***"),
        (b"/f/%E6%97%A5%E6%9C%AC%E8%AA%9E%E3%81%AE", b"/f/%E6%97%A5%E6%9C%AC%E8%AA%9E%E3%81%AE"),
        (b"/f/0f8b2c4d-1234-4321-abcd-0123456789ab", b"/f/0f8b2c4d-1234-4321-abcd-0123456789ab"),
        (b"/f/2024-01-01-my-long-article-title", b"/f/2024-01-01-my-long-article-title"),
        (b"/f/9f8e7d6c", b"/f/9f8e7d6c"),
        (b"/getUserAccountByIdentifierV2", b"/getUserAccountByIdentifierV2"),
        (b"/20240101T120000Z-report-v2", b"/20240101T120000Z-report-v2"),
        (b"/CHANGES_OF_THE_API_IN_2024", b"/CHANGES_OF_THE_API_IN_2024"),
        (b"/users/42/orders", b"/users/42/orders"),
        # words that begin like tokens
        (b"/sk-SK/a", b"/sk-SK/a"),
        (b"/AKIAB", b"/AKIAB"),
        (b"/npm_install", b"/npm_install"),
        (b"/keyAIzaabcdefgh", b"/keyAIzaabcdefgh"),
    ],
)
def test_shapes(text: bytes, shown: bytes) -> None:
    assert masked(text) == shown


def test_random_text_is_found() -> None:
    draw = random.Random(7)
    for alphabet, length in (
        (string.ascii_letters + string.digits, 24),
        (string.ascii_letters + string.digits + "-_", 32),
        (string.ascii_uppercase + "234567", 32),
        ("0123456789abcdef", 32),
    ):
        tokens = ["".join(draw.choices(alphabet, k=length)) for _ in range(300)]
        found = [masked(f"/{token}".encode()) == b"/***" for token in tokens]
        assert sum(found) >= 270, alphabet


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"http://me:s3cr3t@h/a", b"http://***@h/a"),
        (b"//s3cr3t@h/a", b"//***@h/a"),
        (b"http://a@s3cr3t@h/", b"http://***@h/"),
        (b"http://me:s3=cr;3t@h/", b"http://***@h/"),
        (b"http:\\\\me:s3cr3t@h/", b"http:\\\\***@h/"),
        (b"http%3A%2F%2Fme:s3cr3t%40h/", b"***%40h/"),
        (b"me:s3cr3t@1.2.3.4", b"***@1.2.3.4"),
        (b"mailto:me@h", b"***@h"),
        (b"/unsubscribe/alice@example.com", b"/unsubscribe/***@example.com"),
        (b"/u/alice%40example.com/x", b"/u/***%40example.com/x"),
        (b"/u/alice%2540example.com", b"/u/***%2540example.com"),
        (b"/u/alice@localhost", b"/u/***@localhost"),
        (b"a@b, c@d", b"***@b, ***@d"),
        (b"https://h/@alice", b"https://h/@alice"),
        (b"https://h:443/a", b"https://h:443/a"),
        (b"/@scope/name@1.2.3", b"/@scope/name@1.2.3"),
        (b"/checkout@v4", b"/checkout@v4"),
        (b"/logo@2x.png", b"/logo@2x.png"),
        (b"@", b"@"),
        (b"a@", b"***@"),
    ],
)
def test_people(text: bytes, shown: bytes) -> None:
    assert without_people(text) == shown


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (b"/users/{id}", b"/users/{id}"),
        (b"/user;jsessionid={id}", b"/user;jsessionid={id}"),
        (b"/{id}:AAE-abcdefghijklmnopqrstuvwxyz/getMe", b"/{id}/getMe"),
        (b"/xoxb-{id}-abcdefghijkl", b"/{id}"),
        (b"/services/{id}/{id}/XXXX", b"/services/{id}/{id}/{id}"),
        (b"/u/alice@localhost", b"/u/{id}@localhost"),
        (b"me:s3cr3t@h:443", b"{id}@h:443"),
        (b"/token=s3cr3t/a", b"/token={id}/a"),
        (b"/login&password=s3cr3t", b"/login&password={id}"),
        (b"/=s3cr3t", b"/={id}"),
        (b"/a%253Fx=s3cr3t/s3cr3t", b"/a%253F{id}"),
        (b"/a%23x/s3cr3t", b"/a%23{id}"),
        (b"/year=2024/month=01", b"/year=2024/month=01"),
        (b"/dGVzdA==", b"/dGVzdA=="),
        (b"/R&D/a%20b", b"/R&D/a%20b"),
        (b"*", b"*"),
    ],
)
def test_templates(path: bytes, shown: bytes) -> None:
    assert redacted_template(path) == shown
    assert redacted_template(shown) == shown


def test_templates_that_were_cut() -> None:
    assert redacted_template(b"/a/http://me:s3cr", cut=True) == b"/a/http://{id}"
    assert redacted_template(b"/a:b/c", cut=True) == b"/a:b/c"
    assert redacted_template(b"/a/b:c") == b"/a/b:c"


def _lines(work: Callable[[], object]) -> int:
    lines = 0

    def trace(_frame: object, event: str, _argument: object) -> object:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        work()
    finally:
        sys.settrace(before)
    return lines


@pytest.mark.parametrize(
    "piece", [b"@", b":", b"a@", b"/", b"//", b"%40", b"eyJ", b"=", b";a=", b"&", b"%3d", b"a" * 20]
)
def test_hostile_text_takes_no_longer_than_its_length(piece: bytes) -> None:
    strict, default = Redaction("strict"), Redaction("default")
    for redact in (masked, redacted_template, strict.target, default.target):
        short = _lines(lambda redact=redact: redact(b"/" + piece * (250 // len(piece))))  # type: ignore[misc]
        long = _lines(lambda redact=redact: redact(b"/" + piece * (1000 // len(piece))))  # type: ignore[misc]
        assert long < 6 * short + 200


@given(st.binary(max_size=300))
def test_masking_twice_changes_nothing(text: bytes) -> None:
    once = masked(text)
    assert masked(once) == once
    template = redacted_template(text)
    assert redacted_template(template) == template
