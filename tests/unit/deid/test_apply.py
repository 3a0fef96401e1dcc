"""The copy: nothing of the patient in it, true to its picture, the same each time; or no copy at all."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.tag import Tag
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    RLELossless,
)

from dicomwrap.bitstream.clean import cleaned, entropy_coded
from dicomwrap.bitstream.verify import contradictions, frames
from dicomwrap.confidentiality import Action, Option, PixelDuty
from dicomwrap.consenttags import read_stamp, stamp
from dicomwrap.terms import Purpose
from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.errors import DeidentificationError
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, consent, encoded, photograph, photograph_bytes
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.validators import ALLOWED, DCIODVFY

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

KEY = bytes(range(32))
TEACH = Profile(name="teaching", pseudonym_domain="teaching", options=frozenset({Option.RETAIN_SAFE_PRIVATE}))
BARE = Profile(name="bare", pseudonym_domain="teaching")
DOMAIN = Pseudonyms(key=KEY, domain="teaching")
PIXELS = cleaned(photos.jpeg())
SECRETS = (b"Doe", b"Jane", b"19800615", b"HOSP", CONSENT_ID.encode(), photos.SERIAL.encode(), b"20250301", b"101530")


def derived(dataset: Dataset | None = None, profile: Profile = TEACH, pseudonyms: Pseudonyms = DOMAIN) -> Dataset:
    content = photograph_bytes() if dataset is None else encoded(dataset)
    return dcmread(BytesIO(deidentify(content, profile, pseudonyms, confirmed=True).content))


@pytest.mark.parametrize("profile", [TEACH, BARE])
def test_no_byte_of_the_copy_speaks_of_the_patient_or_the_day(profile: Profile) -> None:
    content = deidentify(photograph_bytes(), profile, DOMAIN).content
    assert [secret for secret in (*SECRETS, *photos.SECRETS) if secret in content] == []


def test_the_picture_itself_is_unchanged() -> None:
    (before,), (after,) = frames(photograph()), frames(derived())
    assert entropy_coded(after) == entropy_coded(before)
    assert contradictions(derived()) == ()


def test_the_copy_says_truthfully_what_was_done() -> None:
    copy = derived()
    assert (copy.PatientIdentityRemoved, copy.BurnedInAnnotation, copy.RecognizableVisualFeatures) == (
        "YES",
        "NO",
        "NO",
    )
    assert [item.CodeValue for item in copy.DeidentificationMethodCodeSequence] == ["113100", "113111"]
    assert [item.CodeValue for item in derived(profile=BARE).DeidentificationMethodCodeSequence] == ["113100"]
    assert copy.LongitudinalTemporalInformationModified == "REMOVED"
    assert copy.ContributingEquipmentSequence[0].PurposeOfReferenceCodeSequence[0].CodeValue == "109104"


def test_a_copy_has_an_identity_of_its_own() -> None:
    copy, result = derived(), deidentify(photograph_bytes(), TEACH, DOMAIN)
    assert result.sop_instance_uid == copy.SOPInstanceUID == copy.file_meta.MediaStorageSOPInstanceUID
    assert {copy.SOPInstanceUID, copy.SeriesInstanceUID, copy.StudyInstanceUID}.isdisjoint(
        {"2.25.1", "2.25.2", "2.25.3"}
    )
    assert copy.PatientName == f"ANON^{copy.PatientID}"


def test_the_same_input_and_key_give_the_same_bytes() -> None:
    first, second = (deidentify(photograph_bytes(), TEACH, DOMAIN).content for _ in range(2))
    assert first == second


def test_pseudonyms_are_stable_in_a_domain_and_unlinkable_across_domains() -> None:
    again = derived(photograph(uid="2.25.44"))
    elsewhere = derived(pseudonyms=Pseudonyms(key=KEY, domain="research"))
    other_key = derived(pseudonyms=Pseudonyms(key=bytes(32), domain="teaching"))
    copy = derived()
    for keyword in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID"):
        assert copy[keyword].value == again[keyword].value
        assert len({each[keyword].value for each in (copy, elsewhere, other_key)}) == 3
    assert copy.SOPInstanceUID != again.SOPInstanceUID


def test_the_same_number_of_another_issuer_is_another_patient() -> None:
    assert derived(photograph(IssuerOfPatientID="ELSEWHERE")).PatientID != derived().PatientID


def test_the_safe_half_of_the_consent_stays_when_the_profile_says_so() -> None:
    stamp = read_stamp(derived())
    assert stamp is not None
    assert (stamp.permitted, stamp.capture_purpose, stamp.status) == (("TREAT", "TRAIN"), "TREAT", "active")
    assert (stamp.record_id, stamp.record_version, stamp.decided_on, stamp.not_after) == ("", "", None, None)
    assert read_stamp(derived(profile=BARE)) is None


def test_an_attribute_that_nobody_named_is_removed_at_any_depth() -> None:
    dataset = photograph()
    deep = Dataset()
    deep.CodeValue, deep.CodingSchemeDesignator, deep.CodeMeaning = "1", "99X", "deep"
    deep.PatientComments = "seen at home"
    deep.RequestingPhysician = "Secret^Doctor"
    dataset.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [deep]
    dataset.AnatomicRegionSequence[0].PatientComments = "seen at home"
    dataset.PatientComments = "seen at home"
    dataset.StationName = "CLINIC-7"
    dataset.InstitutionName = "General"
    dataset.EthnicGroup = "any"
    dataset.add_new(0x60003000, "OW", b"\0\0")
    dataset.add_new(0x50003000, "OW", b"\0\0")
    block = dataset.private_block(0x0099, "OTHER VENDOR", create=True)
    block.add_new(1, "LO", "seen at home")
    dataset.OriginalAttributesSequence = [deep]
    dataset.ReferencedImageSequence = [deep]
    copy = derived(dataset)
    said = str(copy)
    for word in ("seen at home", "CLINIC-7", "General", "Secret", "OTHER VENDOR", "99X"):
        assert word not in said
    assert {element.keyword for element in copy.iterall()} >= {"CodeValue", "CodeMeaning"}
    assert [element.tag for element in copy.iterall() if element.tag.is_private and element.tag.group != 0x0077] == []
    assert (0x6000, 0x3000) not in copy


@pytest.mark.parametrize("segment", [photos.segment(0xE1, b"Exif\0\0GPS"), photos.segment(0xFE, b"Doe^Jane")])
def test_a_stream_that_somebody_put_metadata_into_is_cleaned_again(segment: bytes) -> None:
    dataset = photograph()
    dataset.PixelData = encapsulate([photos.with_segments(PIXELS, segment)])
    content = deidentify(encoded(dataset), TEACH, DOMAIN).content
    assert b"Exif" not in content
    assert b"Doe^Jane" not in content
    assert contradictions(dcmread(BytesIO(content))) == ()


@pytest.mark.parametrize("frame", [b"\0\0", PIXELS[:40], PIXELS[:-40], cleaned(photos.jpeg(photos.picture(16, 16)))])
def test_a_stream_that_can_t_be_proven_gives_no_copy(frame: bytes) -> None:
    dataset = photograph()
    dataset.PixelData = encapsulate([frame])
    with pytest.raises(DeidentificationError):
        deidentify(encoded(dataset), TEACH, DOMAIN)


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        JPEG2000Lossless,
        JPEGLosslessSV1,
        RLELossless,
        "1.2.3.4",
    ],
)
def test_pixels_that_aren_t_what_the_transfer_syntax_says_give_no_copy(syntax: str) -> None:
    dataset = photograph()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset["PixelData"].is_undefined_length = syntax != ExplicitVRLittleEndian
    with pytest.raises(DeidentificationError):
        deidentify(encoded(dataset), TEACH, DOMAIN)


@pytest.mark.parametrize("content", [b"", b"x" * 200, photograph_bytes()[:400], photograph_bytes()[:-500]])
def test_what_is_no_whole_object_gives_no_copy(content: bytes) -> None:
    with pytest.raises(DeidentificationError):
        deidentify(content, TEACH, DOMAIN)


@pytest.mark.parametrize("keyword", ["SOPClassUID", "SOPInstanceUID", "PixelData"])
def test_an_object_that_lacks_what_it_must_have_gives_no_copy(keyword: str) -> None:
    with pytest.raises(DeidentificationError):
        derived(photograph(**{keyword: None}))


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("ImageType", ["ORIGINAL", "JANE"]),
        ("InstanceNumber", "570203"),
        ("Modality", "OT"),
        ("PatientOrientation", ["JANE", "F"]),
        ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.7.99"),
        ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2.19800615"),
    ],
)
def test_a_patient_hidden_in_what_is_kept_gives_no_copy(keyword: str, value: object) -> None:
    dataset = photograph(**{"PatientName": "Doe^Jane^^=JANE", keyword: value})
    with pytest.raises(DeidentificationError, match=keyword):
        derived(dataset)


def test_a_short_number_or_initial_is_not_mistaken_for_a_leak() -> None:
    dataset = photograph(PatientName="Doe^Jane^L", StudyID="1", AccessionNumber="1")
    assert dataset.ImageLaterality == "L"
    assert derived(dataset).InstanceNumber == 1


OBJECTS = {
    "plain": photograph(),
    "grey": photograph(data=photos.jpeg(photos.picture(mode="L"))),
    "research": photograph(refers_to=consent(CARE, TEACHING, {**CARE, "purpose": "RESEARCH"})),
    "with a date to end": photograph(refers_to=consent({**CARE, "valid_to": "2030-01-01"})),
}


@pytest.mark.parametrize("profile", [TEACH, BARE], ids=["safe half", "bare"])
@pytest.mark.parametrize("name", OBJECTS)
def test_dciodvfy_has_nothing_to_say_beyond_its_known_false_alarms(name: str, profile: Profile, tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    path.write_bytes(deidentify(encoded(OBJECTS[name]), profile, DOMAIN).content)
    run = subprocess.run([DCIODVFY, "-new", path], capture_output=True, text=True, check=False)
    said = [line for line in run.stderr.splitlines() if line.startswith("Error")]
    assert [line for line in said if not any(re.match(allowed, line) for allowed in ALLOWED)] == []
    assert "VLPhotographicImage" in run.stdout + run.stderr


def test_a_code_is_written_in_the_words_of_the_standard() -> None:
    dataset = photograph()
    dataset.AnatomicRegionSequence[0].CodeMeaning = "back of Jane, mother 07700 900123"
    icon = Dataset()
    icon.BitsAllocated, icon.PixelData = 8, PIXELS
    dataset.AnatomicRegionSequence[0].IconImageSequence = [icon]
    (code,) = derived(dataset).AnatomicRegionSequence
    assert "Jane" not in code.CodeMeaning
    assert [element.keyword for element in code] == ["CodeValue", "CodingSchemeDesignator", "CodeMeaning"]


@pytest.mark.parametrize(("value", "scheme"), [("99999999", "SCT"), ("66643007", "99LOCAL"), ("JANE DOE", "SCT")])
def test_a_code_that_is_not_the_standard_s_is_left_out(value: str, scheme: str) -> None:
    dataset = photograph()
    dataset.AnatomicRegionSequence[0].CodeValue = value
    dataset.AnatomicRegionSequence[0].CodingSchemeDesignator = scheme
    assert "AnatomicRegionSequence" not in derived(dataset)


@pytest.mark.parametrize("keyword", ["InstanceNumber", "Laterality"])
def test_an_element_encoded_otherwise_than_the_standard_says_gives_no_copy(keyword: str) -> None:
    dataset = photograph()
    dataset[keyword] = DataElement(Tag(keyword), "OB", b"Doe^Jane")
    with pytest.raises(DeidentificationError):
        derived(dataset)


def test_what_no_scan_uses_is_gone_from_the_stream() -> None:
    tables = photos.segment(0xDB, b"\x03" + b"Doe^Jane born in May".ljust(64, b" "))
    marked = PIXELS[:-2] + b"Doe^Jane" + PIXELS[-2:]
    for stream in (photos.with_segments(PIXELS, tables), marked):
        dataset = photograph()
        dataset.PixelData = encapsulate([stream])
        assert b"Doe^Jane" not in deidentify(encoded(dataset), TEACH, DOMAIN).content


def test_words_of_the_consent_block_that_are_not_ours_take_it_all_away() -> None:
    dataset = photograph()
    known = read_stamp(dataset)
    assert known is not None
    stamp(dataset, replace(known, basis="Jane said yes"))
    assert read_stamp(derived(dataset)) is None


@pytest.mark.parametrize(
    "other",
    [
        replace(TEACH, name="x"),
        replace(TEACH, pseudonym_domain="x"),
        replace(TEACH, options=frozenset()),
        replace(TEACH, overrides=(("StudyDescription", Action.K),)),
        replace(TEACH, pixels=PixelDuty.NONE),
    ],
)
def test_the_digest_of_a_profile_is_of_all_that_determines_the_copy(other: Profile) -> None:
    assert other.digest != TEACH.digest
    assert TEACH.digest == replace(TEACH).digest


def test_the_key_is_in_no_repr() -> None:
    assert KEY.hex() not in repr(DOMAIN)
    assert repr(KEY) not in repr(DOMAIN)
    assert Purpose.TEACHING not in repr(DOMAIN)
