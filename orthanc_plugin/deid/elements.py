"""Go through a data set's elements as often as a copy asks for them, and know of each tag what never changes.

Knows pydicom's data sets and the dictionary of PS3.6. Must not know what becomes of an element. pydicom sorts tags and
looks each one up again whenever a data set is gone through, which is five times what the elements themselves take.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from pydicom.datadict import dictionary_has_tag, dictionary_keyword, dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

MOST_TAGS: Final = 8192  # that are kept in mind; the dictionary has some 5,000


def elements_of(dataset: Dataset) -> list[DataElement]:
    """Return the elements of a data set by tag, decoded."""
    found = sorted(dataset.items(), key=_number)
    return [dataset[tag] if isinstance(each, RawDataElement) else each for tag, each in found]


def every_element(dataset: Dataset) -> Iterator[DataElement]:
    """Yield the elements of a data set, at any depth, each before those of its items."""
    for element in elements_of(dataset):
        yield element
        if element.VR == "SQ":
            for item in element.value:
                yield from every_element(item)


def _number(item: tuple[BaseTag, object]) -> int:
    return int(item[0])  # numbers are compared by the interpreter, tags by pydicom


@lru_cache(MOST_TAGS)
def representations(tag: int) -> frozenset[str]:
    """Return the VRs that the standard has for an attribute; none for a private one, or one that it doesn't have."""
    known = not tag >> 16 & 1 and dictionary_has_tag(tag)
    return frozenset(dictionary_VR(tag).split(" or ")) if known else frozenset()


@lru_cache(MOST_TAGS)
def keyword(tag: int) -> str:
    """Return the keyword of an attribute, "" where it has none, or one with others in a repeating group."""
    return dictionary_keyword(tag) if dictionary_has_tag(tag) else ""
