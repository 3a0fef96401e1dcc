"""Make a PNG of uncompressed or run-length coded pixels, and a JP2 of a JPEG 2000 codestream.

Knows pixel layouts (PS3.5 section 8, PS3.3 section C.7.6.3) and the boxes of JP2 (ISO/IEC 15444-1 annex I). Must not
know DICOM files or names. Nothing of the object but its pixels and colour profile gets into the file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Final

from PIL import Image, ImageChops
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import RLELosslessDecoder
from pydicom.uid import ExplicitVRBigEndian

from dicomwrap.bitstream.codestreams import Codestream
from dicomwrap.errors import DamagedPhotographError, UnsupportedPhotographError
from dicomwrap.judging.values import binary, number, text
from dicomwrap.photograph import MOST_PIXELS
from dicomwrap.transfersyntaxes import Coding, TransferSyntax

_REMEDY: Final = "Convert the object with a viewer or with dcmtk, and export the picture from there."
_AGAIN: Final = "Fetch the object again from where it came from."
_GREY: Final = ("MONOCHROME1", "MONOCHROME2")
_COLOUR: Final = {"RGB": "RGB", "YBR_FULL": "YCbCr"}


def png_files(dataset: Dataset, syntax: TransferSyntax, icc: bytes) -> Iterator[bytes]:
    """Yield each frame as a PNG.

    Raises:
        DicomwrapError: the pixels are fewer than the header says, or laid out in a way that a PNG can't hold.
    """
    rows, columns = number(dataset, "Rows") or 0, number(dataset, "Columns") or 0
    samples, bits = number(dataset, "SamplesPerPixel") or 0, number(dataset, "BitsAllocated") or 0
    _refuse_unfit(dataset, syntax, rows * columns, samples, bits)
    length = rows * columns * samples * bits // 8
    planar = syntax.coding is Coding.RLE or number(dataset, "PlanarConfiguration") == 1
    for frame in _frames(dataset, syntax, length):
        image = _image(frame, (columns, rows), text(dataset, "PhotometricInterpretation"), bits, planar=planar)
        yield _png(image, icc)


def jp2_file(codestream: bytes, stream: Codestream, icc: bytes) -> bytes:
    """Return a JPEG 2000 codestream as a JP2 file with a colour profile of the input class (restricted ICC method)."""
    header = struct.pack(">IIHBBBB", stream.rows, stream.columns, stream.samples, stream.precision - 1, 7, 0, 0)
    colour = struct.pack(">BBB", 2, 0, 0) + icc
    return b"".join((
        _box(b"jP  ", b"\r\n\x87\n"),
        _box(b"ftyp", b"jp2 " + bytes(4) + b"jp2 "),
        _box(b"jp2h", _box(b"ihdr", header) + _box(b"colr", colour)),
        _box(b"jp2c", codestream),
    ))  # fmt: skip


def _refuse_unfit(dataset: Dataset, syntax: TransferSyntax, pixels: int, samples: int, bits: int) -> None:
    photometric = text(dataset, "PhotometricInterpretation")
    grey = samples == 1 and photometric in _GREY and bits in (8, 16)
    colour = samples == 3 and photometric in _COLOUR and bits == 8
    if not (grey or colour) or number(dataset, "BitsStored") != bits or syntax.uid == ExplicitVRBigEndian:
        raise UnsupportedPhotographError("The object's pixels are laid out in a way that a PNG can't hold", _REMEDY)
    if not 0 < pixels <= MOST_PIXELS:
        raise UnsupportedPhotographError(f"The picture has no pixels, or more than {MOST_PIXELS}", _REMEDY)


def _frames(dataset: Dataset, syntax: TransferSyntax, length: int) -> Iterator[bytes]:
    count = number(dataset, "NumberOfFrames") or 1
    if syntax.coding is Coding.RLE:
        yield from (_decoded(dataset, index) for index in range(count))
        return
    value = binary(dataset, "PixelData")
    if len(value) < length * count:
        raise DamagedPhotographError("The object has fewer pixels than it says", _AGAIN)
    yield from (value[index * length : (index + 1) * length] for index in range(count))


def _decoded(dataset: Dataset, index: int) -> bytes:
    try:
        return bytes(RLELosslessDecoder.as_buffer(dataset, index=index)[0])
    except RuntimeError as problem:  # what pydicom says when a decoder fails
        raise DamagedPhotographError("The object's pixels are damaged", _AGAIN) from problem


def _image(frame: bytes, size: tuple[int, int], photometric: str, bits: int, *, planar: bool) -> Image.Image:
    if photometric in _GREY:
        image = Image.frombytes("I;16" if bits == 16 else "L", size, frame)
        return _inverted(image) if photometric == "MONOCHROME1" else image
    mode = _COLOUR[photometric]
    if not planar:
        return Image.frombytes(mode, size, frame).convert("RGB")
    plane = size[0] * size[1]
    planes = [Image.frombytes("L", size, frame[at * plane : (at + 1) * plane]) for at in range(3)]
    return Image.merge(mode, planes).convert("RGB")


def _inverted(image: Image.Image) -> Image.Image:
    if image.mode == "L":
        return ImageChops.invert(image)
    return Image.frombytes(image.mode, image.size, bytes(byte ^ 0xFF for byte in image.tobytes()))


def _png(image: Image.Image, icc: bytes) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG", **({"icc_profile": icc} if icc and image.mode == "RGB" else {}))
    return buffer.getvalue()


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body
