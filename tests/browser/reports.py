"""Reports with hostile names, made by httptop of a capture as its users make them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from httptop import printable
from httptop.model import Health, Snapshot
from tests.capture.test_recording import written
from tests.factory import key, request, row, samples, shop, snapshot
from tests.hostile import hostile

#: Sets a variable of the page where it runs, which nothing else does.
RUN: Final = "window.ran=1"
#: Names that are markup, and what each would do: run, ask for something, change what is shown.
MARKUP: Final = (
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"</title></style></table></svg><script>{RUN}</script>",
    f'"><img src=x onerror="{RUN}">',
    f"' onmouseover='{RUN}' x='",
    f'" autofocus onfocus="{RUN}" tabindex="0',
    f"<svg/onload={RUN}>",
    f"<details open ontoggle={RUN}>",
    f"<iframe srcdoc='<script>parent.{RUN[7:]}</script>'></iframe>",
    "<img src=http://127.0.0.1:9/image>",
    "<link rel=stylesheet href=http://127.0.0.1:9/style>",
    "<style>body{display:none}@import 'http://127.0.0.1:9/import'</style>",
    "<base href=http://127.0.0.1:9/>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/away'>",
    "<form action=http://127.0.0.1:9/form><button>go</button></form>",
    "<object data=http://127.0.0.1:9/object></object>",
    f"<math><mtext></table><mglyph><style><!--</style><img src=x onerror={RUN}>",
    f"<![CDATA[<script>{RUN}</script>]]><!--<plaintext>",
    f"javascript:{RUN}//",
    f"&lt;script&gt;{RUN}&lt;/script&gt;&#60;script&#62;&NewLine;&sol;",
    f"${{{RUN}}}{{{{constructor.constructor('{RUN}')()}}}}`${{{RUN}}}`",
    "\u2028\u2029\ufeff\u0000<\u0000script>",
)


def hostile_run() -> Snapshot:
    """Return a snapshot with hostile names in every place that has one, beside ordinary ones."""
    rows, requests = [*shop(), *hostile().endpoints], [*hostile().recent]
    ordinary = samples(shop())
    for number, text in enumerate(MARKUP):
        name = printable.clean(text.encode(), 8192)
        of = replace(key(f"/{name}"), process=name, user=name, method="GET")
        rows.append(row(of, {200: 3 + number, 500: 1}))
        head = (f"HTTP/1.1 500 {name}", f"Location: {name}", f"{name}: x")
        requests.append(
            request(
                10_000 + number,
                of,
                path=f"/{name}?{name}={name}",
                peer=name,
                status=500,
                request_head=(f"Host: {name}", f"Referer: {name}"),
                response_head=head,
            )
        )
    notes = tuple(printable.clean(text.encode(), 8192) for text in MARKUP)
    shown = snapshot(rows, [*requests, *ordinary], health=Health(lost_samples=7), notes=notes)
    return replace(shown, host=printable.clean(MARKUP[1].encode(), 8192))


def made(folder: Path, *snapshots: Snapshot) -> dict[str, Path]:
    """Return the reports that the command makes of a capture with these snapshots, by format."""
    capture = written(folder / "run.capture", snapshots)
    kinds = ("html", "har", "csv")
    found = {kind: folder / f"report.{kind}" for kind in kinds}
    exports = [f"--export={kind}={path}" for kind, path in found.items()]
    ran = subprocess.run(
        [sys.executable, "-m", "httptop", "--replay", str(capture), *exports],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return found
