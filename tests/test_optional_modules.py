"""Modules that are kept out of httptop's processes, and what still works without them."""

from __future__ import annotations

import hashlib
import hmac
import subprocess
import sys

import pytest

from httptop import optional_modules
from tests.patience import PATIENCE_S

#: Prints what it finds wrong.
PROGRAM = """
import sys
from httptop import optional_modules
{before}
optional_modules.leave_out()
import asyncio, hashlib, hmac, secrets, shutil, tempfile, uuid, random

async def echo():
    async def answer(reader, writer):
        writer.write(await reader.read(5))
        writer.close()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello")
    assert await reader.read(5) == b"hello"
    writer.close()
    server.close()
asyncio.run(echo())
for name, digest in {digests!r}.items():
    assert hashlib.new(name, b"httptop").hexdigest() == digest, name
    assert getattr(hashlib, name)(b"httptop").hexdigest() == digest, name
assert hmac.new(b"key", b"httptop", "sha256").hexdigest() == {hmac!r}
assert uuid.uuid4() != uuid.uuid4() and len(secrets.token_hex(6)) == 12
with open("/proc/self/maps") as file:
    maps = file.read()
print(*(name for name in ("libcrypto", "libssl", "liblzma", "libbz2") if name in maps))
"""


def mapped_after(before: str = "") -> list[str]:
    """Return the libraries that a process maps once all of that has been imported and used."""
    names = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "blake2b")
    digests = {name: hashlib.new(name, b"httptop").hexdigest() for name in names}
    keyed = hmac.new(b"key", b"httptop", "sha256").hexdigest()
    program = PROGRAM.format(before=before, digests=digests, hmac=keyed)
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout.split()


@pytest.mark.skipif(
    not all(map(optional_modules._exists, optional_modules._OWN_DIGESTS)),
    reason="this Python has no digests of its own",
)
def test_asyncio_and_digests_work_without_openssl() -> None:
    assert mapped_after() == []


def test_openssl_stays_where_python_has_no_digests_of_its_own() -> None:
    assert mapped_after("optional_modules._OWN_DIGESTS = ('_sha256', '_missing')") == ["libcrypto"]


def test_what_is_imported_already_stays() -> None:
    assert mapped_after("import ssl; kept = ssl") == ["libcrypto", "libssl"]
