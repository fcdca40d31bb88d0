"""Flags that exclude each other."""

from __future__ import annotations

import pytest

from httptop.errors import UsageError
from httptop.run.arguments import parse
from httptop.run.exclusions import EXCLUSIONS, Exclusion

WORDS = {
    "--replay": ["--replay", "a.capture"],
    "--from": ["--from", "prometheus:http://127.0.0.1:9"],
    "--demo": ["--demo"],
    "--record": ["--record", "b.capture"],
    "--prometheus": ["--prometheus"],
    "--otlp": ["--otlp"],
    "--log": ["--log", "requests"],
}


@pytest.mark.parametrize("pair", EXCLUSIONS, ids=lambda pair: f"{pair.one} {pair.other}")
def test_one_is_told_of_the_other(pair: Exclusion) -> None:
    with pytest.raises(UsageError, match=f"^{pair.one} and {pair.other} exclude each other"):
        parse([*WORDS[pair.one], *WORDS[pair.other]])
    for name in (pair.one, pair.other):
        parse(WORDS[name])
