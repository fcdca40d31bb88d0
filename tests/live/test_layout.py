"""The structs that kernel and user space share: sizes and offsets, asked of the compiler."""

from __future__ import annotations

import re
import struct
from typing import Final

import pytest

from httptop import model
from httptop.bpf import abi, row_sums, tuning
from httptop.bpf.build import compiler, program
from httptop.bpf.build.linker import Linked
from httptop.collect import histogram, sums
from httptop.collect.measure import Measure
from httptop.collect.source import LEFT_OUT, Losses
from httptop.http import path_template
from httptop.linux import bpf_syscall
from tests.live.parser import DEFINES, SCHED_CLS

pytestmark = pytest.mark.ebpf

SHARED: Final = "".join((compiler.HERE / name).read_text() for name in ("abi.h", "sums_abi.h"))
#: The members of each struct of these, and whether they are arrays.
MEMBERS: Final = {
    name: {
        member: bool(array)
        for member, array in re.findall(
            r"(\w+)(\[\w+\])?;", re.sub(r"/\*.*?\*/", "", body, flags=re.S)
        )
    }
    for name, body in re.findall(r"^struct (\w+) {\n(.*?)^};", SHARED, re.M | re.S)
}
#: Its mirrors in Python.
STRUCTS: Final = {
    name.lower(): value for name, value in vars(abi).items() if isinstance(value, struct.Struct)
}
CONSTANTS: Final = {
    "OCTAVE_FIRST": (histogram.OCTAVE_FIRST,),
    "OCTAVES": (histogram.OCTAVES,),
    "OCTAVE_BUCKETS": (histogram.BUCKETS_PER_OCTAVE,),
    "COMM_LEN": (abi.COMM_LEN,),
    "TEMPLATE_LEN": (path_template.TEMPLATE_LEN,),
    "TARGET_LEN": (path_template.TARGET_LEN,),
    "SEGMENTS": (path_template.SEGMENTS,),
    "LINE_LEN": (abi.LINE_LEN,),
    "LINE_HEAD": (abi.LINE_HEAD,),
    "RESPONSE_LEN": (abi.RESPONSE_LEN,),
    **{f"MEASURE_{name.upper()}": (number,) for number, name in enumerate(abi.MEASURES)},
    "STATUS_LEFT_OUT": (LEFT_OUT,),
    "LEFT_OUT_ENDPOINT(0)": tuple(k for k, side in abi.LEFT_OUT_ENDPOINTS.items() if side == 0),
    "LEFT_OUT_ENDPOINT(1)": tuple(k for k, side in abi.LEFT_OUT_ENDPOINTS.items() if side == 1),
    "MAX_RULES": (abi.MAX_RULES,),
    "MAX_SHARES": (abi.MAX_SHARES,),
    "MOST_CODES": (abi.MOST_CODES,),
    "KEY_TRUNCATED": (abi.KEY_TRUNCATED,),
    "KEY_OWN": (abi.KEY_OWN,),
    "REST_WORDS": (abi.REST_WORDS,),
    "UNKNOWN_A_RUN": (abi.UNKNOWN_A_RUN,),
    "RESOURCES": (abi.RESOURCES,),
    "CONNECTIONS": (abi.CONNECTIONS,),
    "SIDE_OF_USER": (abi.SIDE_OF_USER,),
    **{
        f"{name}": (getattr(abi, name),)
        for name in (
            "CELL_CLIENT",
            "CELL_IN_SCOPE",
            "CELL_AGAIN",
            "CELL_RETIRED",
            "CELL_HELD",
            "RECLAIM_RESPONSE",
            "RECLAIM_ENDPOINT",
            "RECLAIM_OWN",
            "NO_PARTY",
            "NO_PARTY_YET",
            "FIRST_PARTY",
        )
    },
    "HASH_START": (tuning.HASH_START,),
    "HASH_FACTOR": (tuning.HASH_FACTOR,),
    "MOST_MATCHERS": (abi.MOST_MATCHERS,),
    "MOST_HOST_MATCHERS": (abi.MOST_HOST_MATCHERS,),
    "PEER_BITS": (8 * (abi.PEER_KEY.size - 4),),
    **{
        f"STRATEGY_{name.upper().replace('-', '_')}": (number,)
        for number, name in enumerate(abi.STRATEGIES)
    },
    "OVERFLOW_ENDPOINT(0)": tuple(k for k, side in abi.OVERFLOW_ENDPOINTS.items() if side == 0),
    "OVERFLOW_ENDPOINT(1)": tuple(k for k, side in abi.OVERFLOW_ENDPOINTS.items() if side == 1),
    "OVERFLOW_RESPONSE(0)": tuple(k for k, cell in abi.OVERFLOW_RESPONSES.items() if cell == 1),
    "OVERFLOW_RESPONSE(1)": tuple(k for k, cell in abi.OVERFLOW_RESPONSES.items() if cell == 2),
    "C_DIGIT": (path_template.DIGIT,),
    "C_HEX": (path_template.HEX,),
    "C_LOWER": (path_template.LOWER,),
    "C_UPPER": (path_template.UPPER,),
    "C_JOINT": (path_template.JOINT,),
    "C_END": (path_template.END,),
    "C_SLASH": (path_template.SLASH,),
    "C_TOKEN": (path_template.TOKEN,),
    **{f"METHOD_{name}": (number,) for number, name in enumerate(abi.METHODS)},
    "GROUP_BUCKETS * 4 + GROUP_BUCKETS * 8": (abi.BUCKET_GROUP.size,),
    "GROUP_KEY(5, 3, 7)": (row_sums.group_key(5, 3, 7),),
    "TIMES": (len(sums.TIMES),),
    **{f"SIDE_ROW({side})": (row,) for side, row in enumerate(sums.SIDE_ROWS)},
    "USE_UNKNOWN": (abi.USE_UNKNOWN,),
    "USE_NOTHING": (abi.USE_NOTHING,),
    "USE_REQUESTS": (abi.USE_REQUESTS,),
    **{
        f"USE_{'RESPONSES' if measure == 'latency' else measure.upper()}": (
            abi.USE_RESPONSES + number,
        )
        for number, measure in enumerate(abi.MEASURES)
    },
    "SIDE_SERVER": (model.SIDES.index("server"),),
    "SIDE_CLIENT": (model.SIDES.index("client"),),
}


def _ask(expressions: list[str], **defines: int) -> list[int]:
    """Return the compiler's values of constant expressions, by way of a program that runs.

    ``defines``: macros beyond those of a run that has no filter.
    """
    text = compiler.paste(
        '#include "abi.h"\n#include "sums_abi.h"\n'
        '#include "filter_state.h"\n#include "path_template.h"\n'
    )
    stores = "".join(f"\tv->n[{at}] = {text};\n" for at, text in enumerate(expressions))
    text += f"""
struct numbers {{ u64 n[{len(expressions)}]; }};
BPF_ARRAY(numbers, struct numbers, 1);
int tell(void *ctx)
{{
	u32 zero = 0;
	struct numbers *v = numbers.lookup(&zero);

	if (!v)
		return 1;
{stores}	return 0;
}}
"""
    module = compiler.compile_module(text, {**DEFINES, **defines})
    bpf_syscall.run_program(
        program.load(Linked(compiler.instructions_of(module, "tell"), (0,)), "tell", SCHED_CLS),
        bytes(64),
    )
    value = bpf_syscall.map_lookup(module[b"numbers"].map_fd, bytes(4), 8 * len(expressions))
    assert value is not None
    return list(struct.unpack(f"<{len(expressions)}Q", value))


@pytest.fixture(scope="module")
def told() -> dict[str, int]:
    expressions = list(CONSTANTS)
    for name in STRUCTS:
        expressions.append(f"sizeof(struct {name})")
        for member in MEMBERS[name]:
            at = f"((struct {name} *)0)->{member}"
            expressions.append(f"__builtin_offsetof(struct {name}, {member})")
            expressions.append(f"sizeof({at})")
    expressions = list(dict.fromkeys(expressions))
    return dict(zip(expressions, _ask(expressions), strict=True))


def _fields(layout_: struct.Struct) -> list[tuple[int, int]]:
    """Return (offset, size) of every field of a format, except padding."""
    at, found = 0, []
    for count, code in re.findall(r"(\d*)([a-zA-Z?])", layout_.format):
        if code == "s":
            found.append((at, int(count)))
            at += int(count)
            continue
        for _ in range(int(count or 1)):
            if code != "x":
                found.append((at, struct.calcsize(f"<{code}")))
            at += struct.calcsize(f"<{code}")
    return found


def test_every_shared_struct_has_a_mirror_and_every_mirror_a_struct() -> None:
    assert "filter_range" in MEMBERS
    assert sorted(MEMBERS) == sorted(STRUCTS)


@pytest.mark.parametrize("name", STRUCTS)
def test_struct(told: dict[str, int], name: str) -> None:
    fields = _fields(STRUCTS[name])
    assert STRUCTS[name].size == told[f"sizeof(struct {name})"]
    ends = {at + size for at, size in fields} | {0}
    starts = {at for at, _ in fields}
    assert MEMBERS[name]
    begins = [told[f"__builtin_offsetof(struct {name}, {member})"] for member in MEMBERS[name]]
    for member, array in MEMBERS[name].items():
        at = told[f"__builtin_offsetof(struct {name}, {member})"]
        size = told[f"sizeof(((struct {name} *)0)->{member})"]
        inside = [field for field in fields if at <= field[0] < at + size]
        if "x" in STRUCTS[name].format and not inside and member.startswith("unused"):
            continue
        assert at in starts, f"no field begins at {name}.{member} ({at})"
        assert at + size in ends, f"no field ends with {name}.{member} ({at + size})"
        assert sum(length for _, length in inside) == size
        in_union = begins.count(at) > 1
        assert array or in_union or len(inside) == 1, f"{name}.{member} is one field"
    counted = sum(size for _, size in fields)
    assert counted == STRUCTS[name].size or "x" in STRUCTS[name].format


@pytest.mark.parametrize("name", CONSTANTS)
def test_constant(told: dict[str, int], name: str) -> None:
    assert CONSTANTS[name]
    assert set(CONSTANTS[name]) == {told[name]}


def test_every_measure_has_a_number() -> None:
    assert list(abi.MEASURES) == list(Measure)


def test_named_fields_are_where_the_names_say(told: dict[str, int]) -> None:
    """CELL_PAGES picks a field by number: it must be the member of that name."""
    order = {at: number for number, (at, _) in enumerate(_fields(abi.CELL))}
    assert order[told["__builtin_offsetof(struct cell, page)"]] == abi.CELL_PAGES
    assert [member for member in MEMBERS["cell"] if member not in ("page", "rest")] == [
        "count", "bytes", "latency_sum_ns", "latency_max_ns", "unanswered", "unmeasured", "share",
        "moved", "due_ns",
    ]  # fmt: skip
    # Read as one into the other; what is no loss is behind them.
    assert list(MEMBERS["losses"]) == [*Losses._fields, "stood_in"]


def test_the_sums_are_read_under_their_names() -> None:
    """The figures of rows are the members of the struct, in order; percentiles are arrays."""
    percentiles = ("p50", "p90", "p95", "p99", "p999", "p100")
    names = []
    for member, array in MEMBERS["row"].items():
        of = member.removesuffix("_at")
        names += [f"{of}_{name}" for name in percentiles] if array else [member]
    assert list(sums.RowFigures._fields) == [*names][: -len(percentiles)]
    assert list(MEMBERS["row"])[-1] == "unused"
    members = ["sum_ns", "max_ns", "count", "groups", "at", "unused"]
    assert list(MEMBERS["row_time"]) == members
    assert sums.TimeFigures._fields[2:] == ("measured", "groups", *percentiles)
