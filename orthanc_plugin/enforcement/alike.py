"""What the pictures of a session say alike, read once: the stamp of their consent, their device, the part of the body.

Knows which elements a reading rests on. It is remembered under the bytes of all of these, so that an object in which
one of them differs is read for itself, and so is whatever pydicom has converted already. Must not know what an element
means, nor what becomes of an object. Nothing that says who the patient is belongs here.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Final, Generic, TypeVar

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from dicomwrap.plaintext import one_tag

T = TypeVar("T")

MOST: Final = 256  # readings that are kept at once, of as many devices or consents
LONGEST: Final = 16 * 1024  # bytes of the elements together; what says more than any device does is read each time
CHARACTER_SET: Final = "SpecificCharacterSet"


def _nothing(_dataset: Dataset) -> Iterable[int]:
    return ()


class Alike(Generic[T]):
    """A reading of an object, remembered for those that say the same.

    Args:
        read: reads an object, and rests on nothing but the elements below and their character set.
        keywords: of these elements.
        further: tags of elements that can't be named, such as private ones.
    """

    def __init__(
        self,
        read: Callable[[Dataset], T],
        keywords: Iterable[str],
        further: Callable[[Dataset], Iterable[int]] = _nothing,
    ) -> None:
        self.read = read
        self.tags = tuple(one_tag(tag_for_keyword(each) or 0) for each in (CHARACTER_SET, *keywords))
        self.further = further
        self._known: dict[Hashable, tuple[T]] = {}

    def of(self, dataset: Dataset) -> T:
        """Return what ``read`` returns, or raise what it raises."""
        key = self._key(dataset)
        if key is None:
            return self.read(dataset)
        known = self._known.get(key)
        if known is None:
            known = (self.read(dataset),)
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[key] = known
        return known[0]

    def _key(self, dataset: Dataset) -> Hashable | None:
        """Return what the reading rests on, None where that isn't plain to see."""
        said: list[Hashable] = []
        size = 0
        for tag in (*self.tags, *self.further(dataset)):
            element = dataset.get_item(tag)
            if element is None:
                said.append(tag)
            elif isinstance(element, RawDataElement) and isinstance(element.value, bytes):
                # An element's encoding is part of what it says: the same bytes could be another sequence.
                said.append((tag, element.VR, element.value, element.is_implicit_VR, element.is_little_endian))
                size += len(element.value)
            else:
                return None
        return tuple(said) if size <= LONGEST else None
