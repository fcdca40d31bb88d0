"""Open a capture, of whichever schema it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, Protocol

from httptop.capture.frames import START, FrameReader, ReadAt, read_at
from httptop.model import Snapshot


class AnyUnit(Protocol):
    """What a file has of a snapshot."""

    @property
    def taken_at(self) -> float:
        """The Unix time of the snapshot, seconds."""


class AnyUnits(Protocol):
    """Reads what a file has of one snapshot after the other."""

    def unit(self) -> Any:
        """Return that of the next snapshot, an AnyUnit; None: there is no other.

        Raises :class:`CutOff` if the file ends within it, :class:`CaptureError` if it is damaged.
        """

    def fork(self) -> AnyUnits:
        """Return a reader that goes on from here, too."""


class AnyDecoder(Protocol):
    """Makes snapshots of it; raises :class:`CaptureError`."""

    @property
    def size_bytes(self) -> int:
        """About the memory that a fork keeps."""

    def fork(self) -> AnyDecoder:
        """Return a decoder that goes on from here, too."""

    def pass_over(self, unit: Any) -> None:
        """Take from a unit what later ones refer to."""

    def snapshot(self, unit: Any, *, rows: bool = True) -> Snapshot:
        """Return the snapshot of a unit."""


def opened(read: ReadAt) -> tuple[AnyUnits, AnyDecoder]:
    """Return what reads and decodes a capture; raise :class:`CaptureError`."""
    frames = frames_of(read)
    if frames is not None:
        from httptop.capture.decoder import Decoder
        from httptop.capture.parts import PartReader

        return PartReader(frames), Decoder()
    from httptop.capture.line_decoder import LineDecoder, LineUnits
    from httptop.capture.lines import LineReader

    return LineUnits(LineReader(read)), LineDecoder()


def frames_of(read: ReadAt) -> FrameReader | None:
    """Return what reads the frames of a capture of schema 2; None: it is of another one."""
    return FrameReader(read) if read(0, len(START)) == START else None


def read_capture(file: IO[bytes]) -> Iterator[Snapshot]:
    """Yield the snapshots of a capture.

    Raises :class:`CutOff` if it ends within one, :class:`CaptureError` if it is invalid.
    """
    units, decoder = opened(read_at(file))
    while (unit := units.unit()) is not None:
        yield decoder.snapshot(unit)
