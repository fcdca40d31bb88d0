"""Find the strings in a source file, as bytes, without running anything of it.

Strings that the language joins are joined: neighbours, ``+`` between them, ``*`` a number, and in
Python a ``join`` of literals. Where a value is unknown the whole expression is left out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

_MOST: Final = 65536  # bytes of one string

_TOKEN: Final = re.compile(
    r"""
    (?P<comment> //[^\n]* | /\*.*?\*/ )
  | (?P<raw> `[^`]*` | \br(?P<fence>\#+)".*?"(?P=fence) )
  | (?P<string> b?"(?:[^"\\]|\\.)*" )
  | (?P<byte> b?'(?:[^'\\\n]|\\[^\n]{1,8})' )
  | (?P<line_end> \b_?(?:CRLF|EOLN|eoln|EOL)\b )
  | (?P<joint> \s+ | \+ | SimpleHttpClient\. )
  | (?P<other> . )
    """,
    re.S | re.X,
)
_ESCAPE: Final = re.compile(
    rb"\\(?:x([0-9A-Fa-f]{2})|u\{?([0-9A-Fa-f]{1,6})\}?|([0-7]{1,3})|(\r?\n[ \t]*)|(.))", re.S
)
_NAMED: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v", b"f": b"\f", b"a": b"\a",
                 b"b": b"\b", b"e": b"\x1b", b"s": b" "}  # fmt: skip


def of_source(text: str) -> Iterator[bytes]:
    """Yield the strings of C, Go, Java, Ruby or Rust; raw ones of Go with CR LF at line ends."""
    found: list[bytes] = []
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "fence":
            kind = "raw"
        if kind == "string":
            found.append(_unescaped(token[0].removeprefix("b")[1:-1]))
        elif kind == "raw":
            found.append(_of_raw(token[0].removeprefix("r").strip("#")[1:-1]))
        elif kind == "line_end" and found:
            found.append(b"\r\n")
        elif kind in ("other", "byte", "line_end") and found:
            yield b"".join(found)[:_MOST]
            found.clear()
    if found:
        yield b"".join(found)[:_MOST]


def _unescaped(text: str) -> bytes:
    def value(match: re.Match[bytes]) -> bytes:
        two, code, octal, line, one = match.groups()
        if two:
            return bytes([int(two, 16)])
        if code:
            number = int(code, 16)
            return chr(number).encode(errors="replace") if number < 0x110000 else b"?"
        if octal:
            return bytes([int(octal, 8) & 0xFF])
        return b"" if line else _NAMED.get(one, one)

    return _ESCAPE.sub(value, text.encode(errors="surrogateescape"))


def _of_raw(text: str) -> bytes:
    lines = text.strip().splitlines()
    return "".join(f"{line}\r\n" for line in lines).encode(errors="surrogateescape") + b"\r\n"


def of_python(text: str) -> Iterator[bytes]:
    """Yield the strings of a Python file that need nothing but literals."""
    try:
        whole = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    pending: list[ast.AST] = [whole]
    while pending:
        node = pending.pop()
        value = _folded(node)
        if isinstance(value, bytes):
            yield value[:_MOST]
        else:
            pending.extend(ast.iter_child_nodes(node))


def _folded(node: ast.AST) -> bytes | int | None:
    """Return the value of an expression of literals; None: it is none."""
    match node:
        case ast.Constant(value=bytes(value)):
            return value
        case ast.Constant(value=str(text)):
            return text.encode("utf-8", "surrogatepass")
        case ast.Constant(value=int(number)):
            return number
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            first, second = _folded(left), _folded(right)
            if isinstance(first, bytes) and isinstance(second, bytes):
                return first + second
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            first, second = _folded(left), _folded(right)
            if isinstance(first, bytes) and isinstance(second, int):
                return first * second if len(first) * second <= _MOST else None
        case ast.Call(func=ast.Attribute(value=value, attr=name), args=arguments):
            return _called(value, name, arguments)
    return None


def _called(node: ast.AST, name: str, arguments: list[ast.expr]) -> bytes | None:
    value = _folded(node)
    if not isinstance(value, bytes):
        return None
    if name == "encode":
        return value
    if name == "join" and len(arguments) == 1 and isinstance(arguments[0], ast.List | ast.Tuple):
        parts = [_folded(part) for part in arguments[0].elts]
        known = [part for part in parts if isinstance(part, bytes)]
        return value.join(known) if len(known) == len(parts) else None
    if name == "replace" and len(arguments) == 2:
        old, new = (_folded(argument) for argument in arguments)
        if isinstance(old, bytes) and isinstance(new, bytes) and old:
            return value.replace(old, new)
    return None
