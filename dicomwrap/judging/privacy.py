"""Find what should not be in a photograph's object: places, owners, blocks that nobody looked into.

Knows the elements that carry them (PS3.3 sections C.8.12.10 to C.8.12.12) and how camera metadata begin. Must not know
bitstreams; those are ``dicomwrap.judging.picture``'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dicomwrap.consenttags import CREATOR, GROUP
from dicomwrap.judging.findings import Finding, error, note, warning
from dicomwrap.judging.walk import Met, Walk

LOCATION: Final = range(0x00160070, 0x0016008F)
OWNER: Final = frozenset({0x0016004D})
OPAQUE: Final = {0x0016002B: "MakerNote", 0x0016004B: "DeviceSettingDescription"}
ICON: Final = 0x00880200
# The picture and documents are looked into elsewhere; profiles too.
_ELSEWHERE: Final = frozenset({0x7FE00010, 0x00420011, 0x00282000})
_LONG_TEXT_VRS: Final = frozenset({"UT", "LT", "ST"})
_ANYWHERE: Final = {b"Exif\0\0": "EXIF", b"<?xpacket": "XMP", b"<x:xmpmeta": "XMP", b"http://ns.adobe.com/xap/": "XMP"}
_AT_START: Final = {b"II*\0": "EXIF or TIFF", b"MM\0*": "EXIF or TIFF", b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG"}


def privacy_findings(walk: Walk) -> Iterator[Finding]:
    """Say which elements tell where, whose, or can't be seen through."""
    ours = _our_blocks(walk)
    foreign: dict[str, None] = {}
    for met in walk.met:
        yield from _known(met)
        yield from _carried(met)
        if met.element.tag.is_private and not _is_ours(met, ours):
            foreign[f"{met.path + ': ' if met.path else ''}group {met.element.tag.group:04X}"] = None
    for place in foreign:
        yield note("PRIVATE_ELEMENTS", f"{place}: private elements whose meaning isn't known here")


def _known(met: Met) -> Iterator[Finding]:
    tag, empty = int(met.element.tag), met.element.is_empty
    if tag in LOCATION and not empty:
        yield error("GPS_ATTRIBUTE", f"{met.name}: says where the picture was taken")
    elif tag in OWNER and not empty:
        yield error("OWNER_ATTRIBUTE", f"{met.name}: says whose camera it was")
    elif tag in OPAQUE and not empty:
        yield error("HIDDEN_METADATA", f"{met.name}: the camera's own block, which may name places and people")
    elif tag == ICON and not empty:
        yield warning("THUMBNAIL", f"{met.name}: a smaller picture, which may show what was cut or covered")


def _carried(met: Met) -> Iterator[Finding]:
    """Look for camera metadata in elements that are mere bytes or text."""
    value = met.element.value
    if isinstance(value, str) and met.element.VR in _LONG_TEXT_VRS:
        value = value.encode("utf-8", "replace")
    if not isinstance(value, bytes) or int(met.element.tag) in _ELSEWHERE:
        return
    kinds = dict.fromkeys(kind for mark, kind in _ANYWHERE.items() if mark in value)
    kinds |= dict.fromkeys(kind for mark, kind in _AT_START.items() if value.startswith(mark))
    for kind in kinds:
        yield error("HIDDEN_METADATA", f"{met.name}: holds {kind} data")


def _our_blocks(walk: Walk) -> frozenset[tuple[str, int]]:
    """Return the blocks (path and first byte of the element number) that hold consent stamps."""
    return frozenset(
        (met.path, met.element.tag.element)
        for met in walk.met
        if met.element.tag.group == GROUP and met.element.tag.is_private_creator and _creator(met) == CREATOR
    )


def _is_ours(met: Met, ours: frozenset[tuple[str, int]]) -> bool:
    tag = met.element.tag
    block = tag.element if tag.is_private_creator else tag.element >> 8
    return tag.group == GROUP and (met.path, block) in ours


def _creator(met: Met) -> str:
    value = met.element.value
    return (value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)).strip(" \0")
