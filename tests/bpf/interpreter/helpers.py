"""The helpers and kernel functions that httptop's programs call, simulated.

HELPERS has them by number (enum bpf_func_id), KERNEL_FUNCTIONS by name.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Final

from tests.bpf.interpreter.machine import Helper, Machine
from tests.bpf.interpreter.maps import Map, RingMap, StackMap
from tests.bpf.interpreter.memory import Fault, Kind

_M32: Final = (1 << 32) - 1
_MOST_TURNS: Final = 1 << 23
_KERNEL: Final = (Kind.KERNEL, Kind.VALUE, Kind.STACK)


# ---- maps -------------------------------------------------------------------------------------


def _keyed(name: str, act: Callable[[Map, Machine, bytes, int, int], int]) -> Helper:
    """Return a helper that takes a map and a key."""

    def helper(m: Machine, map_at: int, key_at: int, third: int, fourth: int, _: int) -> int:
        found = m.map_at(map_at)
        inlined = name == "map_lookup_elem" and found.inlined
        m.count_call(f"{name} {found.shape.name}", inlined=inlined)
        return act(found, m, m.memory.read(key_at, found.shape.key_len), third, fourth)

    return helper


def _update(found: Map, m: Machine, key: bytes, value_at: int, flags: int) -> int:
    return found.update(key, m.memory.read(value_at, found.shape.value_len), flags)


def _stacked(name: str, act: Callable[[StackMap, Machine, int], int]) -> Helper:
    """Return a helper that takes a stack or a queue, and a value."""

    def helper(m: Machine, map_at: int, value_at: int, *_: int) -> int:
        found = m.map_at(map_at)
        if not isinstance(found, StackMap):
            raise Fault(f"{name} of {found.shape.name}, of kind {found.shape.kind}")
        m.count_call(f"{name} {found.shape.name}")
        return act(found, m, value_at)

    return helper


def _give(value: bytes | None, m: Machine, value_at: int) -> int:
    if value is None:
        return -errno.ENOENT
    m.memory.write(value_at, value)
    return 0


# ---- rings ------------------------------------------------------------------------------------


def _ring(m: Machine, map_at: int) -> RingMap:
    found = m.map_at(map_at)
    if not isinstance(found, RingMap):
        raise Fault(f"{found.shape.name} is no ring buffer")
    return found


def _ringbuf_output(m: Machine, map_at: int, data_at: int, length: int, *_: int) -> int:
    ring = _ring(m, map_at)
    m.count_call("ringbuf_output")
    ring.records.append(m.memory.read(data_at, length))
    return 0


def _ringbuf_reserve(m: Machine, map_at: int, length: int, *_: int) -> int:
    ring = _ring(m, map_at)
    m.count_call("ringbuf_reserve")
    address = ring.reserve(length)
    m.records[address] = ring
    return address


def _end_record(name: str, *, submit: bool) -> Helper:
    def helper(m: Machine, address: int, *_: int) -> int:
        m.count_call(name)
        ring, record = m.records.pop(address, None), m.memory.region_at(address)
        if ring is None or record is None:
            raise Fault(f"{name} of {address:#x}, which was not reserved")
        if submit:
            ring.submit(record)
        return 0

    return helper


# ---- memory -----------------------------------------------------------------------------------


def _copy(m: Machine, to: int, length: int, source: int, kinds: tuple[Kind, ...]) -> int:
    data = m.memory.copy(source, length, kinds)
    m.memory.write(to, bytes(length) if data is None else data)
    return -errno.EFAULT if data is None else 0


def _probe_read_user(m: Machine, to: int, length: int, source: int, *_: int) -> int:
    length &= _M32
    m.count_call("probe_read_user")
    m.counts.user_copies += 1
    m.counts.user_bytes += length
    if m.unreadable:
        m.unreadable -= 1
        m.memory.write(to, bytes(length))
        return -errno.EFAULT
    return _copy(m, to, length, source, (Kind.USER,))


def _probe_read_kernel(m: Machine, to: int, length: int, source: int, *_: int) -> int:
    m.count_call("probe_read_kernel")
    return _copy(m, to, length & _M32, source, _KERNEL)


# ---- the thread, the clock, control -----------------------------------------------------------


def _asked(name: str, answer: Callable[[Machine], int], *, inlined: bool = False) -> Helper:
    """Return a helper without arguments."""

    def helper(m: Machine, *_: int) -> int:
        m.count_call(name, inlined=inlined)
        return answer(m)

    return helper


def _clock(m: Machine) -> int:
    m.now_ns += 1
    return m.now_ns


def _get_current_comm(m: Machine, to: int, length: int, *_: int) -> int:
    m.count_call("get_current_comm")
    m.memory.write(to, m.current.comm[: length - 1].ljust(length, b"\0"))
    return 0


def _task_pt_regs(m: Machine, task: int, *_: int) -> int:
    m.count_call("task_pt_regs")
    if task != m.current.task:
        raise Fault(f"registers of {task:#x}, which is not the current task")
    return m.current.registers


def _tail_call(m: Machine, _: int, map_at: int, index: int, *__: int) -> int:
    return 0 if m.prepare_tail_call(map_at, index) else -errno.ENOENT


def _loop(m: Machine, turns: int, callback: int, context: int, flags: int, _: int) -> int:
    m.count_call("loop", inlined=True)
    turns &= _M32
    if flags:
        return -errno.EINVAL
    if turns > _MOST_TURNS:
        return -errno.E2BIG
    for turn in range(turns):
        m.counts.local_calls += 1
        if m.call_function(callback, turn, context):
            return turn + 1
    return turns


HELPERS: Final[dict[int, Helper]] = {
    1: _keyed("map_lookup_elem", lambda found, _, key, *__: found.lookup(key)),
    2: _keyed("map_update_elem", _update),
    3: _keyed("map_delete_elem", lambda found, _, key, *__: found.delete(key)),
    5: _asked("ktime_get_ns", _clock),
    7: _asked("get_prandom_u32", lambda m: m.random.getrandbits(32)),
    8: _asked("get_smp_processor_id", lambda m: m.cpu, inlined=True),
    12: _tail_call,
    14: _asked("get_current_pid_tgid", lambda m: m.current.tgid << 32 | m.current.pid),
    15: _asked("get_current_uid_gid", lambda _: 0),
    16: _get_current_comm,
    80: _asked("get_current_cgroup_id", lambda m: m.current.cgroup),
    87: _stacked(
        "map_push_elem",
        lambda found, m, at: found.push(m.memory.read(at, found.shape.value_len)),
    ),
    88: _stacked("map_pop_elem", lambda found, m, at: _give(found.pop(), m, at)),
    89: _stacked("map_peek_elem", lambda found, m, at: _give(found.peek(), m, at)),
    112: _probe_read_user,
    113: _probe_read_kernel,
    130: _ringbuf_output,
    131: _ringbuf_reserve,
    132: _end_record("ringbuf_submit", submit=True),
    133: _end_record("ringbuf_discard", submit=False),
    158: _asked("get_current_task_btf", lambda m: m.current.task),
    175: _task_pt_regs,
    181: _loop,
}


# ---- functions of the kernel ------------------------------------------------------------------


def _rdonly_cast(m: Machine, address: int, *_: int) -> int:
    m.count_call("rdonly_cast", inlined=True)
    return address


def _preempt_disable(m: Machine, *_: int) -> int:
    m.count_call("preempt_disable")
    m.atomic_depth += 1
    return 0


def _preempt_enable(m: Machine, *_: int) -> int:
    m.count_call("preempt_enable")
    if not m.atomic_depth:
        raise Fault("preemption is enabled that was not disabled")
    m.atomic_depth -= 1
    return 0


KERNEL_FUNCTIONS: Final[dict[str, Helper]] = {
    "bpf_rdonly_cast": _rdonly_cast,
    "bpf_preempt_disable": _preempt_disable,
    "bpf_preempt_enable": _preempt_enable,
}
