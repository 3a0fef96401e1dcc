"""Notices of recall: what a recipient is told, what is deleted at it, and when a person has to write instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread

from orthanc_plugin.config.recallterms import RecallTerms, RecallTitle
from orthanc_plugin.policy.recalling import Method, Standing
from orthanc_plugin.registry import ledger, recalls
from orthanc_plugin.sending.packing import original
from tests.fakes.leaving import leave
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.fakes.world import World, with_policy
from tests.unit.dicomwrap.objects import PATIENT
from tests.unit.lifecycle.steps import effects
from tests.unit.lifecycle.steps import recalls as copies
from tests.unit.sending.noticing import delivered, notices, only, withdraw

IDENTIFYING = frozenset({PATIENT.id, PATIENT.issuer, PATIENT.name, "19800615"})


def told(world: World) -> list[tuple[str, Dataset]]:
    """Return the notes that were sent, with their recipients."""
    return [(modality, dcmread(BytesIO(content))) for modality, content in world.archive.sent]


def listed(note: Dataset) -> list[str]:
    (evidence,) = note.CurrentRequestedProcedureEvidenceSequence
    assert evidence.StudyInstanceUID == note.StudyInstanceUID
    return [
        str(each.ReferencedSOPInstanceUID)
        for series in evidence.ReferencedSeriesSequence
        for each in series.ReferencedSOPSequence
    ]


@pytest.fixture
def care(world: World) -> World:
    """Give a world in which an identifiable copy left to a workstation, and consent was withdrawn."""
    world.file(CARE, TEACHING)
    delivered(world, leave(world, UID, "workstation"))
    return withdraw(world)


@pytest.fixture
def teaching(world: World) -> World:
    """Give a world in which a copy without identity left to the teaching archive, and consent was withdrawn."""
    world.file(CARE, TEACHING)
    world.review()
    delivered(world, leave(world, UID, "teaching-archive"))
    return withdraw(world)


def test_an_identifiable_copy_is_rejected_in_its_own_study(care: World) -> None:
    assert notices(care).perform() == 1
    ((modality, note),) = told(care)
    kept = dcmread(BytesIO(next(iter(care.archive.objects.values()))))
    (title,) = note.ConceptNameCodeSequence
    assert (modality, title.CodeValue, note.Modality) == ("dermatology", "113037", "KO")
    assert listed(note) == [UID]
    for keyword in ("StudyInstanceUID", "PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate"):
        assert note[keyword].value == kept[keyword].value
    assert only(care).standing is Standing.NOTIFIED
    assert effects(care)[-1] == "RECALL_NOTIFIED"
    assert notices(care).perform() == 0
    assert copies(care).popitem()[1] == "OPEN"  # told is not gone


def test_a_note_about_an_anonymised_copy_says_what_the_copy_said_and_nothing_else(world: World) -> None:
    world.file(CARE, TEACHING)
    world.review()
    services, answer = world.services, world.services.gate.authorize(world.request("teaching-archive"))
    context = services.context(answer, world.binding("teaching-archive"))
    released = services.release.prepare(answer.decision, context, original(world.archive, world.row()), UID)
    delivered(world, services.disclose(answer, released))
    teaching = withdraw(world)
    assert notices(teaching).perform() == 1
    ((modality, note),) = told(teaching)
    (row,) = teaching.disclosures()
    assert (modality, listed(note)) == ("teaching", [row["released_uid"]])
    picture = teaching.row()
    known = {picture.sop_instance_uid, picture.series_instance_uid, picture.study_instance_uid, *IDENTIFYING}
    said = {str(element.value) for element in note.iterall()}
    assert said.isdisjoint(known)
    assert b"Doe" not in teaching.archive.sent[0][1]
    copy = dcmread(BytesIO(released.content))
    for keyword in ("StudyInstanceUID", "PatientID"):
        assert note[keyword].value == copy[keyword].value
    assert note.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].SeriesInstanceUID == (
        copy.SeriesInstanceUID
    )


def test_a_notice_is_on_record_before_it_leaves(care: World) -> None:
    seen: list[str] = []
    care.archive.watcher = lambda *_: seen.append(effects(care)[-1])
    notices(care).perform()
    assert (seen, len(care.archive.sent)) == (["RECALL_NOTICE_BEGUN"], 1)


def test_no_notice_leaves_while_nothing_can_be_recorded(care: World) -> None:
    care.stop_the_trail()
    notices(care).perform()
    assert care.archive.sent == []


def test_a_notice_that_is_sent_again_is_the_same_object(care: World) -> None:
    for _ in range(2):
        notices(care).perform()
        care.sql("UPDATE recalls SET next_try = ''")
    (_, first), (_, second) = told(care)
    assert first.SOPInstanceUID == second.SOPInstanceUID


def test_the_hospital_s_own_title_is_used_where_it_has_one(care: World) -> None:
    own = RecallTitle(value="WITHDRAWN", scheme="99HOSP", meaning="Consent withdrawn")
    notices(with_policy(care, recall=RecallTerms(title=own))).perform()
    ((_, note),) = told(care)
    assert note.ConceptNameCodeSequence[0].CodeValue == "WITHDRAWN"


@pytest.mark.parametrize("attribute", ["unreachable", "silent"])
def test_a_recipient_that_is_away_is_told_when_it_is_back(attribute: str, care: World) -> None:
    getattr(care.archive, attribute).add("dermatology")
    notices(care).perform()
    assert (only(care).standing, only(care).problem != "") == (Standing.OPEN, True)
    getattr(care.archive, attribute).clear()
    assert notices(care).perform() == 0
    care.clock.advance(minutes=2)
    assert notices(care).perform() == 1
    assert (only(care).standing, only(care).problem) == (Standing.NOTIFIED, "")


def refusing(world: World) -> None:
    class RefusesAll(set[bytes]):
        def __contains__(self, _each: object) -> bool:
            return True

    world.archive.refused = RefusesAll()


def another_key(world: World) -> None:
    world.sql("UPDATE disclosures SET released_uid = '2.25.99'")


def destroyed(world: World) -> None:
    world.archive.objects.clear()


def still_needed(world: World) -> None:
    row = world.disclosures()[0]
    again = {**row, "disclosure_id": "D9", "recall": "NONE"}
    with world.services.database.writing() as connection:
        connection.execute(ledger.disclosures.insert(), [again])


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (refusing, "refuses"),
        (another_key, "another key or profile"),
        (destroyed, "can't be found out"),
        (still_needed, "for another reason that still stands"),
    ],
)
def test_what_no_machine_can_say_becomes_a_letter(fault: Callable[[World], None], words: str, teaching: World) -> None:
    fault(teaching)
    notices(teaching).perform()
    found = only(teaching)
    assert (found.method, found.standing, found.next_try) == (Method.LETTER, Standing.OPEN, None)
    assert words in found.problem
    assert teaching.archive.sent == []
    assert effects(teaching)[-1] == "RECALL_BY_LETTER"


def test_a_recipient_that_policy_forgot_gets_a_letter(care: World) -> None:
    notices(with_policy(care, dicom_nodes=())).perform()
    assert (only(care).method, care.archive.sent) == (Method.LETTER, [])


def test_an_identifiable_copy_is_named_when_its_original_can_t_be_read(care: World) -> None:
    care.archive.objects.clear()
    notices(care).perform()
    ((_, note),) = told(care)
    assert (note.PatientID, note.IssuerOfPatientID, note.PatientName) == (PATIENT.id, PATIENT.issuer, "")


def test_nothing_is_told_in_clear_where_policy_demands_tls(care: World) -> None:
    nodes = tuple(replace(node, tls_required=True) for node in care.services.policy.dicom_nodes)
    secure = with_policy(care, dicom_nodes=nodes)
    notices(secure).perform()
    assert (care.archive.sent, "TLS" in only(care).problem) == ([], True)
    care.archive.by_tls.add("dermatology")
    care.clock.advance(minutes=2)
    notices(secure).perform()
    assert only(care).standing is Standing.NOTIFIED


def test_a_note_does_not_overtake_the_picture_it_is_about(care: World) -> None:
    care.sql("UPDATE disclosures SET outcome = 'BEGUN'")
    notices(care).perform()
    assert care.archive.sent == []
    care.clock.advance(hours=2)  # it broke off: nobody knows whether the recipient has it
    notices(care).perform()
    assert only(care).standing is Standing.NOTIFIED


def test_what_never_left_is_not_asked_for(care: World) -> None:
    care.sql("UPDATE disclosures SET outcome = 'FAILED'")
    notices(care).perform()
    assert (only(care).standing, care.archive.sent) == (Standing.ACKNOWLEDGED, [])


def test_an_answer_that_comes_while_a_notice_is_sent_stands(care: World) -> None:
    care.archive.watcher = lambda *_: care.sql("UPDATE recalls SET next_try = NULL, standing = 'REFUSED'") and None
    notices(care).perform()
    assert only(care).standing is Standing.REFUSED


def test_one_notice_that_breaks_off_does_not_hold_up_the_others(world: World) -> None:
    world.file(CARE, TEACHING)
    world.review()
    for name in ("workstation", "teaching-archive"):
        delivered(world, leave(world, UID, name))
    withdraw(world)

    def stumble(modality: str, _content: bytes) -> None:
        if modality == "dermatology":
            raise ValueError

    world.archive.watcher = stumble
    notices(world).perform()
    with world.services.database.reading() as connection:
        found = {each.recipient: each for each in recalls.listed(connection)}
    assert found["workstation"].problem == "sending it broke off"
    assert found["teaching-archive"].standing is Standing.NOTIFIED
