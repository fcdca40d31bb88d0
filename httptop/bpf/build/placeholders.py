"""What the C sources name by numbers, for the linker to put in (bpf/c/linked.h, bpf/c/steps.h).

``CALLBACKS`` are compiled functions that bpf_loop calls. ``CONSTANTS`` are numbers of a run: they
change without a compilation, and the verifier takes out the code that they exclude.
``FUNCTIONS`` are called: compiled ones, and those made for the filter of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from httptop.bpf.build.linker import (
    CALLBACK_MARK,
    CONSTANT_MARK,
    FUNCTION_MARK,
    Linked,
    Names,
    link,
)

#: What bpf_loop calls, in the order of the CALLBACK_ numbers (steps.h).
CALLBACKS: Final = (
    "take_step", "take_scan_turns", "take_length_turns", "take_coding_turns", "take_option_turns",
    "take_copy_turn", "take_authority_turns", "take_proxy_turn",
    "take_party_turn",
    "take_abandon_turn", "take_add_turn", "take_window_turn", "take_summarize_turn",
    "take_reclaim_turn",
)  # fmt: skip

#: Numbers of a run, in the order of the CONSTANT_ numbers.
CONSTANTS: Final = (
    "MAX_CONNECTIONS", "MAX_ENDPOINTS", "MAX_PIPELINED", "MAX_PARTIES",
    "MAX_RESPONSES", "MAX_PAGES",
    "LINE_COPIED", "RESPONSE_COPIED", "HEAD_COPIED",
    "ID_NUMBER", "ID_HEX", "ID_MIXED",
    "READS", "WRITES", "THREAD_NAMES", "PID_NAMESPACE", "GROUPS_1",
    "FILTER_PROCESS", "FILTER_USER", "FILTER_CONTAINER", "FILTER_COMM", "FILTER_PEER",
    "FILTER_REQUEST", "FILTER_HOST", "FILTER_RESPONSE", "RANGES_MASK",
    "FILTER_FOLLOWED", "KEY_MASK", "OWN_PID",
)  # fmt: skip

#: Compiled functions that are needed in many places: so their code is there once.
SHARED: Final = ("find_response", "record_times", "track")
#: The compiled function that a filter's functions call (filter_terms.h).
IN_SET: Final = "in_set"
#: The compiled functions of filters.
COMPARING: Final = (IN_SET, "names_met")
#: What is called, in the order of the FUNCTION_ numbers.
FUNCTIONS: Final = (
    *SHARED, *COMPARING, "selects_process", "truths_of", "selects_connection", "selects_request",
    "selects_response", "selects_beginning",
)  # fmt: skip

_NONE: Final[Mapping[str, int]] = {}


def number_of_call(name: str) -> int:
    """Return what stands in a call of a function until it is linked."""
    return FUNCTION_MARK + FUNCTIONS.index(name)


def macros(*, loops: bool) -> dict[str, int]:
    """Return the macros that give the sources the numbers of all these."""
    found = {"CONSTANT_MARK": CONSTANT_MARK, "FUNCTION_MARK": FUNCTION_MARK}
    found |= {f"CONSTANT_{name}": at for at, name in enumerate(CONSTANTS)}
    found |= {f"FUNCTION_{name.upper()}": at for at, name in enumerate(FUNCTIONS)}
    if loops:
        found |= {"LOOPS": 1, "CALLBACK_MARK": CALLBACK_MARK}
        found |= {f"CALLBACK_{name[5:].upper()}": at for at, name in enumerate(CALLBACKS)}
    return found


def linked(
    name: str,
    code_of: Callable[[str], bytes],
    constants: Mapping[str, int],
    functions: Mapping[str, bytes],
    apart: Mapping[str, int] = _NONE,
) -> Linked:
    """Return a program with all that it needs; raises KeyError where something is missing.

    ``code_of`` returns the instructions of a compiled function, ``functions`` has those of the
    run; ``apart`` is as in :class:`Names`. Constants that are not given are 0.
    """

    def found(part: str) -> bytes:
        return functions[part] if part in functions else code_of(part)

    values = [constants.get(constant, 0) for constant in CONSTANTS]
    return link(name, found, Names(CALLBACKS, FUNCTIONS, values, apart))
