"""Read HEIC and HEIF. Knows what libheif does by itself: it applies the container's turns, and hides missing tiles.

Runs in the decoding child only. Must not know how a HEIF file is made beyond what ``items`` tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Final

from dicomwrap.errors import DamagedPhotographError, UnsupportedPhotographError
from dicomwrap.photograph import LossyStep
from dicomwrap.source.answer import OTHERS
from dicomwrap.source.cicp import colour_warnings
from dicomwrap.source.items import primary
from dicomwrap.source.rasters import Page, Wanted, block, reduction, refuse_size

if TYPE_CHECKING:
    from pillow_heif import HeifFile, HeifImage

_METHOD: Final = "ISO_23008_2"


def pages(data: bytes, wanted: Wanted) -> Iterator[Page]:
    """Give the primary picture.

    Raises:
        DicomwrapError: it can't be told, is too large, or ends too early.
    """
    said = primary(data)
    file = _opened(data)
    picture = _primary(file)
    refuse_size(*picture.size, wanted.most_pixels, "HEIC")
    icc = block(picture.info.get("icc_profile"))
    warnings = colour_warnings("HEIC", said.cicp, icc=bool(icc))
    image = picture.to_pillow()
    refuse_size(*image.size, wanted.most_pixels, "HEIC")
    ratio = image.width * image.height * (1 if image.mode[0] == "L" else 3) / len(data)
    others = (OTHERS,) if len(file) > 1 or picture.info.get("depth_images") else ()
    yield Page(
        image=image,
        codec="HEIC (HEVC)",
        lossy=(LossyStep(ratio=ratio, method=_METHOD),),
        exif=block(image.info.get("exif")),
        icc=icc,
        derivation=reduction(max(said.bits, _whole(picture.info.get("bit_depth")))),
        warnings=(*warnings, *others),
    )


def _opened(data: bytes) -> HeifFile:
    try:
        from pillow_heif import HeifFile
    except ImportError as error:
        raise UnsupportedPhotographError(
            "The file is a HEIC picture, and the decoder for those is not installed", "Install consentgate[heif]."
        ) from error
    return HeifFile(BytesIO(data), convert_hdr_to_8bit=True)  # type: ignore[no-untyped-call]


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _primary(file: HeifFile) -> HeifImage:
    found = [picture for picture in file if picture.info.get("primary")]
    if len(found) != 1:
        raise DamagedPhotographError("The HEIC doesn't tell which of its pictures is the photograph")
    return found[0]
