"""What lived together goes together, although some of it stays."""

from __future__ import annotations

import gc
import subprocess
import sys
import tracemalloc
from typing import Final

import pytest

from httptop.linux import heap

#: Makes 16 MB of small objects, keeps one in 4096, and prints what is resident more than before.
_RUN: Final = """
import contextlib, sys
from httptop.linux import heap

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

count = 1 << 18
many = [None] * count
before = resident()
with {around}:
    for at in range(count):
        many[at] = (at, at)
most = resident() - before
for at in range(count):
    if at % 4096:
        many[at] = None
heap.give_back(spare=True)
assert [one for one in many if one] == [(at, at) for at in range(0, count, 4096)]
print(most, resident() - before)
"""


#: Frees 12 MB at the end of a thread's heap, where that much may stay; prints what is resident
#: before it is given back, and behind.
_END: Final = """
import threading
from httptop.linux import heap

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

def run():
    pieces = [None] * 400
    long = b"x" * (24 << 20)
    del long
    for at in range(len(pieces)):
        pieces[at] = b"x" * 30_000
    for at in range(len(pieces)):
        pieces[at] = None
    heap.give_back()
    freed = resident()
    heap.give_back(end=True)
    print(freed - resident())

thread = threading.Thread(target=run)
thread.start()
thread.join()
"""


def _resident(around: str) -> tuple[int, int]:
    """Return how many bytes are resident more, at most and in the end."""
    run = [sys.executable, "-c", _RUN.format(around=around)]
    most, left = subprocess.run(run, check=True, capture_output=True, text=True).stdout.split()
    return int(most), int(left)


def test_what_stays_does_not_hold_what_goes() -> None:
    most, left = _resident("heap.apart()")
    assert left < most / 4
    most, left = _resident("contextlib.nullcontext()")
    assert left > most / 2, "Python does so itself; what heap.apart() is for?"


def test_the_end_of_a_heap_goes_too() -> None:
    run = [sys.executable, "-c", _END]
    given = subprocess.run(run, check=True, capture_output=True, text=True).stdout
    assert int(given) > 10 << 20


def test_objects_made_apart_are_like_others() -> None:
    grown: list[object] = [1]
    with heap.apart():
        made: list[object] = [{"a": [str(n)] * n, n: float(n)} for n in range(1000)]
        grown += range(1000)
        shrunk = list(range(1000))
    made += grown
    for one in made[:1000]:
        assert isinstance(one, dict)
        one["b"] = one.pop("a")
    del shrunk[10:], made[::2], grown
    with heap.apart(), heap.apart():
        made += shrunk
    shrunk += shrunk
    gc.collect()
    assert shrunk == [*range(10)] * 2
    assert made[-10:] == [*range(10)]


def test_it_is_over_when_it_fails() -> None:
    usual = bytes(heap._allocator(1))
    with pytest.raises(ZeroDivisionError), heap.apart():
        1 // (bytes(heap._allocator(1)) == usual)
    assert bytes(heap._allocator(1)) == usual


def test_an_allocator_that_traces_stays() -> None:
    tracemalloc.start()
    try:
        tracing = bytes(heap._allocator(2))
        with heap.apart():
            assert bytes(heap._allocator(2)) == tracing
    finally:
        tracemalloc.stop()
