"""Metrics and spans of real traffic, at a receiver that is away for some time."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.live.command import batch, field, said
from tests.live.nginx import Nginx
from tests.output.otlp.fakes import Sums, texts
from tests.output.otlp.receiving import Receiving
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.ebpf


def wrk(nginx: Nginx, path: str) -> int:
    """Load nginx for a second; return how many responses there were."""
    said = subprocess.run(
        ["wrk", "-t1", "-c8", "-d1s", nginx.url(path)], capture_output=True, text=True, check=True
    ).stdout
    found = re.search(r"(\d+) requests in", said)
    assert found is not None, said
    return int(found[1])


def spans_in(receiving: Receiving) -> Counter[tuple[str, str]]:
    """Return the spans by their service and their name."""
    return Counter(
        (dict(texts(resource.resource.attributes))["service.name"], span.name)
        for path, message in receiving.got
        if path == "/v1/traces"
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    )


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
def test_what_nginx_served_is_what_the_receiver_adds_up(tmp_path: Path, temporality: str) -> None:
    path = "/basket/items"
    with Nginx(tmp_path, 1) as nginx:
        before = nginx.requests()
        first = Receiving()
        flags = (
            *("--otlp", f"http://localhost:{first.port}"),  # a name, as root is given up by then
            *("--port", str(nginx.port), "--set", "otlp.interval=1s"),
            *("--set", f"otlp.temporality={temporality}"),
        )
        with first, batch(*flags) as run:
            assert field(run, "Uid") == {" ".join(["65534"] * 4)}
            assert field(run, "Seccomp") == {"2"}
            answered = wrk(nginx, path)
            first.wait_for(lambda: spans_in(first).total() > 0)
            pushes = len(first.got)
            first.wait_for(lambda: len(first.got) > pushes)
            first.end()  # it is gone while httptop goes on
            answered += wrk(nginx, path)
            assert run.stderr is not None
            assert any("is tried again" in line for line in said(run.stderr))
            with Receiving(first.port) as second:
                answered += wrk(nginx, path)
                nginx.wait_until_idle()
                run.send_signal(signal.SIGTERM)
                out, _ = run.communicate(timeout=PATIENCE_S)
        served = nginx.requests() - before
    last = json.loads(out.splitlines()[-1])
    sums = Sums()
    for receiving in (first, second):
        for name, message in receiving.got:
            if name == "/v1/metrics":
                sums.add(message)
    assert served == last["totals"]["server"]["requests"]
    assert sums.of("http.server.request.duration") == last["totals"]["server"]["status"]["2xx"]
    assert sums.of("http.client.request.duration") == answered
    spans = spans_in(first) + spans_in(second)
    assert set(spans) == {("nginx", f"GET {path}"), ("wrk", f"GET {path}")}
    (_, of_spans) = sorted(last["sinks"], key=lambda sink: str(sink["name"]))
    assert of_spans["sent"] + of_spans["dropped"] + of_spans["waiting"] >= spans.total() > 0


def test_requests_within_a_trace(tmp_path: Path) -> None:
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    with Nginx(tmp_path, 1) as nginx, Receiving() as receiving:
        flags = ("--otlp", receiving.url, "--port", str(nginx.port), "--sampling", "all")
        with batch(*flags) as run:
            for recorded in ("01", "00"):
                field_of_trace = f"traceparent: 00-{trace}-{parent}-{recorded}"
                url = nginx.url(f"/within/{'trace' if recorded == '01' else 'nobody'}")
                subprocess.run(["curl", "-sS", "-H", field_of_trace, url], check=True)
            subprocess.run(["curl", "-sS", nginx.url("/alone")], check=True)
            receiving.wait_for(lambda: ("nginx", "GET /alone") in spans_in(receiving))
            receiving.wait_for(lambda: ("curl", "GET /alone") in spans_in(receiving))
            run.send_signal(signal.SIGTERM)
            run.communicate(timeout=PATIENCE_S)
    spans = [
        (span.name, span.trace_id.hex(), span.parent_span_id.hex())
        for path, message in receiving.got
        if path == "/v1/traces"
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    within = [("GET /within/trace", trace, parent)] * 2  # the client's and the server's
    assert sorted(spans)[-2:] == within
    alone = [span for span in spans if span not in within]
    assert {name for name, _, _ in alone} == {"GET /alone"}
    assert len({trace for _, trace, _ in alone}) == 2
    assert {parent for _, _, parent in alone} == {""}
