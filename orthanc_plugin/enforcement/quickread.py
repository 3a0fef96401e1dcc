"""Put the elements that a walk has found into a pydicom data set, where they are as plain as a photograph's are.

Knows the two transfer syntaxes of photographs, and what pydicom would read of an object encoded so. Must not read what
is unusual in any way: that is pydicom's to read and to be compared, as before (``reading``). A property holds it to
pydicom, element by element, also on damaged objects. Sources: PS3.5 sections 7.1 and A.4.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast

from pydicom.charset import default_encoding, python_encoding
from pydicom.dataelem import DataElement, RawDataElement, empty_value_for_VR
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import BaseTag
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit

from dicomwrap.plaintext import one_tag
from orthanc_plugin.enforcement.nesting import LONG, PREAMBLE, SHORT, UNDEFINED, Place, Walked

SYNTAX: Final = 0x00020010
CHARACTER_SET: Final = 0x00080005
PIXELS: Final = 0x7FE00010
FIRST_OF_A_DATA_SET: Final = 0x00080000
END_OF_PIXELS: Final = b"\xfe\xff\xdd\xe0\0\0\0\0"
# As the file has them, with what pads them.
SYNTAXES: Final = frozenset(
    each.encode() + b"\0" * (len(each) % 2) for each in (ExplicitVRLittleEndian, JPEGBaseline8Bit)
)
NAMES: Final = {each: each.decode() for each in SHORT | LONG}
CHARACTER_SETS: Final = {name.encode(): [python_encoding[name]] for name in ("ISO_IR 192", "ISO_IR 100")}


def quickly(content: bytes, found: Walked) -> Dataset | None:
    """Return the data set, None when something in it isn't plain."""
    top = {place.tag: place for place in found.top}
    encoding = _encoding(content, top.get(CHARACTER_SET))
    if encoding is None or not _plain(content, found):
        return None
    dataset = Dataset(_elements(content, found.top))
    dataset.set_original_encoding(is_implicit_vr=False, is_little_endian=True, character_encoding=encoding)
    meta = Dataset(_elements(content, found.meta))
    meta.set_original_encoding(is_implicit_vr=False, is_little_endian=True, character_encoding=default_encoding)
    dataset.file_meta = FileMetaDataset(meta)
    dataset.file_meta.set_original_encoding(
        is_implicit_vr=False, is_little_endian=True, character_encoding=default_encoding
    )
    dataset.preamble = content[:PREAMBLE]
    return dataset


def _encoding(content: bytes, place: Place | None) -> list[str] | str | None:
    """Return how pydicom would read text, None where that needs a look."""
    if place is None:
        return default_encoding
    return CHARACTER_SETS.get(_value(content, place) or b"") if place.vr == b"CS" else None


def _plain(content: bytes, found: Walked) -> bool:
    """Tell whether there is nothing in it but what every parser reads the same way."""
    said = [_value(content, place) for place in found.meta if place.tag == SYNTAX and place.vr == b"UI"]
    tags = [place.tag for place in found.meta]
    if len(said) != 1 or said[0] not in SYNTAXES or tags != sorted(set(tags)):
        return False
    if not found.top or found.top[0].tag < FIRST_OF_A_DATA_SET or any(tag >> 16 != 2 for tag in tags):
        return False
    *before, last = (*found.meta, *found.top)
    if any(place.vr == b"UN" or place.length == UNDEFINED for place in before):
        return False
    if last.length != UNDEFINED:
        return last.vr != b"UN"
    return last.tag == PIXELS and last.vr in (b"OB", b"OW") and content.endswith(END_OF_PIXELS)


def _elements(content: bytes, places: Iterable[Place]) -> dict[BaseTag, DataElement | RawDataElement]:
    return {
        (tag := one_tag(number)): RawDataElement(
            tag,
            NAMES.get(vr) or vr.decode(),
            length,
            content[start : start + length] if 0 < length < UNDEFINED else _value(content, place),
            start,
            False,
            True,
        )
        for place in places
        for number, start, vr, length in (place,)
    }


def _value(content: bytes, place: Place) -> bytes | None:
    """Return what pydicom takes for the value as it stands."""
    if place.length == 0:
        return cast("bytes | None", empty_value_for_VR(place.vr.decode(), raw=True))
    if place.length == UNDEFINED:
        return content[place.start : -len(END_OF_PIXELS)]
    return content[place.start : place.start + place.length]
