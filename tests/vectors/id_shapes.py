"""Kinds of paths that hold ids, as values of random or counting ids: each is one row, or few."""

from __future__ import annotations

import random
import string
import uuid
from collections.abc import Callable
from typing import Final

COUNT: Final = 150
_LOWER: Final = string.ascii_lowercase
_UPPER: Final = string.ascii_uppercase
_BASE62: Final = string.ascii_letters + string.digits
_BASE64: Final = _BASE62 + "-_"
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class _Values:
    """Makes ids."""

    def __init__(self, seed: str) -> None:
        self._dice = random.Random(seed)

    def text(self, alphabet: str, length: int) -> str:
        return "".join(self._dice.choices(alphabet, k=length))

    def hex(self, length: int) -> str:
        return self.text("0123456789abcdef", length)

    def word(self) -> str:
        return self.text(_LOWER, 7)

    def below(self, limit: int) -> int:
        return self._dice.randrange(limit)

    def uuid(self) -> str:
        return str(uuid.UUID(int=self._dice.getrandbits(128), version=4))

    def time(self, separator: str) -> str:
        parts = (self.below(24), self.below(60), self.below(60))
        return f"{self.below(28) + 1:02}T" + separator.join(f"{part:02}" for part in parts) + "Z"


_Maker = Callable[[_Values, int], str]

#: By template of most: how a path is made, and the most rows of COUNT of them.
SHAPES: Final[dict[str, tuple[_Maker, int]]] = {
    "/home;jsessionid={id}": (lambda v, _: f"/home;jsessionid={v.hex(32).upper()}", 1),
    "/cart;jsessionid={id}": (lambda v, _: f"/cart;jsessionid=node0{v.word()}.node1", 1),
    "/order-{id}": (lambda _, i: f"/order-{10047 + i}", 1),
    "/user_{id}": (lambda _, i: f"/user_{10141 + i}", 1),
    "/PROJ-{id}": (lambda _, i: f"/PROJ-{1101 + i}", 1),
    "/seg-{id}.ts": (lambda _, i: f"/seg-{i:05}.ts", 1),
    "/stream0_{id}.m4s": (lambda _, i: f"/stream0_{i:06}.m4s", 1),
    "/app-{id}.log.gz": (lambda _, i: f"/app-{i:04}.log.gz", 1),
    "/time/{id}": (lambda v, _: f"/time/2024-01-{v.time(':')}", 1),
    "/short/{id}": (lambda v, _: f"/short/202401{v.time('')}", 1),
    "/escaped/{id}": (lambda v, _: f"/escaped/2024-01-{v.time('%3A')}", 1),
    "/{id}:cancel": (lambda _, i: f"/{582065017 + i}:cancel", 1),
    "/operations/{id}:cancel": (lambda _, i: f"/operations/{i}:cancel", 1),
    "/ip/{id}": (lambda v, _: "/ip/" + ".".join(str(v.below(256)) for _ in range(4)), 1),
    "/at/{id}": (lambda v, i: f"/at/{v.below(90)}.{v.below(10**4)},-{v.below(180)}.{i}", 1),
    "/decimal/{id}": (lambda v, _: f"/decimal/{v.below(90) + 10}.{v.below(100)}", 1),
    "/range/{id}": (lambda _, i: f"/range/{i}..{i + 50}", 1),
    "/list/{id}": (lambda v, _: f"/list/{v.below(9)},{v.below(9)},{v.below(9)}", 1),
    "/phone/{id}": (lambda v, _: f"/phone/+4917{v.below(10**8)}", 1),
    "/dial/{id}": (lambda v, _: f"/dial/%2B4917{v.below(10**8)}", 1),
    "/mail/{id}": (lambda v, _: f"/mail/{v.word()}.{v.word()}@example.com", 1),
    "/post/{id}": (lambda v, _: f"/post/{v.word()}%40{v.word()}.org", 1),
    "/report%20{id}.pdf": (lambda _, i: f"/report%20{69 + i}.pdf", 1),
    "/report-{id}.pdf": (lambda _, i: f"/report-2024-{i % 12 + 1:02}-{i % 28 + 1:02}.pdf", 1),
    "/git/{id}": (lambda v, _: f"/git/{v.hex(7)}", 3),
    "/video/{id}": (lambda v, _: f"/video/{v.text(_BASE64, 11)}", 35),
    "/link/{id}": (lambda v, _: f"/link/{v.text(_BASE62, 8)}", 35),
    "/member/{id}": (lambda v, _: f"/member/U0{v.text(_UPPER + string.digits, 7)}", 2),
    "/Products({id})": (lambda _, i: f"/Products({118 + i})", 1),
    "/Items({id})": (lambda _, i: f"/Items('{94 + i}')", 1),
    "/Orders({id})": (lambda v, _: f"/Orders({v.uuid()})", 1),
    "/{id};v={id}": (lambda _, i: f"/{42 + i};v={i}", 1),
    "/id={id}&x={id}": (lambda _, i: f"/id={i}&x={i + 1}", 1),
    "/!{id}:example.org": (lambda v, _: f"/!{v.word()}:example.org", 1),
    "/{id}/{id}@2x.png": (lambda _, i: f"/{i}/{i * 7 % 500}@2x.png", 1),
    "/chunk.{id}.js": (lambda v, _: f"/chunk.{v.hex(8)}.js", 3),
    "/mac/{id}": (lambda v, _: "/mac/" + ":".join(v.hex(2) for _ in range(6)), 1),
    "/host/{id}": (lambda v, _: "/host/" + ":".join(v.hex(4) for _ in range(8)), 1),
    "/web/{id}/x": (lambda v, _: f"/web/20240115{v.below(10**6):06}id_/x", 1),
    "/uuid/{id}": (lambda v, _: f"/uuid/{v.uuid()}", 1),
    "/braces/%7B{id}%7D": (lambda v, _: f"/braces/%7B{v.uuid()}%7D", 1),
    "/ulid/{id}": (lambda v, _: f"/ulid/01{v.text(_CROCKFORD, 24)}", 1),
    "/nanoid/{id}": (lambda v, _: f"/nanoid/{v.text(_BASE64, 21)}", 4),
    "/jwt/{id}": (lambda v, _: f"/jwt/eyJhbGciOiJI.{v.text(_BASE64, 60)}.{v.text(_BASE64, 43)}", 1),
    "/blob/{id}": (lambda v, _: f"/blob/sha256:{v.hex(64)}", 2),
    "/{id}.jpg": (lambda v, _: f"/{v.hex(32)}_large.jpg", 2),
    "/isbn/{id}": (lambda v, i: f"/isbn/978-3-16-{v.below(10**6):06}-{i % 10}", 1),
    "/padded/{id}": (lambda v, i: f"/padded/{v.text(_BASE62, 22)}{'=' * (i % 3)}", 3),
    "/hook/{id}/{id}/{id}": (
        lambda v, _: f"/hook/T{v.below(10**8):08}/B{v.below(10**8):08}/{v.text(_BASE62, 24)}", 1,
    ),
    "/proxy/http://{id}/": (lambda v, _: f"/proxy/http://{v.word()}:{v.word()}@localhost/", 1),
    "/a%3Ftoken={id}": (lambda v, _: f"/a%3Ftoken={v.word()}", 1),
    "/token/{id}": (lambda v, _: f"/token/ghp_{v.text(_BASE62, 36)}", 1),
}  # fmt: skip


def values(shape: str) -> list[bytes]:
    """Return COUNT targets of a shape."""
    made = _Values(shape)
    return [SHAPES[shape][0](made, i).encode() for i in range(COUNT)]
