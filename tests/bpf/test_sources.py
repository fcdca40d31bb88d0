"""The C sources as one text: each header once, and every name that the loader must supply."""

from __future__ import annotations

import re
from typing import Final

import pytest

from httptop.bpf.build import compiler, loader
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


def test_conditions_stand_in_the_place_of_the_run_filter() -> None:
    assert compiler.source(conditions="int of_a_run;\n").count("int of_a_run;\n") == 1


def test_the_table_of_contents_names_every_header() -> None:
    contents = re.findall(r'^#include "(\w+\.h)"', (compiler.HERE / "probes.c").read_text(), re.M)
    assert sorted(contents) == sorted(HEADERS)


@pytest.mark.parametrize("loops", [True, False])
def test_the_numbers_of_steps_and_callbacks_are_the_loaders(loops: bool) -> None:
    none = Kernel({}, frozenset(), {}, {})
    defines = loader.defines_of({}, none, loader.Variant("sockets", loops=loops, casts=False))
    text, called = compiler.source(), "\n".join(HEADERS.values())
    steps = {name: number for name, number in defines.items() if name.startswith("STEP_")}
    assert list(steps.values()) == list(range(1, len(loader.STEPS) + 1))
    assert set(re.findall(r"\bSTEP_[A-Z_]+\b", called)) == {*steps, "STEP_DONE"}
    for step in loader.STEPS:
        assert f"u32 {step}(struct scratch *s)" in text
        assert f"int {step}_program(u64 *ctx)" in text
        assert steps[f"STEP_{step.upper()}"] == loader.STEPS.index(step) + 1
    callbacks = {name for name in defines if name.startswith("CALLBACK_")} - {"CALLBACK_MARK"}
    assert len(callbacks) == (len(loader.CALLBACKS) if loops else 0)
    for callback in loader.CALLBACKS:
        name = callback.removeprefix("take_").upper()
        assert f"int {callback}(void *unused)" in text
        assert re.search(rf"CALLBACK_{name}\b|TAKE_(ALL_)?TURNS\([^;]*\b{name}\)", called)
        assert not loops or defines[f"CALLBACK_{name}"] == loader.CALLBACKS.index(callback)
