"""The import rules: data flows one way, and nobody pays for what they do not use."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import httptop

PACKAGE = Path(httptop.__file__).parent

#: The only modules that may know Textual; the rest runs without it.
SCREEN_MODULES = ("httptop.app", "httptop.messages", "httptop.themes")
SCREEN_PACKAGES = ("httptop.screens", "httptop.widgets")

#: Who ties the ends and so may import anything.
TOP = ("httptop.__main__", "httptop.cli")


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield every absolute name that a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def at_import(tree: ast.Module) -> Iterator[str]:
    """Yield what a module imports when it is imported: not inside functions or TYPE_CHECKING."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported(node)


TREES = {module_name(p): ast.parse(p.read_text("utf-8")) for p in sorted(PACKAGE.rglob("*.py"))}


def belongs_to_screen(module: str) -> bool:
    return module in SCREEN_MODULES or module.startswith(SCREEN_PACKAGES)


def users_of(package: str) -> set[str]:
    return {
        module
        for module, tree in TREES.items()
        if any(name == package or name.startswith(f"{package}.") for name in imported(tree))
    }


def test_the_model_imports_nothing_of_ours() -> None:
    assert not [name for name in imported(TREES["httptop.model"]) if name.startswith("httptop")]


def test_bcc_is_imported_by_one_module() -> None:
    assert users_of("bcc") <= {"httptop.bpf.loader"}


def test_textual_is_imported_by_screens_alone() -> None:
    assert [m for m in sorted(users_of("textual")) if not belongs_to_screen(m)] == []


def test_only_the_top_knows_the_screens() -> None:
    screens = {m for m in TREES if belongs_to_screen(m)}
    users = set().union(*(users_of(m) for m in screens)) - screens
    assert users <= set(TOP)


def test_exporters_know_snapshots_and_not_where_they_come_from() -> None:
    forbidden = ("httptop.bpf", "httptop.sources", "httptop.collector", "httptop.cli", "psutil")
    for module, tree in TREES.items():
        if module.startswith("httptop.exporters"):
            assert [n for n in imported(tree) if n.startswith(forbidden)] == [], module


def test_no_module_imports_itself_round_a_corner() -> None:
    edges = {m: {n for n in at_import(tree) if n in TREES} for m, tree in TREES.items()}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module not in done:
            for target in sorted(edges[module] - {module}):
                visit(target, (*path, module))
            done.add(module)

    for module in TREES:
        visit(module, ())


@pytest.mark.parametrize("module", ["httptop.cli", "httptop.bpf.doctor", "httptop.sources.demo"])
def test_importing_a_module_brings_in_neither_textual_nor_bcc(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({{'textual', 'bcc', 'rich'}} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
