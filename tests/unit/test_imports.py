"""Who may import whom: data flows one way, and heavy libraries stay where they are needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import httptop
from tests.unit.test_recording import written

ROOT = Path(httptop.__file__).parent

#: From the bottom up. A module imports only from lower lines, or from its own package; a name
#: that ends in a dot stands for all of a package that is not named itself.
LAYERS = (
    ("httptop", "httptop.model", "httptop.errors"),
    (
        "httptop.histogram",
        "httptop.humanize",
        "httptop.literals",
        "httptop.readings",
        "httptop.console",
        "httptop.terminal",
        "httptop.wakeup",
        "httptop.windows",
    ),
    ("httptop.actions", "httptop.paths", "httptop.merging", "httptop.sparkline"),
    ("httptop.redaction",),
    ("httptop.http1", "httptop.http2"),
    ("httptop.filters.", "httptop.view"),
    ("httptop.capabilities", "httptop.rights", "httptop.toml_text"),
    ("httptop.kinds", "httptop.files", "httptop.exporters."),
    ("httptop.settings.",),
    ("httptop.feed", "httptop.scope", "httptop.config_file", "httptop.contradictions"),
    ("httptop.config",),
    ("httptop.reload", "httptop.saving", "httptop.log"),
    ("httptop.capture_values", "httptop.narrowing", "httptop.batch"),
    ("httptop.capture_lines",),
    ("httptop.recording",),
    ("httptop.governor", "httptop.overhead", "httptop.rows", "httptop.spans"),
    ("httptop.sockets",),
    ("httptop.holders",),
    ("httptop.coverage",),
    ("httptop.ledger", "httptop.recent"),
    ("httptop.bpf.",),
    ("httptop.monitor", "httptop.containers"),
    ("httptop.privileges", "httptop.scheduling"),
    ("httptop.collector",),
    ("httptop.sources.",),
    ("httptop.conformance.",),
    ("httptop.selftest",),
    ("httptop.arguments",),
    ("httptop.feeds",),
    ("httptop.changes", "httptop.messages", "httptop.themes"),
    ("httptop.widgets.",),
    ("httptop.screens.",),
    ("httptop.app",),
    ("httptop.running",),
    ("httptop.cli",),
    ("httptop.__main__",),
)
#: Where Textual may be imported.
SCREEN = (
    "httptop.app",
    "httptop.messages",
    "httptop.themes",
    "httptop.screens.",
    "httptop.widgets.",
)


def modules() -> dict[str, Path]:
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imported(name: str) -> set[str]:
    """Return every module that a module imports, whether at its top or inside a function."""
    names: set[str] = set()
    tree = ast.parse(MODULES[name].read_text())
    for_types_only = [
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    ]
    for node in ast.walk(tree):
        if node in for_types_only:
            continue
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name} imports relatively"
            assert node.module is not None
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                names.add(full if full in MODULES else node.module)
    return names


def layer(name: str) -> int:
    package = name if f"{name}." in (entry for row in LAYERS for entry in row) else None
    for number, names in enumerate(LAYERS):
        if name in names or (package and f"{package}." in names):
            return number
    for number, names in enumerate(LAYERS):
        if any(entry.endswith(".") and name.startswith(entry) for entry in names):
            return number
    raise AssertionError(f"{name} has no place yet: give it one in LAYERS")


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_only_what_stands_before_it(name: str) -> None:
    for other in imported(name) & MODULES.keys():
        same_package = "." in name.removeprefix("httptop.") and (
            name.rpartition(".")[0] == other.rpartition(".")[0] or name.rpartition(".")[0] == other
        )
        package_itself = name == other.rpartition(".")[0] and name != "httptop"
        if not (same_package or package_itself):
            assert layer(other) <= layer(name), f"{name} imports {other}, which stands above it"


def test_the_model_imports_nothing_of_ours() -> None:
    assert not imported("httptop.model") & MODULES.keys()


def test_one_module_imports_bcc() -> None:
    users = [name for name in MODULES if any(n.split(".")[0] == "bcc" for n in imported(name))]
    assert all(name.startswith("httptop.bpf.") for name in users)
    assert len(users) <= 1


def test_textual_is_for_the_screen_only() -> None:
    for name in MODULES:
        if any(n.split(".")[0] in ("textual", "rich") for n in imported(name)):
            allowed = name in SCREEN or any(
                entry.endswith(".") and name.startswith(entry) for entry in SCREEN
            )
            assert allowed, f"{name} imports Textual or Rich"


def test_batch_loads_neither_textual_nor_bcc(tmp_path: Path) -> None:
    capture = written(tmp_path / "some.capture")
    program = f"""
import sys
from httptop.cli import main
status = main(["--batch", "--replay", {str(capture)!r}, "-n", "1"])
heavy = {{name.split(".")[0] for name in sys.modules}} & {{"textual", "rich", "bcc", "psutil"}}
sys.exit(f"loaded: {{heavy}}" if heavy else status)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_exporters_know_snapshots_and_not_where_they_come_from() -> None:
    for name in MODULES:
        if name.startswith("httptop.exporters"):
            ours = {n for n in imported(name) if n.startswith("httptop")}
            assert ours <= {"httptop.model", "httptop.humanize"}, name


def test_no_module_imports_itself_round_a_corner() -> None:
    def at_import(name: str) -> set[str]:
        body = ast.parse(MODULES[name].read_text()).body
        tops = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
        found: set[str] = set()
        for node in tops:
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif node.module is not None:
                found.add(node.module)
                found.update(f"{node.module}.{alias.name}" for alias in node.names)
        return found & MODULES.keys() - {name}

    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path, name))
        if name not in done:
            for other in sorted(at_import(name)):
                visit(other, (*path, name))
            done.add(name)

    for name in MODULES:
        visit(name, ())


@pytest.mark.parametrize("name", ["httptop.cli", "httptop.bpf.doctor", "httptop.sources.demo"])
def test_importing_a_module_brings_in_neither_textual_nor_bcc(name: str) -> None:
    code = f"import sys, {name}; print(*sorted({{'textual', 'bcc', 'rich'}} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
