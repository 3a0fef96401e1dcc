"""Read single values of a hostile object.

Knows that an element may be anything but what its dictionary entry says. Must not know what a value means. Never
raises: what can't be read is as good as not there.
"""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from dicomwrap.hostile import UNREADABLE


def filled(dataset: Dataset, keyword: str) -> bool:
    """Tell whether an element is there and has a value: an item, a byte, or a sign that is no blank."""
    try:
        value = dataset.get(keyword)
        if isinstance(value, bytes | Sequence):
            return len(value) > 0
        return any(part.strip(" \0") for part in _parts(value))
    except UNREADABLE:
        return False


def texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """Return the values of an element as text, without padding; empty when it isn't there."""
    try:
        return tuple(part.strip(" \0") for part in _parts(dataset.get(keyword)))
    except UNREADABLE:
        return ()


def text(dataset: Dataset, keyword: str) -> str:
    """Return an element's values as one text, "" when it isn't there."""
    return "\\".join(texts(dataset, keyword))


def number(dataset: Dataset, keyword: str) -> int | None:
    """Return an element's value as a whole number, None when it is none."""
    try:
        return int(text(dataset, keyword))
    except ValueError:
        return None


def decimals(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """Return an element's values as numbers; empty when one of them is none."""
    try:
        return tuple(float(part) for part in texts(dataset, keyword))
    except ValueError:
        return ()


def items(dataset: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """Return the items of a sequence; empty when there is none."""
    try:
        value = dataset.get(keyword)
        return tuple(value) if isinstance(value, Sequence) else ()
    except UNREADABLE:
        return ()


def binary(dataset: Dataset, keyword: str) -> bytes:
    """Return an element's bytes; none when it isn't there or is no such element."""
    try:
        value = dataset.get(keyword)
    except UNREADABLE:
        return b""
    return value if isinstance(value, bytes) else b""


def _parts(value: object) -> tuple[str, ...]:
    if value is None or isinstance(value, bytes | Sequence):
        return ()
    if isinstance(value, MultiValue | list | tuple):
        return tuple("" if part is None else str(part) for part in value)
    return (str(value),)
