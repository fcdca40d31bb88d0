"""Parse the text of a filter into a tree; errors tell the column.

::

    expression = conjunction { "or" conjunction }
    conjunction = unary { "and" unary }
    unary = "not" unary | "(" expression ")" | comparison | word
    comparison = field operator value { "," value }
    operator = "=" | "!=" | "~" | "!~" | "<" | "<=" | ">" | ">="

A word alone means ``path ~ *word*``. A value or a word in quotes may contain anything. A value
after ``~`` that begins and ends with a slash is a regular expression.
"""

from __future__ import annotations

from typing import Final

from httptop.filters.tree import And, Compare, Expression, FilterError, Not, Or
from httptop.filters.values import FIELDS, ORDERINGS, Value, parse_value
from httptop.literals import nearest

MAX_LENGTH: Final = 4096
_MAX_DEPTH: Final = 32
_OPERATORS: Final = ("!=", "!~", "<=", ">=", "==", "=", "~", "<", ">")
_NOT_IN_WORDS: Final = frozenset("(),\"'=!<>~")
_NOT_IN_VALUES: Final = frozenset("(),")
_KEYWORDS: Final = frozenset(("and", "or", "not"))


def parse(text: str) -> Expression:
    """Return the tree of a filter; raise :class:`FilterError` with the column of the error."""
    if len(text) > MAX_LENGTH:
        raise FilterError(f"a filter has at most {MAX_LENGTH} characters", MAX_LENGTH)
    return Parser(text).whole()


class Parser:
    """Recursive descent over one text; ``at`` is the index of the next character.

    Other languages of this package that contain filters build on it.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def whole(self) -> Expression:
        self.skip()
        if self.at == len(self.text):
            raise self.error("the filter is empty")
        result = self.disjunction()
        if self.at < len(self.text):
            rest = self.text[self.at]
            hint = "no ( matches it" if rest == ")" else "'and' or 'or' is needed before it"
            raise self.error(f"unexpected {rest!r}: {hint}")
        return result

    def disjunction(self) -> Expression:
        items = [self.conjunction()]
        while self.keyword("or"):
            items.append(self.conjunction())
        return items[0] if len(items) == 1 else Or(tuple(items))

    def conjunction(self) -> Expression:
        items = [self.unary()]
        while self.keyword("and"):
            items.append(self.unary())
        return items[0] if len(items) == 1 else And(tuple(items))

    def unary(self) -> Expression:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.error(f"nested more than {_MAX_DEPTH} deep")
        try:
            if self.keyword("not"):
                return Not(self.unary())
            if self.peek() == "(":
                opened = self.at
                self.at += 1
                self.skip()
                inner = self.disjunction()
                if self.peek() != ")":
                    raise FilterError("this ( is never closed", opened + 1)
                self.at += 1
                self.skip()
                return inner
            return self.comparison()
        finally:
            self.depth -= 1

    def comparison(self) -> Expression:
        start = self.at
        if self.peek() in ('"', "'"):
            return _word(self.quoted(), start)
        word = self.run_of(_NOT_IN_WORDS)
        if not word:
            raise self.error(
                f"a field or a word is needed, not {self.peek()!r}"
                if self.peek()
                else "a field or a word is needed at the end"
            )
        at_operator = self.at
        operator = self.operator()
        if operator is None:
            if word.lower() in _KEYWORDS:
                raise FilterError(f"a field or a word is needed before {word!r}", start + 1)
            return _word(word, start)
        name = word.lower()
        if name not in FIELDS:
            hint = nearest(name, FIELDS)
            raise FilterError(f"unknown field {word!r}{hint}", start + 1)
        if operator not in FIELDS[name].operators:
            allowed = " ".join(FIELDS[name].operators)
            raise FilterError(f"{name} takes only {allowed}", at_operator + 1)
        return Compare(name, operator, self.values(name, operator), start + 1)

    def values(self, name: str, operator: str) -> tuple[Value, ...]:
        values: list[Value] = []
        while True:
            start = self.at
            values.append(self.value(name, operator, start))
            if self.peek() != ",":
                break
            if operator in ORDERINGS:
                raise self.error(f"{operator!r} takes one value")
            self.at += 1
            self.skip()
        return tuple(values)

    def value(self, name: str, operator: str, start: int) -> Value:
        quoted = self.peek() in ('"', "'")
        if quoted:
            text = self.quoted()
        elif operator in ("~", "!~") and (end := self.end_of_regex()):
            text = self.text[start:end]
            self.at = end
            self.skip()
        else:
            text = self.run_of(_NOT_IN_VALUES)
        if not text and not quoted:
            raise self.error(f"a value is needed: {FIELDS[name].values}")
        try:
            return parse_value(name, operator, text, quoted)
        except ValueError as error:
            raise FilterError(f"{name} {text!r}: {error}", start + 1) from None

    def end_of_regex(self) -> int | None:
        """Return the index after the ``/regex/`` that starts here; None if it is a glob."""
        if self.peek() != "/":
            return None
        at = self.at + 1
        while at < len(self.text) and not self.text[at].isspace():
            if self.text[at] == "\\":
                at += 1
            elif self.text[at] == "/" and at > self.at + 1:
                following = self.text[at + 1 : at + 2]
                if not following or following.isspace() or following in "),":
                    return at + 1
            at += 1
        return None

    def operator(self) -> str | None:
        for operator in _OPERATORS:
            if self.text.startswith(operator, self.at):
                self.at += len(operator)
                self.skip()
                return "=" if operator == "==" else operator
        if self.peek() == "!":
            raise self.error("unknown operator '!': use != or !~ or not")
        return None

    def keyword(self, word: str) -> bool:
        start = self.at
        if self.run_of(_NOT_IN_WORDS).lower() == word and self.peek() not in tuple("=!<>~"):
            return True
        self.at = start
        return False

    def quoted(self) -> str:
        start = self.at
        quote = self.text[start]
        characters: list[str] = []
        at = start + 1
        while at < len(self.text) and self.text[at] != quote:
            if self.text[at] == "\\" and self.text[at + 1 : at + 2] in (quote, "\\"):
                at += 1
            characters.append(self.text[at : at + 1])
            at += 1
        if at >= len(self.text):
            raise FilterError("this quote is never closed", start + 1)
        self.at = at + 1
        self.skip()
        return "".join(characters)

    def run_of(self, stops: frozenset[str]) -> str:
        start = self.at
        while self.at < len(self.text):
            character = self.text[self.at]
            if character.isspace() or character in stops:
                break
            self.at += 1
        word = self.text[start : self.at]
        self.skip()
        return word

    def skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def error(self, message: str) -> FilterError:
        return FilterError(message, min(self.at, len(self.text)) + 1)


def _word(word: str, start: int) -> Expression:
    return Compare("path", "~", (Value.word(word),), start + 1)
