"""Make values in which every field differs from its default, and all numbers are different.

So a test notices a field that is lost in a file or read into another field. New fields of a
dataclass are filled without any change here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from itertools import count
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from httptop.model import Snapshot


def filled_snapshot(first: int = 1) -> Snapshot:
    """Return a snapshot whose numbers begin with ``first``; its sums mean nothing."""
    return filled(Snapshot, count(first))  # type: ignore[no-any-return]


def filled(kind: Any, numbers: Iterator[int]) -> Any:
    """Return an instance of a dataclass, filled to the last field of what it holds."""
    hints = get_type_hints(kind)
    return kind(**{field.name: _value(hints[field.name], field, numbers) for field in fields(kind)})


def _value(hint: Any, field: Field[Any], numbers: Iterator[int]) -> Any:
    if hint is bool:
        return field.default is not True
    return _of(hint, numbers)


def _of(hint: Any, numbers: Iterator[int]) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if is_dataclass(hint):
        return filled(hint, numbers)
    if origin is UnionType:
        return _of(next(one for one in arguments if one is not type(None)), numbers)
    if origin in (tuple, Sequence):
        parts = arguments if len(arguments) > 1 and Ellipsis not in arguments else arguments[:1] * 2
        return tuple(_of(part, numbers) for part in parts)
    if origin is Mapping:
        keys = get_args(arguments[0]) if get_origin(arguments[0]) is Literal else ()
        keys = keys or (_of(arguments[0], numbers), _of(arguments[0], numbers))
        return {key: _of(arguments[1], numbers) for key in keys}
    if origin is Literal:
        return arguments[next(numbers) % len(arguments)]
    if hint is int:
        return next(numbers)
    if hint is float:
        return next(numbers) + 0.5
    if hint is str:
        return f"text{next(numbers)}"
    raise TypeError(f"no value of {hint} is known")


def as_by_default(value: Any, path: str = "") -> Iterator[str]:
    """Yield the places of fields in a value that are empty or have their default."""
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            held = getattr(value, field.name)
            where = f"{path}.{field.name}"
            default = field.default
            if default is MISSING and field.default_factory is not MISSING:
                default = field.default_factory()
            if held == default or held is None or held in ("", 0, False, (), {}):
                yield where
            yield from as_by_default(held, where)
    elif isinstance(value, tuple):
        for index, member in enumerate(value):
            yield from as_by_default(member, f"{path}[{index}]")
    elif isinstance(value, Mapping):
        for key, member in value.items():
            yield from as_by_default(member, f"{path}[{key!r}]")
