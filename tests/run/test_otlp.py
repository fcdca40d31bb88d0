"""What is pushed, as the settings and OpenTelemetry's variables say."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from httptop.collect.new_requests import NewRequests
from httptop.collect.redacted import SnapshotRedaction
from httptop.config.load import load
from httptop.config.problems import ConfigError
from httptop.config.settings import DEFAULTS, GUARDED, Otlp, Settings
from httptop.errors import UsageError
from httptop.linux.files import invoking_user
from httptop.run.arguments import parse
from httptop.run.otlp import otlp_sinks
from httptop.run.outputs import system_calls_of
from tests.factory import NOON, key, request, snapshot_at
from tests.output.otlp.fakes import Traffic, metrics, outcome, series, texts
from tests.output.otlp.receiving import Receiving
from tests.patience import PATIENCE_S


@pytest.fixture
def receiving() -> Iterator[Receiving]:
    with Receiving() as receiving:
        yield receiving


def pushed(
    receiving: Receiving,
    otlp: Otlp = DEFAULTS.otlp,
    settings: Settings = DEFAULTS,
    uptimes_s: Sequence[int] = (1,),
    environ: dict[str, str] | None = None,
) -> list[tuple[str, Any]]:
    """Return what is sent of a run with some ticks, the last one included."""
    traffic, new = Traffic(), NewRequests()
    otlp = replace(otlp, endpoint=otlp.endpoint or receiving.url)
    sinks = otlp_sinks(
        replace(settings, otlp=otlp),
        invoking_user({}),
        lambda _: traffic.metrics(NOON + traffic.answered),
        new,
        SnapshotRedaction("off"),
        environ or {},
    )
    for sink in sinks:
        sink.begin()
    for uptime_s in uptimes_s:
        traffic.some(10)
        new.add(request(uptime_s))
        for sink in sinks:
            sink.see(replace(snapshot_at(uptime_s), uptime_s=uptime_s))
            until_s = time.monotonic() + PATIENCE_S
            while sink.sinks[0].waiting:
                assert time.monotonic() < until_s
                time.sleep(0.001)
    for sink in sinks:
        sink.end(snapshot_at(99))
    for sink in sinks:
        sink.finish(time.monotonic() + PATIENCE_S)
        assert sink.trouble == ""
    return receiving.got


def histograms(got: list[tuple[str, Any]]) -> list[Any]:
    """Return the histograms in messages of metrics."""
    return [
        metric
        for path, message in got
        if path.endswith("/v1/metrics")
        for resource in message.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "http.server.request.duration"
    ]


def paths(got: list[tuple[str, Any]]) -> set[str]:
    return {path for path, _ in got}


@pytest.mark.setting("otlp.endpoint", "otlp.metrics", "otlp.spans")
@pytest.mark.parametrize(
    ("changes", "signals"),
    [
        ({}, {"metrics", "traces"}),
        ({"spans": False}, {"metrics"}),
        ({"metrics": False}, {"traces"}),
    ],
)
def test_metrics_and_spans_are_pushed(
    receiving: Receiving, changes: dict[str, Any], signals: set[str]
) -> None:
    got = pushed(receiving, replace(DEFAULTS.otlp, **changes))
    assert paths(got) == {f"/v1/{signal}" for signal in signals}


def test_an_endpoint_may_have_a_path(receiving: Receiving) -> None:
    receiving.below = "/otlp"
    got = pushed(receiving, Otlp(endpoint=receiving.url + "/otlp"))
    assert paths(got) == {"/otlp/v1/metrics", "/otlp/v1/traces"}


@pytest.mark.setting("otlp.interval")
def test_metrics_are_pushed_at_an_interval(receiving: Receiving) -> None:
    got = pushed(receiving, Otlp(interval_s=5.0, spans=False), uptimes_s=(1, 5, 9, 10, 14, 15))
    assert len(got) == 4  # and the last figures


@pytest.mark.setting("otlp.histogram", "metrics.bounds")
def test_histograms_are_exponential_or_have_bounds(receiving: Receiving) -> None:
    (exponential,) = histograms(pushed(receiving))
    assert exponential.WhichOneof("data") == "exponential_histogram"
    receiving.got.clear()
    bounded = replace(DEFAULTS, metrics=replace(DEFAULTS.metrics, bounds_ns=(1_000_000, 2_000_000)))
    (explicit,) = histograms(pushed(receiving, Otlp(histogram="explicit"), bounded))
    assert explicit.WhichOneof("data") == "histogram"
    for point in explicit.histogram.data_points:
        assert list(point.explicit_bounds) == [0.001, 0.002]


@pytest.mark.setting("otlp.temporality")
@pytest.mark.parametrize(("temporality", "counts"), [("cumulative", [10, 20]), ("delta", [10, 10])])
def test_sums_are_sent_or_increments(
    receiving: Receiving, temporality: str, counts: list[int]
) -> None:
    otlp = Otlp(interval_s=1.0, temporality=temporality)
    got = histograms(pushed(receiving, otlp, uptimes_s=(1, 2)))
    found = [sum(p.count for p in one.exponential_histogram.data_points) for one in got]
    assert found[:2] == counts


@pytest.mark.setting("otlp.compression")
@pytest.mark.parametrize(("compression", "field"), [("gzip", "gzip"), ("none", None)])
def test_messages_are_compressed(receiving: Receiving, compression: str, field: str | None) -> None:
    pushed(receiving, Otlp(compression=compression))
    assert {fields.get("Content-Encoding") for fields in receiving.fields} == {field}


@pytest.mark.setting("otlp.headers_file")
def test_fields_come_from_a_file(receiving: Receiving, tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text("Authorization: Bearer abc\n")
    pushed(receiving, Otlp(headers_file=str(file)))
    assert {fields["Authorization"] for fields in receiving.fields} == {"Bearer abc"}


@pytest.mark.setting("otlp.timeout")
def test_a_receiver_has_so_much_time_to_answer() -> None:
    with Receiving() as receiving:
        receiving.silent = True
        otlp = Otlp(endpoint=receiving.url, timeout_s=0.05, spans=False)
        (sink,) = otlp_sinks(
            replace(DEFAULTS, otlp=otlp),
            invoking_user({}),
            lambda _: metrics(series(key(), outcome([1]))),
            None,
            SnapshotRedaction("off"),
            {},
        )
        sink.begin()
        sink.end(snapshot_at(1))
        sink.finish(time.monotonic() + PATIENCE_S)
        assert "no answer within 0.05 s" in sink.trouble


def test_resources_are_as_the_variables_say(receiving: Receiving) -> None:
    environ = {
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_RESOURCE_ATTRIBUTES": "team=web,host.name=h",
        "NODE_NAME": "node-7",
    }
    for path, message in pushed(receiving, environ=environ):
        resources = message.resource_metrics if path == "/v1/metrics" else message.resource_spans
        for resource in resources:
            found = dict(texts(resource.resource.attributes))
            own = found["process.executable.name"] == "httptop"
            assert found["service.name"] == ("httptop" if own else "shop")
            assert (found["team"], found["host.name"]) == ("web", "h")
            assert found["k8s.node.name"] == "node-7"
            assert found["service.instance.id"].startswith("node-7:")


def test_nothing_to_push_is_refused() -> None:
    nothing = ("--set", "otlp.metrics=false", "--set", "otlp.spans=false")
    assert configured(*nothing)[0].endpoint == ""
    with pytest.raises(ConfigError, match="nothing would be pushed"):
        configured("--otlp", *nothing)


def test_a_package_that_is_missing_is_named_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.proto", None)
    for name in [name for name in sys.modules if name.startswith("opentelemetry.proto.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(UsageError, match=r"-m pip install 'opentelemetry-proto"):
        otlp_sinks(
            replace(DEFAULTS, otlp=Otlp(endpoint="auto")),
            invoking_user({}),
            lambda _: None,
            None,
            SnapshotRedaction("off"),
            {},
        )


# ---- OpenTelemetry's variables -------------------------------------------------------------------


def configured(*words: str, **environ: str) -> tuple[Otlp, dict[str, str]]:
    """Return the settings of a command line and variables, and where they came from."""
    config = load(parse(words).settings, environ, invoking_user({}), system_file=Path("/none"))
    return config.settings.otlp, dict(config.origins)


def test_variables_say_what_no_setting_says() -> None:
    found, origins = configured(
        "--otlp",
        OTEL_METRIC_EXPORT_INTERVAL="5000",
        OTEL_EXPORTER_OTLP_TIMEOUT="2500",
        OTEL_EXPORTER_OTLP_COMPRESSION="none",
        OTEL_EXPORTER_OTLP_CERTIFICATE="/etc/ca.pem",
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="Delta",
        OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION="explicit_bucket_histogram",
        OTEL_TRACES_EXPORTER="none",
    )
    assert found == Otlp(
        endpoint="auto",
        spans=False,
        interval_s=5.0,
        histogram="explicit",
        temporality="delta",
        timeout_s=2.5,
        compression="none",
        certificate="/etc/ca.pem",
    )
    assert origins["otlp.interval"] == "OTEL_METRIC_EXPORT_INTERVAL"


def test_a_setting_goes_before_a_variable() -> None:
    found, _ = configured(
        *("--otlp", "--set", "otlp.interval=7s"),
        OTEL_METRIC_EXPORT_INTERVAL="5000",
        HTTPTOP_OTLP__TIMEOUT="3s",
        OTEL_EXPORTER_OTLP_TIMEOUT="2500",
    )
    assert (found.interval_s, found.timeout_s) == (7.0, 3.0)


def test_variables_alone_switch_nothing_on_and_are_not_even_read() -> None:
    found, _ = configured(
        OTEL_EXPORTER_OTLP_ENDPOINT="http://a:1",
        OTEL_METRIC_EXPORT_INTERVAL="nonsense",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
    )
    assert found == Otlp()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_METRIC_EXPORT_INTERVAL", "60s"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "both"),
        ("OTEL_METRICS_EXPORTER", "prometheus"),
    ],
)
def test_a_variable_that_is_wrong_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{name}: "):
        configured("--otlp", **{name: value})


def test_the_flag_takes_an_address_or_none() -> None:
    assert configured("--otlp")[0].endpoint == "auto"
    assert configured("--otlp", "-b")[0].endpoint == "auto"
    assert configured("--otlp", "http://a:1/")[0].endpoint == "http://a:1"
    with pytest.raises(ConfigError, match="shown"):
        configured("--otlp", "http://user:s3cr3t@a")


@pytest.mark.parametrize("other", [("--replay", "a.capture"), ("--from", "prometheus:http://a")])
def test_what_is_counted_elsewhere_is_not_pushed(other: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="exclude each other"):
        parse([*other, "--otlp"])


def test_the_file_of_somebody_who_calls_sudo_sends_nothing_away() -> None:
    guarded = {"otlp.endpoint", "otlp.headers_file", "otlp.certificate"}
    assert guarded <= GUARDED


def test_system_calls_allow_connections_where_something_is_pushed() -> None:
    def names(settings: Settings) -> set[str]:
        groups = system_calls_of(settings)
        return {n if isinstance(n, str) else n[0] for names in groups.values() for n in names}

    pushing = replace(DEFAULTS, otlp=Otlp(endpoint="auto"))
    assert not names(DEFAULTS)
    assert {"socket", "connect"} <= names(pushing)
    assert not {"listen", "accept4"} & names(pushing)


def test_a_run_without_it_imports_none_of_it() -> None:
    program = """
import sys
from httptop.run.ahead import import_ahead
import_ahead(screen=False)
print(*(name for name in ("opentelemetry", "google.protobuf") if name in sys.modules))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.split() == []


# ---- https ---------------------------------------------------------------------------------------

CERTIFICATES = Path(__file__).parent / "certificates"


@pytest.mark.setting("otlp.certificate")
def test_a_receiver_with_tls_is_one_that_is_vouched_for() -> None:
    """In a process of its own, where ssl was left out before as it is in a run."""
    with Receiving(certificate=CERTIFICATES / "receiver.pem") as receiving:
        for certificate, expected in (
            (CERTIFICATES / "receiver.pem", "sent 1"),
            ("", "certificate verify failed"),
        ):
            program = PUSHING.format(url=receiving.url, certificate=str(certificate))
            ran = subprocess.run(
                [sys.executable, "-c", program],
                capture_output=True,
                text=True,
                timeout=PATIENCE_S,
                check=True,
            )
            assert expected in ran.stdout.lower(), ran.stdout
    assert len(receiving.got) == 1


PUSHING = """
import time
from httptop.optional_modules import leave_out
leave_out()
import http.client
from dataclasses import replace
from httptop.collect.redacted import SnapshotRedaction
from httptop.config.settings import DEFAULTS, Otlp
from httptop.linux.files import invoking_user
from httptop.run.otlp import otlp_sinks
from tests.factory import snapshot_at
from tests.output.otlp.fakes import Traffic
otlp = Otlp(endpoint={url!r}, certificate={certificate!r}, spans=False)
traffic = Traffic()
(sink,) = otlp_sinks(replace(DEFAULTS, otlp=otlp), invoking_user({{}}), lambda _: traffic.metrics(),
                     None, SnapshotRedaction("off"), {{}})
sink.begin()
sink.end(snapshot_at(1))
sink.finish(time.monotonic() + 60)
print("sent", sink.sinks[0].sent, sink.trouble)
"""


def test_certificates_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    otlp = Otlp(endpoint="https://a", certificate=str(file))
    with pytest.raises(UsageError, match=r"otlp\.certificate"):
        otlp_sinks(
            replace(DEFAULTS, otlp=otlp),
            invoking_user({}),
            lambda _: None,
            None,
            SnapshotRedaction("off"),
            {},
        )
