"""Visit every element of an object, nested ones too.

Knows how pydicom decodes lazily, and what it drops silently on the way. Must not know what an element means. Never
raises, however hostile the object: what can't be decoded becomes a finding.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pydicom import config
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.valuerep import validate_value

from dicomwrap.hostile import UNREADABLE
from dicomwrap.judging.findings import Finding, error, warning

MOST_ELEMENTS: Final = 100_000
DEEPEST: Final = 32
UNDEFINED_LENGTH: Final = 0xFFFFFFFF
_TEXT_VRS: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_CHECKED_VRS: Final = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM", "UR"})
_TRAILING_PADDING: Final = 0xFFFCFFFC


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """One element where it stands: ``path`` such as ``SourceImageSequence[1]``, empty at the top."""

    path: str
    element: DataElement

    @property
    def name(self) -> str:
        """Where it is, in keywords; private elements by tag."""
        return f"{self.path}.{name_of(self.element.tag)}" if self.path else name_of(self.element.tag)


@dataclass(slots=True, kw_only=True)
class Walk:
    """What a visit met: elements, items by the sequence they stand in, and what was wrong with the encoding."""

    met: list[Met] = field(default_factory=list)
    items: list[tuple[str, str, Dataset]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def name_of(tag: BaseTag) -> str:
    """Return an element's keyword, or its tag where it has none."""
    return keyword_for_tag(tag) or f"({tag.group:04X},{tag.element:04X})"


def walked(dataset: Dataset) -> Walk:
    """Visit every element once. Must be the first to look at the object: values are checked as they are decoded."""
    walk = Walk()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        _visit(walk, dataset, told)
    return walk


def _visit(walk: Walk, dataset: Dataset, told: list[warnings.WarningMessage]) -> None:
    waiting: list[tuple[str, int, Dataset, bool]] = [("", 0, dataset, "SpecificCharacterSet" in dataset)]
    while waiting:
        path, depth, here, charset = waiting.pop()
        walk.findings.extend(_order(path, here))
        for tag in sorted(here.keys()):
            if len(walk.met) >= MOST_ELEMENTS:
                walk.findings.append(error("UNREADABLE", f"more than {MOST_ELEMENTS} elements; the rest wasn't read"))
                return
            met = _meet(walk, path, here, tag, charset)
            if told or (met is not None and not _keeps_its_vr(met.element)):
                told.clear()
                walk.findings.append(warning("VALUE_REPRESENTATION", f"{_at(path, tag)}: breaks the rules of its VR"))
            if met is not None and met.element.VR == "SQ":
                waiting.extend(_items(walk, met, depth, charset))


def _meet(walk: Walk, path: str, here: Dataset, tag: BaseTag, charset: bool) -> Met | None:
    """Decode one element; None, with a finding, when it can't be decoded."""
    try:
        raw = here.get_item(tag)
        if isinstance(raw, RawDataElement):
            walk.findings.extend(_raw(_at(path, tag), raw, charset))
        met = Met(path=path, element=here[tag])
    except UNREADABLE as problem:
        walk.findings.append(error("UNREADABLE", f"{_at(path, tag)}: can't be decoded ({type(problem).__name__})"))
        return None
    walk.met.append(met)
    return met


def _items(walk: Walk, met: Met, depth: int, charset: bool) -> Iterator[tuple[str, int, Dataset, bool]]:
    if depth >= DEEPEST:
        walk.findings.append(error("UNREADABLE", f"items more than {DEEPEST} deep; the rest wasn't read"))
        return
    for number, item in enumerate(met.element.value or (), start=1):
        path = f"{met.name}[{number}]"
        walk.items.append((name_of(met.element.tag), path, item))
        yield path, depth + 1, item, charset or "SpecificCharacterSet" in item


def _raw(name: str, raw: RawDataElement, charset: bool) -> Iterator[Finding]:
    """Say what is wrong with an element's bytes, before pydicom mends it."""
    value = raw.value if isinstance(raw.value, bytes) else b""
    if raw.length != UNDEFINED_LENGTH and len(value) < raw.length:
        yield error("TRUNCATED", f"{name}: has {len(value)} bytes of the {raw.length} that it says")
    if raw.tag == _TRAILING_PADDING:
        if value.strip(b"\0"):
            yield error("TRAILING_DATA", f"{name}: the padding after the object isn't empty")
    elif len(value) % 2:
        yield warning("VALUE_REPRESENTATION", f"{name}: has an odd length")
    if not charset and _vr(raw) in _TEXT_VRS and not value.isascii():
        yield error("TYPE_1_MISSING", f"SpecificCharacterSet: is missing, and {name} isn't ASCII")


def _vr(raw: RawDataElement) -> str:
    if raw.VR and raw.VR != "UN":
        return str(raw.VR)
    try:
        return dictionary_VR(raw.tag)
    except KeyError:
        return "UN"


def _keeps_its_vr(element: DataElement) -> bool:
    """Tell whether each value obeys PS3.5 section 6.2; pydicom asks that only of what is written."""
    if element.VR not in _CHECKED_VRS:
        return True
    value = element.value
    try:
        for part in value if isinstance(value, MultiValue) else [value]:
            validate_value(element.VR, "" if part is None else str(part), config.RAISE)
    except UNREADABLE:
        return False
    return True


def _order(path: str, here: Dataset) -> Iterator[Finding]:
    tags = list(here.keys())
    if tags != sorted(tags):
        yield error("ELEMENT_ORDER", f"{path or 'the object'}: elements aren't in ascending order")


def _at(path: str, tag: BaseTag) -> str:
    return f"{path}.{name_of(tag)}" if path else name_of(tag)
