"""A find is a refusal: what of the original still stands in a copy."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from orthanc_plugin.deid.leakcheck import IDENTIFYING, identifiers, leaks
from tests.fakes.pictures import CONSENT_ID, photograph

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def original() -> Dataset:
    return photograph(
        AccessionNumber="ACC-20251122",
        StudyID="ST-4711",
        OperatorsName="Lee^Ann",
        ReferringPhysicianName="Grey^Meredith",
    )


def test_the_original_itself_is_full_of_leaks() -> None:
    assert set(IDENTIFYING) <= set(leaks(original(), original()))


def test_an_empty_copy_leaks_nothing() -> None:
    assert leaks(original(), Dataset()) == ()


@pytest.mark.parametrize("keyword", IDENTIFYING)
def test_a_copy_that_kept_an_identifier_is_found_out(keyword: str) -> None:
    copy = Dataset()
    copy.add(original()[keyword])
    assert leaks(original(), copy) == (keyword,)


@pytest.mark.parametrize(
    ("keyword", "value", "found"),
    [
        ("PatientComments", "the photograph of Jane, at home", True),
        ("ImageComments", "ACC-20251122", True),
        ("StationName", "room ST-4711", True),
        ("DeviceSerialNumber", "P1", True),
        ("ImageComments", "born 19800615", True),
        ("StudyDescription", "P1 is part of too much", False),
        ("Manufacturer", "Acme", False),
        ("FrameOfReferenceUID", "2.25.3", True),
        ("FrameOfReferenceUID", "2.25.31", False),
        ("InstanceNumber", "3", False),
        ("DeidentificationMethod", f"of {CONSENT_ID}", True),
    ],
)
def test_a_value_is_a_leak_when_it_is_or_holds_an_identifier(keyword: str, value: str, found: bool) -> None:
    copy = Dataset()
    setattr(copy, keyword, value)
    assert leaks(original(), copy) == ((keyword,) if found else ())


def test_a_leak_is_found_at_any_depth_and_in_private_elements() -> None:
    inner, outer, copy = Dataset(), Dataset(), Dataset()
    inner.CodeMeaning = "Skin of Jane"
    outer.AnatomicRegionModifierSequence = [inner]
    copy.AnatomicRegionSequence = [outer]
    copy.private_block(0x0099, "VENDOR", create=True).add_new(1, "LO", "Doe^Jane")
    assert leaks(original(), copy) == ("CodeMeaning", "(0099,1001)")


def test_every_part_and_every_writing_of_a_name_is_looked_for() -> None:
    named = photograph(PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう")
    assert {"Yamada", "Tarou", "山田", "太郎", "やまだ", "たろう"} <= identifiers(named)
    for part, found in (("やまだ", True), ("of Yamada", True), ("of やまだ", False)):  # short parts: only as a whole
        copy = Dataset()
        copy.ImageComments = part
        assert leaks(named, copy) == (("ImageComments",) if found else ())


def test_several_values_are_each_looked_at() -> None:
    copy = Dataset()
    copy.ImageType = ["DERIVED", "ACC-20251122"]
    assert leaks(original(), copy) == ("ImageType",)


@pytest.mark.parametrize("keyword", ["Manufacturer", "CodeValue", "ImageComments"])
def test_a_short_number_is_in_too_much_to_be_a_leak(keyword: str) -> None:
    copy = Dataset()
    setattr(copy, keyword, "1")
    assert leaks(photograph(StudyID="1", AccessionNumber="12"), copy) == ()


@pytest.mark.parametrize("keyword", ["Laterality", "ImageLaterality", "PatientOrientation"])
def test_a_letter_of_a_code_is_not_an_initial(keyword: str) -> None:
    copy = Dataset()
    setattr(copy, keyword, "L")
    assert leaks(photograph(PatientName="Doe^Jane^L"), copy) == ()
