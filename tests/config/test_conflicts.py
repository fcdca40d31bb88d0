"""Settings that cannot hold together: each found, and both places named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from httptop.cli import main
from httptop.config.conflicts import contradictions
from httptop.config.load import build
from httptop.config.settings import BY_KEY, DEFAULTS


def found(**texts: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return the contradictions of settings, their keys written with __ for the dot."""
    values = {
        (key := name.replace("__", ".")): BY_KEY[key].kind.parse_text(text)
        for name, text in texts.items()
    }
    return [(one.key, one.message, one.others) for one in contradictions(build(values))]


def test_the_defaults_agree() -> None:
    assert list(contradictions(DEFAULTS)) == []


@pytest.mark.parametrize(
    ("name", "wanted", "excluded", "left_out"),
    [
        ("filter.process.pids", "1,2,3", "3,2,9", ["2", "3"]),
        ("filter.process.names", "nginx,curl*,py*", "ngi*,curl*,python3", ["nginx", "curl*"]),
        ("filter.network.ports", "80,443", "443", ["443"]),
        ("filter.network.addresses", "10.1.0.0/16,::1", "10.0.0.0/8", ["10.1.0.0/16"]),
        ("filter.network.addresses", "10.0.0.0/8", "10.1.0.0/16,::/0", []),
        ("filter.network.addresses", "fd00::1", "fd00::/8", ["fd00::1/128"]),
        ("filter.http.paths", "/a,/b/*", "/*", ["/a"]),
    ],
)
def test_what_is_wanted_and_excluded(
    name: str, wanted: str, excluded: str, left_out: list[str]
) -> None:
    section, _, last = name.rpartition(".")
    other = f"{section}.exclude_{last}"
    texts = {name.replace(".", "__"): wanted, other.replace(".", "__"): excluded}
    assert found(**texts) == [(name, f"{item} is excluded as well", (other,)) for item in left_out]


@pytest.mark.parametrize(
    ("name", "low", "high", "message"),
    [
        ("latency", "20ms", "10ms", "20ms is above the maximum"),
        ("request_bytes", "2KiB", "1KiB", "2KiB is above the maximum"),
        ("response_bytes", "2", "1", "2 is above the maximum"),
        ("latency", "10ms", "10ms", None),
        ("latency", "20ms", "0s", None),
    ],
)
def test_least_above_most(name: str, low: str, high: str, message: str | None) -> None:
    least, most = f"filter.http.min_{name}", f"filter.http.max_{name}"
    texts = {least.replace(".", "__"): low, most.replace(".", "__"): high}
    assert found(**texts) == ([(least, message, (most,))] if message else [])


def test_a_process_below_the_least() -> None:
    assert found(filter__process__pids="10,20", filter__process__min_pid="15") == [
        ("filter.process.pids", "10 is below the lowest one", ("filter.process.min_pid",))
    ]


def test_addresses_elsewhere_on_this_host_only() -> None:
    assert found(
        filter__network__localhost_only="true",
        filter__network__addresses="127.0.0.1,10.0.0.0/8,::/0,::1,0.0.0.0/0,fd00::1",
    ) == [
        (
            "filter.network.addresses",
            f"{address} is not on this host",
            ("filter.network.localhost_only",),
        )
        for address in ("10.0.0.0/8", "fd00::1/128")
    ]


@pytest.mark.parametrize(
    "off",
    [
        {"reads": "false", "writes": "false"},
        {"connects": "false", "accepts": "false"},
        {"side": "server", "reads": "false"},
        {"side": "server", "accepts": "false"},
        {"side": "client", "writes": "false"},
        {"side": "client", "connects": "false"},
        {"reads": "false", "connects": "false"},
        {"writes": "false", "accepts": "false"},
    ],
)
def test_no_side_is_left(off: dict[str, str]) -> None:
    first, second = (f"filter.events.{name}" for name in off)
    assert found(**{f"filter__events__{name}": text for name, text in off.items()}) == [
        (first, "no request can be seen, on either side", (second,))
    ]
    for name, text in off.items():
        assert found(**{f"filter__events__{name}": text}) == []


def test_the_filter_and_the_plain_settings() -> None:
    assert found(filter__process__pids="1,2", filter__expression="pid = 3 and path = /") == [
        ("filter.expression", "no pid can match", ("filter.process.pids",))
    ]
    assert found(filter__network__ports="80", filter__expression="port = 1-79") == [
        ("filter.expression", "no port can match", ("filter.network.ports",))
    ]
    assert found(filter__network__ports="80", filter__expression="port = 1-80") == []
    assert found(filter__network__ports="80", filter__expression="port = 1 or path = /") == []


def test_a_path_that_is_template_and_kept() -> None:
    assert found(paths__templates="/a/*,/b/*", paths__keep="/b/*") == [
        ("paths.templates", "/b/* is in paths.keep as well", ("paths.keep",))
    ]


def test_both_places_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in list(os.environ):
        if name.startswith(("HTTPTOP_", "SUDO_", "XDG_CONFIG")):
            monkeypatch.delenv(name)
    file = tmp_path / "some.toml"
    file.write_text(
        "[filter.process]\nexclude_pids = [7]\npids = [8]\nmin_pid = 10\n[general]\ntik = 1\n"
    )
    monkeypatch.setenv("HTTPTOP_FILTER__HTTP__MAX_LATENCY", "1ms")
    words = ["-b", "--config", str(file), "-p", "7", "-p", "12", "--set"]
    assert main([*words, "filter.http.min_latency=2ms"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"httptop: {file}:6: general.tik: unknown key; did you mean 'tick'?",
        "httptop: --pid: filter.process.pids: 7 is excluded as well; "
        f"it conflicts with filter.process.exclude_pids = [7] ({file}:2)",
        "httptop: --pid: filter.process.pids: 7 is below the lowest one; "
        f"it conflicts with filter.process.min_pid = 10 ({file}:4)",
        "httptop: --set filter.http.min_latency: 2ms is above the maximum; "
        'it conflicts with filter.http.max_latency = "1ms" (HTTPTOP_FILTER__HTTP__MAX_LATENCY)',
    ]


def test_a_value_that_is_not_allowed_contradicts_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "some.toml"
    file.write_text("[filter.process]\nexclude_pids = [7]\n")
    words = ["--config", str(file), "-p", "7", "--exclude-pid", "x", "--validate-config"]
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("httptop: --exclude-pid: a whole number")
