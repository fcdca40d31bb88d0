"""What the labels of a result say: which endpoint, which status; looked up by their text.

The texts are the same at each query, so labels are read once. A digest of 16 bytes is kept of each.
Endpoints and statuses have numbers, in order of appearance, which the columns of a reading are in.
"""

from __future__ import annotations

import re
from array import array
from hashlib import blake2b
from typing import Final

from httptop.fleet.names import METHOD, OWNER, PORT, PROCESS, ROUTE, SCHEME, STATUS, VERSION
from httptop.fleet.problems import FleetError
from httptop.fleet.results import labels_of
from httptop.model import STATUS_UNKNOWN, EndpointKey, Side
from httptop.printable import clean

_LONGEST: Final = 256  # of a path; of other texts less
_LONGEST_NAME: Final = 64
#: A server may send other labels at each query; a fleet has no more endpoints than that.
MOST_ENDPOINTS: Final = 200_000


_BOUND: Final = re.compile(r'"le":"([^"\\]{1,40})",?')


class Registry:
    """The endpoints and outcomes seen so far; for one thread, but for what only grows."""

    def __init__(self, host_label: str) -> None:
        self._host_label = host_label
        #: The key of each endpoint.
        self.keys: list[EndpointKey] = []
        #: Of each outcome: the number of its endpoint, and its status.
        self.endpoints = array("I")
        self.statuses = array("H")
        #: Of each endpoint: the numbers of its outcomes.
        self.outcomes_of: list[tuple[int, ...]] = []
        self._numbers: dict[EndpointKey, int] = {}
        self._texts: dict[str, str] = {}
        self._known: dict[bytes, int] = {}
        self._known_outcomes: dict[bytes, int] = {}

    @property
    def texts(self) -> int:
        """How many texts it has read."""
        return len(self._known) + len(self._known_outcomes)

    def bucket(self, side: Side, text: str) -> tuple[int, float]:
        """Return the number of the endpoint that labels are of, and the bucket's upper bound.

        Labels are sorted by name, so that ``le`` stands between those of an endpoint: without it
        these are the text of the endpoint itself. Raises :class:`FleetError`.
        """
        found = _BOUND.search(text)
        if found is None:
            raise FleetError("its answer has a bucket without a bound")
        try:
            bound = float(found[1])
        except ValueError:
            raise FleetError("its answer has a bucket without a bound") from None
        return self.endpoint(side, text[: found.start()] + text[found.end() :]), bound

    def endpoint(self, side: Side, text: str) -> int:
        """Return the number of the endpoint that labels are of; raise :class:`FleetError`."""
        digest = blake2b(
            text.encode("utf-8", "replace"), digest_size=16, key=side.encode()
        ).digest()
        number = self._known.get(digest)
        if number is None:
            number = self._known[digest] = self.number_of(self.key(side, labels_of(text)))
        return number

    def outcome(self, side: Side, text: str) -> int:
        """Return the number of the outcome that labels are of; raise :class:`FleetError`."""
        digest = blake2b(
            text.encode("utf-8", "replace"), digest_size=16, key=side.encode()
        ).digest()
        number = self._known_outcomes.get(digest)
        if number is None:
            labels = labels_of(text)
            endpoint = self.number_of(self.key(side, labels))
            status = status_of(labels.get(STATUS, ""))
            number = self._known_outcomes[digest] = self.outcome_of(endpoint, status)
        return number

    def number_of(self, key: EndpointKey) -> int:
        """Return the number of an endpoint; raise :class:`FleetError` if there are too many."""
        number = self._numbers.get(key)
        if number is None:
            if len(self.keys) >= MOST_ENDPOINTS:
                raise FleetError(f"it has more than {MOST_ENDPOINTS:,} endpoints")
            number = self._numbers[key] = len(self.keys)
            self.outcomes_of.append(())
            self.keys.append(key)
        return number

    def outcome_of(self, endpoint: int, status: int) -> int:
        """Return the number of an endpoint's outcome."""
        known = self.outcomes_of[endpoint]
        for number in known:
            if self.statuses[number] == status:
                return number
        number = len(self.statuses)
        self.endpoints.append(endpoint)
        self.statuses.append(status)
        self.outcomes_of[endpoint] = (*known, number)
        return number

    def host(self, labels: dict[str, str]) -> str:
        """Return the host that labels name."""
        return self._text(labels.get(self._host_label, ""), _LONGEST_NAME) or "(none)"

    def key(self, side: Side, labels: dict[str, str]) -> EndpointKey:
        """Return the key of an endpoint, as far as labels say what it is."""
        get = labels.get
        version, port, method = get(VERSION, ""), get(PORT, ""), get(METHOD, "")
        return EndpointKey(
            side,
            self._text(get(PROCESS, ""), _LONGEST_NAME),
            self._text(f"HTTP/{version}", 16) if version else "HTTP",
            get(SCHEME) == "https",
            "OTHER" if method == "_OTHER" else self._text(method, _LONGEST_NAME),
            self._text(get(ROUTE[side], ""), _LONGEST),
            self._text(get(OWNER, ""), _LONGEST_NAME),
            int(port) if port.isascii() and port.isdecimal() and len(port) < 6 else 0,
            self.host(labels),
        )

    def _text(self, text: str, limit: int) -> str:
        """Return a text fit for a terminal; thousands of endpoints share most of theirs."""
        found = clean(text.encode("utf-8", "surrogateescape"), limit)
        return self._texts.setdefault(found, found)


def status_of(text: str) -> int:
    """Return a status, or a class of them, as its label has it: ``200``, ``5xx``, nothing."""
    if text.isascii() and text.isdecimal() and len(text) == 3:
        return int(text)
    return int(text[0]) if text[1:] == "xx" and text[0] in "12345" else STATUS_UNKNOWN
