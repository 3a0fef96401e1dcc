"""Carry a photograph's colour profile: out of JPEG segments and into them, and fit for (0028,2000).

Knows the layout of ICC profiles (ICC.1:2022 section 7, annex B for JPEG) and what DICOM wants of one (PS3.3 section
C.11.15). Must not know files, pictures or DICOM objects. A profile may name a device, a place or a person in dozens of
elements, so ours is made anew: the numbers of the colour transform, a header of constants, and two texts of our own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from dicomwrap.errors import OutputError
from dicomwrap.iccparts import (
    CURVE,
    LUT8,
    LUT16,
    MATRIX,
    PARAMETRIC,
    STAGED_LUT,
    XYZ,
    BrokenProfileError,
    padded,
    part,
    rewritten,
)
from dicomwrap.iccspaces import recognised
from dicomwrap.photograph import ColourProfile

MOST_BYTES: Final = 4 * 1024 * 1024
MOST_CHUNK: Final = 65_519
_APP2_HEADER: Final = b"ICC_PROFILE\0"
_HEADER_LENGTH: Final = 128
_MOST_TAGS: Final = 100  # what LittleCMS takes
_D50: Final = struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
_CREATED: Final = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
_RGB: Final = b"RGB "
_LAB: Final = b"Lab "
_DISPLAY: Final = b"mntr"
_CLASSES: Final = (b"scnr", _DISPLAY, b"prtr", b"spac")
_PRIMARIES: Final = (b"rXYZ", b"gXYZ", b"bXYZ")
_CURVES: Final = (b"rTRC", b"gTRC", b"bTRC")
_TABLES: Final = (b"A2B0", b"A2B1", b"A2B2")
_TYPES: Final[Mapping[bytes, tuple[bytes, ...]]] = {
    **dict.fromkeys((*_PRIMARIES, b"wtpt", b"bkpt"), (XYZ,)),
    **dict.fromkeys(_CURVES, (CURVE, PARAMETRIC)),
    **dict.fromkeys(_TABLES, (LUT8, LUT16, STAGED_LUT)),
    b"chad": (MATRIX,),
}
_COPYRIGHT: Final = "No copyright, use freely"
_UNKNOWN: Final = "Camera profile"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """What a profile's header says that matters for colours."""

    version: tuple[int, int]
    display: bool
    connection: bytes
    intent: int


def from_app2(bodies: Iterable[bytes]) -> bytes | None:
    """Put together the profile that a JPEG's APP2 segments hold, in whatever order.

    Returns:
        The profile as it is, or None where there is none or its chunks are missing, doubled or contradictory.
    """
    chunks: dict[int, bytes] = {}
    counts = set()
    for body in bodies:
        if body.startswith(_APP2_HEADER):
            number, count = body[12:14].ljust(2, b"\0")
            if number in chunks:
                return None
            chunks[number] = body[14:]
            counts.add(count)
    complete = len(counts) == 1 and chunks.keys() == set(range(1, counts.pop() + 1))
    return b"".join(chunks[number] for number in sorted(chunks)) or None if complete else None


def to_app2(icc: bytes) -> tuple[bytes, ...]:
    """Return the profile as complete APP2 segments of a JPEG, markers and lengths included.

    Raises:
        OutputError: the profile needs more than the 255 segments that a JPEG can number.
    """
    chunks = [icc[start : start + MOST_CHUNK] for start in range(0, len(icc), MOST_CHUNK)]
    if len(chunks) > 0xFF:
        raise OutputError(
            "The colour profile is too long for a JPEG", "Convert the object with a viewer that applies the profile."
        )
    return tuple(
        b"\xff\xe2" + struct.pack(">H", 16 + len(chunk)) + _APP2_HEADER + bytes((number, len(chunks))) + chunk
        for number, chunk in enumerate(chunks, 1)
    )


def colour_profile(icc: bytes, *, samples: int) -> ColourProfile | None:
    """Return the profile as PS3.3 section C.11.15 wants it, with nothing in it that names anybody or anything.

    Returns:
        An input device profile of even length that gives the same colours; None where the picture has other than 3
        samples per pixel, or the profile is broken, larger than 4 MiB, not of RGB, or can't serve as an input profile.
    """
    if samples != 3 or not _HEADER_LENGTH < len(icc) <= MOST_BYTES:
        return None
    return _rebuilt(bytes(icc))


@lru_cache(maxsize=8)
def _rebuilt(icc: bytes) -> ColourProfile | None:
    try:
        head = _head(icc)
        # What lies beyond the profile's own length is nobody's business.
        elements = _elements(icc[: int.from_bytes(icc[:4])])
        _refuse_unfit(elements, head)
    except BrokenProfileError:
        return None
    return _profile(head, elements)


def _head(icc: bytes) -> _Head:
    device, space, connection = icc[12:16], icc[16:20], icc[20:24]
    major, minor = icc[8], icc[9] >> 4
    if icc[36:40] != b"acsp" or major not in (2, 4) or minor > 4:
        raise BrokenProfileError("no profile of version 2 or 4")
    if device not in _CLASSES or space != _RGB or connection not in (XYZ, _LAB):
        raise BrokenProfileError("no profile for RGB pictures")
    intent = int.from_bytes(icc[64:68])
    return _Head(
        version=(major, minor), display=device == _DISPLAY, connection=connection, intent=intent if intent < 4 else 0
    )


def _elements(icc: bytes) -> dict[bytes, bytes]:
    """Return the elements of the colour transform, written anew, by signature."""
    count = int.from_bytes(part(icc, _HEADER_LENGTH, 4))
    if count > _MOST_TAGS:
        raise BrokenProfileError("too many elements")
    found: dict[bytes, bytes] = {}
    for signature, start, length in struct.iter_unpack(">4sII", part(icc, _HEADER_LENGTH + 4, 12 * count)):
        if signature in _TYPES:
            element = part(icc, start, length)
            if signature in found or element[:4] not in _TYPES[signature]:
                raise BrokenProfileError("an element is there twice, or of a wrong type")
            found[signature] = rewritten(element)
    return {signature: found[signature] for signature in _TYPES if signature in found}  # their order names a maker


def _refuse_unfit(elements: Mapping[bytes, bytes], head: _Head) -> None:
    """Refuse what can't be an input profile (ICC.1:2022 section 8.3): neither a table nor primaries with curves."""
    shaped = head.connection == XYZ and all(signature in elements for signature in (*_PRIMARIES, *_CURVES))
    if not shaped and b"A2B0" not in elements:
        raise BrokenProfileError("it has no transform from the camera's values")


def _profile(head: _Head, elements: Mapping[bytes, bytes]) -> ColourProfile | None:
    # Where there is a table it rules, and primaries and curves tell nothing sure.
    space = None
    if not any(signature in elements for signature in _TABLES):
        space = recognised([elements[each] for each in _PRIMARIES], [elements[each] for each in _CURVES])
    texts = {b"desc": space.name if space else _UNKNOWN, b"cprt": _COPYRIGHT}
    spoken = {signature: _text(signature, text, head.version[0]) for signature, text in texts.items()}
    icc = _written(head, {**spoken, b"wtpt": XYZ + bytes(4) + _D50, **_without_screen_white(head, elements)})
    return ColourProfile(icc=icc, color_space=space.term if space else "") if len(icc) <= MOST_BYTES else None


def _without_screen_white(head: _Head, elements: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
    """Leave out the white of a version 2 display: readers heed it in an input profile, but not in a display's."""
    if not (head.display and head.version[0] == 2):
        return elements
    return {signature: element for signature, element in elements.items() if signature != b"wtpt"}


def _text(signature: bytes, text: str, version: int) -> bytes:
    if version == 4:
        encoded = text.encode("utf-16-be")
        return b"mluc" + bytes(4) + struct.pack(">II4sII", 1, 12, b"enUS", len(encoded), 28) + encoded
    plain = text.encode("ascii") + b"\0"
    if signature == b"cprt":
        return b"text" + bytes(4) + plain
    # textDescriptionType (ICC.1:2001-04 section 6.5.17): no Unicode and no Macintosh text.
    return b"desc" + bytes(4) + struct.pack(">I", len(plain)) + plain + bytes(4 + 4 + 2 + 1 + 67)


def _written(head: _Head, elements: Mapping[bytes, bytes]) -> bytes:
    """Write the profile: a header of constants, the table of tags, and each different element once."""
    end = _HEADER_LENGTH + 4 + 12 * len(elements)
    places: dict[bytes, int] = {}
    for element in elements.values():
        if element not in places:
            places[element] = end
            end += len(padded(element))
    table = (struct.pack(">4sII", signature, places[each], len(each)) for signature, each in elements.items())
    return b"".join((_header(head, end), struct.pack(">I", len(elements)), *table, *map(padded, places)))


def _header(head: _Head, size: int) -> bytes:
    major, minor = head.version
    version = bytes((major, minor << 4, 0, 0))
    kind = b"".join((struct.pack(">I4x", size), version, b"scnr", _RGB, head.connection, _CREATED, b"acsp"))
    return (kind + bytes(24) + struct.pack(">I", head.intent) + _D50).ljust(_HEADER_LENGTH, b"\0")
