"""Read PNG (ISO/IEC 15948). Knows its header and its checksums. Runs in the decoding child only."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Final

from PIL.PngImagePlugin import PngImageFile

from dicomwrap.errors import DamagedPhotographError, TruncatedPhotographError
from dicomwrap.source.rasters import Page, Wanted, block, exif_orientation, refuse_animation, refuse_size

_HEADER: Final = 33  # bytes of signature and IHDR
_GREY_WITH_ALPHA: Final = 4
_RAW_PROFILE: Final = "Raw profile type exif"


def pages(data: bytes, wanted: Wanted) -> Iterator[Page]:
    """Give the one picture.

    Raises:
        DicomwrapError: it is an animation or too large.
    """
    if len(data) < _HEADER:
        raise TruncatedPhotographError("The PNG ends before its picture is whole")
    if data[12:16] != b"IHDR":
        raise DamagedPhotographError("The PNG doesn't begin with its header")
    columns, rows = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    refuse_size(columns, rows, wanted.most_pixels, "PNG")
    with PngImageFile(BytesIO(data)) as image:
        refuse_animation("PNG", image.n_frames)
        image.verify()  # Pillow's decoder doesn't look at the checksums of the picture data
    with PngImageFile(BytesIO(data)) as image:
        image.load()
        exif = _exif(image.info)
        yield Page(
            image=image.convert("LA") if data[25] == _GREY_WITH_ALPHA else image,
            codec="PNG",
            orientation=exif_orientation(exif),
            bits=data[24],
            exif=exif,
            icc=block(image.info.get("icc_profile")),
        )


def _exif(info: dict[str | tuple[int, int], object]) -> bytes:
    if "exif" in info:
        return block(info["exif"])
    profile = info.get(_RAW_PROFILE)  # what ImageMagick wrote before PNG had a chunk for it
    if not isinstance(profile, str):
        return b""
    try:
        return bytes.fromhex("".join(profile.split("\n")[3:]))
    except ValueError:
        return b""
