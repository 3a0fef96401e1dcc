"""Which pixels an object has: a digest of the stored picture and of what says how it is drawn.

Knows the Image Pixel Module (PS3.3 C.7.6.3). Two objects with the same digest show the same picture, whatever else
their headers say. Must not know why anybody asks.
"""

from __future__ import annotations

import hashlib
import json
from io import BytesIO
from typing import Final

import pydicom

from dicomwrap.hostile import UNREADABLE
from orthanc_plugin.errors import DeidentificationError

DRAWN_BY: Final = (
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "NumberOfFrames",
)  # fmt: skip


def pixels_of(content: bytes) -> str:
    """Return the digest of the pixels of an object.

    Raises:
        DeidentificationError: it can't be read, or has no pixels.
    """
    try:
        dataset = pydicom.dcmread(BytesIO(content))
        said = [str(dataset.get(keyword)) for keyword in DRAWN_BY]
        digest = hashlib.sha256(json.dumps([str(dataset.file_meta.TransferSyntaxUID), *said]).encode())
        digest.update(dataset.PixelData)
    except UNREADABLE as error:
        raise DeidentificationError(f"The picture can't be read ({type(error).__name__}).") from error
    return digest.hexdigest()
