"""Bits of samples that no viewer shows, and in which anything could stand: beside BitsStored, in BitsAllocated.

Knows how sixteen bits lie that hold fewer (PS3.5 section 8.1.1), uncompressed and in the segments of RLE (annex G). The
other codings have as many bits as they say. Overlays once were kept there (retired in 2004), and nobody who looks at
the picture sees them. A sample that is right has no choice about them: zeros, or its sign again and again.
"""

from __future__ import annotations

from typing import Final

from pydicom.dataset import Dataset

from orthanc_plugin.errors import DeidentificationError

_BYTE: Final = 8
_NEEDED: Final = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")
_REMEDY: Final = "Have it sent again by the device it came from; an object without them shows nobody knows what."


def require_described(dataset: Dataset) -> None:
    """Refuse an object that doesn't say how its samples lie (PS3.3 C.7.6.3): what is in it, nobody could look at.

    Raises:
        DeidentificationError: it doesn't.
    """
    missing = [keyword for keyword in _NEEDED if not isinstance(dataset.get(keyword), int)]
    if not dataset.get("PhotometricInterpretation"):
        missing.append("PhotometricInterpretation")
    if missing:
        raise DeidentificationError(
            f"The object doesn't say how its picture lies: {', '.join(missing)}.", remedy=_REMEDY
        )
    if "NumberOfFrames" in dataset and dataset.NumberOfFrames == 0:
        raise DeidentificationError("The object says that it has no frames.", remedy=_REMEDY)
    if dataset.HighBit != dataset.BitsStored - 1 or dataset.BitsStored > dataset.BitsAllocated:
        raise DeidentificationError("The bits of its samples don't lie where the standard has them.", remedy=_REMEDY)


def has_unseen(dataset: Dataset) -> bool:
    """Tell whether samples have bits that aren't shown."""
    return bool(dataset.BitsAllocated == 2 * _BYTE and dataset.BitsStored < dataset.BitsAllocated)


def cleared(dataset: Dataset) -> bytes:
    """Return the uncompressed, little endian samples of such an object with those bits as they have to be."""
    samples = bytearray(dataset.PixelData)
    samples[1::2] = high_bytes(dataset, bytes(samples[::2]), bytes(samples[1::2]))
    return bytes(samples)


def high_bytes(dataset: Dataset, low: bytes, high: bytes) -> bytes:
    """Return the higher bytes of samples as they have to be, by what is shown of them."""
    shown = dataset.BitsStored - _BYTE  # bits of the higher byte
    signed = dataset.PixelRepresentation == 1
    if shown == 0:
        return low.translate(_signs(_BYTE)) if signed else bytes(len(low))
    return high.translate(_extended(shown) if signed else bytes(each & _mask(shown) for each in range(256)))


def _mask(bits: int) -> int:
    return (1 << bits) - 1


def _signs(bits: int) -> bytes:
    """Return, for each byte of so many bits, eight times its first."""
    return bytes(0xFF if each >> (bits - 1) & 1 else 0 for each in range(256))


def _extended(bits: int) -> bytes:
    """Return each byte with the bits before its last so many replaced by their first."""
    return bytes(each & _mask(bits) | sign & ~_mask(bits) & 0xFF for each, sign in enumerate(_signs(bits)))
