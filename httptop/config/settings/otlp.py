"""The settings of ``[otlp]``: metrics and spans for a receiver of OpenTelemetry's protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from httptop.config.otlp_endpoint import AUTO
from httptop.config.settings.setting import Setting
from httptop.config.settings.string_types import FILE, OTLP_ENDPOINT
from httptop.config.value_types import Choice, Duration, Switch
from httptop.literals import parse_integer

_MS: Final = 1_000_000
_S: Final = 1_000_000_000

OTLP_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "otlp",
        "endpoint",
        OTLP_ENDPOINT,
        "Push metrics and spans by OTLP over HTTP, to v1/metrics and v1/traces below this address; "
        "auto: to that of OTEL_EXPORTER_OTLP_ENDPOINT, else http://localhost:4318 (docs/"
        "opentelemetry.md). Empty: nowhere.",
        flags=("--otlp",),
        metavar="URL",
        bare=AUTO,
        group="output",
    ),
    Setting("otlp", "metrics", Switch(), "Whether metrics are pushed."),
    Setting(
        "otlp",
        "spans",
        Switch(),
        "Whether sampled requests are pushed as spans, masked as captures are.",
    ),
    Setting(
        "otlp",
        "interval",
        Duration(_S, 24 * 3600 * _S, seconds=True),
        "Time from one push of metrics to the next; the last figures are pushed at the end.",
        "interval_s",
    ),
    Setting(
        "otlp",
        "histogram",
        Choice(("exponential", "explicit")),
        "Histograms of latencies: exponential, 2.2 % wide, or with the bounds of metrics.bounds.",
    ),
    Setting(
        "otlp",
        "temporality",
        Choice(("cumulative", "delta")),
        "Whether counters and histograms are sent as sums since start, or as what came since the "
        "last push that was accepted.",
    ),
    Setting(
        "otlp",
        "timeout",
        Duration(100 * _MS, 600 * _S, seconds=True),
        "How long the receiver may take to answer.",
        "timeout_s",
    ),
    Setting(
        "otlp",
        "compression",
        Choice(("gzip", "none")),
        "How requests to the receiver are compressed.",
    ),
    Setting(
        "otlp",
        "headers_file",
        FILE,
        "File with fields for the receiver such as Authorization: a line each, name: value. Its "
        "contents are shown nowhere.",
    ),
    Setting(
        "otlp",
        "certificate",
        FILE,
        "File with the certificates, as PEM, of who vouches for an https receiver; empty: those of "
        "this host.",
    ),
)


def _milliseconds(text: str) -> float:
    return parse_integer(text, 100, 24 * 3600 * 1000) / 1000


def _word(**words: object) -> Callable[[str], object]:
    """Return what converts a word of OpenTelemetry's into a value of ours."""

    def convert(text: str) -> object:
        try:
            return words[text.strip().lower()]
        except KeyError:
            raise ValueError(f"one of {', '.join(words)} is needed") from None

    return convert


#: OpenTelemetry's variables that say what a setting does, by its key, each with what converts it.
#: They matter where otlp.endpoint is set and the setting is not.
STANDARD_VARIABLES: Final[dict[str, tuple[str, Callable[[str], object]]]] = {
    "otlp.metrics": ("OTEL_METRICS_EXPORTER", _word(otlp=True, none=False)),
    "otlp.spans": ("OTEL_TRACES_EXPORTER", _word(otlp=True, none=False)),
    "otlp.interval": ("OTEL_METRIC_EXPORT_INTERVAL", _milliseconds),
    "otlp.timeout": ("OTEL_EXPORTER_OTLP_TIMEOUT", _milliseconds),
    "otlp.compression": ("OTEL_EXPORTER_OTLP_COMPRESSION", _word(gzip="gzip", none="none")),
    "otlp.certificate": ("OTEL_EXPORTER_OTLP_CERTIFICATE", FILE.parse_text),
    "otlp.temporality": (
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        _word(cumulative="cumulative", delta="delta", lowmemory="delta"),
    ),
    "otlp.histogram": (
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        _word(
            explicit_bucket_histogram="explicit",
            base2_exponential_bucket_histogram="exponential",
        ),
    ),
}
