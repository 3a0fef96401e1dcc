"""Hold the header against the picture's bits, whatever the transfer syntax, and look for metadata among them.

Knows which reader each coding has (``dicomwrap.bitstream``), and the arithmetic of uncompressed pixel data (PS3.5
section 8). Must not decode a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from pydicom.dataset import Dataset

from dicomwrap.bitstream.boxcarriers import SOUND, box_carriers
from dicomwrap.bitstream.codestreams import Codestream, jpeg_2000, jpeg_ls
from dicomwrap.bitstream.encapsulation import taken_apart
from dicomwrap.bitstream.verify import Disagreement, Point, frames, jpeg_disagreements
from dicomwrap.bitstream.video import Film, film
from dicomwrap.errors import DicomwrapError
from dicomwrap.hostile import UNREADABLE
from dicomwrap.judging.findings import Finding, error, note, warning
from dicomwrap.judging.values import binary, number, text
from dicomwrap.transfersyntaxes import TRANSFER_SYNTAXES, Coding, Loss, TransferSyntax

_CODES: Final = {
    Point.ENCAPSULATION: "ENCAPSULATION",
    Point.STREAM: "TRANSFER_SYNTAX_STREAM",
    Point.HEADER: "HEADER_BITSTREAM",
    Point.PROCESS: "TRANSFER_SYNTAX_STREAM",
    Point.COLOUR: "HEADER_BITSTREAM",
    Point.CARRIER: "HIDDEN_METADATA",
    Point.TRAILER: "TRAILING_DATA",
}
_RLE_HEADER: Final = 64
_JXL: Final = (b"\xff\x0a", b"\0\0\0\x0cJXL ")
_JXL_BOXED: Final = _JXL[1]
_JP2: Final = b"\0\0\0\x0cjP  "


def picture_findings(dataset: Dataset) -> Iterator[Finding]:
    """Say where header and picture disagree, and what hides in the picture."""
    if "PixelData" not in dataset:
        return
    uid = transfer_syntax_uid(dataset)
    syntax = TRANSFER_SYNTAXES.get(uid)
    if syntax is None:
        if uid:  # a missing one is the file meta information's fault
            yield warning("UNKNOWN_TRANSFER_SYNTAX", "TransferSyntaxUID: isn't known here; the stream wasn't read")
        return
    if syntax.retired:
        yield error("RETIRED_TRANSFER_SYNTAX", f"TransferSyntaxUID: {syntax.words}; readers needn't know it")
    yield from _colour_model(dataset, syntax)
    yield from encapsulation_findings(dataset, syntax)
    if syntax.encapsulated == dataset["PixelData"].is_undefined_length:
        yield from _READERS[syntax.coding](dataset, syntax)


def encapsulation_findings(dataset: Dataset, syntax: TransferSyntax) -> Iterator[Finding]:
    """Say where the picture isn't stored in fragments as its transfer syntax has it, or is and shouldn't be."""
    if syntax.encapsulated != dataset["PixelData"].is_undefined_length:
        said = "fragments" if syntax.encapsulated else "no fragments"
        yield error("ENCAPSULATION", f"PixelData: the transfer syntax ({syntax.words}) has {said}")
    elif syntax.encapsulated:
        yield from _encapsulation(dataset)


def transfer_syntax_uid(dataset: Dataset) -> str:
    """Return the UID of the object's transfer syntax, "" when it isn't said."""
    meta = getattr(dataset, "file_meta", None)
    return text(meta, "TransferSyntaxUID") if isinstance(meta, Dataset) else ""


def _colour_model(dataset: Dataset, syntax: TransferSyntax) -> Iterator[Finding]:
    said = text(dataset, "PhotometricInterpretation")
    if (number(dataset, "SamplesPerPixel") or 0) > 1 and syntax.colours and said not in syntax.colours:
        expected = " or ".join(sorted(syntax.colours))
        yield warning("COLOUR_MODEL", f"PhotometricInterpretation: in {syntax.words} readers expect {expected}")


def _encapsulation(dataset: Dataset) -> Iterator[Finding]:
    for problem in taken_apart(binary(dataset, "PixelData")).problems:
        yield error("ENCAPSULATION", f"PixelData: {problem}")
    table = binary(dataset, "ExtendedOffsetTable")
    if table and len(table) != 8 * (number(dataset, "NumberOfFrames") or 1):
        yield error("ENCAPSULATION", "ExtendedOffsetTable: doesn't have one entry a frame")


def _jpeg(dataset: Dataset, syntax: TransferSyntax) -> Iterator[Finding]:
    for disagreement in jpeg_disagreements(dataset, syntax):
        yield from _of_jpeg(disagreement)


def _of_jpeg(disagreement: Disagreement) -> Iterator[Finding]:
    point, said, holds = disagreement
    if point is Point.DENSITY:
        yield note("HIDDEN_METADATA", "PixelData: a JFIF header in the stream (APP0), which tells dots an inch only")
    elif point is Point.ORIENTATION:
        yield warning("ORIENTATION", said)
    elif point is Point.TRAILER and holds:
        yield warning("TRAILING_DATA", f"PixelData: bytes after the stream: {holds}")
    else:
        yield error(_CODES[point], f"{said}: {holds}" if holds else said)


def _frames(dataset: Dataset) -> Iterator[tuple[str, bytes]]:
    """Yield the frames, each with the words that name it.

    Raises:
        ValueError: the encapsulation is broken, or frames are missing or left over.
    """
    found = frames(dataset)
    for at, frame in enumerate(found, start=1):
        yield f"frame {at}: " if len(found) > 1 else "", frame


def _by_frame(read: Callable[[Dataset, TransferSyntax, bytes], Iterator[Finding]]) -> _Reader:
    """Return a reader of objects made of a reader of frames."""

    def reader(dataset: Dataset, syntax: TransferSyntax) -> Iterator[Finding]:
        try:
            for prefix, frame in _frames(dataset):
                for found in read(dataset, syntax, frame):
                    yield Finding(code=found.code, severity=found.severity, message=prefix + found.message)
        except UNREADABLE as problem:
            yield error("ENCAPSULATION", f"PixelData: no readable encapsulation ({problem})")

    return reader


def _jpeg_ls(dataset: Dataset, syntax: TransferSyntax, frame: bytes) -> Iterator[Finding]:
    yield from _codestream(dataset, syntax, frame, jpeg_ls)


def _jpeg_2000(dataset: Dataset, syntax: TransferSyntax, frame: bytes) -> Iterator[Finding]:
    if frame.startswith(_JP2):
        yield error("TRANSFER_SYNTAX_STREAM", "PixelData: a JP2 file where a codestream must be")
        for name in box_carriers(frame):
            yield error("HIDDEN_METADATA", f"PixelData: metadata in the file ({name})")
        return
    yield from _codestream(dataset, syntax, frame, jpeg_2000)


def _codestream(
    dataset: Dataset, syntax: TransferSyntax, frame: bytes, read: Callable[[bytes], Codestream]
) -> Iterator[Finding]:
    try:
        stream = read(frame)
    except DicomwrapError as problem:
        yield error("TRANSFER_SYNTAX_STREAM", f"PixelData: {problem.reason}")
        return
    for keyword, truth in (
        ("Rows", stream.rows), ("Columns", stream.columns), ("SamplesPerPixel", stream.samples),
        ("BitsStored", stream.precision),
    ):  # fmt: skip
        said = number(dataset, keyword)
        if said != truth:
            yield error("HEADER_BITSTREAM", f"{keyword}: says {said}, the stream says {truth}")
    yield from _promises(dataset, syntax, stream)
    for name in stream.carriers:
        yield error("HIDDEN_METADATA", f"PixelData: metadata in the stream ({name})")
    if stream.signed:
        yield note("HIDDEN_METADATA", "PixelData: the encoder's name in the stream (COM)")
    yield from _after(b"" if stream.end is None else frame[stream.end :])


def _after(trailer: bytes) -> Iterator[Finding]:
    if len(trailer) == 1 and trailer != b"\0":
        yield warning("TRAILING_DATA", "PixelData: the padding byte isn't zero")
    elif trailer.strip(b"\0"):
        yield error("TRAILING_DATA", f"PixelData: {len(trailer)} bytes after the end of the stream")


def _promises(dataset: Dataset, syntax: TransferSyntax, stream: Codestream) -> Iterator[Finding]:
    if syntax.loss is Loss.NEVER and not stream.lossless:
        yield error("TRANSFER_SYNTAX_STREAM", f"TransferSyntaxUID: says {syntax.words}, the stream is lossy")
    said = text(dataset, "PhotometricInterpretation")
    if stream.transformed != (said in ("YBR_RCT", "YBR_ICT")) and stream.samples > 1:
        is_or_not = "is" if stream.transformed else "isn't"
        yield error("HEADER_BITSTREAM", f"PhotometricInterpretation: the stream {is_or_not} colour transformed")


def _jpeg_xl(_: Dataset, __: TransferSyntax, frame: bytes) -> Iterator[Finding]:
    if not frame.startswith(_JXL):
        yield error("TRANSFER_SYNTAX_STREAM", "PixelData: doesn't begin as JPEG XL does")
    elif frame.startswith(_JXL_BOXED):
        for name in box_carriers(frame):
            yield error("HIDDEN_METADATA", f"PixelData: metadata in the stream ({name})")


def _rle(dataset: Dataset, _: TransferSyntax, frame: bytes) -> Iterator[Finding]:
    """PS3.5 section G.5: a count of segments, and where each begins."""
    words = [int.from_bytes(frame[at : at + 4], "little") for at in range(0, _RLE_HEADER, 4)]
    wanted = (number(dataset, "SamplesPerPixel") or 0) * (number(dataset, "BitsAllocated") or 0) // 8
    starts = words[1 : words[0] + 1]
    if len(frame) < _RLE_HEADER or words[0] > 15:
        yield error("TRANSFER_SYNTAX_STREAM", "PixelData: has no RLE header")
    elif words[0] != wanted:
        yield error("HEADER_BITSTREAM", f"PixelData: {words[0]} RLE segments, the header asks for {wanted}")
    elif starts != sorted(set(starts)) or (starts and not _RLE_HEADER <= starts[0] <= starts[-1] < len(frame)):
        yield error("TRANSFER_SYNTAX_STREAM", "PixelData: the RLE segments aren't where its header says")
    elif any(words[len(starts) + 1 :]) or (starts and starts[0] != _RLE_HEADER):
        yield error("HIDDEN_METADATA", "PixelData: the RLE header holds more than its segments")


def _video(dataset: Dataset, syntax: TransferSyntax) -> Iterator[Finding]:
    value = binary(dataset, "PixelData")
    data = b"".join(value[start:end] for start, end in taken_apart(value).fragments)
    kind = film(data)
    if kind is None:
        yield error("TRANSFER_SYNTAX_STREAM", f"PixelData: no film that could be {syntax.words}")
    elif kind is Film.MP4:
        for name in box_carriers(data):
            if name == SOUND:
                yield warning("SOUND", "PixelData: the film has sound; voices may tell who it is")
            else:
                yield error("HIDDEN_METADATA", f"PixelData: metadata in the film ({name})")


def _native(dataset: Dataset, _: TransferSyntax) -> Iterator[Finding]:
    length, wanted = len(binary(dataset, "PixelData")), _native_length(dataset)
    if wanted is None:
        return
    if length < wanted:
        yield error("HEADER_BITSTREAM", f"PixelData: {length} bytes, the header asks for {wanted}")
    elif length > wanted + wanted % 2:
        yield error("TRAILING_DATA", f"PixelData: {length - wanted} bytes more than the picture has")
    elif length > wanted and binary(dataset, "PixelData")[-1]:
        yield warning("TRAILING_DATA", "PixelData: the padding byte isn't zero")


def _native_length(dataset: Dataset) -> int | None:
    keywords = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated")
    rows, columns, samples, bits = (number(dataset, keyword) for keyword in keywords)
    if rows is None or columns is None or samples is None or bits is None:
        return None  # reported as missing
    count = rows * columns * samples * (number(dataset, "NumberOfFrames") or 1)
    if samples == 3 and text(dataset, "PhotometricInterpretation") == "YBR_FULL_422":
        count = count // 3 * 2
    return (count * bits + 7) // 8


_Reader = Callable[[Dataset, TransferSyntax], Iterator[Finding]]
_READERS: Final[dict[Coding, _Reader]] = {
    Coding.NATIVE: _native,
    Coding.JPEG: _jpeg,
    Coding.JPEG_LS: _by_frame(_jpeg_ls),
    Coding.JPEG_2000: _by_frame(_jpeg_2000),
    Coding.JPEG_XL: _by_frame(_jpeg_xl),
    Coding.RLE: _by_frame(_rle),
    Coding.VIDEO: _video,
}
