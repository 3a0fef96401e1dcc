"""Read WebP (RFC 9649). Knows its chunks, which tell a lossless picture from a lossy one. Runs in the child only."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Final

from PIL.WebPImagePlugin import WebPImageFile

from dicomwrap.errors import TruncatedPhotographError
from dicomwrap.photograph import LossyStep
from dicomwrap.source.rasters import Page, Wanted, block, exif_orientation, refuse_animation, refuse_size

_CODED: Final = (b"VP8 ", b"ALPH")
_NO_TERM: Final = ""  # LossyImageCompressionMethod has no defined term for VP8


def pages(data: bytes, wanted: Wanted) -> Iterator[Page]:
    """Give the one picture.

    Raises:
        DicomwrapError: it is an animation, too large, or ends too early.
    """
    coded = sum(length for name, length in _chunks(data) if name in _CODED)
    with WebPImageFile(BytesIO(data)) as image:
        refuse_animation("WebP", image.n_frames)
        refuse_size(image.width, image.height, wanted.most_pixels, "WebP")
        image.load()
        exif = block(image.info.get("exif"))
        ratio = image.width * image.height * 3 / max(coded, 1)
        yield Page(
            image=image,
            codec="WebP (VP8)" if coded else "WebP",
            lossy=(LossyStep(ratio=ratio, method=_NO_TERM),) if coded else (),
            orientation=exif_orientation(exif),
            exif=exif,
            icc=block(image.info.get("icc_profile")),
        )


def _chunks(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Give name and length of every chunk of the RIFF container."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise TruncatedPhotographError("The WebP ends before its picture is whole")
    at = 12
    while at + 8 <= end:
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], length
        at += 8 + length + length % 2
