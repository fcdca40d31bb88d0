"""Import rules: data flows one way, and heavy libraries are imported only where needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import httptop
from tests.capture.test_recording import written
from tests.patience import PATIENCE_S

ROOT = Path(httptop.__file__).parent

#: The rooms from the bottom up, a line each: a package, or a module that stands alone. A room
#: imports only from those above its line; within a room any order will do that is no circle.
ROOMS = (
    "errors",
    "optional_modules",
    "literals",
    "printable",
    "model",
    "humanize",
    "console",
    "linux",
    "http",
    "filters",
    "view",
    "config",
    "collect",
    "coverage",
    "output",
    "capture",
    "report",
    "fleet",
    "bpf",
    "demo",
    "privilege",
    "doctor",
    "collector",
    "conformance",
    "widgets",
    "screens",
    "app",
    "run",
    "cli",
    "__main__",
)
#: Where Textual and Rich may be imported.
SCREEN = ("widgets", "screens", "app")


def _modules() -> dict[str, Path]:
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = _modules()


def imports(body: list[ast.stmt] | ast.Module) -> Iterator[str]:
    """Yield what import statements name: modules, ours by the module that holds the name.

    Names of ours that are no module and no package are yielded as they stand.
    """
    nodes = ast.walk(body) if isinstance(body, ast.Module) else body
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"a relative import at line {node.lineno}"
            assert node.module is not None
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else node.module


def imported(name: str) -> set[str]:
    """Return all that a module imports, at its top or inside a function, types alone included."""
    return set(imports(ast.parse(MODULES[name].read_text())))


def room_of(name: str) -> str:
    return "httptop" if name == "httptop" else name.split(".")[1]


def test_every_room_has_a_line_and_every_line_a_room() -> None:
    rooms = {room_of(name) for name in MODULES} - {"httptop"}
    assert sorted(ROOMS) == sorted(rooms)


def test_few_modules_stand_outside_a_package() -> None:
    assert len(list(ROOT.glob("*.py"))) <= 12


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_only_from_rooms_before_its_own(name: str) -> None:
    for other in imported(name):
        if other.split(".")[0] != "httptop":
            continue
        assert other in MODULES, f"{name} imports {other}, which does not exist"
        ours, theirs = room_of(name), room_of(other)
        if theirs not in (ours, "httptop"):
            assert ours != "httptop", "the package itself imports nothing of its rooms"
            assert ROOMS.index(theirs) < ROOMS.index(ours), f"{name} imports {other}: upward"


@pytest.mark.parametrize("name", ["httptop.model", "httptop.printable", "httptop.errors"])
def test_the_lowest_rooms_import_nothing_of_ours(name: str) -> None:
    assert not imported(name) & MODULES.keys()


def test_one_module_imports_bcc() -> None:
    users = [name for name in MODULES if any(n.split(".")[0] == "bcc" for n in imported(name))]
    assert users == ["httptop.bpf.build.compiler"]


def test_textual_is_for_the_screen_only() -> None:
    for name in MODULES:
        if any(n.split(".")[0] in ("textual", "rich") for n in imported(name)):
            assert room_of(name) in SCREEN, f"{name} imports Textual or Rich"


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
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("name", ["httptop.output.json", "httptop.output.text"])
def test_formats_know_snapshots_and_not_where_they_come_from(name: str) -> None:
    ours = {n for n in imported(name) if n.split(".")[0] == "httptop"} - {"httptop.view.rows"}
    assert {room_of(n) for n in ours} <= {"model", "humanize", "output"}, name


def test_no_module_imports_itself_round_a_corner() -> None:
    def at_import(name: str) -> set[str]:
        found = set(imports(ast.parse(MODULES[name].read_text()).body)) & MODULES.keys()
        packages = {other.rpartition(".")[0] for other in found}
        return (found | packages) & MODULES.keys() - {name, *_above(name)}

    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path, name))
        if name not in done:
            for other in sorted(at_import(name)):
                visit(other, (*path, name))
            done.add(name)

    for name in MODULES:
        visit(name, ())


def _above(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


@pytest.mark.parametrize(
    "name",
    [
        *("httptop.cli", "httptop.doctor.checks", "httptop.demo.supervisor"),
        *("httptop.run.feed", "httptop.run.live", "httptop.run.report", "httptop.run.batch"),
    ],
)
def test_importing_a_module_brings_in_nothing_heavy(name: str) -> None:
    heavy = {"textual", "bcc", "rich", "msgspec", "zstandard"}
    code = f"import sys, {name}; print(*sorted({heavy} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
