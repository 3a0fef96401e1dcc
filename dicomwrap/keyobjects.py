"""Read a Key Object Selection Document that somebody else has made.

Knows where PS3.3 section C.17.6 and PS3.16 TID 2010 put the title, its modifiers and what is listed. Must not know what
a title leads to. A stranger's document is hostile until read: whatever is wrong with it is told as one error, and what
it lists in its content must be exactly what it lists as evidence, so that nobody reads it otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset

from dicomwrap.errors import DicomwrapError
from dicomwrap.hostile import UNREADABLE
from dicomwrap.iod.keyobject import (
    SOP_CLASS_UID,
    TITLE_MODIFIER,
    Code,
    Referenced,
)
from dicomwrap.uids import is_uid

MOST_REFERENCES: Final = 2_000
MOST_MODIFIERS: Final = 16
_LONGEST_TEXT: Final = 64
_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,15}")  # it is told in logs and on lists, so no words
_REFERRING: Final = frozenset({"IMAGE", "COMPOSITE", "WAVEFORM"})
_IN_PART: Final = ("ReferencedFrameNumber", "ReferencedSegmentNumber", "ReferencedWaveformChannels")


class KeyObjectError(DicomwrapError):
    """The object is no Key Object Selection Document that could be followed."""

    remedy = "Have the sender correct the key object (PS3.16 TID 2010) and send it under a new SOP Instance UID."


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyObject:
    """What a key object says.

    Attributes:
        title: what it is for (PS3.16 CID 7010).
        modifiers: of the title, such as why something is rejected (CID 7011).
        references: what it lists, in order, each once.
        partial: the SOP Instance UIDs of what it lists by frames, segments or channels and not whole.
    """

    sop_instance_uid: str
    study_instance_uid: str
    title: Code
    modifiers: tuple[Code, ...]
    references: tuple[Referenced, ...]
    partial: frozenset[str]


def read(dataset: Dataset) -> KeyObject:
    """Return what the key object says.

    Raises:
        KeyObjectError: it can't be followed; whatever is wrong, it is this error and no other.
    """
    try:
        return _read(dataset)
    except KeyObjectError:
        raise
    except UNREADABLE as error:
        raise KeyObjectError(f"The key object can't be read ({type(error).__name__})") from None


def _read(dataset: Dataset) -> KeyObject:
    if str(dataset.SOPClassUID) != SOP_CLASS_UID:
        raise KeyObjectError("The object is no Key Object Selection Document")
    items = _items(dataset, "ContentSequence")
    evidence = {each.sop_instance_uid: each for each in _evidence(dataset)}
    listed = _listed(items)
    if not listed:
        raise KeyObjectError("The key object lists nothing")
    if {uid: each.sop_class_uid for uid, each in evidence.items()} != {uid: kind for uid, (kind, _) in listed.items()}:
        raise KeyObjectError("The key object lists other objects in its content than as its evidence")
    return KeyObject(
        sop_instance_uid=_uid(dataset, "SOPInstanceUID"),
        study_instance_uid=_uid(dataset, "StudyInstanceUID"),
        title=_code(dataset, "ConceptNameCodeSequence"),
        modifiers=tuple(_modifiers(items)),
        references=tuple(evidence[uid] for uid in listed),
        partial=frozenset(uid for uid, (_, partial) in listed.items() if partial),
    )


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    found = list(dataset.get(keyword) or ())
    if len(found) > MOST_REFERENCES + MOST_MODIFIERS:
        raise KeyObjectError(f"The key object lists more than {MOST_REFERENCES} objects")
    if not all(isinstance(item, Dataset) for item in found):
        raise KeyObjectError(f"{keyword} is no sequence")
    return found


def _uid(dataset: Dataset, keyword: str) -> str:
    uid = str(dataset.get(keyword) or "")
    if not is_uid(uid):
        raise KeyObjectError(f"{keyword} is missing or no UID")
    return uid


def _evidence(dataset: Dataset) -> Iterator[Referenced]:
    """Give what CurrentRequestedProcedureEvidenceSequence lists."""
    seen: set[str] = set()
    for study in _items(dataset, "CurrentRequestedProcedureEvidenceSequence"):
        study_uid = _uid(study, "StudyInstanceUID")
        for series in _items(study, "ReferencedSeriesSequence"):
            series_uid = _uid(series, "SeriesInstanceUID")
            for named in _items(series, "ReferencedSOPSequence"):
                found = Referenced(
                    study_instance_uid=study_uid,
                    series_instance_uid=series_uid,
                    sop_class_uid=_uid(named, "ReferencedSOPClassUID"),
                    sop_instance_uid=_uid(named, "ReferencedSOPInstanceUID"),
                )
                if found.sop_instance_uid in seen or len(seen) >= MOST_REFERENCES:
                    raise KeyObjectError("The key object lists an object twice as evidence, or too many")
                seen.add(found.sop_instance_uid)
                yield found


def _listed(items: list[Dataset]) -> dict[str, tuple[str, bool]]:
    """Return the objects of the content by SOP Instance UID: the class of each, and whether only a part is meant.

    One that is listed whole and in part is meant whole.
    """
    found: dict[str, tuple[str, bool]] = {}
    for item in items:
        if _text(item, "ValueType") not in _REFERRING:
            continue
        for named in _items(item, "ReferencedSOPSequence"):
            uid, kind = _uid(named, "ReferencedSOPInstanceUID"), _uid(named, "ReferencedSOPClassUID")
            before, partial = found.get(uid, (kind, True))
            if before != kind:
                raise KeyObjectError("The key object gives one object two SOP classes")
            found[uid] = kind, partial and any(keyword in named for keyword in _IN_PART)
    return found


def _modifiers(items: list[Dataset]) -> Iterator[Code]:
    modifying = [item for item in items if _text(item, "ValueType") == "CODE" and _is(item, TITLE_MODIFIER)]
    if len(modifying) > MOST_MODIFIERS:
        raise KeyObjectError(f"The key object's title has more than {MOST_MODIFIERS} modifiers")
    yield from (_code(item, "ConceptCodeSequence") for item in modifying)


def _is(item: Dataset, concept: Code) -> bool:
    return bool(_items(item, "ConceptNameCodeSequence")) and _code(item, "ConceptNameCodeSequence") == concept


def _code(dataset: Dataset, keyword: str) -> Code:
    items = _items(dataset, keyword)
    if len(items) != 1:
        raise KeyObjectError(f"{keyword} has not exactly one item")
    value, scheme = _text(items[0], "CodeValue"), _text(items[0], "CodingSchemeDesignator")
    if not _CODE.fullmatch(value) or not _CODE.fullmatch(scheme):
        raise KeyObjectError(f"{keyword} has no code, or one that is no code")
    return Code(value=value, scheme=scheme, meaning=_text(items[0], "CodeMeaning"))


def _text(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip()[:_LONGEST_TEXT]
