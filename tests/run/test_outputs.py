"""What the outputs of a run need, known before they are opened."""

from __future__ import annotations

import pytest

from httptop.run.outputs import known_methods


@pytest.mark.parametrize(
    ("value", "methods"),
    [(None, None), ("", None), (" , ", None), ("GET, POST,get", {"GET", "POST", "get"})],
)
def test_methods_that_metrics_tell_apart(value: str | None, methods: set[str] | None) -> None:
    name = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"
    environ = {} if value is None else {name: value}
    assert known_methods(environ) == methods
