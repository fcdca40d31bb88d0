"""Functions of BPF that decide: comparisons of what they are given, joined by and, or, not.

All is computed, nothing branched on, or the kernel's verifier would follow each combination of
comparisons. Truth values are 0 or 1. Those of the parts of an expression are the lowest bits of a
register, the latest last; there are never more than an expression is nested deep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from httptop.bpf.abi import NUMBER_SEARCH
from httptop.bpf.build.assembler import (
    ADD,
    AND,
    EXCLUSIVE_OR,
    FRAME,
    OR,
    SHIFT_LEFT,
    SHIFT_RIGHT,
    SUBTRACT,
    Code,
)
from httptop.bpf.build.placeholders import IN_SET, number_of_call
from httptop.bpf.filter.number_sets import Place

#: Registers: what a call returns, and those that calls leave alone. The first of these holds what
#: has been decided so far, the others the arguments, in order.
_RESULT: Final = 0
_DECIDED: Final = 6
_ARGUMENTS: Final = (7, 8, 9)

#: In place of a field's name: the comparisons that have been noted of a connection, as bits.
TRUTHS: Final = ""


@dataclass(frozen=True, slots=True)
class Given:
    """Where a field stands: it is an argument, or a member of the struct that one points to."""

    argument: int  # counted from 0
    offset: int | None = None  # in the struct
    width: int = 8  # of the member, in bytes


@dataclass(frozen=True, slots=True)
class Bit:
    """Whether a bit of a field is set: those are comparisons that hold."""

    field: str
    number: int
    negated: bool = False


@dataclass(frozen=True, slots=True)
class InSet:
    """Whether a field's number is in a set."""

    field: str
    place: Place
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Joined:
    """Whether all of the items hold, or any of them."""

    all_of: bool
    items: Sequence[Test]


Test = Bit | InSet | Joined


def joined(items: Sequence[Test], *, all_of: bool) -> Test | None:
    """Return items joined by and, or by or; None: there are none, and so nothing is excluded."""
    if len(items) <= 1:
        return items[0] if items else None
    return Joined(all_of, items)


def decided(test: Test | None, given: Mapping[str, Given]) -> bytes:
    """Return a function that makes a test of what it is given; None: it returns 1."""
    function = _Function(given)
    if test is None:
        function.code.number(_DECIDED, 1)
    else:
        function.decide(test)
    return bytes(function.code.returning(_DECIDED))


def noted(tests: Sequence[Bit | InSet], given: Mapping[str, Given]) -> bytes:
    """Return a function that makes tests, and returns their results as bits, in their order."""
    function = _Function(given)
    for test in reversed(tests):
        function.decide(test)
    return bytes(function.code.returning(_DECIDED))


class _Function:
    def __init__(self, given: Mapping[str, Given]) -> None:
        self._given = given
        self.code = Code()
        self.code.number(_DECIDED, 0)
        pointers = {one.argument for one in given.values() if one.offset is not None}
        for argument in sorted({one.argument for one in given.values()}):
            if argument in pointers:
                # The verifier asks for it where it looks at the function by itself.
                self.code.exit_if_null(1 + argument)
            self.code.move(_ARGUMENTS[argument], 1 + argument)

    def decide(self, test: Test) -> None:
        """Append the result of a test to what has been decided."""
        if not isinstance(test, Joined):
            self._compare(test)
            self.code.calculate(SHIFT_LEFT, _DECIDED, number=1)
            self.code.calculate(OR, _DECIDED, register=_RESULT)
            return
        for at, item in enumerate(test.items):
            self.decide(item)
            if at:
                self._join(all_of=test.all_of)

    def _join(self, *, all_of: bool) -> None:
        """Replace the two latest results by one."""
        code = self.code
        code.move(1, _DECIDED)
        if all_of:
            code.calculate(OR, 1, number=-2)
        else:
            code.calculate(AND, 1, number=1)
        code.calculate(SHIFT_RIGHT, _DECIDED, number=1)
        code.calculate(AND if all_of else OR, _DECIDED, register=1)

    def _compare(self, test: Bit | InSet) -> None:
        """Have the result be 1 if a comparison holds, otherwise 0."""
        if isinstance(test, Bit):
            self._load(_RESULT, test.field)
            self.code.calculate(SHIFT_RIGHT, _RESULT, number=test.number)
            self.code.calculate(AND, _RESULT, number=1)
        else:
            self._load(1, test.field)
            self._search(test.place)
        if test.negated:
            self.code.calculate(EXCLUSIVE_OR, _RESULT, number=1)

    def _load(self, to: int, field: str) -> None:
        given = self._given[field]
        register = _ARGUMENTS[given.argument]
        if given.offset is None:
            self.code.move(to, register)
        else:
            self.code.load(to, register, given.offset, given.width)

    def _search(self, place: Place) -> None:
        """Have the result be 1 if the number in the first argument's register is in a set."""
        code = self.code
        if place.only is None:
            code.store(FRAME, -NUMBER_SEARCH.size, 1)
            code.number(1, place.first | place.half << 32)
            code.store(FRAME, -NUMBER_SEARCH.size + 8, 1)
            code.move(1, FRAME)
            code.calculate(ADD, 1, number=-NUMBER_SEARCH.size)
            code.call(number_of_call(IN_SET))
            return
        # As at the end of in_set() in bpf/c/filter_terms.h.
        low, high = place.only
        code.number(2, low)
        code.calculate(SUBTRACT, 1, register=2)
        code.number(2, high - low)
        code.calculate(SUBTRACT, 2, register=1)
        code.calculate(OR, 1, register=2)
        code.calculate(EXCLUSIVE_OR, 1, number=-1)
        code.calculate(SHIFT_RIGHT, 1, number=63)
        code.move(_RESULT, 1)
