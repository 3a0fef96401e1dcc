"""The way in: nothing is lost, nothing is stored unasked."""

from __future__ import annotations

from datetime import date
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import CTImageStorage

from dicomwrap.anatomy import body_site
from dicomwrap.bitstream.clean import cleaned, entropy_coded
from dicomwrap.bitstream.verify import frames
from dicomwrap.consentstamp import ConsentStamp, stamp_without_consent
from dicomwrap.consenttags import read_stamp
from dicomwrap.terms import SECONDARY_USE, Purpose
from orthanc_plugin.enforcement.describing import row_of
from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.enforcement.reading import IntakeRefusedError
from orthanc_plugin.errors import SpoolError
from orthanc_plugin.policy.model import Effect, ImageStatus, MadeFor
from orthanc_plugin.registry import quarantine
from orthanc_plugin.registry.images import ImageRow, orthanc_id
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID, consent, ct, encoded, photograph, photograph_bytes
from tests.fakes.world import POLICY, START, World, make_world
from tests.unit.dicomwrap import photos

HIDDEN = photos.with_segments(cleaned(photos.jpeg()), photos.segment(0xE1, b"Exif\0\0somewhere"))


def with_hidden_metadata() -> bytes:
    dataset = photograph(data=photos.jpeg())
    dataset.PixelData = encapsulate([HIDDEN])
    return encoded(dataset)


def rules(world: World, content: bytes) -> list[str]:
    """Return why an object was held, after checking that it is: in the spool, listed, recorded, and nowhere else."""
    before = world.rows()
    verdict = world.receive(content)
    assert (verdict.content, verdict.changed) == (None, False)
    (held,) = world.held()
    assert world.services.spool.get(held.spool_name) == content
    assert (held.reasons, held.size) == (verdict.reasons, len(content))
    assert world.rows() == before
    entry = world.trail()[-1]
    assert (entry["event"], entry["effect"], entry["reasons"]) == ("110107", "QUARANTINED", list(verdict.reasons))
    return [reason.partition(":")[0] for reason in verdict.reasons]


def test_a_photograph_with_its_consent_on_record_is_filed_as_it_is(world: World) -> None:
    world.record(consent())
    verdict = world.receive()
    assert (verdict.content, verdict.changed, verdict.reasons) == (photograph_bytes(), False, ())
    row = world.row()
    assert (row.consent_id, row.status, row.patient_id, row.issuer) == (CONSENT_ID, ImageStatus.ACTIVE, "P1", "HOSP")
    assert (str(row.made_on), row.made_for, row.intimate) == ("2025-03-01", MadeFor.CARE, False)
    assert row.orthanc_instance == orthanc_id("P1", "2.25.1", "2.25.2", UID)
    assert (world.trail()[-1]["effect"], world.trail()[-1]["actor"]) == ("ACCEPTED", "DICOM_PROTOCOL")
    assert world.held() == []


def edited(**elements: object) -> bytes:
    return encoded(photograph(**elements))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (encoded(photograph(stamp=ConsentStamp())), ["CONSENT_MISSING"]),
        (encoded(photograph(refers_to=consent(id="urn:x:unheard-of"))), ["CONSENT_UNKNOWN"]),
        (edited(PatientID="P2"), ["CONSENT_OF_ANOTHER_PATIENT"]),
        (edited(IssuerOfPatientID="ELSEWHERE"), ["CONSENT_OF_ANOTHER_PATIENT"]),
        (edited(PatientBirthDate="19990101"), ["IDENTITY_MISMATCH"]),
        (edited(PatientID=""), ["IDENTITY_MISSING", "CONSENT_OF_ANOTHER_PATIENT"]),
        (edited(PatientID=None), ["IDENTITY_MISSING", "CONSENT_OF_ANOTHER_PATIENT"]),
        (edited(Rows=47), ["HEADER_CONTRADICTS_BITSTREAM"]),
        (edited(PhotometricInterpretation="RGB", Columns=1), ["HEADER_CONTRADICTS_BITSTREAM"] * 2),
        (edited(PixelData=encapsulate([b"\0\0"])), ["HEADER_CONTRADICTS_BITSTREAM"]),
        (edited(PixelData=encapsulate([photos.jpeg(progressive=True)])), ["HEADER_CONTRADICTS_BITSTREAM"]),
        (edited(PatientBirthDate="19990101", Rows=47), ["IDENTITY_MISMATCH", "HEADER_CONTRADICTS_BITSTREAM"]),
    ],
)
def test_what_may_not_be_filed_is_kept_in_quarantine_with_every_reason(
    content: bytes, expected: list[str], world: World
) -> None:
    world.record(consent())
    assert rules(world, content) == expected


@pytest.mark.parametrize("state", ["REFUSED", "PROPOSED"])
def test_a_consent_that_is_none_files_nothing(state: str, world: World) -> None:
    world.record(consent(state=state))
    assert rules(world, photograph_bytes()) == ["CONSENT_NOT_IN_FORCE"]


def test_a_withdrawn_consent_files_nothing(world: World) -> None:
    world.record(consent())
    world.withdraw()
    assert rules(world, photograph_bytes()) == ["CONSENT_NOT_IN_FORCE"]


def test_a_partly_withdrawn_consent_still_files(world: World) -> None:
    world.record(consent(CARE, TEACHING))
    world.withdraw(CONSENT_ID, Purpose.TEACHING)
    assert world.receive().reasons == ()


def test_the_same_held_object_makes_one_row_however_often_it_comes(world: World) -> None:
    for _ in range(3):
        assert rules(world, photograph_bytes()) == ["CONSENT_UNKNOWN"]
    assert len(list(world.services.spool.folder.iterdir())) == 1


def test_a_held_object_goes_in_once_nothing_stands_against_it(world: World) -> None:
    content = encoded(photograph(stamp=ConsentStamp()))
    assert rules(world, content) == ["CONSENT_MISSING"]
    world.record(consent())
    with world.services.database.writing() as connection:
        quarantine.link(connection, world.held()[0].quarantine_id, CONSENT_ID)
    assert world.receive(content).content == content
    assert world.row().consent_id == CONSENT_ID


def test_the_same_object_twice_makes_one_row(world: World) -> None:
    world.record(consent())
    for _ in range(2):
        assert world.receive().content == photograph_bytes()
    assert len(world.rows()) == 1


def test_another_object_under_a_known_uid_is_held(world: World) -> None:
    world.record(consent())
    world.receive()
    assert rules(world, edited(ContentDate="20250302")) == ["SOP_INSTANCE_UID_REUSED"]


def test_hidden_metadata_is_taken_out_and_the_picture_stays(world: World) -> None:
    world.record(consent())
    content = with_hidden_metadata()
    verdict = world.receive(content)
    assert verdict.changed
    assert verdict.content is not None
    assert b"somewhere" not in verdict.content
    (frame,) = frames(dcmread(BytesIO(verdict.content)))
    assert entropy_coded(frame) == entropy_coded(HIDDEN)
    entry = world.trail()[-1]
    assert entry["reasons"] == ["hidden metadata taken out of the stream"]
    assert str(entry["detail"]).startswith("sha256 as it came ")
    assert world.receive(content).content == verdict.content
    assert len(world.rows()) == 1


def test_a_photograph_with_hidden_metadata_that_must_wait_is_kept_as_it_came(world: World) -> None:
    assert rules(world, with_hidden_metadata()) == ["CONSENT_UNKNOWN"]
    assert b"somewhere" in world.services.spool.get(world.held()[0].spool_name)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no DICOM at all",
        b"\0" * 128 + b"DICM",
        photograph_bytes()[:300],
        *(
            encoded(photograph(**{keyword: None}))
            for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID")
        ),
    ],
)
def test_what_could_never_be_filed_is_refused_and_nothing_is_stored(content: bytes, world: World) -> None:
    with pytest.raises(IntakeRefusedError):
        world.receive(content)
    assert (world.rows(), world.held(), world.services.spool.folder.exists()) == ([], [], False)


def test_when_the_spool_can_t_take_it_the_sender_is_told(world: World) -> None:
    world.services.spool.folder.write_bytes(b"in the way")
    with pytest.raises(SpoolError):
        world.receive()
    assert (world.rows(), world.held(), world.trail()) == ([], [], [])


@pytest.mark.parametrize("known", [True, False])
def test_what_can_t_be_recorded_is_not_taken(known: bool, world: World) -> None:
    if known:
        world.record(consent())
    world.stop_the_trail()
    with pytest.raises(Exception, match="registry can't be written"):
        world.receive()
    assert (world.rows(), world.held()) == ([], [])


def test_a_ct_passes_without_a_consent_of_its_own(world: World) -> None:
    content = encoded(ct())
    assert world.receive(content).content == content
    assert (world.row("2.25.77").image_type, world.row("2.25.77").issuer) == ("CT", "HOSP")


@pytest.mark.parametrize(
    ("elements", "expected"),
    [({"PatientID": ""}, ["IDENTITY_MISSING"]), ({"PatientBirthDate": "19990101"}, ["IDENTITY_MISMATCH"])],
)
def test_a_ct_too_must_say_whose_it_is(elements: dict[str, str], expected: list[str], world: World) -> None:
    world.record(consent())
    assert rules(world, encoded(ct(**elements))) == expected


def test_where_a_patient_s_consent_is_enough_the_photograph_needs_no_reference(tmp_path: Path) -> None:
    policy = POLICY.replace('consent_reference = "required"', 'consent_reference = "patient"')
    world = make_world(tmp_path, policy=policy)
    bare = encoded(photograph(stamp=stamp_without_consent(Purpose.DIRECT_CARE)))
    assert rules(world, bare) == ["CONSENT_MISSING"]
    world.record(consent())
    assert world.receive(bare).content == bare
    world.withdraw()
    other = encoded(photograph(uid="2.25.9", stamp=ConsentStamp()))
    assert world.receive(other).reasons
    world.close()


def described(dataset: Dataset) -> ImageRow:
    return row_of(dataset, read_stamp(dataset), "", issuer="HOSP", at=START)


def region(*codes: str, scheme: str = "SCT") -> list[Dataset]:
    made = []
    for code in codes:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, scheme, "Somewhere"
        made.append(item)
    return made


GENITALS, HAND = body_site("genitals").value, body_site("hand").value


@pytest.mark.parametrize(
    ("level", "elements", "intimate"),
    [
        ("r", {}, True),
        ("VERY RESTRICTED", {}, True),
        ("N\\R", {}, True),
        ("", {}, False),
        ("M", {}, False),
        ("n", {}, False),
        ("N", {"ConfidentialityCode": "V"}, True),
        ("N", {"ConfidentialityCode": "restricted"}, True),
        ("N", {"ConfidentialityCode": "ward 7"}, False),
        ("N", {"AnatomicRegionSequence": region(GENITALS)}, True),
        ("N", {"AnatomicRegionSequence": region(HAND, GENITALS)}, True),
        ("N", {"AnatomicRegionSequence": region(GENITALS, scheme="99LOCAL")}, False),
        ("N", {"AnatomicRegionSequence": region(HAND)}, False),
        ("N", {"AnatomicRegionSequence": region(GENITALS), "SOPClassUID": CTImageStorage}, False),
    ],
)
def test_a_photograph_is_intimate_in_whatever_way_it_says_so(
    level: str, elements: dict[str, object], intimate: bool
) -> None:
    stamp = stamp_without_consent(Purpose.DIRECT_CARE, confidentiality=level)
    dataset = photograph(stamp=stamp)
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    assert described(dataset).intimate is intimate


def test_a_photograph_of_an_intimate_part_is_intimate_without_a_stamp_too() -> None:
    dataset = photograph(AnatomicRegionSequence=region(GENITALS))
    assert row_of(dataset, None, "", issuer="HOSP", at=START).intimate


@pytest.mark.parametrize(
    ("stamp", "intimate", "made_for"),
    [
        (stamp_without_consent(Purpose.DIRECT_CARE, confidentiality="R"), True, MadeFor.CARE),
        (stamp_without_consent(Purpose.DIRECT_CARE, confidentiality="V"), True, MadeFor.CARE),
        (stamp_without_consent(Purpose.DIRECT_CARE), False, MadeFor.CARE),
        (stamp_without_consent(Purpose.TEACHING), False, MadeFor.SECONDARY),
        (stamp_without_consent(Purpose.PUBLICATION), False, MadeFor.SECONDARY),
        (ConsentStamp(capture_purpose=SECONDARY_USE), False, MadeFor.SECONDARY),
    ],
)
def test_the_row_says_what_the_stamp_says(stamp: ConsentStamp, intimate: bool, made_for: MadeFor) -> None:
    row = described(photograph(stamp=stamp))
    assert (row.intimate, row.made_for) == (intimate, made_for)


@pytest.mark.parametrize(
    ("elements", "made_on"),
    [
        ({}, date(2025, 3, 1)),
        ({"ContentDate": None, "AcquisitionDateTime": "20240203101010"}, date(2024, 2, 3)),
        ({"ContentDate": None, "AcquisitionDateTime": None, "StudyDate": "20230102"}, date(2023, 1, 2)),
        ({"ContentDate": None, "AcquisitionDateTime": None, "StudyDate": ""}, None),
        ({"ContentDate": None, "AcquisitionDateTime": "2024", "StudyDate": "20230102"}, None),
    ],
)
def test_the_day_of_the_picture_is_the_camera_s_or_none(elements: dict[str, object], made_on: date | None) -> None:
    assert described(photograph(**elements)).made_on == made_on


def header(dataset: Dataset) -> dict[str, object]:
    return {element.keyword: element.value for element in dataset if element.VR not in ("SQ", "OB")}


def test_what_was_stored_unasked_is_known_and_shown_to_nobody(world: World) -> None:
    Intake(world.services).stored(header(photograph()), "an-orthanc-id")
    row = world.row()
    assert (row.status, row.orthanc_instance, row.sha256) == (ImageStatus.QUARANTINED, "an-orthanc-id", "")
    assert world.trail()[-1]["rules"] == ["STORED_UNASKED"]
    world.record(consent())
    assert world.services.gate.authorize(world.request()).decision.effect is Effect.DENY


def test_what_was_accepted_and_stored_changes_nothing(world: World) -> None:
    row = world.file(CARE)
    before = len(world.trail())
    Intake(world.services).stored(header(photograph()), row.orthanc_instance)
    assert (world.row(), len(world.trail())) == (row, before)


def test_an_identifier_that_orthanc_made_otherwise_is_learnt(world: World) -> None:
    world.file(CARE)
    Intake(world.services).stored(header(photograph()), "another-id")
    assert world.row().orthanc_instance == "another-id"
