"""The C sources as one text: each header once, and every name that the loader must supply."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest

from httptop.bpf.build import compiler, variants
from httptop.bpf.build import sizes as sizes_module
from httptop.bpf.build.placeholders import (
    CALLBACKS,
    COMPARING,
    CONSTANTS,
    FUNCTIONS,
    IN_SET,
    SHARED,
)
from httptop.linux.btf import Kernel

HEADERS: Final = {path.name: path.read_text() for path in compiler.HERE.glob("*.h")}


def test_a_header_is_pasted_where_it_is_named_first_and_never_again() -> None:
    text = compiler.source()
    assert not re.findall(r'^#(?:include "|pragma once)', text, re.M)
    for name, header in HEADERS.items():
        lines = [line for line in header.splitlines() if re.match(r"#define \w|struct \w+ {", line)]
        for line in lines:
            assert text.count(f"{line}\n") == sum(
                other.count(f"{line}\n") for other in HEADERS.values()
            ), name
    assert text.index("\nstruct conn {") < text.index(", struct conn, conns,")


def test_the_table_of_contents_names_every_header() -> None:
    contents = re.findall(r'^#include "(\w+\.h)"', (compiler.HERE / "probes.c").read_text(), re.M)
    assert sorted(contents) == sorted(HEADERS)


@pytest.mark.parametrize("loops", [True, False])
def test_the_numbers_of_steps_and_callbacks_are_the_loaders(loops: bool) -> None:
    none = Kernel({}, frozenset(), {}, {})
    plan: dict[str, dict[str, int]] = {"defines": {}}
    defines = variants.defines_of(plan, none, variants.Variant("sockets", loops=loops, casts=False))
    text, called = compiler.source(), "\n".join(HEADERS.values())
    steps = {name: number for name, number in defines.items() if name.startswith("STEP_")}
    assert list(steps.values()) == list(range(1, len(variants.STEPS) + 1))
    assert set(re.findall(r"\bSTEP_[A-Z_]+\b", called)) == {*steps, "STEP_DONE"}
    for step in variants.STEPS:
        assert f"u32 {step}(struct scratch *s)" in text
        assert f"int {step}_program(u64 *ctx)" in text
        assert steps[f"STEP_{step.upper()}"] == variants.STEPS.index(step) + 1
    callbacks = {name for name in defines if name.startswith("CALLBACK_")} - {"CALLBACK_MARK"}
    assert len(callbacks) == (len(CALLBACKS) if loops else 0)
    for callback in CALLBACKS:
        name = callback.removeprefix("take_").upper()
        assert f"int {callback}(void *unused)" in text
        assert re.search(rf"CALLBACK_{name}\b|TAKE_(ALL_)?TURNS\([^;]*\b{name}\)", called)
        assert not loops or defines[f"CALLBACK_{name}"] == CALLBACKS.index(callback)


def test_every_number_that_is_linked_has_a_name_here() -> None:
    text = "\n".join(text for name, text in HEADERS.items() if name != "linked.h")
    assert set(re.findall(r"LINKED\((\w+)\)", text)) == set(CONSTANTS)
    called = {name.upper() for name in FUNCTIONS} - {IN_SET.upper()}
    assert set(re.findall(r"\bFUNCTION\((\w+)\)", text)) == called
    for name in (*SHARED, *COMPARING):  # BCC takes no function with more arguments
        assert re.search(rf"^(u64 |struct \w+ \*){name}\([^,)]+\)$", text, re.M)


def test_the_loader_sizes_every_map_that_the_compiler_does_not() -> None:
    text = "\n".join(HEADERS.values())
    unsized = re.findall(r"(\w+)(?:, u32)?, SIZED[,)]", text) + re.findall(
        r"BPF_ARRAY\((\w+), struct \w+, SIZED", text
    )
    sizes = dict.fromkeys(
        re.findall(r'sizes\["(\w+)"\]', Path(sizes_module.__file__).read_text()), 1
    )
    found = sizes_module.entries_of(sizes, namespace=False, filtered=True)
    assert sorted(found) == sorted(set(unsized) - {"cell", "page"})


@pytest.mark.parametrize("filtered", [False, True])
def test_every_connection_can_be_swept(filtered: bool) -> None:
    """Those that a filter leaves out, too: who has many hides the end of nobody else's."""
    sizes = defaultdict(lambda: 1, MAX_CONNECTIONS=5000)
    found = sizes_module.entries_of(sizes, namespace=False, filtered=filtered)
    left_out = found["left_out"] if filtered else 0
    assert found["swept_conns"] >= found["conns"] + left_out >= 5000


def test_a_map_has_a_name_that_is_kept_whole() -> None:
    """A longer one is cut, and the loader would not find the map to fill it."""
    text = re.sub(r"/\*.*?\*/", "", compiler.source(), flags=re.S)
    tables = re.findall(r"^BPF_(?:F_)?TABLE\w*\(([^;]*)\);", text, re.M)
    names = [re.split(r",\s*", table)[3] for table in tables]
    names += re.findall(r"^BPF_(?:PERCPU_)?ARRAY\((\w+)", text, re.M)
    assert len(names) > 30
    assert {"conns", "filter_pids", "pid_searches"} <= set(names)
    assert [name for name in names if len(name) > 15] == []
