"""Read AVIF. Knows which of its turns the decoder leaves to us. Runs in the decoding child only."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Final

from PIL.AvifImagePlugin import AvifImageFile

from dicomwrap.photograph import LossyStep
from dicomwrap.source.cicp import colour_warnings
from dicomwrap.source.items import primary
from dicomwrap.source.rasters import (
    Page,
    Wanted,
    block,
    exif_orientation,
    reduction,
    refuse_animation,
    refuse_size,
    turned,
)

_NO_TERM: Final = ""  # LossyImageCompressionMethod has no defined term for AV1


def pages(data: bytes, wanted: Wanted) -> Iterator[Page]:
    """Give the one picture. AVIF can be lossless, but nothing in it proves that; it counts as lossy.

    Raises:
        DicomwrapError: it is an animation, too large, or ends too early.
    """
    said = primary(data)
    with AvifImageFile(BytesIO(data)) as image:
        refuse_animation("AVIF", image.n_frames)
        refuse_size(image.width, image.height, wanted.most_pixels, "AVIF")
        warnings = colour_warnings("AVIF", said.cicp, icc=bool(image.info.get("icc_profile")))
        image.load()
        exif = block(image.info.get("exif"))
        ratio = image.width * image.height * len(image.getbands()) / len(data)
        yield Page(
            # Pillow tells the container's own turn as EXIF orientation, in place of what EXIF said.
            image=turned(image, exif_orientation(exif)),
            codec="AVIF (AV1)",
            lossy=(LossyStep(ratio=ratio, method=_NO_TERM),),
            exif=exif,
            icc=block(image.info.get("icc_profile")),
            derivation=reduction(said.bits),
            warnings=warnings,
        )
