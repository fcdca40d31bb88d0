"""The page of a report in Chromium: no name runs or leads anywhere; it works and is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.reports import MARKUP, RUN

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

#: Notes what the policy forbids; it comes from the browser's side, where no policy holds.
_NOTE_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", event =>
  window.violations.push(`${event.effectiveDirective} ${event.blockedURI}`));
"""
#: Every element that could run something, load something or lead somewhere.
_ACTIVE = "img,iframe,object,embed,link,base,form,a,video,audio,source,use,foreignObject,template"


class Opened:
    """A page, and all that happened on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", self._dismiss)
        page.add_init_script(_NOTE_VIOLATIONS)

    def _dismiss(self, dialog: Dialog) -> None:
        self.errors.append(dialog.message)
        dialog.dismiss()

    def ask(self, script: str) -> Any:
        """Return what an expression has as its value on the page."""
        return self.page.evaluate(script)


@contextmanager
def opened(browser: Browser, file: Path, **options: Any) -> Iterator[Opened]:
    with browser.new_context(**options) as context:
        page = Opened(context.new_page())
        page.page.goto(file.as_uri())
        yield page


def rewritten(file: Path, folder: Path, change: dict[str, str]) -> Path:
    text = file.read_text(encoding="utf-8")
    for old, new in change.items():
        assert old in text
        text = text.replace(old, new, 1)
    other = folder / "other.html"
    other.write_text(text, encoding="utf-8")
    return other


def test_hostile_names_are_text_and_nothing_else(
    browser: Browser, reports: dict[str, Path]
) -> None:
    with opened(browser, reports["html"]) as seen:
        for part in ("th", "td", "summary", "h1"):  # what waits for somebody to come by
            for element in seen.page.locator(part).all()[:60]:
                element.dispatch_event("mouseover")
                element.dispatch_event("focus")
        seen.page.wait_for_load_state("networkidle")
        assert seen.requests == [reports["html"].as_uri()]
        assert seen.errors == []
        assert seen.ask("violations") == []
        assert seen.ask("typeof window.ran") == "undefined"
        assert seen.ask("document.scripts.length") == 1
        assert seen.ask("document.styleSheets.length") == 1
        assert seen.ask(f"document.querySelectorAll('{_ACTIVE}').length") == 0
        attributes = seen.ask(
            "[...document.querySelectorAll('*')].flatMap(e => [...e.attributes].map(a => a.name))"
        )
        assert not {name for name in attributes if name.startswith("on") or name in ("style",)}
        shown = seen.ask("document.body.textContent")
        for name in MARKUP[:-1]:
            assert name in shown, name
        assert seen.page.title().count("script") == 3  # the host's name is one of them
        assert seen.page.locator("body").is_visible()


@pytest.mark.parametrize("name", [text for text in MARKUP if RUN in text and "<s" in text][:4])
def test_the_policy_stops_what_would_be_markup(
    name: str, browser: Browser, reports: dict[str, Path], tmp_path: Path
) -> None:
    """Were a name not escaped, nothing would run either; without the policy it would."""
    hole = {"<main>": f"<main>{name}<img src=http://127.0.0.1:9/image>"}
    with opened(browser, rewritten(reports["html"], tmp_path, hole)) as seen:
        seen.page.wait_for_function("violations.length >= 2")
        assert seen.ask("typeof window.ran") == "undefined"
        assert any(one.startswith("img-src") for one in seen.ask("violations"))
    policy = re.search(
        r'<meta http-equiv="Content-Security-Policy"[^>]*>', reports["html"].read_text("utf-8")
    )
    assert policy is not None
    bare = rewritten(reports["html"], tmp_path, hole | {policy[0]: ""})
    with opened(browser, bare) as seen:
        seen.page.wait_for_function("window.ran === 1")


def rows(seen: Opened, table: int, cell: int) -> list[str]:
    return list(
        seen.ask(
            f"[...document.querySelectorAll('table.sorts')[{table}].tBodies[0].rows]"
            f".filter(r => !r.hidden).map(r => r.cells[{cell}].dataset.value"
            f" ?? r.cells[{cell}].textContent)"
        )
    )


def test_tables_are_sorted_by_what_is_clicked(browser: Browser, reports: dict[str, Path]) -> None:
    with opened(browser, reports["html"]) as seen:
        for number, table in enumerate(seen.page.locator("table.sorts").all()):
            heads = table.locator("thead th").all()
            before = sorted(rows(seen, number, 0))
            for at, head in enumerate(heads):
                head.get_by_role("button").click()
                order = head.get_attribute("aria-sort")
                is_number = head.evaluate("e => e.classList.contains('n')")
                assert order == ("descending" if is_number else "ascending")
                found = rows(seen, number, at)
                if is_number:
                    values = [float(value) for value in found]
                    assert values == sorted(values, reverse=True)
                first = found
                head.get_by_role("button").click()
                found = rows(seen, number, at)
                if is_number:
                    assert [float(value) for value in found] == sorted(map(float, found))
                assert sorted(found) == sorted(first)
                assert table.locator("[aria-sort]").count() == 1
            assert sorted(rows(seen, number, 0)) == before  # none was lost
        assert seen.errors == []


def test_keys_alone_will_do(browser: Browser, reports: dict[str, Path]) -> None:
    with opened(browser, reports["html"]) as seen:
        search = seen.page.get_by_role("searchbox")
        search.focus()
        seen.page.keyboard.press("Tab")
        seen.page.keyboard.press("Enter")
        sorted_by = seen.page.locator("table.searched [aria-sort]")
        assert sorted_by.get_attribute("aria-sort") == "ascending"
        outline = seen.ask("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"


@pytest.mark.parametrize("words", ["checkout", "GET cart", "<script>", "no such row", ""])
def test_rows_are_found(words: str, browser: Browser, reports: dict[str, Path]) -> None:
    with opened(browser, reports["html"]) as seen:
        table = seen.page.locator("table.searched")
        texts = [row.text_content() or "" for row in table.locator("tbody tr").all()]
        wanted = [t for t in texts if all(w in t.lower() for w in words.lower().split())]
        seen.page.get_by_role("searchbox").fill(words)
        visible = [row for row in table.locator("tbody tr").all() if row.is_visible()]
        assert len(visible) == len(wanted)
        said = seen.page.locator(".search output").text_content()
        assert said == (f"{len(wanted)} of {len(texts)}" if words else "")
        assert len(wanted) < len(texts) or not words


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_light_or_dark_as_its_reader_is(
    scheme: str, browser: Browser, reports: dict[str, Path]
) -> None:
    with opened(browser, reports["html"], color_scheme=scheme) as seen:

        def colour(of: str, what: str = "color") -> str:
            return str(seen.ask(f"getComputedStyle(document.querySelector('{of}')).{what}"))

        page = colour("body", "backgroundColor")
        assert (luminance(page) > 0.5) is (scheme == "light")
        panel = colour("dl.figures div", "backgroundColor")
        for of, behind in (("body", page), ("caption", page), (".bad", page), ("dt", panel)):
            assert contrast(colour(of), behind) >= 4.5, of  # WCAG 2.2, 1.4.3
        chart = colour("svg[role=img]", "backgroundColor")
        for number in range(6):
            assert contrast(colour(f"path.c{number}", "fill"), chart) >= 3, number  # 1.4.11
        assert seen.ask("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_is_cut_off_beside_the_window(
    width: int, browser: Browser, reports: dict[str, Path]
) -> None:
    size = {"width": width, "height": 800}
    with opened(browser, reports["html"], viewport=size) as seen:
        assert seen.ask("document.documentElement.scrollWidth") <= width


def test_it_is_read_on_paper(browser: Browser, reports: dict[str, Path]) -> None:
    # A4 in landscape less margins of 10 mm, in CSS pixels; a dark screen prints on white, too.
    size = {"width": 1046, "height": 718}
    with opened(browser, reports["html"], viewport=size, color_scheme="dark") as seen:
        seen.page.emulate_media(media="print")
        assert seen.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert seen.ask("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
        assert not seen.page.locator(".search").is_visible()
        wide = seen.ask(
            "[...document.querySelectorAll('table, svg')].filter(e => e.offsetParent"
            " && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.caption?.textContent)"
        )
        assert wide == []
        margin = "10mm"
        pdf = seen.page.pdf(
            format="A4",
            landscape=True,
            margin={"top": margin, "bottom": margin, "left": margin, "right": margin},
        )
        assert pdf.startswith(b"%PDF-")
        assert len(re.findall(rb"/Type\s*/Page\b", pdf)) > 1


def test_without_a_script_all_of_it_can_be_read(browser: Browser, reports: dict[str, Path]) -> None:
    with opened(browser, reports["html"], java_script_enabled=False) as seen:
        assert seen.page.locator("table.searched tbody tr").count() > 40
        assert seen.page.get_by_role("searchbox").count() == 0
        assert seen.page.locator("table.searched thead th").first.is_visible()
