"""The page of one sampled request."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from textual.widgets import Static

from httptop.app import HttptopApp
from httptop.config.settings import DEFAULTS, Ui
from httptop.model import Transaction
from httptop.printable import clean
from httptop.screens.detail import DetailScreen
from tests.factory import NOON, busy, key
from tests.screens.handles import said, show

HEAD = (
    "HTTP/1.1 503 Service Unavailable",
    "Content-Type: text/[b]plain[/b]",
    clean(b"X-Evil: \x1b[31mred"),
    "no colon here",
)


ASKED = ("Host: shop", "Cookie: ***", clean(b"X-Odd: [b]\x1b]0;me"), "neither here")

REQUEST = Transaction(
    serial=7,
    started_at=NOON + 0.25,
    key=key("/users/{id}", "POST"),
    pid=1234,
    path="/users/17[/x]",
    status=503,
    latency_ns=1_234_567,
    request_bytes=310,
    response_bytes=4_200,
    peer="203.0.113.7:40001",
    slow=True,
    response_head=HEAD,
    request_head=ASKED,
)


def page(app: HttptopApp) -> str:
    return str(app.screen.query_one(Static).content)


async def test_the_page_of_a_request_says_all_that_is_known() -> None:
    app = HttptopApp(ui=Ui(latency_unit="us", byte_units="si"))
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        app.open_request(REQUEST)
        await pilot.pause()
        text = page(app)
        for known in (
            "POST /users/17[/x] HTTP/1.1",
            "503 Service Unavailable",
            "1235µs  (1,234,567 ns)  slow",
            "2026-01-01 12:00:00.250",
            "server",
            "nginx, pid 1234",
            "203.0.113.7:40001",
            "310 bytes",
            "4.2 kB  (4,200 bytes)",
            "POST /users/{id}",
            *ASKED,
            *HEAD,
        ):
            assert known in text
        assert text.index("POST /users/17") < text.index(ASKED[0]) < text.index(HEAD[0])
        assert "\x1b" not in text
        app.adopt(replace(DEFAULTS, ui=Ui()))
        assert "1.2ms  (1,234,567 ns)" in page(app)
        await pilot.press("j", "k", "enter")
        assert isinstance(app.screen, DetailScreen)
        assert app.screen.key == REQUEST.key


async def test_it_is_copied_as_a_curl_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    app = HttptopApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await show(pilot, busy())
        app.open_request(replace(REQUEST, path="/o'brien?q=***"))
        await pilot.pause()
        text = page(app)
        command = text[text.index("curl --globoff") :].partition("\n")[0]
        for part in ("--request POST", "'Cookie: ***'", """'http://localhost/o'"'"'brien?q=***'"""):
            assert part in command
        assert "Secrets are masked in 2 places" in text
        sent: list[str] = []
        driver = app._driver
        assert driver is not None
        driver.write = sent.append  # type: ignore[method-assign,assignment]
        await pilot.press("y")
        await pilot.pause()
        code = base64.b64encode(command.encode()).decode()
        assert f"\x1b]52;c;{code}\a" in sent
        assert "clipboard" in said(app)[0]


@pytest.mark.parametrize(
    ("status", "told"), [(0, "there was no response"), (200, "not captured"), (799, "799\n")]
)
async def test_what_is_not_known_of_a_request_is_said_so(status: int, told: str) -> None:
    app = HttptopApp()
    async with app.run_test(size=(80, 24)) as pilot:
        bare = replace(
            REQUEST,
            status=status,
            response_head=(),
            request_head=(),
            peer=None,
            response_bytes=None,
            slow=False,
        )
        app.open_request(bare)
        await pilot.pause()
        text = page(app)
        assert told in text
        assert "not kept" in text
        assert "response bytes  unknown" in text
        assert "slow" not in text
