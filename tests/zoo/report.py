"""Write docs/zoo.md from the last run: ``python -m tests.zoo.report``."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.zoo.results import RESULTS
from tests.zoo.running import ROOT

_PAGE: Final = ROOT / "docs" / "zoo.md"
_INTRODUCTION: Final = """# Real servers, real clients

`make test-zoo` installs these programs from Debian, PyPI and npm where they are available, sends
requests through them, and compares down to the single request: httptop's server-side rows with the
server's own access log (by method, path and status), its client-side rows with what the client
reports. `.venv/bin/python -m tests.zoo.report` writes this page from the last run.
"""
_SERVERS: Final = """
## Servers

curl and Python's http.client each send GET, HEAD, POST, DELETE, a chunked PUT, an upload of 1.5 MB
(curl waits for `100 Continue`), a download of 5 MB full of request lines, requests that get 404,
301, 204 and 304, and `Connection: close`; they also reuse connections, and curl sends HTTP/1.0. ab
sends 2,003 requests over eight persistent connections. `none` is a request without a response.
"""
_CLIENTS: Final = """
## Clients

Each client against nginx and aiohttp, with up to eight connections at a time. `left over` are
requests in flight when a load generator stopped: it does not count them, and httptop counts them as
unanswered. So in these rows an unanswered request that is missing from the server's log is no
difference.
"""
_DEFINITIONS: Final = """
## What to know about it

- All traffic is cleartext HTTP/1.0 and 1.1. Caddy, Go and Node could speak HTTP/2 and TLS; here
  they do not, since httptop cannot see those.
- httptop runs with a filter for the paths of the run, so that other traffic on the host does not
  fill its tables.
- `io_uring` says whether a process of the server had a ring open during the run. Traffic through a
  ring would not be seen.
- HAProxy is in front of an nginx. Both logs are compared, and HAProxy's own requests as a client.
- Java, Go and Node have no access log: the application writes a line for each response.
- http.server keeps the connection of an HTTP/1.0 client open but does not say so in its response.
  The application says it, because ab would wait for an end that never comes.
"""


def page(run: dict[str, Any]) -> str:
    """Return the page for one run."""
    cells = run["cells"]
    equal = sum(cell["server_side"] == cell["client_side"] == "equal" for cell in cells)
    head = f"\nLast run: {run['date']}, Linux {run['kernel']}: {equal} of {len(cells)} equal.\n"
    parts = {
        part: [cell for cell in cells if cell["part"] == part] for part in ("servers", "clients")
    }
    return "".join(
        (
            _INTRODUCTION,
            head,
            _SERVERS,
            _table(parts["servers"], ("server", "client"), ("server_version",)),
            _CLIENTS,
            _table(parts["clients"], ("client", "server"), ("client_version", "left_over")),
            _DEFINITIONS,
        )
    )


def _table(cells: list[dict[str, Any]], first: tuple[str, ...], then: tuple[str, ...]) -> str:
    last = ("requests", "responses", "server_side", "client_side", "io_uring")
    columns = (*first, *then, *last)
    titles = [column.replace("_", " ").replace("io uring", "io_uring") for column in columns]
    lines = ["", f"| {' | '.join(titles)} |", "|---" * len(columns) + "|"]
    for cell in cells:
        values = (_text(cell[column]) for column in columns)
        lines.append(f"| {' | '.join(values)} |")
    return "\n".join((*lines, ""))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{status}: {count:,}" for status, count in value.items())
    if isinstance(value, int):
        return f"{value:,}"
    # Some versions carry a checksum, a build date or an address.
    return str(value).split(" (")[0].split(" h1:")[0].split(" Copyright")[0].replace("|", "\\|")


if __name__ == "__main__":
    _PAGE.write_text(page(json.loads(RESULTS.read_text())))
    print(f"wrote {_PAGE.relative_to(ROOT)}")
