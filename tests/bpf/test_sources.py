"""The C sources as one text: each header once, and every name that the loader must supply."""

from __future__ import annotations

import re
from typing import Final

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
    assert text.index("\nstruct conn {") < text.index("\nBPF_HASH(conns")


def test_conditions_stand_in_the_place_of_the_run_filter() -> None:
    assert compiler.source(conditions="int of_a_run;\n").count("int of_a_run;\n") == 1


def test_the_table_of_contents_names_every_header() -> None:
    contents = re.findall(r'^#include "(\w+\.h)"', (compiler.HERE / "probes.c").read_text(), re.M)
    assert sorted(contents) == sorted(HEADERS)


def test_programs_are_called_by_the_numbers_under_which_the_loader_files_them() -> None:
    none = Kernel({}, frozenset(), {}, None)
    numbers = {
        name: number
        for name, number in loader.defines_of({}, none, "sockets", {}).items()
        if name.startswith("NEXT_")
    }
    assert list(numbers.values()) == list(range(len(loader.CHAIN)))
    called = {name for text in HEADERS.values() for name in re.findall(r"\bNEXT_[A-Z_]+\b", text)}
    assert called == numbers.keys()
    for name, number in numbers.items():
        assert f"int {loader.CHAIN[number]}(u64 *ctx)" in compiler.source()
        assert name == f"NEXT_{loader.CHAIN[number].upper()}"
