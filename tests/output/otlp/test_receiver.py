"""Where metrics and spans go: addresses, OpenTelemetry's variables, fields that are secrets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from httptop.config.otlp_endpoint import parsed
from httptop.config.settings import Otlp
from httptop.errors import UsageError
from httptop.linux.files import InvokingUser, invoking_user
from httptop.output.otlp.attributes import HTTPTOP, Resources
from httptop.output.otlp.receiver import described, receiver_of

SECRET = "s3cr3t"


@pytest.fixture
def invoker() -> InvokingUser:
    return invoking_user({})


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://localhost", ("http", "localhost", 80, "/")),
        ("http://localhost:4318", ("http", "localhost", 4318, "/")),
        ("https://otel.example/a/b", ("https", "otel.example", 443, "/a/b")),
        ("http://[::1]:4318/x", ("http", "::1", 4318, "/x")),
        ("HTTP://LOCALHOST:1/", ("http", "localhost", 1, "/")),
    ],
)
def test_addresses(url: str, found: tuple[str, str, int, str]) -> None:
    assert parsed(url) == found


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:4318",
        "grpc://localhost:4317",
        "http://",
        "http:///path",
        "http://host:99999",
        "http://host:x",
        "http://[::1",
        "http://a b/",
        "http://host/a b",
        "http://hö.example",
        "http://host/?token=s3cr3t",
        "http://host/#x",
        "http://user:s3cr3t@host",
        "http://s3cr3t@host",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        parsed(url)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("endpoint", "environ", "metrics", "traces"),
    [
        ("http://a:1", {}, "http://a:1/v1/metrics", "http://a:1/v1/traces"),
        ("http://a:1/b", {}, "http://a:1/b/v1/metrics", "http://a:1/b/v1/traces"),
        (
            "http://a:1",
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://b:2",
                "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c:3/m",
            },
            "http://a:1/v1/metrics",
            "http://a:1/v1/traces",
        ),
        ("auto", {}, "http://localhost:4318/v1/metrics", "http://localhost:4318/v1/traces"),
        (
            "auto",
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://b:2/x/"},
            "http://b:2/x/v1/metrics",
            "http://b:2/x/v1/traces",
        ),
        (
            "auto",
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://b:2",
                "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c:3/m",
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "",
            },
            "http://c:3/m",
            "http://b:2/v1/traces",
        ),
    ],
)
def test_the_flag_goes_before_the_variables(
    invoker: InvokingUser, endpoint: str, environ: dict[str, str], metrics: str, traces: str
) -> None:
    settings = Otlp(endpoint=endpoint)
    assert str(receiver_of("metrics", settings, environ, invoker)) == metrics
    assert str(receiver_of("traces", settings, environ, invoker)) == traces


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "b:2"}, "OTEL_EXPORTER_OTLP_ENDPOINT: "),
        (
            {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://u:s3cr3t@c"},
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: ",
        ),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc'"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "s3cr3t"}, "OTEL_EXPORTER_OTLP_HEADERS: "),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "a=s3cr3t%0d%0ab: c"}, "OTEL_EXPORTER_OTLP_HEADERS: a "),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "host=s3cr3t"}, "OTEL_EXPORTER_OTLP_HEADERS: host "),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "a b=s3cr3t"}, "OTEL_EXPORTER_OTLP_HEADERS: "),
    ],
)
def test_a_variable_that_is_wrong_is_named(
    invoker: InvokingUser, environ: dict[str, str], named: str
) -> None:
    with pytest.raises(UsageError) as raised:
        receiver_of("metrics", Otlp(endpoint="auto"), environ, invoker)
    assert str(raised.value).startswith(named)
    assert SECRET not in str(raised.value)


def test_fields_of_variables_and_of_a_file(invoker: InvokingUser, tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text("# for the collector\nAuthorization: Bearer s3cr3t\n\nX-Both: file\n")
    environ = {
        "OTEL_EXPORTER_OTLP_HEADERS": "x-a=1, x-both = variable,x-c=%20a%2Cb ,",
        "OTEL_EXPORTER_OTLP_METRICS_HEADERS": "x-a=metrics",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "x-a=traces",
    }
    settings = Otlp(endpoint="http://a", headers_file=str(file))
    receiver = receiver_of("metrics", settings, environ, invoker)
    assert dict(receiver.fields) == {
        "x-a": "metrics",
        "x-c": " a,b",
        "Authorization": "Bearer s3cr3t",
        "X-Both": "file",
    }
    assert SECRET not in repr(receiver)


@pytest.mark.parametrize("text", ["s3cr3t", "a b: s3cr3t", "Content-Length: s3cr3t"])
def test_a_file_of_fields_that_is_wrong(invoker: InvokingUser, tmp_path: Path, text: str) -> None:
    file = tmp_path / "headers"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"^otlp\.headers_file: ") as raised:
        receiver_of("metrics", Otlp(endpoint="auto", headers_file=str(file)), {}, invoker)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("setting", ["headers_file", "certificate"])
def test_a_file_that_is_not_there(invoker: InvokingUser, tmp_path: Path, setting: str) -> None:
    settings = Otlp(endpoint="auto", **{setting: str(tmp_path / "none")})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=rf"^otlp\.{setting}: .*: no such file"):
        receiver_of("metrics", settings, {}, invoker)


def test_what_the_variables_say_of_resources() -> None:
    found = described(
        {
            "OTEL_SERVICE_NAME": " shop ",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=a%20b,team=x",
            "NODE_NAME": "node-7",
        }
    )
    assert found.service == "shop"
    assert found.attributes == {"deployment.environment.name": "a b", "team": "x"}
    assert found.node == "node-7"
    nothing = described({})
    assert (nothing.service, nothing.attributes) == ("", {})


def test_variables_may_be_any_bytes() -> None:
    odd = os.fsdecode(b"a\xff\xc3\xa9\x1b[2J")
    found = described({"OTEL_SERVICE_NAME": odd, "OTEL_RESOURCE_ATTRIBUTES": f"k{odd}={odd}%ff"})
    for text in (found.service, *found.attributes, *found.attributes.values()):
        assert text.isprintable()
        assert "é" in text
    Resources("web-1", service=found.service, more=found.attributes).of(HTTPTOP)


def test_too_many_attributes_are_refused() -> None:
    with pytest.raises(UsageError, match="at most 64"):
        described({"OTEL_RESOURCE_ATTRIBUTES": ",".join(f"a{n}=1" for n in range(65))})
