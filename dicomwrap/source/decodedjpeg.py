"""Decode a JPEG that an object can't hold as it is: CMYK, RGB components, or a turn that its blocks don't allow.

Knows that such a JPEG is decoded with its own colour transform. Runs in the decoding child only. The orientation is the
caller's; what the file tells of itself has been taken out before.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

from PIL.JpegImagePlugin import JpegImageFile

from dicomwrap.photograph import LossyStep
from dicomwrap.source.rasters import JPEG_METHOD, Page, Wanted, refuse_size


def pages(data: bytes, wanted: Wanted) -> Iterator[Page]:
    """Give the one picture.

    Raises:
        DicomwrapError: it is too large.
    """
    with JpegImageFile(BytesIO(data)) as image:
        refuse_size(image.width, image.height, wanted.most_pixels, "JPEG")
        image.load()
        ratio = image.width * image.height * len(image.getbands()) / len(data)
        yield Page(image=image, codec="JPEG", lossy=(LossyStep(ratio=ratio, method=JPEG_METHOD),))
