"""What each path of a call costs: ``python -m tests.bpf.paths``, as root, prints the table.

The probes of a default run are compiled, and interpreted on a simulated host. So the figures are
exact, the same on a busy machine, and depend on nothing but the programs and BCC's clang:

- instructions that were executed;
- calls of helpers: about 6 ns each, a clock 30, a hash table 20. Those that turn preemption off
  and on are left out: kernels from 7.0 on need them;
- copies from user memory, 60 to 80 ns each, and their bytes;
- cache lines touched, of 64 bytes: values of maps, kernel structs, user memory. What hash tables
  touch inside themselves is not among them, nor is the stack. Values begin on a line.

LIMITS are the figures of today, with a margin for other versions of clang; lower them with each
step that makes a path cheaper.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Final, NamedTuple

from httptop.bpf.build import loader, variants
from httptop.bpf.build.linker import with_kernel_functions
from httptop.bpf.build.variants import Variant
from httptop.bpf.plan import plan_of
from httptop.bpf.tuning import ControlWriter
from httptop.collect.governor import controls_of
from httptop.config.scope import Scope
from httptop.config.settings import DEFAULTS
from tests.bpf.host import READ, RECVFROM, SENDFILE, SENDTO, WRITE, WRITEV, Host, Socket
from tests.bpf.interpreter.helpers import HELPERS, KERNEL_FUNCTIONS
from tests.bpf.interpreter.machine import Counts, Machine
from tests.bpf.interpreter.maps import ProgramMap
from tests.live.pool import cached

_OF_SOME_KERNELS: Final = ("preempt_disable", "preempt_enable")


class Cost(NamedTuple):
    """What a path costs, or may cost at most."""

    instructions: int
    calls: int
    copies: int
    bytes: int
    lines: int

    @classmethod
    def of(cls, counts: Counts) -> Cost:
        """Return the cost of a run."""
        return cls(
            counts.instructions,
            sum(n for name, n in counts.calls.items() if name not in _OF_SOME_KERNELS),
            counts.user_copies,
            counts.user_bytes,
            counts.lines.total(),
        )


LIMITS: Final[dict[str, Cost]] = {
    "first request of a connection: recv": Cost(1880, 25, 3, 72, 60),
    "its response: writev of the head": Cost(680, 5, 2, 141, 25),
    "the same request: recv": Cost(710, 3, 1, 55, 25),
    "the same head: writev": Cost(660, 5, 2, 141, 24),
    "the body: sendfile": Cost(180, 2, 0, 0, 11),
    "nothing to read: recv, EAGAIN": Cost(43, 1, 0, 0, 4),
    "the whole response: write": Cost(640, 3, 1, 125, 24),
    "616 bytes, another trace: recv": Cost(3080, 4, 1, 616, 48),
    "another request than the last: recv": Cost(1760, 4, 1, 55, 37),
    "its response, of another endpoint: writev": Cost(680, 5, 2, 141, 25),
    "8 requests in a call: recv": Cost(6510, 25, 8, 1980, 43),
    "8 responses in a call: write": Cost(17260, 32, 8, 6144, 149),
    "client, the same request: write": Cost(413, 3, 1, 55, 17),
    "client, the whole response: read": Cost(600, 3, 1, 125, 21),
    "64 bytes, binary: recv": Cost(260, 6, 1, 1, 14),
    "64 bytes, binary: send": Cost(180, 3, 1, 1, 7),
    "64 bytes, text: recv": Cost(590, 9, 3, 18, 18),
    "64 bytes, text: send": Cost(550, 6, 3, 18, 11),
    "64 bytes, known to be no HTTP: recv": Cost(50, 0, 0, 0, 4),
    "64 bytes, known to be no HTTP: send": Cost(50, 0, 0, 0, 4),
    "the same head, sampled: writev": Cost(970, 12, 3, 380, 47),
    "616 bytes, kept for a sample: recv": Cost(3290, 7, 2, 1232, 62),
    "the same head, sampled with it: writev": Cost(1000, 12, 3, 380, 66),
}


#: The CPUs of the host that is simulated, so that counters have as many shards everywhere.
_CPUS: Final = 2
#: As many as are used: the pools are copied one number at a time.
_CELLS: Final = 512
#: Type ids that no kernel has.
_FIRST_ID: Final = 0x7FFF0000
#: What kernels from 6.3 on are given.
BEST: Final = Variant("sockets", loops=True, casts=True)

REQUEST: Final = b"GET /shop/small.txt HTTP/1.1\r\nHost: 127.0.0.1:34567\r\n\r\n"
OTHER_REQUEST: Final = b"GET /shop/other.txt HTTP/1.1\r\nHost: 127.0.0.1:34567\r\n\r\n"
BODY: Final = b"x" * 900
HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Fri, 27 Nov 2026 10:14:25 GMT\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 900\r\n"
    b"Last-Modified: Fri, 27 Nov 2026 10:14:20 GMT\r\nConnection: keep-alive\r\n"
    b'ETag: "6a68f2bc-384"\r\nAccept-Ranges: bytes\r\n\r\n'
)
#: As a browser sends it, 616 bytes; the number of the trace differs each time.
LONG_REQUEST: Final = (
    b"GET /shop/small.txt?page=2 HTTP/1.1\r\nHost: shop.example.com\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    b"Chrome/120.0.0.0 Safari/537.36\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8\r\n"
    b"Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-US,en;q=0.9,de;q=0.8\r\n"
    b"Referer: http://shop.example.com/products\r\n"
    b"traceparent: 00-%032x-00f067aa0ba902b7-01\r\n"
    b"Cookie: session=8f14e45fceea167a5a36dedd4bea2543; theme=dark; sort=prices\r\n"
    b"Cache-Control: max-age=0\r\nDNT: 1\r\nPriority: u=0, i\r\nSec-GPC: 1\r\n"
    b"Connection: keep-alive\r\n\r\n"
)
#: The first bytes of other protocols. Until its line ends, the text might be a request line.
BINARY: Final = bytes(range(128, 192))
TEXT: Final = b"set number 42 and some more words of a protocol made of text...\n"


def make_host(variant: Variant = BEST) -> Host:
    """Compile and load the probes of a default run into an interpreter; raises LoadError.

    The variant need not be one that the running kernel accepts; its structs are laid out as there.
    """
    functions = {name: _FIRST_ID + at for at, name in enumerate(KERNEL_FUNCTIONS)}
    given = json.loads(cached(plan_of(DEFAULTS, Scope(), _CPUS)).to_json())
    given["sizes"] |= {"MAX_CELLS": _CELLS, "MAX_PAGES": _CELLS, "MAX_PARTIES": _CELLS}
    kernel = loader.layout(given)._replace(functions=functions)
    image = loader.compiled(given, kernel, variant)
    loaded = loader.with_maps(image, given)
    ControlWriter(loaded.maps).write(controls_of(DEFAULTS))
    steps = variants.next_programs(variant)
    programs = {
        name: bytes(
            with_kernel_functions(
                loader.program_of(name, image.programs.__getitem__, given).code,
                variants.calls_of(kernel),
            )
        )
        for name in (*steps.values(), *variants.FRONTS[variant.front])
    }
    kernel_functions = {functions[name]: act for name, act in KERNEL_FUNCTIONS.items()}
    machine = Machine(loaded.shapes.values(), programs, HELPERS, kernel_functions)
    for name, descriptor in loaded.maps.items():
        machine.maps[name].copy_from(descriptor)
    loaded.close()
    if steps:
        chain = machine.maps["next_program"]
        assert isinstance(chain, ProgramMap)
        chain.programs = steps
    return Host(machine, kernel.offsets, variant.front)


# ---- the paths --------------------------------------------------------------------------------

#: Exchanges after which a connection takes the ways of its later ones.
_WARM_UP: Final = 4
#: More than the samples that may come at once.
_MANY: Final = 120
#: More than a tenant may always have.
_OWN: Final = 16
_PIPELINE: Final = 8
#: In which the bucket of samples fills.
_LONG_NS: Final = 2 * 10**9


def measured(variant: Variant = BEST) -> dict[str, Cost]:
    """Return the cost of each path; raises LoadError."""
    host = make_host(variant)
    known = host.connect()
    for number in range(_MANY):  # no further response is sampled, and no head kept
        _exchange(host, known, REQUEST)
        _exchange(host, known, LONG_REQUEST % number)
    found: dict[str, Cost] = {}
    for step in (
        _as_nginx, _in_one_write, _long_requests, _two_in_turns, _pipelined, _as_wrk, _no_http,
        _sampled,
    ):  # fmt: skip
        found |= {name: Cost.of(counts) for name, counts in step(host)}
    return found


def _exchange(host: Host, socket: Socket, request: bytes) -> tuple[Counts, Counts, Counts]:
    """Have nginx read a request and send its response: a header section, then a file."""
    return (
        host.call(socket, RECVFROM, request),
        host.call(socket, WRITEV, HEAD, corked=True),
        host.call(socket, SENDFILE, len(BODY)),
    )


def _as_nginx(host: Host) -> Iterator[tuple[str, Counts]]:
    socket = host.connect()
    request, head, body = _exchange(host, socket, REQUEST)
    yield "first request of a connection: recv", request
    yield "its response: writev of the head", head
    for _ in range(_WARM_UP):
        request, head, body = _exchange(host, socket, REQUEST)
        nothing = host.find_nothing(socket)
    yield "the same request: recv", request
    yield "the same head: writev", head
    yield "the body: sendfile", body
    yield "nothing to read: recv, EAGAIN", nothing


def _in_one_write(host: Host) -> Iterator[tuple[str, Counts]]:
    socket = host.connect()
    for _ in range(_WARM_UP):
        host.call(socket, READ, REQUEST)
        whole = host.call(socket, WRITE, HEAD + BODY)
    yield "the whole response: write", whole


def _long_requests(host: Host) -> Iterator[tuple[str, Counts]]:
    socket = host.connect()
    for number in range(_WARM_UP):
        request, *_ = _exchange(host, socket, LONG_REQUEST % (number * 7919))
    yield "616 bytes, another trace: recv", request


def _two_in_turns(host: Host) -> Iterator[tuple[str, Counts]]:
    socket = host.connect()
    for _ in range(_WARM_UP):
        _exchange(host, socket, OTHER_REQUEST)
        request, head, _ = _exchange(host, socket, REQUEST)
    yield "another request than the last: recv", request
    yield "its response, of another endpoint: writev", head


def _pipelined(host: Host) -> Iterator[tuple[str, Counts]]:
    socket = host.connect()
    for _ in range(_WARM_UP):
        requests = host.call(socket, RECVFROM, REQUEST * _PIPELINE)
        responses = host.call(socket, WRITE, (HEAD + BODY) * _PIPELINE)
    yield f"{_PIPELINE} requests in a call: recv", requests
    yield f"{_PIPELINE} responses in a call: write", responses


def _as_wrk(host: Host) -> Iterator[tuple[str, Counts]]:
    socket = host.connect()
    for _ in range(_OWN):
        request = host.call(socket, WRITE, REQUEST)
        response = host.call(socket, READ, HEAD + BODY)
    yield "client, the same request: write", request
    yield "client, the whole response: read", response


def _no_http(host: Host) -> Iterator[tuple[str, Counts]]:
    for what, data in (("binary", BINARY), ("text", TEXT)):
        socket = host.connect()
        for number in range(2 * _WARM_UP):
            read, written = host.call(socket, RECVFROM, data), host.call(socket, SENDTO, data)
            if not number:
                yield f"64 bytes, {what}: recv", read
                yield f"64 bytes, {what}: send", written
    yield "64 bytes, known to be no HTTP: recv", read
    yield "64 bytes, known to be no HTTP: send", written


def _sampled(host: Host) -> Iterator[tuple[str, Counts]]:
    socket = host.connect()
    for _ in range(_WARM_UP):
        _exchange(host, socket, REQUEST)
    host.machine.now_ns += _LONG_NS
    host.call(socket, RECVFROM, REQUEST)
    yield "the same head, sampled: writev", host.call(socket, WRITEV, HEAD)
    host.call(socket, SENDFILE, len(BODY))
    for number in range(_WARM_UP):
        kept, *_ = _exchange(host, socket, LONG_REQUEST % number)
    yield "616 bytes, kept for a sample: recv", kept
    host.call(socket, RECVFROM, LONG_REQUEST % number)
    yield "the same head, sampled with it: writev", host.call(socket, WRITEV, HEAD)


def table(found: dict[str, Cost]) -> str:
    """Return the costs as a table, each with its limit."""
    width = max(map(len, found))
    lines = [f"{'':{width}}" + "".join(f"{name:>16}" for name in Cost._fields)]
    for path, cost in found.items():
        limits = LIMITS.get(path)
        shown = (
            f"{value:,}" + (f" of {limits[at]:,}" if limits else "")
            for at, value in enumerate(cost)
        )
        lines.append(f"{path:{width}}" + "".join(f"{text:>16}" for text in shown))
    return "\n".join(lines)


def main() -> None:
    """Print the table, of the variant asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bpf.paths", description=__doc__)
    parser.add_argument("--front", choices=variants.FRONTS, default=BEST.front)
    parser.add_argument("--calls", action="store_true", help="without plain loads, as before 6.2")
    parser.add_argument("--tail-calls", action="store_true", help="without loops, as before 5.17")
    asked = parser.parse_args()
    print(table(measured(Variant(asked.front, not asked.tail_calls, not asked.calls))))


if __name__ == "__main__":
    main()
