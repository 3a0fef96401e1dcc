"""Read TIFF and BigTIFF, page by page. Knows which compressions lose something.

Runs in the decoding child only. Must not count pages by itself: ``directories`` does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Final

from PIL.ExifTags import IFD, Base
from PIL.Image import Exif
from PIL.TiffImagePlugin import TiffImageFile

from dicomwrap.errors import TruncatedPhotographError, UnsupportedPhotographError
from dicomwrap.photograph import LossyStep
from dicomwrap.source.answer import MOST_FRAME, MOST_PAGES
from dicomwrap.source.directories import (
    BITS_PER_SAMPLE,
    COMPRESSION,
    LENGTH,
    ORIENTATION,
    PHOTOMETRIC,
    SAMPLE_FORMAT,
    SAMPLES_PER_PIXEL,
    WIDTH,
    YCBCR_SUBSAMPLING,
    Directory,
    directories,
)
from dicomwrap.source.rasters import JPEG_METHOD, ORDINARY, SMALLER, Page, Wanted, believable, block, refuse_size

_ICC_PROFILE: Final = 34675
_BIG_ENDIAN_BIGTIFF: Final = b"MM\0+"  # Pillow takes it for an ordinary TIFF
_WHITE_IS_ZERO: Final = 0
_NONE: Final = 1
_YCBCR: Final = 6
_UNSIGNED: Final = 1
_UNDEFINED: Final = 4
# Compression: name, method term. 50001 may be lossless WebP, but nothing says so.
_LOSSY: Final = {6: ("JPEG", JPEG_METHOD), 7: ("JPEG", JPEG_METHOD), 50001: ("WebP", "")}
# None, the facsimile ones, LZW, Deflate (two numbers), PackBits, ThunderScan, LZMA, Zstandard.
_LOSSLESS: Final = frozenset({1, 2, 3, 4, 5, 8, 32771, 32773, 32809, 32946, 34925, 50000})
_CAPTURE: Final = (Base.Make, Base.Model, Base.Software, Base.Orientation, 0x882A, 0x882B)  # two of TIFF/EP
_UNASKED: Final = frozenset({Base.MakerNote, Base.UserComment, Base.CameraOwnerName, IFD.Interop})
_LEFT_OUT: Final = "{} of the file's directories are previews or masks, no pictures of their own; they were left out"


def pages(data: bytes, wanted: Wanted) -> Iterator[Page]:
    """Give the wanted pages.

    Raises:
        DicomwrapError: a camera's raw file, too many or too large pages, or samples that aren't read.
    """
    chain = directories(data)
    if data.startswith(_BIG_ENDIAN_BIGTIFF):
        raise UnsupportedPhotographError("The file is a BigTIFF in big-endian byte order, which is not read", ORDINARY)
    pictures = [directory for directory in chain if directory.is_picture]
    _refuse(pictures, wanted, len(data))
    warnings = (_LEFT_OUT.format(len(chain) - len(pictures)),) if len(pictures) < len(chain) else ()
    with TiffImageFile(BytesIO(data)) as image:
        for number, directory in enumerate(pictures, start=1):
            if wanted.has(number):
                image.seek(directory.index)
                yield _page(image, directory, number, len(pictures), warnings)
                warnings = ()


def _refuse(pictures: list[Directory], wanted: Wanted, length: int) -> None:
    if not pictures:
        raise UnsupportedPhotographError("The TIFF holds nothing but previews or masks", ORDINARY)
    if len(pictures) > MOST_PAGES:
        raise UnsupportedPhotographError(
            f"The TIFF has {len(pictures)} pages; the limit is {MOST_PAGES}", "Split the file and wrap its parts."
        )
    for directory in pictures:
        _refuse_page(directory, wanted)
        if directory.first(COMPRESSION, 1) != _NONE and directory.end > length:
            raise TruncatedPhotographError("The TIFF ends before its picture is whole")
    if sum(_uncompressed(directory) for directory in pictures) > MOST_FRAME * 9 // 10:
        raise UnsupportedPhotographError("The TIFF's pages are together larger than 1.9 GB", SMALLER)


def _refuse_page(directory: Directory, wanted: Wanted) -> None:
    refuse_size(directory.first(WIDTH, 0), directory.first(LENGTH, 0), wanted.most_pixels, "TIFF")
    compression = directory.first(COMPRESSION, 1)
    if compression not in _LOSSLESS and compression not in _LOSSY:
        raise UnsupportedPhotographError(f"The TIFF is compressed in a way that isn't read ({compression})", ORDINARY)
    if set(directory.fields.get(SAMPLE_FORMAT, ())) - {_UNSIGNED, _UNDEFINED}:
        raise UnsupportedPhotographError("The TIFF has signed or floating-point samples", ORDINARY)
    subsampling = directory.fields.get(YCBCR_SUBSAMPLING, (2, 2))
    if directory.first(PHOTOMETRIC, 1) == _YCBCR and compression == _NONE and subsampling != (1, 1):
        raise UnsupportedPhotographError("The TIFF has subsampled colours without compression", ORDINARY)


def _uncompressed(directory: Directory) -> int:
    samples = min(directory.first(SAMPLES_PER_PIXEL, 1), 3)
    if directory.first(PHOTOMETRIC, 1) == 3:
        samples = 3
    return directory.first(WIDTH, 0) * directory.first(LENGTH, 0) * samples


def _page(image: TiffImageFile, directory: Directory, number: int, count: int, warnings: tuple[str, ...]) -> Page:
    exif, applied = _exif(image), image.getexif().get(ORIENTATION, 1)
    icc = image.tag_v2.get(_ICC_PROFILE)
    image.load()  # applies the orientation that getexif tells
    compression = directory.first(COMPRESSION, 1)
    name, method = _LOSSY.get(compression, ("", ""))
    ratio = _uncompressed(directory) / max(directory.coded_bytes, 1)
    return Page(
        image=image,
        codec=f"TIFF ({name})" if name else "TIFF",
        lossy=(LossyStep(ratio=ratio, method=method),) if name else (),
        orientation=believable(directory.first(ORIENTATION, 1)),
        turned=believable(applied),
        bits=max(directory.fields.get(BITS_PER_SAMPLE) or (1,)),
        inverted=directory.first(PHOTOMETRIC, 1) == _WHITE_IS_ZERO,
        exif=exif,
        icc=block(icc),
        number=number,
        count=count,
        derivation=_from_ycbcr(image, directory, compression),
        warnings=warnings,
    )


def _from_ycbcr(image: TiffImageFile, directory: Directory, compression: int) -> tuple[str, ...]:
    """Return the sentence for what libtiff converts by itself; of JPEG it is part of decoding."""
    converted = directory.first(PHOTOMETRIC, 1) == _YCBCR and compression in _LOSSLESS and image.mode == "RGB"
    return ("Converted from YCbCr to RGB",) if converted else ()


def _exif(image: TiffImageFile) -> bytes:
    """Return an EXIF block with what the page's own fields say of the capture, and nobody's name or place."""
    told, own = Exif(), image.getexif()
    try:
        told.update({tag: own[tag] for tag in _CAPTURE if tag in own})
        detail = own.get_ifd(IFD.Exif)
        told.get_ifd(IFD.Exif).update({tag: value for tag, value in detail.items() if tag not in _UNASKED})
        return told.tobytes()
    except (ArithmeticError, AttributeError, LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error):
        return b""
