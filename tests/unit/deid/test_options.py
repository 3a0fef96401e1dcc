"""What the options of PS3.15 bring about on a whole photograph, and what a copy says of itself."""

from __future__ import annotations

from datetime import date, timedelta
from io import BytesIO
from itertools import pairwise
from typing import Final

import pytest
from pydicom import dcmread
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from dicomwrap.confidentiality import Action, Option, PixelDuty
from dicomwrap.consenttags import read_stamp
from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import FEWEST_DAYS, MOST_DAYS, Pseudonyms
from orthanc_plugin.deid.regions import Region
from tests.fakes.pictures import encoded, photograph

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

KEY: Final = bytes(range(32))


def profile(*options: Option, **changes: object) -> Profile:
    return Profile(**{"name": "p", "pseudonym_domain": "p", "options": frozenset(options), **changes})  # type: ignore[arg-type]


def copied(original: Dataset, chosen: Profile, *, confirmed: bool = True, domain: str = "p") -> Dataset:
    pseudonyms = Pseudonyms(key=KEY, domain=domain)
    return dcmread(BytesIO(deidentify(encoded(original), chosen, pseudonyms, confirmed=confirmed).content))


def day(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def test_dates_are_moved_by_the_same_whole_days_and_times_stay() -> None:
    visits = ("20240229", "20240301", "20250101")
    originals = [photograph(StudyDate=each, AcquisitionDateTime=f"{each}101530.25+0100") for each in visits]
    copies = [copied(each, profile(Option.RETAIN_MODIFIED_DATES)) for each in originals]
    moved = {day(each.StudyDate) - day(before) for each, before in zip(copies, visits, strict=True)}
    assert len(moved) == 1
    assert timedelta(days=-MOST_DAYS) <= min(moved) <= timedelta(days=-FEWEST_DAYS)
    assert [each.AcquisitionDateTime for each in copies] == [f"{each.StudyDate}101530.25+0100" for each in copies]
    assert all(before.StudyDate < after.StudyDate for before, after in pairwise(copies))
    assert {each.StudyTime for each in copies} == {originals[0].StudyTime}
    assert {each.LongitudinalTemporalInformationModified for each in copies} == {"MODIFIED"}


def test_another_patient_and_another_domain_are_moved_by_other_days() -> None:
    moved = {
        Pseudonyms(key=KEY, domain=domain).days(patient, issuer)
        for domain in "ab"
        for patient in ("P1", "P2")
        for issuer in ("H", "J")
    }
    assert len(moved) == 8


@pytest.mark.parametrize("value", ["1980", "198006", "19800699", "00010101"])
def test_a_date_that_can_t_be_moved_is_taken_out(value: str) -> None:
    copy = copied(photograph(AcquisitionDateTime=value), profile(Option.RETAIN_MODIFIED_DATES))
    assert "AcquisitionDateTime" not in copy


def test_full_dates_stay_but_the_birth_date_never_does() -> None:
    original = photograph()
    copy = copied(original, profile(Option.RETAIN_FULL_DATES))
    assert (copy.StudyDate, copy.AcquisitionDateTime) == (original.StudyDate, original.AcquisitionDateTime)
    assert (copy.PatientBirthDate, copy.LongitudinalTemporalInformationModified) == ("", "UNMODIFIED")


KEPT: Final = {
    Option.RETAIN_PATIENT_CHARACTERISTICS: {"PatientSex": "F", "PatientAge": "045Y", "PatientWeight": "70"},
    Option.RETAIN_DEVICE_IDENTITY: {"DeviceSerialNumber": "SN-4711-X", "Manufacturer": "Acme", "LensModel": "50mm"},
    Option.RETAIN_INSTITUTION_IDENTITY: {"InstitutionName": "St Elsewhere", "InstitutionalDepartmentName": "Skin"},
    Option.RETAIN_UIDS: {"StudyInstanceUID": "2.25.777123", "FrameOfReferenceUID": "2.25.888123"},
}


@pytest.mark.parametrize("option", KEPT)
def test_what_an_option_retains_is_kept_as_it_was_and_by_no_other_option(option: Option) -> None:
    values = {keyword: value for kept in KEPT.values() for keyword, value in kept.items()}
    copy = copied(photograph(**values), profile(option))
    same = {keyword for keyword, value in values.items() if str(copy.get(keyword)) == value}
    assert same == set(KEPT[option])
    assert option.method[0] in [item.CodeValue for item in copy.DeidentificationMethodCodeSequence]


def test_terms_that_a_maker_added_to_the_image_type_are_left_out() -> None:
    copy = copied(photograph(ImageType=["ORIGINAL", "PRIMARY", "JANE", "AXIAL", "M_FFE"]), profile())
    assert list(copy.ImageType) == ["ORIGINAL", "PRIMARY", "AXIAL"]


def test_an_age_that_is_no_age_is_not_kept() -> None:
    copy = copied(photograph(PatientAge="Jane"), profile(Option.RETAIN_PATIENT_CHARACTERISTICS))
    assert "PatientAge" not in copy


def test_free_text_is_cleaned_by_taking_it_out() -> None:
    words = {
        "StudyDescription": "Mole",
        "SeriesDescription": "Mole",
        "PatientComments": "Mole",
        "ImageComments": "Mole",
    }
    copy = copied(photograph(**words), profile(Option.CLEAN_DESCRIPTORS, Option.CLEAN_GRAPHICS))
    assert "Mole" not in str(copy)


def vendor(status: str, creator: str = "ACME 1.0") -> Dataset:
    """Return a photograph with a vendor's block that is declared, with our own beside it."""
    original = photograph()
    block = original.private_block(0x0099, creator, create=True)
    block.add_new(1, "US", 4242)
    block.add_new(2, "LO", "Doe^Jane")
    block.add_new(3, "FD", 2.5)
    item = Dataset()
    item.PrivateGroupReference, item.PrivateCreatorReference = 0x0099, creator
    item.BlockIdentifyingInformationStatus = status
    if status == "MIXED":
        item.NonidentifyingPrivateElements = [0x01, 0x02]
    original.PrivateDataElementCharacteristicsSequence = [
        *original.PrivateDataElementCharacteristicsSequence,
        item,
    ]
    return original


@pytest.mark.parametrize(("status", "kept"), [("SAFE", {1, 3}), ("MIXED", {1}), ("UNSAFE", set())])
def test_of_a_block_declared_safe_the_numbers_stay_and_no_word(status: str, kept: set[int]) -> None:
    copy = copied(vendor(status), profile(Option.RETAIN_SAFE_PRIVATE))
    found = {element.tag.element & 0xFF for element in copy.group_dataset(0x0099) if element.tag.element >= 0x1000}
    assert found == kept
    creators = [item.PrivateCreatorReference for item in copy.PrivateDataElementCharacteristicsSequence]
    assert ("ACME 1.0" in creators) == bool(kept)
    assert read_stamp(copy) is not None


def test_without_the_option_no_private_attribute_stays_whatever_is_declared() -> None:
    copy = copied(vendor("SAFE"), profile())
    assert [element for element in copy if element.tag.is_private] == []
    assert "PrivateDataElementCharacteristicsSequence" not in copy


def test_a_creator_that_could_be_a_person_s_name_is_not_believed() -> None:
    assert copied(vendor("SAFE", "Jane Doe's"), profile(Option.RETAIN_SAFE_PRIVATE)).group_dataset(0x0099) == Dataset()


def test_of_the_picture_a_copy_claims_only_what_a_person_confirmed() -> None:
    chosen = profile(Option.CLEAN_PIXEL_DATA, Option.CLEAN_VISUAL_FEATURES)
    original = photograph(RecognizableVisualFeatures="YES")
    copy = copied(original, chosen, confirmed=False)
    assert [item.CodeValue for item in copy.DeidentificationMethodCodeSequence] == ["113100"]
    assert (copy.RecognizableVisualFeatures, copy.PatientIdentityRemoved) == ("YES", "NO")
    assert "BurnedInAnnotation" not in copy
    sure = copied(original, chosen)
    assert [item.CodeValue for item in sure.DeidentificationMethodCodeSequence] == ["113100", "113101", "113102"]
    assert (sure.RecognizableVisualFeatures, sure.BurnedInAnnotation, sure.PatientIdentityRemoved) == (
        "NO",
        "NO",
        "YES",
    )


def test_a_blanked_region_is_told_and_the_copy_is_derived() -> None:
    pseudonyms = Pseudonyms(key=KEY, domain="p")
    content = encoded(photograph())
    done = deidentify(content, profile(), pseudonyms, confirmed=True, regions=[Region.rectangle(0, 0, 16, 16)])
    copy = dcmread(BytesIO(done.content))
    assert copy.ImageType[0] == "DERIVED"
    assert copy.PixelData != dcmread(BytesIO(deidentify(content, profile(), pseudonyms).content)).PixelData


def test_an_exception_comes_before_anything_the_table_says() -> None:
    chosen = profile(
        overrides=(
            ("FNumber", Action.K),
            ("ImageLaterality", Action.X),
            ("PatientID", Action.Z),
            ("StudyID", Action.D),
            ("StudyDescription", Action.K),
        ),
        pixels=PixelDuty.NONE,
    )
    copy = copied(photograph(StudyDescription="Moles", FNumber="2.8", StudyID="S"), chosen)
    assert (copy.FNumber, copy.PatientID, copy.StudyID, copy.StudyDescription) == (2.8, "", "ANON", "Moles")
    assert "ImageLaterality" not in copy


def test_patients_without_a_number_are_not_one_patient() -> None:
    one, other = (copied(photograph(PatientID="", StudyInstanceUID=uid), profile()) for uid in ("2.25.71", "2.25.72"))
    assert one.PatientID != other.PatientID


@pytest.mark.parametrize(
    ("keyword", "said", "left"),
    [
        pytest.param("PatientSex", "F", "F", id="a word of the standard's"),
        pytest.param("PatientSex", "HIV WARD 7 LEEDS", "", id="somebody's own text, where the object needs a sex"),
        pytest.param("SmokingStatus", "NO", "NO", id="a yes or no"),
        pytest.param("SmokingStatus", "BY HIS WIFE JOAN", None, id="text where the object needs nothing"),
        pytest.param("PatientSexNeutered", "CALL 02079460958", None, id="a telephone number"),
        pytest.param("PatientAge", "045Y", "045Y", id="an age"),
        pytest.param("PatientAge", "JOAN", None, id="no age"),
    ],
)
def test_what_is_kept_of_a_patient_is_said_in_the_standard_s_words(keyword: str, said: str, left: str | None) -> None:
    original = photograph()
    original[keyword] = DataElement(tag_for_keyword(keyword) or 0, dictionary_VR(keyword), said, IGNORE)
    copy = copied(original, profile(Option.RETAIN_PATIENT_CHARACTERISTICS))
    assert copy.get(keyword) == left


@pytest.mark.parametrize("option", [Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES])
def test_a_date_that_is_none_is_emptied_where_the_object_needs_one(option: Option) -> None:
    original = photograph()
    original["StudyDate"] = DataElement(0x00080020, "DA", "2024.05.06", IGNORE)
    assert copied(original, profile(option)).StudyDate == ""
