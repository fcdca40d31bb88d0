"""What the outputs of a run need, known before they are opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from httptop.config.load import load
from httptop.linux.files import invoking_user
from httptop.run.arguments import parse
from httptop.run.outputs import config_of_run, known_methods, logs_of


@pytest.mark.parametrize(
    ("value", "methods"),
    [(None, None), ("", None), (" , ", None), ("GET, POST,get", {"GET", "POST", "get"})],
)
def test_methods_that_metrics_tell_apart(value: str | None, methods: set[str] | None) -> None:
    name = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"
    environ = {} if value is None else {name: value}
    assert known_methods(environ) == methods


@pytest.mark.parametrize(
    ("words", "listens", "pushes", "logs"),
    [
        (["-b"], True, True, ("/var/log/requests",)),
        (["--replay", "a.capture"], False, False, ()),
        (["--replay", "a.capture", "--log", "requests=/b"], False, False, ("/b",)),
        (["--from", "prometheus:http://127.0.0.1:9"], False, False, ()),
    ],
)
def test_what_a_file_sends_is_of_this_host_and_now(
    words: list[str], listens: bool, pushes: bool, logs: tuple[str, ...], tmp_path: Path
) -> None:
    asked, file = parse(words), tmp_path / "config.toml"
    file.write_text(
        '[prometheus]\nlisten = "127.0.0.1:9742"\n[otlp]\nendpoint = "http://127.0.0.1:4318"\n'
        '[request_log]\nto = ["/var/log/requests"]\n'
    )
    config = load(asked.settings, {}, invoking_user({}), file)
    settings = config_of_run(asked, config).settings
    assert (bool(settings.prometheus.listen), bool(settings.otlp.endpoint)) == (listens, pushes)
    assert settings.request_log.to == logs


def test_logs_that_may_be_rotated_are_those_in_files(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.touch()
    words = ["-b", "--log", "requests=-,/a,syslog:,/b", "--log-format", "%U %s"]
    for more, own in (([], []), (["--log-file", "/own"], [(Path("/own"), "")])):
        asked = parse([*words, *more])
        settings = load(asked.settings, {}, invoking_user({}), file).settings
        assert logs_of(settings) == [*own, (Path("/a"), "%U %s"), (Path("/b"), "%U %s")]
