"""Take the photograph out of a DICOM object, as a file that any program can open.

Knows which file each transfer syntax makes, and that nothing of the object but its colour profile goes with the
picture. Must not know files' names. A coded picture keeps its bits; only uncompressed and RLE pixels become a PNG.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from pydicom.dataset import Dataset

from dicomwrap import iodtables
from dicomwrap.bitstream.clean import carriers, kept
from dicomwrap.bitstream.codestreams import jpeg_2000, jpeg_ls
from dicomwrap.bitstream.encapsulation import taken_apart
from dicomwrap.bitstream.markers import APP0, APP2, ColourModel, Piece, Stream, is_jfif, parse
from dicomwrap.bitstream.verify import frames
from dicomwrap.bitstream.video import Film, film
from dicomwrap.errors import DamagedPhotographError, NotAPhotographError, UnsupportedPhotographError
from dicomwrap.hostile import UNREADABLE
from dicomwrap.icc import to_app2
from dicomwrap.judging.picture import transfer_syntax_uid
from dicomwrap.judging.values import binary, number, text
from dicomwrap.transfersyntaxes import TRANSFER_SYNTAXES, Coding, Loss, TransferSyntax

_ICC: Final = b"ICC_PROFILE\0"
_ICC_HEADER: Final = 128
_PLAIN_JFIF: Final = 14
_PACKET: Final = 188
_HTJ2K: Final = "1.2.840.10008.1.2.4.20"
_EXPORT: Final = "Convert the object with a viewer or with dcmtk, and export the picture from there."
_DAMAGED: Final = "Run dicomwrap verify on the file; fetch it again from the archive."


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One file to be.

    Attributes:
        suffix: what its name ends in, such as ``.jpg``.
        data: its bytes.
        left_out: names of what the stream carried besides the picture, and the file doesn't.
        warnings: sentences for a person.
    """

    suffix: str
    data: bytes
    left_out: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def pictures(dataset: Dataset) -> Iterator[Picture]:
    """Yield the object's picture, or each frame of it, or its document.

    Raises:
        DicomwrapError: there is none, it is damaged, or no file can be made of its coding.
    """
    try:
        yield from _pictures(dataset)
    except UNREADABLE as problem:
        raise DamagedPhotographError(
            f"The object's picture can't be read ({type(problem).__name__})", _DAMAGED
        ) from problem


def _pictures(dataset: Dataset) -> Iterator[Picture]:
    if text(dataset, "SOPClassUID") == iodtables.ENCAPSULATED_PDF:
        yield _document(dataset)
        return
    if "PixelData" not in dataset:
        raise NotAPhotographError("The object holds no picture", "Give the object of a photograph.")
    syntax = TRANSFER_SYNTAXES.get(transfer_syntax_uid(dataset))
    if syntax is None:
        raise UnsupportedPhotographError("The object's transfer syntax isn't known here", _EXPORT)
    if syntax.coding is Coding.NATIVE or syntax.coding is Coding.RLE:
        from dicomwrap.rasterfiles import png_files

        yield from (Picture(suffix=".png", data=data) for data in png_files(dataset, syntax, profile_of(dataset)))
    elif syntax.coding is Coding.VIDEO:
        yield _film(dataset)
    else:
        make = _MAKERS[syntax.coding]
        for frame in frames(dataset):
            picture = make(frame, profile_of(dataset), syntax)
            yield replace(picture, warnings=(*picture.warnings, *_doubts(dataset, syntax, frame)))


def _doubts(dataset: Dataset, syntax: TransferSyntax, frame: bytes) -> tuple[str, ...]:
    lossy_jpeg = syntax.coding is Coding.JPEG and syntax.loss is not Loss.NEVER
    if lossy_jpeg and text(dataset, "PhotometricInterpretation") == "RGB" and parse(frame).colour is ColourModel.YCBCR:
        return ("the object says RGB where its stream says YCbCr; the colours may be wrong",)
    return ()


def profile_of(dataset: Dataset) -> bytes:
    """Return the object's colour profile without padding; empty when there is none that could be used."""
    icc = binary(dataset, "ICCProfile")
    size = int.from_bytes(icc[:4], "big")
    return icc[:size] if icc[36:40] == b"acsp" and _ICC_HEADER < size <= len(icc) else b""


def _document(dataset: Dataset) -> Picture:
    document = binary(dataset, "EncapsulatedDocument")
    if not document.startswith(b"%PDF-"):
        raise NotAPhotographError("The object holds no PDF", "Give an Encapsulated PDF object.")
    length = number(dataset, "EncapsulatedDocumentLength")
    if length == len(document) - 1 and document.endswith(b"\0"):
        document = document[:length]
    return Picture(suffix=".pdf", data=document)


def _film(dataset: Dataset) -> Picture:
    value = binary(dataset, "PixelData")
    data = b"".join(value[start:end] for start, end in taken_apart(value).fragments)
    kind = film(data)
    if kind is None:
        raise DamagedPhotographError("The object's film is in no container known here", _DAMAGED)
    if kind is Film.TRANSPORT and len(data) % _PACKET == 1:
        data = data[:-1]
    return Picture(suffix=kind.value, data=data)


def _jpeg(frame: bytes, icc: bytes, _: TransferSyntax) -> Picture:
    stream = parse(frame)
    needed = set(kept(stream).pieces)
    pieces = [piece for piece in stream.pieces if piece in needed or _speaks_of_pixels(stream, piece, icc)]
    head = 2 if pieces[1].marker == APP0 else 1
    staying = {piece.name for piece in pieces if piece not in needed}
    return Picture(
        suffix=".jpg",
        data=b"".join((*_bytes(stream, pieces[:head]), *_app2(icc), *_bytes(stream, pieces[head:]))),
        left_out=tuple(name for name in carriers(stream) if name not in staying),
    )


def _speaks_of_pixels(stream: Stream, piece: Piece, icc: bytes) -> bool:
    """Tell whether a carrier is a bare JFIF header, or a colour profile where the object has none of its own."""
    body = stream.body(piece)
    if piece.marker == APP0:
        return is_jfif(body) and len(body) == _PLAIN_JFIF
    return piece.marker == APP2 and not icc and body.startswith(_ICC)


def _bytes(stream: Stream, pieces: list[Piece]) -> Iterator[bytes]:
    return (stream.data[piece.start : piece.end] for piece in pieces)


def _app2(icc: bytes) -> tuple[bytes, ...]:
    return to_app2(icc) if icc else ()


def _jpeg_ls(frame: bytes, icc: bytes, _: TransferSyntax) -> Picture:
    return Picture(suffix=".jls", data=frame[: jpeg_ls(frame).end], warnings=_without_profile(icc))


def _jpeg_2000(frame: bytes, icc: bytes, syntax: TransferSyntax) -> Picture:
    stream = jpeg_2000(frame)
    data = frame if stream.end is None else frame[: stream.end]
    if syntax.uid.startswith(_HTJ2K):
        return Picture(suffix=".jhc", data=data, warnings=_without_profile(icc))
    if not icc or stream.samples != 3:
        return Picture(suffix=".j2k", data=data, warnings=_without_profile(icc))
    from dicomwrap.rasterfiles import jp2_file

    return Picture(suffix=".jp2", data=jp2_file(data, stream, icc))


def _jpeg_xl(frame: bytes, icc: bytes, _: TransferSyntax) -> Picture:
    return Picture(suffix=".jxl", data=frame, warnings=_without_profile(icc))


def _without_profile(icc: bytes) -> tuple[str, ...]:
    return ("the file has no place for the colour profile; programs will guess the colours",) if icc else ()


_MAKERS: Final[dict[Coding, Callable[[bytes, bytes, TransferSyntax], Picture]]] = {
    Coding.JPEG: _jpeg,
    Coding.JPEG_LS: _jpeg_ls,
    Coding.JPEG_2000: _jpeg_2000,
    Coding.JPEG_XL: _jpeg_xl,
}
