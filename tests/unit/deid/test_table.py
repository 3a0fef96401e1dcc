"""Every row of PS3.15 Table E.1-1, under the basic profile and each option, at the top and in an item."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from dicomwrap.confidentiality import BASIC_PROFILE, Option
from orthanc_plugin.deid.actions import Needs
from orthanc_plugin.deid.engine import Engine
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.deid.table import COLUMNS, OURS
from tests.fakes.pictures import photograph

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

PATH: Final = Path(__file__).resolve().parents[3] / "orthanc_plugin" / "deid" / "ps315.tsv"
LINES: Final = [line for line in PATH.read_text().splitlines() if not line.startswith("#")]
HEADER: Final = LINES[0].split("\t")
ROWS: Final = [dict(zip(HEADER, line.split("\t"), strict=True)) for line in LINES[1:]]
OPTIONS: Final = HEADER[3:]
CANARY: Final = "CANARY-7Q4X"
SAMPLES: Final[dict[str, object]] = {
    "DA": "20010203", "TM": "101112", "DT": "20010203101112", "AS": "042Y", "UI": "1.2.826.0.1.99.4711", "US": 7,
    "DS": "3.5", "IS": "7", "OB": b"CANARY-7Q4X!", "UN": b"CANARY-7Q4X!", "CS": "CANARY 7Q4X", "AE": CANARY,
    "UR": f"urn:{CANARY}",
}  # fmt: skip
# Of which the standard says what they may say: nothing else is kept (``closed``).
WORDS: Final = {"00100040": "F", "00102203": "ALTERED", "001021A0": "NO", "00080201": "+0100"}
# A copy without times has no pictures that are related in time; and what is of a command, of file meta information or
# of a directory is never in a data set.
STRICTER: Final = {"00080023", "00080033"}
ELSEWHERE: Final = ("0000", "0002", "0004")


def tag_of(row: dict[str, str]) -> BaseTag:
    return Tag(int(row["tag"].replace("x", "0"), 16))


def representation(row: dict[str, str]) -> str:
    tag = tag_of(row)
    if dictionary_has_tag(tag):
        return dictionary_VR(tag).split(" or ")[0]
    ends = {"Sequence": "SQ", "DateTime": "DT", "URI": "UR"}
    return next((vr for end, vr in ends.items() if row["name"].endswith(end)), "LO")


def sample(row: dict[str, str]) -> DataElement:
    vr = representation(row)
    if vr != "SQ":
        return DataElement(tag_of(row), vr, WORDS.get(row["tag"], SAMPLES.get(vr, CANARY)))
    item = Dataset()
    item.PatientID, item.SeriesDescription = CANARY, CANARY
    return DataElement(tag_of(row), vr, [item])


@cache
def engine(column: str) -> Engine:
    options = frozenset({COLUMNS[column]}) if column else frozenset[Option]()
    profile = Profile(name="p", pseudonym_domain="d", options=options)
    return Engine(profile, Pseudonyms(key=bytes(32), domain="d"), ("P1", "HOSP"))


@cache
def _photograph() -> Dataset:
    original = photograph()
    del original.PixelData
    return original


def plain() -> Dataset:
    """Return a photograph's data set without pixels, to add to."""
    return deepcopy(_photograph())


def outcome(before: DataElement, after: Dataset) -> str:
    """Tell what became of an element by what is there, in the letters of the standard."""
    found = after.get(before.tag)
    if found is None:
        return "X"
    if found.VM == 0 or (found.VR == "SQ" and not found.value):
        return "Z"
    if found.VR == "SQ":
        return "S"
    return "K" if found.value == before.value else "D"


def allowed(code: str, row: dict[str, str]) -> set[str]:
    """Return what the standard allows for a code: Z may be a dummy, and what is cleaned may be taken out."""
    letters = {"X": {"X"}, "Z": {"Z", "D"}, "D": {"D"}, "U": {"D"}, "U*": {"D"}, "K": {"K"}, "C": {"X", "Z", "D"}}
    found = set().union(*(letters[each] for each in code.split("/")))
    if representation(row) == "SQ" and found & {"D", "K"}:
        found = found - {"D", "K"} | {"S"}
    if code == "C" and representation(row) == "TM":
        found |= {"K"}  # a shift by whole days leaves the time of day
    if row["tag"].startswith(ELSEWHERE):
        return {"X"}
    return found | ({"X"} if row["tag"] in STRICTER else set())


@pytest.mark.parametrize("row", [row for row in ROWS if row["tag"] != "PRIVATE"], ids=lambda row: row["tag"])
def test_a_row_does_what_the_standard_says_at_the_top_and_in_an_item_under_every_option(row: dict[str, str]) -> None:
    for column in ("", *(column for column in OPTIONS if row[column])):
        original = plain()
        original.add(sample(row))
        original.AnatomicRegionSequence[0].add(sample(row))
        copy = engine(column).copy(original, Needs.of_object(str(original.SOPClassUID)))
        assert outcome(sample(row), copy) in allowed(row[column or "basic"], row), column
        (item,) = copy.AnatomicRegionSequence
        assert outcome(sample(row), item) in allowed(row[column or "basic"], row), column
        kept = row[column or "basic"] == "K" and representation(row) != "SQ"
        assert kept or "CANARY" not in str(copy)


def test_the_table_is_whole() -> None:
    assert Counter(row["basic"] for row in ROWS) == {
        "X": 417, "D": 93, "U": 55, "Z": 42, "X/D": 23, "X/Z": 11, "X/Z/D": 8, "Z/D": 6, "X/Z/U*": 2,
    }  # fmt: skip
    counts = {column: Counter(row[column] for row in ROWS if row[column]) for column in OPTIONS}
    assert counts == {
        "retain_safe_private": {"C": 1},
        "retain_uids": {"K": 60},
        "retain_device_identity": {"K": 48, "C": 11},
        "retain_institution_identity": {"K": 10},
        "retain_patient_characteristics": {"K": 14, "C": 5},
        "retain_longitudinal_full_dates": {"K": 169},
        "retain_longitudinal_modified_dates": {"C": 169},
        "clean_descriptors": {"C": 141},
        "clean_structured_content": {"C": 4},
        "clean_graphics": {"C": 4},
    }
    assert "2026d" in PATH.read_text().splitlines()[0]


def test_our_own_rows_are_for_attributes_that_the_standard_has_and_mostly_keeps() -> None:
    ours = {row.tag: row for row in OURS.values()}
    changed = {row.name for row in OURS.values()} & {
        keyword_for_tag(tag_of(row)) for row in ROWS if row["tag"] != "PRIVATE"
    }
    assert changed == {"PatientName", "PatientID", "ContentDate", "ContentTime"}
    assert all(keyword_for_tag(int(tag, 16)) == row.name for tag, row in ours.items())
    words = {row.name for row in ours.values()}
    assert {"ICCProfile", "TrackingID", "ConfidentialityCode", "DocumentTitle", "FNumber", "Temperature"} <= words


def test_the_options_are_named_and_coded_as_in_ps3_16_cid_7050() -> None:
    from pydicom.sr._cid_dict import cid_concepts
    from pydicom.sr._concepts_dict import concepts

    known = {
        (value, meaning)
        for keyword in cid_concepts[7050]["DCM"]
        for value, (meaning, _) in concepts["DCM"][keyword].items()
    }
    assert {BASIC_PROFILE, *(option.method for option in Option)} == known


@pytest.mark.parametrize("column", ["", *OPTIONS])
def test_curves_and_overlays_are_gone_with_all_that_describes_them(column: str) -> None:
    original = photograph()
    for group in (0x5000, 0x501E, 0x6000, 0x601E):
        original.add_new((group, 0x3000), "OW", b"CANARY-7Q4X!")
        original.add_new((group, 0x4000 if group >= 0x6000 else 0x2500), "LO", CANARY)
        original.add_new((group, 0x0010), "US", 4)
    copy = engine(column).copy(original, Needs(None))
    assert [element.tag for element in copy if element.tag.group >> 8 in (0x50, 0x60)] == []
