"""What happens to each attribute: PS3.15 Table E.1-1 with every option, as data, and our own rows beside it.

Knows tags, keywords and action codes. Must not know objects. The table of the standard is ``ps315.tsv``: edition,
source and licence are in its head, and ``bin/ps315`` writes it and holds it against a second source. ``OURS`` are
attributes that the standard's table keeps but that can identify a photograph, and where we do more than it asks. An
attribute in neither is kept only when it says no more than its closed vocabulary (``closed``); all else is removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Final

from pydicom.datadict import keyword_for_tag, tag_for_keyword
from pydicom.tag import BaseTag, Tag

from dicomwrap.confidentiality import Action, Option

COLUMNS: Final[dict[str, Option]] = {
    "retain_safe_private": Option.RETAIN_SAFE_PRIVATE,
    "retain_uids": Option.RETAIN_UIDS,
    "retain_device_identity": Option.RETAIN_DEVICE_IDENTITY,
    "retain_institution_identity": Option.RETAIN_INSTITUTION_IDENTITY,
    "retain_patient_characteristics": Option.RETAIN_PATIENT_CHARACTERISTICS,
    "retain_longitudinal_full_dates": Option.RETAIN_FULL_DATES,
    "retain_longitudinal_modified_dates": Option.RETAIN_MODIFIED_DATES,
    "clean_descriptors": Option.CLEAN_DESCRIPTORS,
    "clean_structured_content": Option.CLEAN_STRUCTURED_CONTENT,
    "clean_graphics": Option.CLEAN_GRAPHICS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One attribute's row.

    Attributes:
        tag: eight hexadecimal digits, ``x`` for any digit of a repeating group.
        name: the keyword, or the standard's name where it has none.
        basic: action code of the basic profile, simple or compound, such as ``X/Z/D``.
        options: the action under each option that has a say.
    """

    tag: str
    name: str
    basic: str
    options: Mapping[Option, Action] = field(default_factory=dict)


TEXT: Final = (files("orthanc_plugin.deid") / "ps315.tsv").read_text(encoding="utf-8")


def _standard() -> Iterator[Row]:
    lines = (line.split("\t") for line in TEXT.splitlines() if not line.startswith("#"))
    _, _, _, *columns = next(lines)
    for tag, name, basic, *codes in lines:
        known = keyword_for_tag(int(tag, 16)) if tag.isalnum() and "x" not in tag and tag != "PRIVATE" else ""
        options = {COLUMNS[column]: Action(code) for column, code in zip(columns, codes, strict=True) if code}
        yield Row(tag=tag, name=known or name, basic=basic, options=options)


STANDARD: Final[dict[str, Row]] = {row.tag: row for row in _standard()}

_DEVICE: Final = {Option.RETAIN_DEVICE_IDENTITY: Action.K}
_DATES: Final = {Option.RETAIN_FULL_DATES: Action.K, Option.RETAIN_MODIFIED_DATES: Action.C}


def _ours() -> Iterator[Row]:
    # the standard allows a pseudonym in place of nothing, and a patient's pictures are to be found together
    yield from _rows("D", "PatientName PatientID")
    # type 1C in the VL Image Module when pictures are related in time; in a copy without times they aren't
    yield from _rows("X", "ContentDate ContentTime", _DATES)
    # not in Table E.1-1, and yet they can name a device or its owner
    yield from _rows("Z/D", "Manufacturer", _DEVICE)
    yield from _rows("X/D", "ManufacturerModelName SoftwareVersions", _DEVICE)
    # a lesion's name is free text, and required beside its UID
    yield from _rows("D", "TrackingID")
    # type 2 wherever there is a frame of reference, and words
    yield from _rows("Z", "PositionReferenceIndicator")
    # words of their own: profile descriptions, a document's title, who held the equipment before
    yield from _rows(
        "X",
        "ICCProfile ColorSpace ConfidentialityCode DocumentTitle IssuerOfPatientIDQualifiersSequence "
        "ContributingEquipmentSequence ConsentForClinicalTrialUseSequence EncryptedAttributesSequence "
        "DeidentificationMethod DeidentificationMethodCodeSequence DerivationCodeSequence",
    )
    # what a rare lens, a moment and a place's weather have in common: together they tell one photograph from all others
    yield from (Row(tag=f"0016{element:04X}", name=name, basic="X") for element, name in _acquisition())


def _acquisition() -> Iterator[tuple[int, str]]:
    """Yield the VL Photographic Acquisition attributes (PS3.3 C.8.12.11) that the standard's table has no row for."""
    for element in (*range(0x0001, 0x004D), 0x0061, 0x0062):
        name = keyword_for_tag(0x00160000 | element)
        if name and f"0016{element:04X}" not in STANDARD:
            yield element, name


def _rows(basic: str, keywords: str, options: Mapping[Option, Action] | None = None) -> Iterator[Row]:
    for keyword in keywords.split():
        tag = tag_for_keyword(keyword)
        if tag is None:
            raise LookupError(keyword)
        yield Row(tag=f"{tag:08X}", name=keyword, basic=basic, options=options or {})


OURS: Final[dict[str, Row]] = {row.tag: row for row in _ours()}
TABLE: Final[dict[str, Row]] = {**STANDARD, **OURS}
PRIVATE: Final = "PRIVATE"


def row_for(tag: BaseTag) -> Row | None:
    """Return the row of an attribute; None when there is none, which is not to say that it may be kept."""
    if tag.is_private:
        return TABLE[PRIVATE]
    text = f"{int(tag):08X}"
    group = text[:2]
    if group == "50":
        return TABLE["50xxxxxx"]
    if group == "60":
        return TABLE.get(f"60xx{text[4:]}", TABLE["60xx3000"])  # an overlay's description goes with the overlay
    return TABLE.get(text)


def tags(row: Row) -> BaseTag:
    """Return a tag that the row is for."""
    return Tag(int(row.tag.replace("x", "0"), 16))
