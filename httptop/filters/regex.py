"""Match regular expressions in a time that is bounded by the length of the text.

Python's ``re`` tries one way through an expression after the other: ``(a+)+$`` takes hours for a
text of 40 letters, and it lets no other thread run meanwhile. The texts that filters are applied to
come from whoever sends requests, so here all ways are followed side by side. What an expression has
reached after some characters is a set of places in its program (regex_program.py), an integer with
a bit for each; such sets and what follows them are remembered, so that most characters cost one
look-up.

An expression means what it does to ``re``, but that ``^`` and ``$`` are the ends of the text only:
no text here has line breaks.
"""

from __future__ import annotations

import re
from typing import Final

from httptop.filters.regex_program import Assertion, Char, Jump, Program, Split, program_of

#: Steps that are remembered; then it begins anew, as senders choose the characters.
_MOST_STEPS: Final = 4096
_MOST_CHARACTERS: Final = 512
_WORD: Final = re.compile(r"\w")

#: What is known of a place between two characters.
_AT_START, _AT_END, _AT_BOUNDARY = 1, 2, 4


class _State(dict[str, "_State"]):
    """Places that have been reached; as a dictionary, the state after each character seen."""

    __slots__ = ("behind_word", "ends", "first", "places")

    def __init__(self, places: int = 0, behind_word: bool = False, first: bool = False) -> None:
        self.places = places
        self.behind_word = behind_word
        self.first = first  # nothing has been read yet
        self.ends: bool | None = None  # whether it matches if the text ends here


class Regex:
    """A regular expression that can be searched for in any text."""

    def __init__(self, text: str) -> None:
        """Raise :class:`ValueError` that says what is wrong, or what cannot be matched so."""
        self._program: Program = program_of(text)
        code = self._program.code
        self._match = 1 << len(code)  # behind the last instruction
        self._has_boundaries = any(
            isinstance(one, Assertion) and one.boundary is not None for one in code
        )
        self._reached: dict[tuple[int, int, int], int] = {}
        self._characters: dict[str, int] = {}
        self._matched = _State()
        self._begin_anew()

    @property
    def remembered(self) -> int:
        """The number of steps and characters that are remembered."""
        return self._steps + len(self._characters)

    def search(self, text: str) -> bool:
        """Return whether the expression matches any part of a text."""
        state, matched = self._start, self._matched
        for character in text:
            following = state.get(character)
            if following is None:
                following = self._step(state, character)
            if following is matched:
                return True
            state = following
        if state.ends is None:
            state.ends = self._ends(state)
        return state.ends

    def _begin_anew(self) -> None:
        self._steps = 0
        self._states: dict[tuple[int, bool], _State] = {}
        self._start = _State(first=True)

    def _step(self, state: _State, character: str) -> _State:
        if self._steps >= _MOST_STEPS:
            self._begin_anew()
        self._steps += 1
        word = self._has_boundaries and _WORD.match(character) is not None
        places = self._places(state, 0, word)
        if places & self._match:
            following = self._matched
        else:
            places = (places & self._that_take(character)) << 1
            key = (places, word)
            known = self._states.get(key)
            following = self._states[key] = _State(places, word) if known is None else known
        state[character] = following
        return following

    def _ends(self, state: _State) -> bool:
        return self._places(state, _AT_END, False) & self._match != 0

    def _places(self, state: _State, context: int, before_word: bool) -> int:
        """Return the places of a state, and those that are reached from them without a character.

        A match may begin anywhere, so the first place is always among them.
        """
        if state.first:
            context |= _AT_START
        if self._has_boundaries and state.behind_word != before_word:
            context |= _AT_BOUNDARY
        places, found = state.places | 1, 0
        for at, byte in enumerate(places.to_bytes(places.bit_length() + 7 >> 3, "little")):
            if byte:
                key = (context, at, byte)
                reached = self._reached.get(key)
                if reached is None:
                    reached = self._reached[key] = self._reach(context, at, byte)
                found |= reached
        return found

    def _reach(self, context: int, at: int, byte: int) -> int:
        code = self._program.code
        todo = [8 * at + bit for bit in range(8) if byte >> bit & 1]
        found = 0
        while todo:
            place = todo.pop()
            if found >> place & 1:
                continue
            found |= 1 << place
            if place == len(code):
                continue
            match code[place]:
                case Split(to):
                    todo += (place + 1, place + to)
                case Jump(to):
                    todo.append(place + to)
                case Assertion() as assertion if _holds(assertion, context):
                    todo.append(place + 1)
        return found

    def _that_take(self, character: str) -> int:
        """Return the places of instructions that match a character."""
        found = self._characters.get(character)
        if found is None:
            if len(self._characters) >= _MOST_CHARACTERS:
                self._characters.clear()
            kinds = [kind.match(character) is not None for kind in self._program.kinds]
            found = 0
            for place, one in enumerate(self._program.code):
                if isinstance(one, Char) and kinds[one.kind]:
                    found |= 1 << place
            self._characters[character] = found
        return found


def _holds(assertion: Assertion, context: int) -> bool:
    if assertion.boundary is not None:
        return (context & _AT_BOUNDARY != 0) == assertion.boundary
    return context & (_AT_START if assertion.start else _AT_END) != 0
