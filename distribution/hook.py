"""The hook of the build: what the wheel brings for pip to put in share/, beside the package.

Manual page and completions are made of the command line; the unit and its like are in contrib/.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: Files of contrib/, by where they go below share/.
SHIPPED = {
    "httptop/httptop.service": "contrib/systemd/httptop.service",
    "httptop/httptop.logrotate": "contrib/logrotate/httptop",
}


class Shared(BuildHookInterface):  # type: ignore[type-arg]
    """Makes the files before a wheel is built, and removes them afterwards."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the files; nothing for an editable install, which would not follow the sources."""
        if version == "editable":
            return
        sys.path.insert(0, self.root)
        try:
            from distribution.completions import PLACES, completion
            from distribution.manual import manual
        finally:
            sys.path.remove(self.root)
        # Builds of the same sources are the same.
        built_s = float(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
        date = time.strftime("%Y-%m-%d", time.gmtime(built_s))
        texts = {place: completion(shell) for shell, place in PLACES.items()}
        texts["man/man1/httptop.1"] = manual(date)
        self._made = tempfile.TemporaryDirectory()
        for place, text in texts.items():
            file = Path(self._made.name, place)
            file.parent.mkdir(parents=True)
            file.write_text(text)
            build_data["shared_data"][str(file)] = f"share/{place}"
        for place, source in SHIPPED.items():
            build_data["shared_data"][str(Path(self.root, source))] = f"share/{place}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove them."""
        if version != "editable":
            self._made.cleanup()
