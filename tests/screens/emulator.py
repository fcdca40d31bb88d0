"""A terminal that knows the few sequences that the screen sends, and refuses all others."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from rich.cells import split_graphemes

_SEQUENCE = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|\x1b\]22;[a-z-]*\x07")
_CONTROLS = re.compile("[\0-\x1f\x7f-\x9f]")
_ON = {
    1: "bold", 2: "dim", 3: "italic", 4: "underline", 5: "blink", 6: "blink2", 7: "reverse",
    8: "conceal", 9: "strike", 21: "underline2", 51: "frame", 52: "encircle", 53: "overline",
}  # fmt: skip
_OFF = {
    22: {"bold", "dim"}, 23: {"italic"}, 24: {"underline", "underline2"}, 25: {"blink", "blink2"},
    27: {"reverse"}, 28: {"conceal"}, 29: {"strike"}, 54: {"frame", "encircle"}, 55: {"overline"},
}  # fmt: skip
#: What is seen of attributes where there is no character.
_ON_BLANKS = {"underline", "underline2", "reverse", "strike", "frame", "encircle", "overline"}


@dataclass(frozen=True)
class Look:
    """The current rendition."""

    foreground: str = ""
    background: str = ""
    attributes: frozenset[str] = frozenset()

    def on(self, text: str) -> Look:
        """Return what is seen of it on a character."""
        if text != " ":
            return self
        seen = self.attributes & _ON_BLANKS
        return Look(self.foreground if seen else "", self.background, seen)


class Emulator:
    """Cells of text and look; a character of two cells has an empty text in the second."""

    def __init__(self, width: int, height: int) -> None:
        self.look = Look()
        self.x = self.y = 0
        self.cells: list[list[tuple[str, Look]]] = []
        self.resize(width, height)

    def resize(self, width: int, height: int) -> None:
        """Change the size; what is shown then depends on the terminal: here it is nonsense."""
        self.width, self.height = width, height
        self.cells = [[("?", Look("lost"))] * width for _ in range(height)]

    def feed(self, data: str) -> None:
        """Obey what is sent."""
        at = 0
        while at < len(data):
            if data[at] == "\x1b":
                match = _SEQUENCE.match(data, at)
                assert match, f"unknown sequence: {data[at : at + 20]!r}"
                self._obey(match[1], match[2])
                at = match.end()
                continue
            end = data.find("\x1b", at)
            end = len(data) if end < 0 else end
            self._write(data[at:end])
            at = end

    def text(self) -> list[str]:
        """Return the lines."""
        return ["".join(text for text, _ in line) for line in self.cells]

    def _obey(self, parameters: str | None, final: str) -> None:
        if parameters is None:  # the shape of the mouse pointer
            return
        if parameters.startswith("?"):
            assert final in {"h", "l"}, (parameters, final)
            return
        numbers = [int(text or 0) for text in parameters.split(";")]
        if final == "m":
            self._render(numbers)
        elif final == "H":
            row, column = (*numbers, 1)[:2]
            self.y, self.x = min(max(row, 1), self.height) - 1, min(max(column, 1), self.width) - 1
        elif final == "C":
            self.x = min(self.x + max(numbers[0], 1), self.width - 1)
        else:
            raise AssertionError(f"unknown sequence: {parameters}{final}")

    def _render(self, numbers: list[int]) -> None:
        left = iter(numbers)
        for number in left:
            look = self.look
            if number == 0:
                self.look = Look()
            elif number in _ON:
                self.look = replace(look, attributes=look.attributes | {_ON[number]})
            elif number in _OFF:
                self.look = replace(look, attributes=look.attributes - _OFF[number])
            elif number in (38, 48):
                kind = next(left)
                color = ";".join(str(next(left)) for _ in range({2: 3, 5: 1}[kind]))
                if number == 38:
                    self.look = replace(look, foreground=f"{kind}:{color}")
                else:
                    self.look = replace(look, background=f"{kind}:{color}")
            elif 30 <= number <= 39 or 90 <= number <= 97:
                self.look = replace(look, foreground="" if number == 39 else str(number))
            elif 40 <= number <= 49 or 100 <= number <= 107:
                self.look = replace(look, background="" if number == 49 else str(number - 10))
            else:
                raise AssertionError(f"unknown rendition: {number}")

    def _write(self, text: str) -> None:
        for start, end, width in split_graphemes(text.replace("\n", ""))[0]:
            character = text[start:end]
            assert not _CONTROLS.search(character), repr(character)
            # A line does not wrap: what goes beyond its end is written in its last column.
            x = min(self.x, self.width - width)
            for column in range(x, x + width):
                self._clear_half(column)
            line = self.cells[self.y]
            line[x] = character, self.look.on(character)
            if width == 2:
                line[x + 1] = "", self.look.on(character)
            self.x = x + width

    def _clear_half(self, x: int) -> None:
        """Blank the other half of a wide character of which one half is overwritten."""
        line = self.cells[self.y]
        if not line[x][0] and x:
            line[x - 1] = " ", line[x - 1][1].on(" ")
        if x + 1 < self.width and not line[x + 1][0]:
            line[x + 1] = " ", line[x + 1][1].on(" ")
