"""Keep one rectangle of a picture and nothing of the rest.

Knows how far a rectangle must shrink so that only whole MCUs are kept, and which codings can be cut without loss: those
of which regions can be blanked. What is cut off isn't hidden but gone: at a cut edge no block is kept that the crop
doesn't hold whole, because a decoder would show it once the header says more. Must not know who chose the crop. Source:
ITU-T T.81 A.2.4 (partial MCUs), PS3.3 C.7.6.3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset

from dicomwrap.bitstream.markers import parse
from dicomwrap.bitstream.rewrite import rewritten
from dicomwrap.bitstream.verify import frames
from dicomwrap.bitstream.wipe import Rectangle
from dicomwrap.errors import DicomwrapError
from dicomwrap.hostile import UNREADABLE
from dicomwrap.transfersyntaxes import TRANSFER_SYNTAXES, Coding
from orthanc_plugin.deid.pixelproof import Claim, box, proof
from orthanc_plugin.deid.regions import (
    as_fragments,
    jpeg_2000_frame,
    mode_of_jpeg_2000,
    reading,
    require_one_story,
    write_derived,
)
from orthanc_plugin.deid.samples import cut_out
from orthanc_plugin.errors import DeidentificationError

_WITHIN: Final = "Give the part to keep within the picture, in pixels, as [x, y, width, height]."
_ELSEWHERE: Final = "Crop the picture before it is archived, or release another one."
# What says where in the picture something is, or how the picture lies in something else: it would be false.
PLACING: Final = (
    "DisplayedAreaSelectionSequence", "GraphicAnnotationSequence", "ImagePositionPatient",
    "PerFrameFunctionalGroupsSequence", "PlanePositionSlideSequence", "SequenceOfUltrasoundRegions",
    "SharedFunctionalGroupsSequence", "ShutterShape", "TotalPixelMatrixColumns", "TotalPixelMatrixRows",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """The part of a picture that is kept, of every frame alike, in pixels of the whole picture."""

    left: int
    top: int
    width: int
    height: int


def crop(value: object) -> Crop:
    """Return the crop that JSON writes as ``[x, y, width, height]``.

    Raises:
        DeidentificationError: it writes none.
    """
    match value:
        case [int(left), int(top), int(width), int(height)] if min(left, top) >= 0 and min(width, height) > 0:
            return Crop(left=left, top=top, width=width, height=height)
    raise DeidentificationError("A crop isn't written as a rectangle.", remedy=_WITHIN)


def kept(asked: Crop, cell: tuple[int, int], size: tuple[int, int]) -> Rectangle:
    """Return what is kept: the whole cells within the crop; the picture's own edge is as good as a cell's.

    Raises:
        DeidentificationError: the crop isn't within the picture, or holds no whole cell.
    """
    if asked.left + asked.width > size[0] or asked.top + asked.height > size[1]:
        raise DeidentificationError("The crop lies outside the picture.", remedy=_WITHIN)
    left, right = _inwards(asked.left, asked.left + asked.width, cell[0], size[0])
    top, bottom = _inwards(asked.top, asked.top + asked.height, cell[1], size[1])
    if left >= right or top >= bottom:
        words = f"The crop holds no whole block of {cell[0]} by {cell[1]} pixels."
        raise DeidentificationError(words, remedy="Give a larger part to keep.")
    return Rectangle(left, top, right - left, bottom - top)


def _inwards(first: int, after: int, cell: int, edge: int) -> tuple[int, int]:
    return -(-first // cell) * cell, after if after == edge else after // cell * cell


def cropped(dataset: Dataset, asked: Crop) -> None:
    """Keep a part of every frame of an object, in place, and say so in its header.

    Raises:
        DeidentificationError: the crop isn't within the picture, the coding can't be cut without loss, the header says
            what a crop would falsify, the pixel data are broken, or a second reader didn't prove it. The object is as
            it was.
    """
    try:
        _require_unplaced(dataset)
        syntax = TRANSFER_SYNTAXES.get(str(dataset.file_meta.TransferSyntaxUID))
        cut = _WAYS.get("" if syntax is None else syntax.uid) or _WAYS.get("" if syntax is None else syntax.coding)
        if syntax is None or cut is None:
            words = "this transfer syntax" if syntax is None else syntax.words
            raise DeidentificationError(f"No picture of {words} can be cropped without loss.", remedy=_ELSEWHERE)
        pixels, part = cut(dataset, asked)
    except DicomwrapError as error:
        raise DeidentificationError(f"The picture can't be cropped: {error.reason}.", remedy=error.remedy) from error
    except UNREADABLE as error:
        words = f"The picture can't be cropped ({type(error).__name__})."
        raise DeidentificationError(words, remedy=_ELSEWHERE) from error
    dataset.Columns, dataset.Rows = part.width, part.height
    words = f"cropped to {part.width} by {part.height} pixels"
    write_derived(dataset, pixels, words, encapsulated=syntax.encapsulated)


def _require_unplaced(dataset: Dataset) -> None:
    found = next((keyword for keyword in PLACING if keyword in dataset), None)
    if found is not None:
        raise DeidentificationError(f"A crop would make {found} false.", remedy=_ELSEWHERE)


def _size(dataset: Dataset) -> tuple[int, int]:
    return int(dataset.Columns), int(dataset.Rows)


def _of_jpeg(dataset: Dataset, asked: Crop) -> tuple[bytes, Rectangle]:
    require_one_story(dataset)
    streams = frames(dataset)
    parts = {kept(asked, reading(parse(stream))[0], _size(dataset)) for stream in streams}
    if len(parts) > 1:
        raise DeidentificationError("The frames have blocks of different sizes.", remedy=_ELSEWHERE)
    (part,) = parts
    return as_fragments([_jpeg_frame(stream, part, _size(dataset)) for stream in streams]), part


def _jpeg_frame(frame: bytes, part: Rectangle, size: tuple[int, int]) -> bytes:
    stream = parse(frame)
    _, rim, mode = reading(stream)
    whole = frame[: stream.end]
    with proof(whole, Claim(size=size, mode=mode, fill=0, rim=rim, kept=box(part))) as prove:
        written = rewritten(whole, "-crop", f"{part.width}x{part.height}+{part.left}+{part.top}")
        prove(written)
    return written


def _of_jpeg_2000(dataset: Dataset, asked: Crop) -> tuple[bytes, Rectangle]:
    part = kept(asked, (1, 1), _size(dataset))
    claim = Claim(size=_size(dataset), mode=mode_of_jpeg_2000(dataset), fill=0, kept=box(part))
    return as_fragments([jpeg_2000_frame(frame, claim) for frame in frames(dataset)]), part


def _of_samples(dataset: Dataset, asked: Crop) -> tuple[bytes, Rectangle]:
    part = kept(asked, (1, 1), _size(dataset))
    return cut_out(dataset, part), part


_Way = Callable[[Dataset, Crop], tuple[bytes, Rectangle]]
_WAYS: Final[dict[str | Coding, _Way]] = {
    Coding.NATIVE: _of_samples,
    "1.2.840.10008.1.2.4.50": _of_jpeg,
    "1.2.840.10008.1.2.4.90": _of_jpeg_2000,
}
