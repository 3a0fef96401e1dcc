"""Blank what a person may be recognised by: regions of a picture, and nothing beside them.

Knows regions, how they are covered with what can be blanked at once, and which codings can be blanked without loss
elsewhere: JPEG baseline in its coefficients, uncompressed samples, JPEG 2000 without loss. Any other is refused, and so
is what a second reader doesn't prove; the object is changed at the very end or not at all. Must not know who chose the
regions, nor what the copy then claims of itself. Source: PS3.15 E.3.1 (Clean Pixel Data), PS3.3 C.7.6.1.1.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Final

from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.multival import MultiValue

from dicomwrap.bitstream.markers import ColourModel, Stream, parse
from dicomwrap.bitstream.verify import contradictions, frames
from dicomwrap.bitstream.wipe import BLANK, Rectangle, unit, wiped
from dicomwrap.errors import DicomwrapError
from dicomwrap.hostile import UNREADABLE
from dicomwrap.transfersyntaxes import TRANSFER_SYNTAXES, Coding
from orthanc_plugin.deid.pixelproof import Claim, blanked, box, inner, proof
from orthanc_plugin.deid.samples import overwritten
from orthanc_plugin.errors import DeidentificationError

MOST_REGIONS: Final = 200
MOST_CORNERS: Final = 1_000
MOST_TOGETHER: Final = 2_000  # corners of all regions: each is gone along in each row of cells
_NOWHERE: Final = "Give regions within the picture, in pixels, as [x, y, width, height] or as three corners and more."
_ELSEWHERE: Final = "Blank the picture before it is archived, or release another one."
# What shows or measures the picture as it was.
_STALE: Final = (
    "IconImageSequence", "SmallestImagePixelValue", "LargestImagePixelValue", "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
)  # fmt: skip
_LONGEST_DERIVATION: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Part of a picture, of every frame alike.

    Attributes:
        corners: the pixels at the corners of its outline, which belong to it, as column and row.
    """

    corners: tuple[tuple[int, int], ...]

    @staticmethod
    def rectangle(left: int, top: int, width: int, height: int) -> Region:
        """Return a rectangle.

        Raises:
            DeidentificationError: it has no area.
        """
        if width < 1 or height < 1:
            raise DeidentificationError("A region has no area.", remedy=_NOWHERE)
        right, bottom = left + width - 1, top + height - 1
        return Region(corners=((left, top), (right, top), (right, bottom), (left, bottom)))

    @staticmethod
    def polygon(corners: Sequence[tuple[int, int]]) -> Region:
        """Return a polygon.

        Raises:
            DeidentificationError: it has no area, or too many corners.
        """
        following = (*corners[1:], *corners[:1])
        area = sum(x * v - u * y for (x, y), (u, v) in zip(corners, following, strict=True))
        if not area or len(corners) > MOST_CORNERS:
            raise DeidentificationError("A region has no area, or too many corners.", remedy=_NOWHERE)
        return Region(corners=tuple(corners))


def region(value: object) -> Region:
    """Return the region that JSON writes as ``[x, y, width, height]`` or ``[[x, y], [x, y], [x, y], ...]``.

    Raises:
        DeidentificationError: it writes none.
    """
    match value:
        case [int(left), int(top), int(width), int(height)]:
            return Region.rectangle(left, top, width, height)
        case [[_, _], [_, _], [_, _], *_]:
            return Region.polygon([_corner(corner) for corner in value])
    raise DeidentificationError("A region isn't written as a rectangle or a polygon.", remedy=_NOWHERE)


def _corner(value: object) -> tuple[int, int]:
    match value:
        case [int(x), int(y)]:
            return x, y
    raise DeidentificationError("A corner of a region isn't two whole numbers.", remedy=_NOWHERE)


def cover(outline: Region, cell: tuple[int, int], size: tuple[int, int], margin: int = 0) -> tuple[Rectangle, ...]:
    """Return rectangles of whole cells, within the picture, that cover a region and so many pixels about it.

    A notch in the side of a polygon is covered with it.
    """
    across, down = cell
    columns, rows = size
    low = min(y for _, y in outline.corners) - margin
    high = max(y for _, y in outline.corners) + 1 + margin
    found: list[Rectangle] = []
    for top in range(max(low, 0) // down * down, min(high, rows), down):
        reach = _reach(outline, top - 1 - margin, top + down + margin)
        if reach is not None:
            left = max(reach[0] - margin, 0) // across * across
            right = min(-(-(reach[1] + margin) // across) * across, columns)
            _append(found, Rectangle(left, top, right - left, min(top + down, rows) - top))
    return tuple(found)


def _append(found: list[Rectangle], band: Rectangle) -> None:
    """Append a band, or let the rectangle above it grow."""
    above = found[-1] if found else None
    if above is not None and (above.left, above.width, above.bottom) == (band.left, band.width, band.top):
        found[-1] = above._replace(height=above.height + band.height)
    else:
        found.append(band)


def _reach(outline: Region, top: int, bottom: int) -> tuple[int, int] | None:
    """Return the first column that the outline touches between two rows, and that behind its last; None for none."""
    found: list[float] = []
    for (x, y), (u, v) in zip(outline.corners, (*outline.corners[1:], *outline.corners[:1]), strict=True):
        if max(y, v) <= top or min(y, v) >= bottom:
            continue
        for limit in (max(top, min(y, v)), min(bottom, max(y, v))):
            found += [x, u] if y == v else [x + (u - x) * (limit - y) / (v - y)]
    return (floor(min(found)), ceil(max(found)) + 1) if found else None


def redacted(dataset: Dataset, regions: Sequence[Region]) -> None:
    """Blank the regions in every frame of an object, in place, and say so in its header; the rest stays as it is.

    A JPEG baseline stream is thereby written anew from its coefficients, without anything but the picture.

    Raises:
        DeidentificationError: no region is given, one isn't within the picture, the coding can't be blanked without
            loss elsewhere, the pixel data are broken, or a second reader didn't prove it. The object is as it was.
    """
    try:
        _require_within(regions, _size(dataset))
        syntax = TRANSFER_SYNTAXES.get(str(dataset.file_meta.TransferSyntaxUID))
        blank = _WAYS.get("" if syntax is None else syntax.uid) or _WAYS.get("" if syntax is None else syntax.coding)
        if syntax is None or blank is None:
            words = "this transfer syntax" if syntax is None else syntax.words
            raise DeidentificationError(f"No region of {words} can be blanked without loss.", remedy=_ELSEWHERE)
        words = f"{len(regions)} region{'s' if len(regions) > 1 else ''} blanked"
        write_derived(dataset, blank(dataset, regions), words, encapsulated=syntax.encapsulated)
    except DicomwrapError as error:
        raise DeidentificationError(f"No region can be blanked: {error.reason}.", remedy=error.remedy) from error
    except UNREADABLE as error:
        raise DeidentificationError(f"No region can be blanked ({type(error).__name__}).", remedy=_ELSEWHERE) from error


def _size(dataset: Dataset) -> tuple[int, int]:
    return int(dataset.Columns), int(dataset.Rows)


def _require_within(regions: Sequence[Region], size: tuple[int, int]) -> None:
    if not 0 < len(regions) <= MOST_REGIONS:
        raise DeidentificationError(f"Give 1 to {MOST_REGIONS} regions.", remedy=_NOWHERE)
    if sum(len(each.corners) for each in regions) > MOST_TOGETHER:
        raise DeidentificationError(f"The regions have more than {MOST_TOGETHER} corners.", remedy=_NOWHERE)
    if not all(0 <= x < size[0] and 0 <= y < size[1] for each in regions for x, y in each.corners):
        raise DeidentificationError("A region lies outside the picture.", remedy=_NOWHERE)


def _covers(
    regions: Sequence[Region], cell: tuple[int, int], size: tuple[int, int], margin: int
) -> tuple[Rectangle, ...]:
    return tuple(dict.fromkeys(each for one in regions for each in cover(one, cell, size, margin)))


def _of_jpeg(dataset: Dataset, regions: Sequence[Region]) -> bytes:
    require_one_story(dataset)
    return as_fragments([_jpeg_frame(frame, regions, _size(dataset)) for frame in frames(dataset)])


def require_one_story(dataset: Dataset) -> None:
    """Refuse a stream that is another picture than the header says; what is hidden in it is left out anyway."""
    found = [each for each in contradictions(dataset) if "hidden metadata" not in each and "odd length" not in each]
    if found:
        raise DeidentificationError(f"Header and stream of the picture disagree: {found[0]}.", remedy=_ELSEWHERE)


def reading(stream: Stream) -> tuple[tuple[int, int], int, str]:
    """Return a JPEG's unit, the rim about an edge within it, and its components in Pillow's words.

    A decoder draws subsampled chroma across the edge of a block: one more pixel, and none of the region's is touched.
    """
    cell = unit(stream.frame)
    rim = int(len(stream.frame.components) > 1 and cell != (8, 8))
    return cell, rim, {ColourModel.GREY: "L", ColourModel.YCBCR: "YCbCr"}.get(stream.colour, "RGB")


def _jpeg_frame(frame: bytes, regions: Sequence[Region], size: tuple[int, int]) -> bytes:
    stream = parse(frame)
    cell, rim, mode = reading(stream)
    rectangles = _covers(regions, cell, size, rim)
    claim = Claim(
        size=size, mode=mode, fill=BLANK, boxes=tuple(map(box, rectangles)), blank=inner(rectangles, size, rim), rim=rim
    )
    with proof(frame[: stream.end], claim) as prove:
        written = wiped(frame[: stream.end], rectangles)
        prove(written)
    return written


def mode_of_jpeg_2000(dataset: Dataset) -> str:
    """Return the components of a JPEG 2000 picture in Pillow's words.

    Raises:
        DeidentificationError: it isn't one that can be written anew without loss.
    """
    mode = {1: "L", 3: "RGB"}.get(int(dataset.SamplesPerPixel), "")
    if int(dataset.BitsStored) != 8 or int(dataset.PixelRepresentation) or not mode:
        raise DeidentificationError("Only JPEG 2000 of 8 bits, grey or colour, can be changed.", remedy=_ELSEWHERE)
    if mode == "RGB" and dataset.PhotometricInterpretation != "YBR_RCT":
        raise DeidentificationError("Only JPEG 2000 with its colour transform can be changed.", remedy=_ELSEWHERE)
    return mode


def _of_jpeg_2000(dataset: Dataset, regions: Sequence[Region]) -> bytes:
    mode = mode_of_jpeg_2000(dataset)
    boxes = tuple(map(box, _covers(regions, (1, 1), _size(dataset), 0)))
    claim = Claim(size=_size(dataset), mode=mode, fill=BLANK, boxes=boxes, blank=boxes)
    return as_fragments([jpeg_2000_frame(frame, claim) for frame in frames(dataset)])


def jpeg_2000_frame(frame: bytes, claim: Claim) -> bytes:
    """Return a picture changed as the claim says, and proven."""
    written = blanked(frame, claim)
    with proof(frame, claim) as prove:
        prove(written)
    return written


def _of_samples(dataset: Dataset, regions: Sequence[Region]) -> bytes:
    return overwritten(dataset, _covers(regions, (1, 1), _size(dataset), 0))


_Way = Callable[[Dataset, Sequence[Region]], bytes]
_WAYS: Final[dict[str | Coding, _Way]] = {
    Coding.NATIVE: _of_samples,
    "1.2.840.10008.1.2.4.50": _of_jpeg,
    "1.2.840.10008.1.2.4.90": _of_jpeg_2000,
}


def as_fragments(written: list[bytes]) -> bytes:
    """Return frames as a value of encapsulated pixel data."""
    return encapsulate([each + b"\0" * (len(each) % 2) for each in written])


def write_derived(dataset: Dataset, pixels: bytes, words: str, *, encapsulated: bool) -> None:
    """Put changed pixel data in, take out what shows or measures those that were, and say what was done."""
    dataset["PixelData"].value = pixels
    dataset["PixelData"].is_undefined_length = encapsulated
    for keyword in _STALE:
        dataset.pop(keyword, None)
    said = dataset.get("ImageType")
    rest = list(said)[1:] if isinstance(said, MultiValue) else []
    dataset.ImageType = ["DERIVED", *(rest or ["PRIMARY"])]
    earlier = str(dataset.get("DerivationDescription") or "")
    whole = f"{earlier}; {words}" if earlier else words
    dataset.DerivationDescription = whole if len(whole) <= _LONGEST_DERIVATION else words
