"""The numbers of CPUs as the kernel lists them."""

from __future__ import annotations

import os

import pytest

from httptop.linux.cpus import online_cpus, parse_cpus, possible_cpus


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("0\n", {0}), ("0-3,8\n", {0, 1, 2, 3, 8}), ("2,4-5", {2, 4, 5}), ("\n", set())],
)
def test_the_kernels_lists_of_cpus(text: str, cpus: set[int]) -> None:
    assert parse_cpus(text) == cpus


def test_those_of_this_host() -> None:
    assert os.sched_getaffinity(0) <= online_cpus() <= set(range(possible_cpus()))
