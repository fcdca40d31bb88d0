"""The structs that kernel and user space share: sizes and offsets, asked of the compiler."""

from __future__ import annotations

import re
import struct
from typing import Final

import pytest

from httptop import histogram, model, paths, spans
from httptop.bpf import compiler, layout, loader, syscalls
from httptop.readings import Losses
from tests.ebpf.parser import DEFINES, SCHED_CLS

pytestmark = pytest.mark.ebpf

STRUCTS: Final = {
    "endpoint_key": layout.ENDPOINT_KEY,
    "answer_key": layout.ANSWER_KEY,
    "user_key": layout.USER_KEY,
    "cell": layout.CELL,
    "page": layout.PAGE,
    "losses": layout.LOSSES,
    "sample": layout.SAMPLE,
    "control": layout.CONTROL,
    "rule": layout.RULE,
    "rule_shape": layout.RULE_SHAPE,
    "rule_word": layout.RULE_WORD,
}
CONSTANTS: Final = {
    "OCTAVE_FIRST": (layout.OCTAVE_FIRST, histogram.OCTAVE_FIRST),
    "OCTAVES": (layout.OCTAVES, histogram.OCTAVES),
    "OCTAVE_BUCKETS": (layout.OCTAVE_BUCKETS, histogram.BUCKETS_PER_OCTAVE),
    "COMM_LEN": (layout.COMM_LEN,),
    "TEMPLATE_LEN": (layout.TEMPLATE_LEN, paths.TEMPLATE_LEN),
    "TARGET_LEN": (paths.TARGET_LEN,),
    "SEGMENTS": (paths.SEGMENTS, layout.SEGMENTS),
    "LINE_LEN": (layout.LINE_LEN,),
    "LINE_HEAD": (layout.LINE_HEAD,),
    "ANSWER_LEN": (layout.ANSWER_LEN,),
    "SPAN_WAIT": (spans.WAIT,),
    "SPAN_HANDLING": (spans.HANDLING,),
    "SPAN_SENDING": (spans.SENDING,),
    "SPAN_DURATION": (spans.DURATION,),
    "STATUS_LEFT_OUT": (layout.STATUS_LEFT_OUT,),
    "LEFT_OUT_ENDPOINT(0)": tuple(k for k, side in layout.LEFT_OUT_ENDPOINTS.items() if side == 0),
    "LEFT_OUT_ENDPOINT(1)": tuple(k for k, side in layout.LEFT_OUT_ENDPOINTS.items() if side == 1),
    "MAX_RULES": (layout.MAX_RULES,),
    **{
        f"STRATEGY_{name.upper().replace('-', '_')}": (number,)
        for number, name in enumerate(layout.STRATEGIES)
    },
    "OVERFLOW_ENDPOINT(0)": tuple(k for k, side in layout.OVERFLOW_ENDPOINTS.items() if side == 0),
    "OVERFLOW_ENDPOINT(1)": tuple(k for k, side in layout.OVERFLOW_ENDPOINTS.items() if side == 1),
    "OVERFLOW_ANSWER(0)": tuple(k for k, cell in layout.OVERFLOW_ANSWERS.items() if cell == 1),
    "OVERFLOW_ANSWER(1)": tuple(k for k, cell in layout.OVERFLOW_ANSWERS.items() if cell == 2),
    "C_DIGIT": (paths.DIGIT,),
    "C_HEX": (paths.HEX,),
    "C_LOWER": (paths.LOWER,),
    "C_UPPER": (paths.UPPER,),
    "C_JOINT": (paths.JOINT,),
    "C_END": (paths.END,),
    "C_SLASH": (paths.SLASH,),
    "C_TOKEN": (paths.TOKEN,),
    **{f"METHOD_{name}": (number,) for number, name in enumerate(layout.METHODS)},
    "SIDE_SERVER": (model.SIDES.index("server"),),
    "SIDE_CLIENT": (model.SIDES.index("client"),),
}
HEADERS: Final = ("types.h", "maps.h", "paths.h", "counters.h")


def _members_of(name: str) -> list[str]:
    for header in HEADERS:
        text = (compiler.HERE / header).read_text()
        if found := re.search(rf"^struct {name} {{\n(.*?)^}};", text, re.M | re.S):
            plain = re.sub(r"/\*.*?\*/", "", found[1], flags=re.S)
            return re.findall(r"(\w+)(?:\[\w+\])?;", plain)
    raise AssertionError(f"no struct {name}")


def _ask(expressions: list[str]) -> list[int]:
    """Return the compiler's values of constant expressions, by way of a program that runs."""
    includes = "".join(f'#include "{header}"\n' for header in HEADERS)
    text = re.sub(r'#include "(.*)"\n', lambda found: compiler.source(found[1]), includes)
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
    module = compiler.compile_module(text, DEFINES)
    syscalls.run_program(
        loader.load(compiler.instructions_of(module, "tell"), "tell", SCHED_CLS), bytes(64)
    )
    value = syscalls.map_lookup(module["numbers"].map_fd, bytes(4), 8 * len(expressions))
    assert value is not None
    return list(struct.unpack(f"<{len(expressions)}Q", value))


@pytest.fixture(scope="module")
def told() -> dict[str, int]:
    expressions = list(CONSTANTS)
    for name in STRUCTS:
        expressions.append(f"sizeof(struct {name})")
        for member in _members_of(name):
            at = f"((struct {name} *)0)->{member}"
            expressions.append(f"__builtin_offsetof(struct {name}, {member})")
            expressions.append(f"sizeof({at})")
    expressions = list(dict.fromkeys(expressions))
    return dict(zip(expressions, _ask(expressions), strict=True))


def _fields(layout_: struct.Struct) -> list[tuple[int, int]]:
    """Return (offset, size) of every field of a format; padding is none."""
    at, found = 0, []
    for count, code in re.findall(r"(\d*)([a-zA-Z])", layout_.format):
        if code == "s":
            found.append((at, int(count)))
            at += int(count)
            continue
        for _ in range(int(count or 1)):
            if code != "x":
                found.append((at, struct.calcsize(f"<{code}")))
            at += struct.calcsize(f"<{code}")
    return found


@pytest.mark.parametrize("name", STRUCTS)
def test_struct(told: dict[str, int], name: str) -> None:
    fields = _fields(STRUCTS[name])
    assert STRUCTS[name].size == told[f"sizeof(struct {name})"]
    ends = {at + size for at, size in fields} | {0}
    starts = {at for at, _ in fields}
    members = _members_of(name)
    assert members
    for member in members:
        at = told[f"__builtin_offsetof(struct {name}, {member})"]
        size = told[f"sizeof(((struct {name} *)0)->{member})"]
        inside = [field for field in fields if at <= field[0] < at + size]
        if "x" in STRUCTS[name].format and not inside and member.startswith("unused"):
            continue
        assert at in starts, f"no field begins at {name}.{member} ({at})"
        assert at + size in ends, f"no field ends with {name}.{member} ({at + size})"
        assert sum(length for _, length in inside) == size
    counted = sum(size for _, size in fields)
    assert counted == STRUCTS[name].size or "x" in STRUCTS[name].format


@pytest.mark.parametrize("name", CONSTANTS)
def test_constant(told: dict[str, int], name: str) -> None:
    assert CONSTANTS[name]
    assert set(CONSTANTS[name]) == {told[name]}


def test_named_fields_are_where_the_names_say(told: dict[str, int]) -> None:
    """CELL_PAGES picks a field by number: it must be the member of that name."""
    order = {at: number for number, (at, _) in enumerate(_fields(layout.CELL))}
    assert order[told["__builtin_offsetof(struct cell, page)"]] == layout.CELL_PAGES
    assert [member for member in _members_of("cell") if member != "page"] == [
        "count", "bytes", "latency_sum_ns", "latency_max_ns", "unanswered", "unmeasured", "moved",
        "due_ns",
    ]  # fmt: skip
    assert _members_of("losses")[:-1] == list(Losses._fields)[:-1]  # read as one into the other
