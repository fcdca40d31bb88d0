"""The key e: what is shown as text, SVG or JSON, in a new file or on the clipboard."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from textual.events import Key
from textual.pilot import Pilot

from httptop.app import HttptopApp
from httptop.errors import HttptopError
from httptop.filters import parse
from httptop.output.json import to_json
from httptop.screens.dashboard import Dashboard
from httptop.screens.export_box import ExportBox
from tests.factory import busy, endpoint, key, snapshot
from tests.screens.fake_run import FakeRun
from tests.screens.handles import drawn, said, settled, show

#: A name as a process may give itself: markup, quotes and what XML has a meaning for.
HOSTILE = "[red]&<script>'\"]]>"


class Written:
    """A place for files that remembers what it got."""

    def __init__(self, error: str = "") -> None:
        self.error = error
        self.got: list[tuple[str, str, float, str]] = []

    def __call__(self, kind: str, host: str, at_s: float, text: str) -> str:
        if self.error:
            raise HttptopError(self.error)
        self.got.append((kind, host, at_s, text))
        return f"/home/me/[x]/httptop.{kind}"


def recorded(app: HttptopApp, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets what is sent to the terminal."""
    sent: list[str] = []
    monkeypatch.setattr(app._driver, "write", sent.append)
    return sent


async def export(pilot: Pilot[int], letter: str) -> None:
    await pilot.press("e", letter)
    await pilot.pause()
    await settled(pilot)


async def test_text_is_the_cells_of_the_screen() -> None:
    write = Written()
    async with HttptopApp(run=FakeRun(export=write)).run_test(size=(120, 40)) as pilot:
        app = await show(pilot)
        table = drawn(app)
        await pilot.press("e")
        assert isinstance(app.screen, ExportBox)
        await pilot.press("t")
        await pilot.pause()
        await settled(pilot)
        ((kind, host, at_s, text),) = write.got
        assert (kind, host, at_s) == ("txt", busy().host, busy().taken_at)
        lines = text.splitlines()
        assert len(lines) == 40
        assert not any("export what is shown" in line for line in lines)
        for line in filter(None, table):
            assert any(line.strip() in there for there in lines)
        assert said(app) == ["Exported to /home/me/[x]/httptop.txt"]
        await export(pilot, "t")
        assert write.got[1][3] == text, "what was said is no part of it"


async def test_svg_is_the_same_as_a_picture_and_refers_to_nothing_outside() -> None:
    write = Written()
    hostile = snapshot([endpoint(replace(key("/a"), process=HOSTILE[:15]))])
    async with HttptopApp(run=FakeRun(export=write)).run_test(size=(100, 30)) as pilot:
        await show(pilot, hostile)
        await export(pilot, "s")
        ((kind, _, _, text),) = write.got
        assert kind == "svg"
        picture = ElementTree.fromstring(text)  # it is well-formed
        shown = "".join(picture.itertext()).replace("\N{NO-BREAK SPACE}", " ")
        assert HOSTILE[:15] in shown
        assert "REQ/S" in shown
        assert not [node for node in picture.iter() if node.tag.endswith(("script", "image"))]
        assert "<script" not in text
        links = set(re.findall(r"https?://[^\s\"<]+", text))
        assert links <= {"http://www.w3.org/2000/svg", "https://www.textualize.io"}
        assert "url(http" not in text.replace('"', "")


async def test_json_is_the_whole_snapshot_with_what_the_screen_shows_of_it() -> None:
    write = Written()
    async with HttptopApp(run=FakeRun(export=write)).run_test(size=(100, 30)) as pilot:
        app = await show(pilot)
        app.change_view(path_filter="Cart", expression=parse("status = 5xx"), side="client")
        await export(pilot, "j")
        ((kind, _, _, text),) = write.got
        assert kind == "json"
        assert text.endswith("}\n")
        got = json.loads(text)
        assert got.pop("view") == {
            "side": "client",
            "filter": "status = 5xx",
            "path_contains": "Cart",
            "sort": "rps",
            "descending": True,
        }
        assert got == json.loads(to_json(busy()))


async def test_a_paused_screen_exports_what_it_shows() -> None:
    write = Written()
    async with HttptopApp(run=FakeRun(export=write)).run_test(size=(100, 30)) as pilot:
        await show(pilot, busy(10))
        await pilot.press("p")
        await show(pilot, busy(99))
        await export(pilot, "j")
        assert json.loads(write.got[0][3])["uptime_s"] == 10
        assert write.got[0][2] == busy(10).taken_at


async def test_every_screen_is_exported_as_it_is() -> None:
    write = Written()
    async with HttptopApp(run=FakeRun(export=write)).run_test(size=(100, 30)) as pilot:
        await show(pilot)
        for opens, there in (("enter", "LATENCY"), ("question_mark", "Find and filter")):
            await pilot.press(opens)
            await export(pilot, "t")
            assert there in write.got[-1][3]
            await pilot.press("escape")


async def test_the_clipboard_gets_the_text_by_osc_52(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    write = Written()
    async with HttptopApp(run=FakeRun(export=write)).run_test(size=(100, 30)) as pilot:
        app = await show(pilot)
        await export(pilot, "t")
        sent = recorded(app, monkeypatch)
        await export(pilot, "c")
        (copied,) = re.findall("\x1b]52;c;([A-Za-z0-9+/=]+)\a", "".join(sent))
        assert base64.b64decode(copied).decode() == write.got[0][3]
        assert re.fullmatch(
            r"Sent to the terminal's clipboard: [0-9.]+ KiB of text\.", said(app)[-1]
        )


@pytest.mark.parametrize(("term", "told"), [("linux", "linux"), ("dumb", "dumb"), ("", "no TERM")])
async def test_a_terminal_without_a_clipboard_is_said_to_have_none(
    monkeypatch: pytest.MonkeyPatch, term: str, told: str
) -> None:
    monkeypatch.setenv("TERM", term)
    async with HttptopApp().run_test(size=(100, 30)) as pilot:
        app = await show(pilot)
        sent = recorded(app, monkeypatch)
        await export(pilot, "c")
        assert said(app) == [f"This terminal ({told}) has no clipboard."]
        assert "]52;" not in "".join(sent)


async def test_more_than_terminals_take_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "tmux-256color")
    async with HttptopApp().run_test(size=(100, 30)) as pilot:
        app = await show(pilot)
        monkeypatch.setattr("httptop.screens.export_control.Picture.text", lambda _: "é" * 40_000)
        sent = recorded(app, monkeypatch)
        await export(pilot, "c")
        assert "terminals take" in said(app)[-1]
        assert "]52;" not in "".join(sent)
        monkeypatch.setattr("httptop.screens.export_control.Picture.text", lambda _: "é")
        await export(pilot, "c")
        assert "]52;c;w6k=\a" in "".join(sent)
        assert "set-clipboard" in said(app)[-1]


async def test_why_nothing_was_written_is_said_with_another_way() -> None:
    async with HttptopApp(run=FakeRun(export=Written("no [right] to"))).run_test() as pilot:
        app = await show(pilot)
        await export(pilot, "t")
        assert said(app) == ["Not exported: no [right] to. e c copies the text to the clipboard."]
    async with HttptopApp(run=FakeRun()).run_test() as pilot:
        app = await show(pilot)
        await export(pilot, "j")
        assert said(app) == [
            "No files can be written in this run. e c copies the text to the clipboard."
        ]


async def test_before_the_first_snapshot_there_is_nothing_to_write() -> None:
    write = Written()
    async with HttptopApp(run=FakeRun(export=write)).run_test() as pilot:
        assert isinstance(pilot.app, HttptopApp)
        await export(pilot, "j")
        assert said(pilot.app) == ["Nothing to export: no snapshot has arrived yet."]
        assert not write.got


async def test_the_box_closes_by_escape_and_takes_the_mouse_and_the_arrows() -> None:
    write = Written()
    async with HttptopApp(run=FakeRun(export=write)).run_test(size=(100, 30)) as pilot:
        app = await show(pilot)
        await pilot.press("e", "escape")
        assert isinstance(app.screen, Dashboard)
        await pilot.press("e", "down", "enter")
        await pilot.pause()
        await settled(pilot)
        await pilot.press("e")
        await pilot.click("OptionList", offset=(5, 0))
        await pilot.pause()
        await settled(pilot)
        assert [kind for kind, *_ in write.got] == ["svg", "txt"]


async def test_keys_that_come_at_once_count_in_their_order() -> None:
    write = Written()
    async with HttptopApp(run=FakeRun(export=write)).run_test(size=(100, 30)) as pilot:
        app = await show(pilot)
        for one in ("e", "s", "e", "escape", "e", "t"):
            app.simulate_key(one)
            if one not in ("e", "escape"):
                await pilot.pause()
                await settled(pilot)
            elif one == "escape":
                await pilot.pause()
        assert isinstance(app.screen, Dashboard)
        assert [kind for kind, *_ in write.got] == ["svg", "txt"]


async def test_a_letter_that_comes_before_the_box_stands_counts() -> None:
    write = Written()
    async with HttptopApp(run=FakeRun(export=write)).run_test(size=(100, 30)) as pilot:
        app = await show(pilot)
        app.push_screen(box := ExportBox("/home/me"), app._export_control._chosen)
        assert not box.is_mounted
        await app.on_event(Key("j", "j"))  # nothing else has run meanwhile
        await app.on_event(Key("t", "t"))
        await pilot.pause()
        await settled(pilot)
        assert isinstance(app.screen, Dashboard)
        assert [kind for kind, *_ in write.got] == ["json"]


async def test_of_two_choices_at_once_one_counts() -> None:
    write = Written()
    async with HttptopApp(run=FakeRun(export=write)).run_test(size=(100, 30)) as pilot:
        app = await show(pilot)
        await pilot.press("e")
        for one in ("enter", "s", "escape", "t"):
            app.simulate_key(one)
        await pilot.pause()
        await settled(pilot)
        assert isinstance(app.screen, Dashboard)
        assert len(write.got) == 1
        await pilot.press("e", "5")
        assert isinstance(app.screen, ExportBox)
        assert "no such key: 5" in str(app.screen.query_one("#export").border_subtitle)


async def test_an_e_in_a_text_or_a_menu_is_a_letter() -> None:
    async with HttptopApp().run_test(size=(100, 30)) as pilot:
        app = await show(pilot)
        await pilot.press("slash", "e", "t")
        assert isinstance(app.screen, Dashboard)
        assert app.view.path_filter == "et"
        await pilot.press("escape", "s", "e")
        assert isinstance(app.screen, Dashboard)
        assert app.view.sort != "rps"
