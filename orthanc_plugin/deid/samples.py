"""Overwrite rectangles of uncompressed pixel data, or cut one out.

Knows how samples lie in (7FE0,0010) (PS3.5 section 8, PS3.3 C.7.6.3): planes, bits, byte order, frames. Must not know
codings or regions. What the header doesn't tell exactly is refused; what was written is held against what was there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset

from dicomwrap.bitstream.wipe import Rectangle
from orthanc_plugin.errors import DeidentificationError

_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
_GREY: Final = frozenset({"MONOCHROME1", "MONOCHROME2"})
_COLOURS: Final = {1: _GREY | {"PALETTE COLOR"}, 3: frozenset({"RGB", "YBR_FULL"})}
_REMEDY: Final = "Blank the picture before it is archived, or release another one."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """How samples lie.

    Attributes:
        columns: pixels of a row.
        rows: rows of a plane.
        planes: planes, of all frames.
        pixel: bytes of a pixel within its plane.
        fill: a blank pixel.
    """

    columns: int
    rows: int
    planes: int
    pixel: int
    fill: bytes

    @property
    def length(self) -> int:
        """Bytes of the whole."""
        return self.planes * self.rows * self.columns * self.pixel

    def runs(self, rectangles: Sequence[Rectangle]) -> Iterator[tuple[int, int]]:
        """Give start and end, in bytes, of what is to be blanked."""
        row = self.columns * self.pixel
        for plane in range(self.planes):
            for each in rectangles:
                for line in range(each.top, each.bottom):
                    start = (plane * self.rows + line) * row + each.left * self.pixel
                    yield start, start + each.width * self.pixel


def overwritten(dataset: Dataset, rectangles: Sequence[Rectangle]) -> bytes:
    """Return the pixel data of an object, blank in the rectangles of every frame.

    Raises:
        DeidentificationError: the samples can't be laid out as the header says.
    """
    layout, value = _laid_out(dataset)
    written = bytearray(value)
    for start, end in layout.runs(rectangles):
        written[start:end] = layout.fill * ((end - start) // layout.pixel)
    _require_blank_there_only(value, bytes(written), layout, rectangles)
    return bytes(written)


def cut_out(dataset: Dataset, kept: Rectangle) -> bytes:
    """Return the samples of a rectangle of every frame.

    Raises:
        DeidentificationError: the samples can't be laid out as the header says.
    """
    layout, value = _laid_out(dataset)
    written = b"".join(value[start:end] for start, end in layout.runs((kept,)))
    return written + b"\0" * (len(written) % 2)


def _laid_out(dataset: Dataset) -> tuple[_Layout, bytes]:
    layout, value = _layout(dataset), dataset.PixelData
    if len(value) != layout.length + layout.length % 2:
        raise DeidentificationError("The pixel data have another length than the header says.", remedy=_REMEDY)
    return layout, value


def _layout(dataset: Dataset) -> _Layout:
    samples, bits, stored = int(dataset.SamplesPerPixel), int(dataset.BitsAllocated), int(dataset.BitsStored)
    photometric = str(dataset.PhotometricInterpretation)
    fits = bits in (8, 16) and 0 < stored <= bits and int(dataset.HighBit) == stored - 1
    if not fits or photometric not in _COLOURS.get(samples, ()):
        raise DeidentificationError("Uncompressed pixels of this kind can't be blanked.", remedy=_REMEDY)
    grey = 0 if int(dataset.PixelRepresentation) or photometric == "PALETTE COLOR" else 1 << (stored - 1)
    order = "big" if str(dataset.file_meta.TransferSyntaxUID) == _BIG_ENDIAN else "little"
    by_plane = samples > 1 and int(dataset.PlanarConfiguration) == 1
    sample = grey.to_bytes(bits // 8, "big" if order == "big" else "little")
    number = int(dataset.get("NumberOfFrames") or 1)
    return _Layout(
        columns=int(dataset.Columns),
        rows=int(dataset.Rows),
        planes=number * samples if by_plane else number,
        pixel=bits // 8 if by_plane else samples * bits // 8,
        fill=sample if by_plane else sample * samples,
    )


def _require_blank_there_only(before: bytes, after: bytes, layout: _Layout, rectangles: Sequence[Rectangle]) -> None:
    """Go through every row: blank within the rectangles, the same elsewhere."""
    row, last = layout.columns * layout.pixel, 0
    for start, end in sorted(layout.runs(rectangles)):
        blank = after[start:end] == layout.fill * ((end - start) // layout.pixel)
        if not blank or before[last : max(start, last)] != after[last : max(start, last)] or end - start > row:
            raise DeidentificationError("What was blanked could not be proven.")
        last = max(last, end)
    if before[last:] != after[last:]:
        raise DeidentificationError("What was blanked could not be proven.")
