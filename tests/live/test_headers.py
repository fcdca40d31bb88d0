"""Every header of the kernel side can be opened, and compiled, alone: it includes what it uses.

The compiler is BCC's clang, which is where BCC is, given what an editor's clangd is given: the
flags of compile_flags.txt. Declarations of BCC's own are left out: stubs/editor.h has them.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import pytest

from httptop.bpf.build import compiler

pytestmark = pytest.mark.ebpf

FLAGS: Final = (compiler.HERE / "compile_flags.txt").read_text().split()
HEADERS: Final = sorted(path.name for path in compiler.HERE.glob("*.[ch]"))
#: What tells a header that clang need not declare BPF to it, and what BCC appends to a text.
WITHOUT_BCC: Final = ("-D__BPF_HELPERS_H", "-DBCC_SEC(name)=", '-D_LICENSE=""')
STRICT: Final = ("-Werror=implicit-function-declaration", "-Wno-pragma-once-outside-header")


def _absolute(flag: str) -> str:
    """Return a flag whose path does not depend on where the compiler runs."""
    option, dots, rest = flag.partition("../")
    return f"{option}{compiler.HERE.parent / rest}" if dots else flag


def _compile(file: Path, *defines: str) -> None:
    flags = [*map(_absolute, FLAGS), *defines, *WITHOUT_BCC, *STRICT]
    compiler.import_bcc().BPF(text=f'#include "{file}"\n'.encode(), cflags=flags)


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_compiles_alone(name: str) -> None:
    _compile(compiler.HERE / name)


def test_headers_compile_with_the_front_of_older_kernels() -> None:
    _compile(compiler.HERE / "cursor.h", "-DFRONT_SYSCALLS")
    _compile(compiler.HERE / "hooks.h", "-DFRONT_SYSCALLS")


def test_a_missing_include_is_found(tmp_path: Path) -> None:
    headers = shutil.copytree(compiler.HERE, tmp_path / "c")
    header = headers / "cursor.h"
    text = header.read_text()
    assert '#include "scratch.h"\n' in text
    header.write_text(text.replace('#include "scratch.h"\n', ""))
    _compile(headers / "maps.h")
    with pytest.raises(Exception, match="Failed to compile"):
        _compile(header)
