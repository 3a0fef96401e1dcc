"""Hold a DICOM header against the JPEG stream it describes.

Knows which elements of the Image Pixel module speak of the stream (PS3.3 section C.7.6.3; PS3.5 sections 8.2.1, A.4).
Must not know how the object came or what becomes of it. Takes any object, hostile ones too: a surprise is an answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames, parse_basic_offsets

from dicomwrap.bitstream.clean import carriers
from dicomwrap.bitstream.markers import SOF0, ColourModel, Stream, parse
from dicomwrap.errors import DicomwrapError
from dicomwrap.hostile import UNREADABLE

JPEG_BASELINE: Final = "1.2.840.10008.1.2.4.50"
_COLOURS: Final = {
    ColourModel.GREY: frozenset({"MONOCHROME1", "MONOCHROME2"}),
    ColourModel.YCBCR: frozenset({"YBR_FULL_422", "YBR_FULL"}),
    ColourModel.RGB: frozenset({"RGB"}),
    ColourModel.OTHER: frozenset[str](),
}


def contradictions(dataset: Dataset) -> tuple[str, ...]:
    """Name every point in which an encapsulated object's header and bitstream disagree; empty means that they agree.

    Looks only at objects in JPEG Baseline (transfer syntax 1.2.840.10008.1.2.4.50); for every other transfer syntax the
    answer is empty, which then says nothing. Metadata hidden in the stream counts as a contradiction. Never raises.
    """
    try:
        return tuple(dict.fromkeys(_contradictions(dataset)))
    except UNREADABLE as error:
        return (f"the object can't be read ({type(error).__name__})",)


def frames(dataset: Dataset) -> tuple[bytes, ...]:
    """Return the encoded frames of an encapsulated object, padding included.

    Raises:
        ValueError: the encapsulation is broken, or frames are missing or left over.
    """
    count = _integer(dataset, "NumberOfFrames", 1) or 1
    value = dataset.PixelData
    if not isinstance(value, bytes) or count < 1:
        raise ValueError("no encapsulated pixel data")
    offsets = parse_basic_offsets(value)
    if offsets and (len(offsets) != count or offsets[0] != 0):
        raise ValueError("the offset table doesn't fit the number of frames")
    found = tuple(generate_frames(value, number_of_frames=count))
    if len(found) != count:
        raise ValueError(f"{len(found)} frames where the header says {count}")
    return found


def _contradictions(dataset: Dataset) -> Iterator[str]:
    if str(dataset.file_meta.TransferSyntaxUID) != JPEG_BASELINE:
        return
    try:
        encoded = frames(dataset)
    except UNREADABLE as error:
        yield f"PixelData: no readable encapsulation ({error})"
        return
    for number, frame in enumerate(encoded, start=1):
        prefix = f"frame {number}: " if len(encoded) > 1 else ""
        yield from (f"{prefix}{problem}" for problem in _frame_problems(dataset, frame))


def _frame_problems(dataset: Dataset, frame: bytes) -> Iterator[str]:
    try:
        stream = parse(frame)
    except DicomwrapError as error:
        yield f"PixelData: {error.reason}"
        return
    yield from _header_problems(dataset, stream)
    yield from _stream_problems(stream)


def _stream_problems(stream: Stream) -> Iterator[str]:
    if stream.frame.marker != SOF0:
        yield f"TransferSyntaxUID: says JPEG Baseline, the stream is FF{stream.frame.marker:02X}, not FFC0"
    for name in carriers(stream):
        yield f"PixelData: hidden metadata in the stream ({name})"
    if len(stream.data) % 2:
        yield "PixelData: a fragment of odd length"


def _header_problems(dataset: Dataset, stream: Stream) -> Iterator[str]:
    frame = stream.frame
    truths = {
        "Rows": frame.rows,
        "Columns": frame.columns,
        "SamplesPerPixel": len(frame.components),
        "BitsAllocated": 8,
        "BitsStored": frame.precision,
        "HighBit": frame.precision - 1,
        "PixelRepresentation": 0,
        **({"PlanarConfiguration": 0} if len(frame.components) > 1 else {}),
    }
    for keyword, truth in truths.items():
        said = _integer(dataset, keyword, None)
        if said != truth:
            yield f"{keyword}: says {said}, the stream says {truth}"
    if frame.precision != 8:
        yield f"TransferSyntaxUID: says JPEG Baseline, the stream has {frame.precision} bits a sample"
    said_colour = _text(dataset, "PhotometricInterpretation")
    if said_colour not in _COLOURS[stream.colour]:
        yield f"PhotometricInterpretation: doesn't fit the stream, whose components are {stream.colour}"


def _integer(dataset: Dataset, keyword: str, default: int | None) -> int | None:
    try:
        value = dataset.get(keyword)
        return default if value is None or value == "" else int(value)
    except UNREADABLE:
        return None


def _text(dataset: Dataset, keyword: str) -> str | None:
    try:
        return str(dataset.get(keyword))
    except UNREADABLE:
        return None
