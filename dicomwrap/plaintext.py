"""Read an element's text or number without having pydicom convert it, where both come to the same.

Most text is plain ASCII, and most numbers are one unsigned short. pydicom takes ten times as long for each.

Knows which value representations are text, and which of them have several values (PS3.5 section 6.2). Must not know
what an element means. Whatever isn't plainly so is left to pydicom.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

SEVERAL: Final = frozenset({"AE", "AS", "CS", "DA", "DT", "LO", "SH", "TM", "UI"})
ONE: Final = frozenset({"LT", "ST", "UT"})
PADDING: Final = b"\0 "
_ESCAPE: Final = b"\x1b"  # begins another character set
_TAGS: Final = 8192  # more than the dictionary's that any object of ours has, and fewer than a stranger could send


@lru_cache(_TAGS)
def one_tag(tag: int) -> BaseTag:
    """Return a tag as pydicom has it, for each number the same one: pydicom compares others by a function of Python."""
    return BaseTag(tag)


@lru_cache(_TAGS)
def _tag_of(keyword: str) -> BaseTag | None:
    tag = tag_for_keyword(keyword)
    return None if tag is None else one_tag(tag)


def plain_texts(dataset: Dataset, tag: int) -> tuple[str, ...] | None:
    """Return the values of a text element as it stands in the file, None when only pydicom can tell them.

    What is around a value is not taken off, but for the padding at the element's end.
    """
    return _plain(dataset.get_item(one_tag(tag)))


def _plain(element: object) -> tuple[str, ...] | None:
    if not isinstance(element, RawDataElement) or not isinstance(element.value, bytes):
        return None
    value = element.value if element.VR == "AE" else element.value.rstrip(PADDING)  # of AE pydicom keeps zeros
    if not value.isascii() or b"\0" in value or _ESCAPE in value:
        return None
    text = value.decode("ascii")
    if element.VR in SEVERAL:
        found = text.split("\\")
        return tuple(each.strip() for each in found) if element.VR == "UI" else tuple(found)  # as pydicom does
    return (text,) if element.VR in ONE else None


def text_of(dataset: Dataset, keyword: str) -> str:
    """Return the text of an element; '' when it is empty or isn't there.

    Raises:
        UNREADABLE: pydicom, which is asked about what isn't plain, can't convert it.
    """
    tag = _tag_of(keyword)
    element = None if tag is None else dataset.get_item(tag)
    if tag is None or element is None:
        return ""
    found = _plain(element)
    if found is not None and len(found) == 1:
        return found[0]
    return str(dataset[tag].value or "")


def plain_number(dataset: Dataset, keyword: str) -> int | None:
    """Return the number that an element of one unsigned short has, None when only pydicom can tell it."""
    tag = _tag_of(keyword)
    element = dataset.get_item(tag) if tag is not None else None
    if not isinstance(element, RawDataElement) or element.VR != "US":
        return None
    value = element.value
    if not isinstance(value, bytes) or len(value) != 2:
        return None
    return int.from_bytes(value, "little" if element.is_little_endian else "big")
