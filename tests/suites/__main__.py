"""Play the parsers' suites to real servers and clients: ``python -m tests.suites``.

    --reference      compare the conformance cases' observer instead of the kernel's programs
    --servers LIST   only these, by parts of their names; likewise --clients; "none" for none
    --every N        only every Nth vector

Prints a table and what differs by kind; writes every difference to .zoo/suites.txt. Ends with
status 1 where fewer than 99.5 % of the exchanges with servers, or with clients, are equal.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.suites import requests_to_servers, responses_to_clients
from tests.suites.compare import Difference
from tests.suites.requests_to_servers import Result
from tests.suites.sources import SUITES, Missing, vectors_of
from tests.suites.vectors import Vector
from tests.zoo.running import OWN

_LEAST_SUITES: Final = 6
_GOAL: Final = 0.995
_DETAILS: Final = OWN / "suites.txt"


def main() -> int:
    """Play, compare, report; return the exit status."""
    arguments = _arguments()
    vectors = _fetched()[:: arguments.every]
    requests = [vector for vector in vectors if vector.kind == "request"]
    responses = [vector for vector in vectors if vector.kind == "response"]
    print(f"{len(requests)} requests, {len(responses)} responses\n", flush=True)
    to_servers, to_clients = [], []
    for server in requests_to_servers.servers():
        if _wanted(server.name, arguments.servers):
            work = Path(tempfile.mkdtemp(prefix="httptop-suites-"))
            work.chmod(0o755)  # for workers that are not root
            try:
                exchanges = requests_to_servers.exchanges_of(requests)
                to_servers.append(
                    _timed(
                        requests_to_servers.play_all,
                        server,
                        exchanges,
                        work,
                        reference=arguments.reference,
                    )
                )
            finally:
                shutil.rmtree(work, ignore_errors=True)
    for client in responses_to_clients.CLIENTS:
        installed = Path(client.needs).exists()
        if installed and not arguments.reference and _wanted(client.name, arguments.clients):
            exchanges = responses_to_clients.exchanges_of(responses)
            to_clients.append(_timed(responses_to_clients.play_all, client, exchanges))
    _DETAILS.write_text("".join(_details(result) for result in (*to_servers, *to_clients)))
    good = [_sum("servers", to_servers), _sum("clients", to_clients)]
    print(f"every difference: {_DETAILS}")
    return 0 if all(good) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.suites", description=__doc__)
    parser.add_argument("--reference", action="store_true")
    parser.add_argument("--servers", default="")
    parser.add_argument("--clients", default="")
    parser.add_argument("--every", type=int, default=1)
    return parser.parse_args()


def _wanted(name: str, asked: str) -> bool:
    return not asked or any(part.lower() in name.lower() for part in asked.split(","))


def _fetched() -> list[Vector]:
    """Return the vectors of all suites, each bytes once."""
    found: dict[bytes, Vector] = {}
    suites = 0
    for suite in SUITES:
        try:
            vectors = vectors_of(suite)
        except Missing as error:
            print(f"{suite.name}: not to be had: {error}")
            continue
        new = [vector for vector in vectors if vector.data not in found]
        found |= {vector.data: vector for vector in new}
        kinds = Counter(vector.kind for vector in new)
        print(f"{suite.name}: {kinds['request']} requests, {kinds['response']} responses")
        suites += bool(vectors)
    if suites < _LEAST_SUITES:
        sys.exit(f"only {suites} suites were to be had")
    return list(found.values())


def _timed(play: object, *arguments: object, **named: object) -> Result:
    assert callable(play)
    begun = time.monotonic()
    result = play(*arguments, **named)
    assert isinstance(result, Result)
    print(f"{_line(result)}, {time.monotonic() - begun:.0f} s", flush=True)
    for kinds, count in Counter(map(_kinds, (d for _, d in result.different))).most_common():
        print(f"    {count} x {kinds}", flush=True)
    return result


def _kinds(differences: Sequence[Difference]) -> str:
    return "; ".join(sorted({f"{one.side}: {one.kind}" for one in differences}))


def _line(result: Result) -> str:
    equal = result.played - len(result.different)
    return f"{result.name}: {equal} of {result.played} equal, {equal / result.played:.2%}"


def _sum(of: str, results: Sequence[Result]) -> bool:
    played = sum(result.played for result in results)
    equal = played - sum(len(result.different) for result in results)
    if played:
        print(f"{of}: {equal} of {played} equal, {equal / played:.2%}")
    return not played or equal / played >= _GOAL


def _details(result: Result) -> str:
    lines = [f"== {_line(result)}\n"]
    for exchange, differences in result.different:
        lines.append(f"{exchange.name}: {exchange.vector.data[:400]!r}\n")
        lines.extend(f"    {one.side}: {one.kind}: {one.text}\n" for one in differences)
    return "".join(lines)


if __name__ == "__main__":
    sys.exit(main())
