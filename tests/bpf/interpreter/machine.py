"""An interpreter of BPF programs that counts what they do.

It runs the instructions that the loader loads, with maps, helpers, tail calls, loops by callback
and functions of the kernel. It needs no root and no quiet machine, and counts the same each time.
What the verifier would add or replace is not simulated, apart from what counts as inlined.
"""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from httptop.bpf.build.object_file import MapShape
from tests.bpf.interpreter.instructions import EXIT, TAIL_CALL, Registers, Step, decode
from tests.bpf.interpreter.maps import ArrayMap, Map, ProgramMap, RingMap, make_map
from tests.bpf.interpreter.memory import Fault, Kind, Memory, Region

STACK_LEN: Final = 512
MOST_FRAMES: Final = 8
MOST_TAIL_CALLS: Final = 33
#: A run of more instructions is taken not to end.
MOST_INSTRUCTIONS: Final = 4_000_000
#: In registers after a call that leaves nothing in them.
_CLOBBERED: Final = 0xBAD0_BAD0_BAD0

Helper = Callable[["Machine", int, int, int, int, int], int]


@dataclass(slots=True)
class Counts:
    """What one run of a program did, with all that it called."""

    instructions: int = 0
    #: Calls of helpers and of the kernel's functions by name, look-ups with the map's.
    calls: Counter[str] = field(default_factory=Counter)
    #: Those that the verifier or the compiler of machine code replaces by a few instructions.
    inlined: Counter[str] = field(default_factory=Counter)
    tail_calls: int = 0
    local_calls: int = 0
    user_copies: int = 0
    user_bytes: int = 0
    #: Cache lines touched, by what they belong to; the stack's are left out.
    lines: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Current:
    """The thread that a program runs in."""

    task: int = 0  # address of its task_struct
    registers: int = 0  # address of those that it entered the kernel with
    tgid: int = 4242
    pid: int = 4242
    cgroup: int = 1
    comm: bytes = b"program"


class _Program:
    """A decoded program: what its instructions need of the machine."""

    def __init__(self, machine: Machine, name: str, code: bytes) -> None:
        self.name = name
        self.memory = machine.memory
        self._machine = machine
        self._code = code
        self._steps: list[Step] = []

    @property
    def steps(self) -> list[Step]:
        """Its instructions, decoded on first use; raises Fault."""
        if not self._steps:
            try:
                self._steps = decode(self._code, self)
            except Fault as fault:
                raise Fault(f"{self.name}: {fault}") from None
        return self._steps

    def map_address(self, number: int) -> int:
        return self._machine.map_of(number).handle.address

    def value_address(self, number: int, offset: int) -> int:
        found = self._machine.map_of(number)
        if not isinstance(found, ArrayMap):
            raise Fault(f"the address of a value of {found.shape.name}, which is no array")
        return found.values.address + offset

    def function_address(self, at: int) -> int:
        return self._machine.function(self, at)

    def call_helper(self, number: int, registers: Registers) -> bool:
        return self._machine.call_helper(number, registers)

    def call_kernel(self, number: int, registers: Registers) -> None:
        self._machine.call_kernel(number, registers)

    def call_local(self, at: int, registers: Registers) -> None:
        self._machine.counts.local_calls += 1
        result = self._machine.execute(self, at, registers[1:6])
        _leave(registers, result)


def _leave(registers: Registers, result: int) -> None:
    """Set the registers as a call leaves them."""
    registers[0] = result & (1 << 64) - 1
    registers[1:6] = [_CLOBBERED] * 5


class Machine:
    """Programs, their maps, and the little of a kernel that helpers ask for."""

    def __init__(
        self,
        maps: Iterable[MapShape],
        programs: Mapping[str, bytes],
        helpers: Mapping[int, Helper],
        kernel_functions: Mapping[int, Helper],
    ) -> None:
        """Create the maps, empty; programs refer to them by their order.

        ``helpers`` are by number, ``kernel_functions`` by type id. Raises Fault for a kind of map
        that is not simulated.
        """
        self.memory = Memory()
        self._by_number = [make_map(shape, self.memory) for shape in maps]
        self.maps = {found.shape.name: found for found in self._by_number}
        self._maps_at = {found.handle.address: found for found in self._by_number}
        self._programs = {name: _Program(self, name, code) for name, code in programs.items()}
        self._functions: dict[int, tuple[_Program, int]] = {}
        self._function_at: dict[tuple[str, int], int] = {}
        self._helpers, self._kernel_functions = helpers, kernel_functions
        self.current = Current()
        self.cpu = 0
        self.now_ns = 10**12  # CLOCK_MONOTONIC; each look takes a nanosecond
        self.random = random.Random(1)
        self.counts = Counts()
        self.result = 0  # of the last run
        self.unreadable = 0  # reads from user memory that fail from now on
        self.atomic_depth = 0  # how often preemption has been disabled
        self.records: dict[int, RingMap] = {}  # reserved in a ring, by their addresses
        self._frames = 0
        self._next: _Program | None = None

    # ---- for those who run programs -----------------------------------------------------------

    def run(self, name: str, *arguments: int) -> Counts:
        """Run a program whose context is these words of 64 bits; return what it did."""
        self.counts = Counts()
        self.memory.forget_lines()
        context = self.memory.add(
            "context", Kind.CONTEXT, struct.pack(f"<{len(arguments)}Q", *arguments)
        )
        try:
            self.result = self.execute(self._programs[name], 0, [context.address])
            if self.atomic_depth:
                raise Fault(f"{name}: it ends with preemption disabled")
            if self.records:
                raise Fault(f"{name}: it ends with a record that is reserved in a ring")
        finally:
            self.atomic_depth = self._frames = 0
            self._next = None
            self.records.clear()
            self.memory.remove(context)
        self.counts.lines = self.memory.lines
        return self.counts

    def call(self, name: str, *arguments: int) -> int:
        """Run a program that is a function of these arguments; return its result."""
        return self.execute(self._programs[name], 0, list(arguments))

    # ---- for instructions and helpers ---------------------------------------------------------

    def map_of(self, number: int) -> Map:
        """Return the map that programs have by this number; raises Fault."""
        if number >= len(self._by_number):
            raise Fault(f"map {number} of {len(self._by_number)}")
        return self._by_number[number]

    def map_at(self, address: int) -> Map:
        """Return the map of an address that a helper was given; raises Fault."""
        found = self._maps_at.get(address)
        if found is None:
            raise Fault(f"{address:#x} is no map")
        return found

    def function(self, program: _Program, at: int) -> int:
        """Return the address of a function in a program."""
        key = (program.name, at)
        if key not in self._function_at:
            address = self.memory.add(f"{program.name}+{at}", Kind.HANDLE).address
            self._function_at[key], self._functions[address] = address, (program, at)
        return self._function_at[key]

    def call_function(self, address: int, *arguments: int) -> int:
        """Call the function at an address, as a helper does with a callback; raises Fault."""
        found = self._functions.get(address)
        if found is None:
            raise Fault(f"{address:#x} is no function")
        return self.execute(*found, list(arguments))

    def prepare_tail_call(self, map_address: int, index: int) -> bool:
        """Choose the program that a tail call goes to; return whether there is one."""
        found = self.map_at(map_address)
        if not isinstance(found, ProgramMap):
            raise Fault(f"a tail call into {found.shape.name}, which holds no programs")
        name = found.programs.get(index & 0xFFFFFFFF)
        if name is None or self.counts.tail_calls >= MOST_TAIL_CALLS:
            return False
        self.counts.tail_calls += 1
        self._next = self._programs[name]
        return True

    def count_call(self, name: str, *, inlined: bool = False) -> None:
        """Count a call by its name."""
        (self.counts.inlined if inlined else self.counts.calls)[name] += 1

    def call_helper(self, number: int, registers: Registers) -> bool:
        """Call a helper; return whether a tail call follows."""
        if number not in self._helpers:
            raise Fault(f"helper {number} is not simulated")
        result = self._helpers[number](self, *registers[1:6])
        if self._next is not None:
            return True
        _leave(registers, result)
        return False

    def call_kernel(self, number: int, registers: Registers) -> None:
        """Call a function of the kernel."""
        if number not in self._kernel_functions:
            raise Fault(f"the kernel's function of type {number:#x} is not simulated")
        _leave(registers, self._kernel_functions[number](self, *registers[1:6]))

    def execute(self, program: _Program, at: int, arguments: list[int]) -> int:
        """Run a function in a frame of its own until it ends; return its result."""
        if self._frames >= MOST_FRAMES:
            raise Fault(f"{program.name}: more than {MOST_FRAMES} frames")
        self._frames += 1
        stack = self.memory.add("stack", Kind.STACK, STACK_LEN)
        context = arguments[0] if arguments else 0
        registers = _registers(arguments, stack)
        done = 0
        try:
            steps = program.steps
            while done < MOST_INSTRUCTIONS:
                done += 1
                following = steps[at](registers)
                if following < 0:
                    if following == EXIT:
                        return registers[0]
                    if following != TAIL_CALL:
                        raise IndexError
                    assert self._next is not None
                    program, self._next = self._next, None
                    steps, following = program.steps, 0
                    stack.data[:] = bytes(STACK_LEN)
                    registers = _registers([context], stack)
                at = following
            raise Fault(f"it did not end after {MOST_INSTRUCTIONS:,} instructions")
        except Fault as fault:
            raise Fault(f"{program.name}, instruction {at}: {fault}") from fault
        except IndexError:
            raise Fault(f"{program.name}: a jump to {at}, out of the program") from None
        finally:
            self.counts.instructions += done
            self.memory.remove(stack)
            self._frames -= 1


def _registers(arguments: list[int], stack: Region) -> Registers:
    registers = [_CLOBBERED] * 11
    registers[1 : 1 + len(arguments)] = arguments
    registers[10] = stack.address + STACK_LEN
    return registers
