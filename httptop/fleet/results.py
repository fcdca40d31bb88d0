"""Read the result of a query as it comes: one element of it in memory at a time.

The response is JSON, by https://prometheus.io/docs/prometheus/latest/querying/api/. Ten thousand
endpoints are some megabytes of it, most of them labels that were the same at the query before. So
the labels of an element that is written as servers do are left as text, for whoever knows the text;
any other JSON is understood, too.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from httptop.fleet.problems import FleetError, said

#: What comes before the first element, and behind the last one, takes no more than that.
_LONGEST_HEAD: Final = 4096
_LONGEST_TAIL: Final = 65_536
#: A native histogram of 8,000 buckets.
_LONGEST_ELEMENT: Final = 1 << 20
_HEAD: Final = re.compile(
    r'\s*\{[^\[]*"resultType"\s*:\s*"(?:vector|matrix)"\s*,\s*"result"\s*:\s*\['
)
_STRING: Final = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_ELEMENT: Final = re.compile(
    rf'\{{"metric":(\{{(?:{_STRING}[:,]?)*\}}),"value":\[([0-9.eE+]+),"([^"\\]{{1,40}})"\]\}}'
)
_JSON: Final = json.JSONDecoder()


class Native(NamedTuple):
    """A native histogram: its buckets with their bounds."""

    total: float  # how many it has
    added: float  # what they add up to
    buckets: tuple[tuple[float, float, float], ...]  # lower bound, upper bound, how many


class Element(NamedTuple):
    """An element of a result."""

    labels: str  # a JSON object of texts, as the server wrote it
    at: float  # Unix time, seconds
    value: float  # NaN: there is a histogram, or several values
    histogram: Native | None = None
    values: tuple[float, ...] = ()  # of a matrix: the times of its values


def elements(pieces: Iterable[bytes]) -> Iterator[Element]:
    """Yield the elements of a response; raise :class:`FleetError` if it is something else."""
    more = _texts(pieces)
    text = ""
    while (head := _HEAD.match(text)) is None:
        if len(text) > _LONGEST_HEAD or not (added := next(more, "")):
            raise FleetError(f"its answer is not of Prometheus: {said(text[:60])}")
        text += added
    at = head.end()
    while True:
        found = _ELEMENT.match(text, at)
        if found is not None:
            at = found.end()
            yield Element(found[1], _number(found[2]), _number(found[3]))
            continue
        at = _skipped(text, at)
        if text[at : at + 1] == ",":
            at += 1
            continue
        if text[at : at + 1] == "]":
            break
        try:
            element, end = _JSON.raw_decode(text, at)
        except ValueError:
            pass
        except RecursionError:
            raise FleetError("its answer is nested too deeply") from None
        else:
            at = end
            yield _element(element)
            continue
        text, at = text[at:], 0
        if len(text) > _LONGEST_ELEMENT:
            raise FleetError("its answer has an element that is too long")
        if not (added := next(more, "")):
            raise FleetError("its answer is cut off")
        text += added
    _end(text[at:], more)


def labels_of(text: str) -> dict[str, str]:
    """Return labels by name; raise :class:`FleetError` if they are something else."""
    try:
        found = json.loads(text)
    except ValueError:
        raise FleetError("its answer has labels that are no JSON") from None
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise FleetError("its answer has labels that are no texts")
    return found


def _end(text: str, more: Iterator[str]) -> None:
    """Read what follows the elements; raise if they are said to be a part only."""
    for added in more:
        text += added
        if len(text) > _LONGEST_TAIL:
            raise FleetError("its answer has too much behind the result")
    try:
        rest = json.loads('{"data":{"result":[' + text)
    except (ValueError, RecursionError):
        raise FleetError("its answer is cut off") from None
    if rest.get("isPartial") or any("partial" in str(one) for one in rest.get("warnings") or ()):
        raise FleetError("it knows a part of the answer only")


def _texts(pieces: Iterable[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for piece in pieces:
        if text := decoder.decode(piece):
            yield text


def _skipped(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _element(found: Any) -> Element:
    try:
        labels = json.dumps(found["metric"], separators=(",", ":"), sort_keys=True)
        if "values" in found:
            return Element(
                labels, 0.0, math.nan, None, tuple(float(at) for at, _ in found["values"])
            )
        if "histogram" in found:
            at, one = found["histogram"]
            buckets = tuple(
                (float(low), float(high), float(n)) for _, low, high, n in one.get("buckets", ())
            )
            native = Native(float(one["count"]), float(one["sum"]), buckets)
            return Element(labels, float(at), math.nan, native)
        at, value = found["value"]
        if not isinstance(value, str):
            raise TypeError(value)
        return Element(labels, float(at), float(value))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise FleetError("its answer has an element that is not of Prometheus") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise FleetError(f"its answer has {said(text)} where a number is expected") from None
