"""Keep modules out of a process that the standard library imports only if they are there.

httptop reads no archive, and talks TLS only where metrics are pushed by https. But ``asyncio``
imports ``ssl``, ``hashlib`` OpenSSL's digests, and ``shutil`` the compressors of archives, each
with a way to go on without. What they bring, libcrypto above all, is 6 MiB of memory and a
twentieth of the start.

``None`` in ``sys.modules`` makes an import raise :class:`ModuleNotFoundError`, as if the module had
not been built. Digests are then those of CPython itself, with the same results.
"""

from __future__ import annotations

import sys
from importlib.machinery import BuiltinImporter, PathFinder

#: Who imports it, and goes on without: asyncio; shutil, twice; uuid, which then has no libuuid.
_UNUSED = ("ssl", "bz2", "lzma", "_uuid")
#: OpenSSL's digests; hashlib prefers them.
_DIGESTS = "_hashlib"
#: CPython's digests. Some distributions build it without, and leave them to OpenSSL.
_OWN_DIGESTS = ("_md5", "_sha1", "_sha3", "_blake2") + (
    ("_sha2",) if sys.version_info >= (3, 12) else ("_sha256", "_sha512")
)


def leave_out() -> None:
    """Have no later import find the modules; those that are imported already stay."""
    unused = [*_UNUSED, *([_DIGESTS] if all(map(_exists, _OWN_DIGESTS)) else [])]
    for name in unused:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type] # its type knows no None


def bring_back_tls() -> None:
    """Have later imports find ``ssl`` again, and ``http.client`` that can do with it."""
    if sys.modules.get("ssl", ...) is None:
        del sys.modules["ssl"]
        sys.modules.pop("http.client", None)  # which does without for good


def _exists(name: str) -> bool:
    return any(finder.find_spec(name) for finder in (BuiltinImporter, PathFinder))
