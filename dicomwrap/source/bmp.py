"""Read Windows bitmaps. Runs in the decoding child only; must not know any other format."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

from PIL.BmpImagePlugin import BmpImageFile

from dicomwrap.source.rasters import Page, Wanted, refuse_size


def pages(data: bytes, wanted: Wanted) -> Iterator[Page]:
    """Give the one picture.

    Raises:
        DicomwrapError: it is too large.
    """
    with BmpImageFile(BytesIO(data)) as image:
        refuse_size(image.width, image.height, wanted.most_pixels, "BMP")
        image.load()
        yield Page(image=image, codec="BMP")
