"""Python's mirror of the structs in abi.h, under their names; a test compares sizes and offsets."""

from __future__ import annotations

import struct
from typing import Final

from httptop.collect import sums
from httptop.http.path_template import TEMPLATE_LEN

COMM_LEN: Final = 16
LINE_LEN: Final = 128
LINE_HEAD: Final = 112
RESPONSE_LEN: Final = 512
HEAD_LEN: Final = 1024

METHODS: Final = (
    "OTHER", "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
)  # fmt: skip

#: Cells that the loader sets up before anything is attached (abi.h).
OVERFLOW_ENDPOINTS: Final = {1: 0, 2: 1}  # cell -> side
OVERFLOW_RESPONSES: Final = {3: 1, 4: 2}  # cell -> the endpoint's cell
LEFT_OUT_ENDPOINTS: Final = {5: 0, 6: 1}  # cell -> side; requests that the run filter excludes
FIRST_FREE_CELL: Final = 7

#: The program, and the raw tracepoint, that sees data become ready in a socket (wait.h).
READY: Final = "sk_data_ready"

#: The program, and the raw tracepoint, that sees TCP connections end (close.h).
END: Final = "inet_sock_set_state"

#: Added to a tracepoint's name: programs that stand in for those before (hooks.h, close.h).
LATER: Final = ("_2", "_3")
#: The end of the name of a program that perf runs, and of its tracepoint.
_RECORD, _LENGTH = "_record", "_length"


def takes_record(program: str) -> bool:
    """Return whether a program is run as perf's, and given the tracepoint's record (hooks.h)."""
    return program.endswith(_RECORD)


def tracepoint_of(program: str) -> str:
    """Return the tracepoint that a program is attached to."""
    if takes_record(program):
        return program.removesuffix(_RECORD) + _LENGTH
    for suffix in LATER:
        program = program.removesuffix(suffix)
    return program


#: What a response cell's histogram measures (measure.Measure), by the kernel's number.
MEASURES: Final = ("latency", "wait", "handling", "sending", "duration")
#: Matchers that the filter of a run may have, and those of hosts among them (filter_state.h).
MOST_MATCHERS: Final = 64
MOST_HOST_MATCHERS: Final = 12
STRATEGIES: Final = ("tail", "all", "random", "per-endpoint")
MAX_RULES: Final = 64

ENDPOINT_KEY: Final = struct.Struct(f"<{COMM_LEN}sBBBBIH6x{TEMPLATE_LEN}s")
#: The user in the keys of cells that the loader sets up.
NOBODY: Final = 0xFFFFFFFF
#: Marks of an endpoint's key: its template was cut off; its path is httptop's own.
KEY_TRUNCATED, KEY_OWN = 1, 2
RESPONSE_KEY: Final = struct.Struct("<IHH")
#: A party to requests, and what it has had: one set per shard (parties.h).
PARTY_KEY: Final = struct.Struct("<4I16s")
PARTY_COUNTS: Final = struct.Struct("<3Q4I")
NO_PARTY, NO_PARTY_YET, FIRST_PARTY = range(3)
CELL: Final = struct.Struct("<5QII2Q32H")
REST: Final = struct.Struct("<8Q")
TENANT_KEY: Final = struct.Struct(f"<{COMM_LEN}sII")
MAX_SHARES: Final = 512
#: Resources that shares are of, and the side in a user's key.
RESOURCES: Final = 6
CONNECTIONS: Final = 4
SIDE_OF_USER: Final = 2
SHARE: Final = struct.Struct("<6I2IQ")
SHARES: Final = struct.Struct("<" + MAX_SHARES * "6I2IQ")
#: Codes of an endpoint that have cells of their own; the others have one for each class.
MOST_CODES: Final = 16
PAGE: Final = struct.Struct("<32I")
LOSSES: Final = struct.Struct("<9Q")
#: A protocol other than HTTP/1 that a process speaks: pid, index into OTHER_PROTOCOLS.
OTHER_PROTOCOL_KEY: Final = struct.Struct("<II")
OTHER_PROTOCOLS: Final = ("tls", "http2")
CONTROL: Final = struct.Struct("<6QIIQQ")
RULE: Final = struct.Struct(f"<II{TEMPLATE_LEN}s")
RULE_SHAPE: Final = struct.Struct("<QQ")
RULE_WORD: Final = struct.Struct("<QQ")
BYTE_CLASS: Final = struct.Struct("<4Q")
#: What a filter compares (bpf/filter/conditions.py).
SUBJECT: Final = struct.Struct("<QQ7I4x")
OUTCOME: Final = struct.Struct("<3QHBB4x")
NUMBER_SEARCH: Final = struct.Struct("<QII")
FILTER_RANGE: Final = struct.Struct("<QQ")
MATCHER: Final = struct.Struct("<4Q")
PEER_KEY: Final = struct.Struct("<II16s")
#: Followed by as many bytes of the request as it says.
SAMPLE: Final = struct.Struct(f"<QQQIIHHHHHHHH16s{LINE_LEN}s{RESPONSE_LEN}s")

#: The sums of rows (sums_abi.h).
ROW: Final = sums.ROW
ROW_TIME: Final = sums.ROW_TIME
CELL_USE: Final = struct.Struct("<3Q3IHBB")
SIDE_SUMS: Final = struct.Struct("<2Q1024Q1024I")
#: The sides, and what the screen's filter picks of each.
SIDES_SUMMED: Final = 4
BUCKET_GROUP: Final = struct.Struct("<16I16Q")
WINDOW_LOG: Final = struct.Struct("<32768I")
SUMS_RUN: Final = struct.Struct("<10IQQ512I512Q")
#: Cells that a run tells of, or is told of.
UNKNOWN_A_RUN: Final = 512
#: Words of what a run tells of the rest, at the end of SUMS_RUN.
REST_WORDS: Final = 512
#: Flags of a cell: of the client side, in scope, to be read again; on its way back (give_back.h);
#: picked by the screen's filter.
CELL_CLIENT, CELL_IN_SCOPE, CELL_AGAIN, CELL_RETIRED, CELL_HELD, CELL_KEPT = 1, 2, 4, 8, 16, 32
#: What a cell is that is given back.
RECLAIM_RESPONSE, RECLAIM_ENDPOINT, RECLAIM_OWN = range(3)
#: What a cell is for; what is not named here: this and the number of the measure.
USE_UNKNOWN, USE_NOTHING, USE_REQUESTS, USE_RESPONSES = range(4)

#: Index of the first page number in an unpacked CELL, after its counters.
CELL_PAGES: Final = 9
