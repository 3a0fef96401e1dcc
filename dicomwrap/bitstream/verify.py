"""Hold a DICOM header against the JPEG stream it describes.

Knows which elements of the Image Pixel module speak of the stream (PS3.3 section C.7.6.3; PS3.5 sections 8.2.1, A.4).
Must not know how the object came or what becomes of it. Takes any object, hostile ones too: a surprise is an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum, unique
from itertools import chain, repeat
from typing import Final, NamedTuple

from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames, parse_basic_offsets

from dicomwrap.bitstream.clean import TRAILER
from dicomwrap.bitstream.contents import described, is_plain_jfif, orientation
from dicomwrap.bitstream.encapsulation import taken_apart
from dicomwrap.bitstream.markers import SOS, ColourModel, Stream, parse
from dicomwrap.errors import DicomwrapError
from dicomwrap.hostile import UNREADABLE
from dicomwrap.plaintext import plain_number, text_of
from dicomwrap.transfersyntaxes import TRANSFER_SYNTAXES, Loss, TransferSyntax

JPEG_BASELINE: Final = "1.2.840.10008.1.2.4.50"
JPEG_LOSSLESS_FIRST_ORDER: Final = "1.2.840.10008.1.2.4.70"
_COLOURS: Final = {
    ColourModel.GREY: frozenset({"MONOCHROME1", "MONOCHROME2"}),
    ColourModel.YCBCR: frozenset({"YBR_FULL_422", "YBR_FULL"}),
    ColourModel.RGB: frozenset({"RGB"}),
    ColourModel.OTHER: frozenset[str](),
}


@unique
class Point(Enum):
    """In what header and bitstream disagree."""

    ENCAPSULATION = "fragments and frames"
    STREAM = "the stream can't be read"
    HEADER = "what the header says of the picture"
    PROCESS = "what the transfer syntax says of the coding"
    COLOUR = "what the components are"
    CARRIER = "metadata in the stream"
    DENSITY = "a JFIF header in the stream, which tells only dots an inch"
    ORIENTATION = "a picture that isn't upright"
    TRAILER = "bytes after the stream"


class Disagreement(NamedTuple):
    """One point in which they disagree: a sentence that names it, and for metadata what they hold, as far as known."""

    point: Point
    text: str
    holds: str = ""


def contradictions(dataset: Dataset, known: Sequence[Stream] = ()) -> tuple[str, ...]:
    """Name every point in which an encapsulated object's header and bitstream disagree; empty means that they agree.

    Looks only at objects in JPEG Baseline (transfer syntax 1.2.840.10008.1.2.4.50); for every other transfer syntax the
    answer is empty, which then says nothing. Metadata hidden in the stream counts as a contradiction. Never raises.
    ``known`` are its frames, in order, where somebody took them apart before: a frame of other bytes is parsed anew.
    """
    try:
        if str(dataset.file_meta.TransferSyntaxUID) != JPEG_BASELINE:
            return ()
        found = jpeg_disagreements(dataset, TRANSFER_SYNTAXES[JPEG_BASELINE], known)
        # Where there is EXIF, it is named as hidden metadata; what it says is one more reason, not one more point.
        return tuple(dict.fromkeys(each.text for each in found if each.point is not Point.ORIENTATION))
    except UNREADABLE as error:
        return (f"the object can't be read ({type(error).__name__})",)


def frames(dataset: Dataset, known: Sequence[Stream] = ()) -> tuple[bytes, ...]:
    """Return the encoded frames of an encapsulated object, padding included.

    A single one that is the only one ``known`` isn't copied once more.

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
    whole = taken_apart(value)
    if count == len(whole.fragments) == 1 and not whole.problems:
        start, end = whole.fragments[0]
        same = [each.data for each in known if len(each.data) == end - start and value.startswith(each.data, start)]
        return (same[0] if same else value[start:end],)
    found = tuple(generate_frames(value, number_of_frames=count))
    if len(found) != count:
        raise ValueError(f"{len(found)} frames where the header says {count}")
    return found


def jpeg_disagreements(
    dataset: Dataset, syntax: TransferSyntax, known: Sequence[Stream] = ()
) -> Iterator[Disagreement]:
    """Yield every point in which an object of a JPEG transfer syntax and its frames disagree; ``known`` as above.

    Raises:
        UNREADABLE: elements of the object that can't be decoded.
    """
    try:
        encoded = frames(dataset, known)
    except UNREADABLE as error:
        yield Disagreement(Point.ENCAPSULATION, f"PixelData: no readable encapsulation ({error})")
        return
    for number, (frame, before) in enumerate(zip(encoded, chain(known, repeat(None)), strict=False), start=1):
        prefix = f"frame {number}: " if len(encoded) > 1 else ""
        for found in _frame_problems(dataset, frame, syntax, before):
            yield found._replace(text=prefix + found.text)


def _frame_problems(
    dataset: Dataset, frame: bytes, syntax: TransferSyntax, before: Stream | None
) -> Iterator[Disagreement]:
    try:
        stream = before if before is not None and before.data == frame else parse(frame)
    except DicomwrapError as error:
        yield Disagreement(Point.STREAM, f"PixelData: {error.reason}")
        return
    yield from _header_problems(dataset, stream, syntax)
    yield from _stream_problems(stream, syntax)


def _stream_problems(stream: Stream, syntax: TransferSyntax) -> Iterator[Disagreement]:
    marker = stream.frame.marker
    if syntax.frame_headers and marker not in syntax.frame_headers:
        expected = " or ".join(f"FF{each:02X}" for each in sorted(syntax.frame_headers))
        text = f"TransferSyntaxUID: says {_name(syntax)}, the stream is FF{marker:02X}, not {expected}"
        yield Disagreement(Point.PROCESS, text)
    if syntax.uid == JPEG_LOSSLESS_FIRST_ORDER and any(body[-3:-2] != b"\1" for body in stream.bodies(SOS)):
        yield Disagreement(Point.PROCESS, "TransferSyntaxUID: says first-order prediction, the stream has another")
    for name, holds in described(stream).items():
        text = f"PixelData: hidden metadata in the stream ({name})"
        yield Disagreement(_carrier_point(stream, name), text, holds)
    if orientation(stream) != 1:
        yield Disagreement(Point.ORIENTATION, "PixelData: EXIF in the stream says that the picture isn't upright")
    if len(stream.data) % 2:
        yield Disagreement(Point.ENCAPSULATION, "PixelData: a fragment of odd length")


def _carrier_point(stream: Stream, name: str) -> Point:
    if name == TRAILER:
        return Point.TRAILER
    return Point.DENSITY if name == "APP0" and is_plain_jfif(stream) else Point.CARRIER


def _header_problems(dataset: Dataset, stream: Stream, syntax: TransferSyntax) -> Iterator[Disagreement]:
    frame = stream.frame
    truths = {
        "Rows": frame.rows,
        "Columns": frame.columns,
        "SamplesPerPixel": len(frame.components),
        "BitsAllocated": 8 if syntax.uid == JPEG_BASELINE or frame.precision <= 8 else 16,
        "BitsStored": frame.precision,
        "HighBit": frame.precision - 1,
        **({"PixelRepresentation": 0} if syntax.uid == JPEG_BASELINE else {}),
        **({"PlanarConfiguration": 0} if len(frame.components) > 1 else {}),
    }
    for keyword, truth in truths.items():
        said = _integer(dataset, keyword, None)
        if said != truth:
            yield Disagreement(Point.HEADER, f"{keyword}: says {said}, the stream says {truth}")
    if frame.precision != 8 and syntax.uid == JPEG_BASELINE:
        text = f"TransferSyntaxUID: says {_name(syntax)}, the stream has {frame.precision} bits a sample"
        yield Disagreement(Point.PROCESS, text)
    said_colour = _text(dataset, "PhotometricInterpretation")
    if said_colour not in _colours(stream, syntax):
        text = f"PhotometricInterpretation: doesn't fit the stream, whose components are {stream.colour}"
        yield Disagreement(Point.COLOUR, text)


def _colours(stream: Stream, syntax: TransferSyntax) -> frozenset[str]:
    """Return what the header may say; lossless streams needn't tell their colours, and palettes are samples too."""
    if syntax.loss is not Loss.NEVER:
        return _COLOURS[stream.colour]
    if stream.colour is ColourModel.GREY:
        return _COLOURS[ColourModel.GREY] | {"PALETTE COLOR"}
    return frozenset({"RGB", "YBR_FULL", "YBR_FULL_422"})


def _name(syntax: TransferSyntax) -> str:
    return "JPEG Baseline" if syntax.uid == JPEG_BASELINE else syntax.words


def _integer(dataset: Dataset, keyword: str, default: int | None) -> int | None:
    try:
        if (plain := plain_number(dataset, keyword)) is not None:
            return plain
        value = dataset.get(keyword)
        return default if value is None or value == "" else int(value)
    except UNREADABLE:
        return None


def _text(dataset: Dataset, keyword: str) -> str | None:
    try:
        return text_of(dataset, keyword)
    except UNREADABLE:
        return None
