"""Whoever holds copies of what is destroyed is told so, and nothing of the record stays but what the notice needs."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import pytest
from pydicom import dcmread

from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.policy.recalling import Cause, Method, Standing
from orthanc_plugin.registry import recalls
from orthanc_plugin.retention.certificate import verify
from orthanc_plugin.retention.reporting import report
from orthanc_plugin.sending.notices import Notices
from tests.fakes.disposing import DISPOSING, Office, office
from tests.fakes.pictures import CARE, TEACHING
from tests.fakes.rounds import SimulatedWays
from tests.fakes.world import World
from tests.unit.lifecycle.steps import leave
from tests.unit.lifecycle.steps import recalls as copies


@pytest.fixture
def bureau(world: World) -> Office:
    """Give the office of a world with one picture that fell due, and copies of it out of the house."""
    policy = world.folder / "policy.toml"
    policy.write_text(DISPOSING)
    world.services = replace(world.services, policy=load_policy(policy))
    world.file(CARE, TEACHING)
    leave(world, "CARE", recipient="workstation", purpose="DIRECT_CARE")
    leave(world, "BARE", recipient="teaching-archive", effect=Effect.PERMIT_ANONYMISED, released="2.25.4711")
    leave(world, "OWN", recipient="subject-access:R1", purpose="SUBJECT_ACCESS")
    leave(world, "COURT", recipient="court", purpose="LEGAL_DISCLOSURE")
    return office(world)


def by_recipient(world: World) -> dict[str, recalls.Recalled]:
    with world.services.database.reading() as connection:
        return {each.recipient: each for each in recalls.listed(connection)}


def send(world: World) -> None:
    ways = SimulatedWays(policy=world.services.policy, folder=world.folder, peers={}, archive=world.archive)
    while Notices(services=world.services, archive=world.archive, ways=ways, name="courier-1").perform():
        pass


def kept(world: World) -> set[tuple[object, ...]]:
    return set(world.sql("SELECT patient_id, issuer, study_instance_uid, series_instance_uid FROM recall_copies"))


def test_every_recipient_of_what_is_destroyed_is_told_with_the_title_for_it(bureau: Office) -> None:
    world, row = bureau.world, bureau.world.row()
    _, certificate = bureau.execute(bureau.approved())
    found = by_recipient(world)
    assert {name: (each.method, each.cause) for name, each in found.items()} == {
        "workstation": (Method.KOS, Cause.DISPOSED),
        "teaching-archive": (Method.KOS, Cause.DISPOSED),
    }
    assert copies(world) == {"CARE": "OPEN", "BARE": "OPEN", "OWN": "NONE", "COURT": "NONE"}
    said = verify(certificate.text.encode(), world.services.heads.key.public_key())
    assert said["notices"] == {"OPEN": 2}
    send(world)
    ((modality, content),) = world.archive.sent
    note = dcmread(BytesIO(content))
    assert (modality, note.ConceptNameCodeSequence[0].CodeValue) == ("dermatology", "113039")
    assert (note.StudyInstanceUID, note.PatientID) == (row.study_instance_uid, row.patient_id)
    after = by_recipient(world)
    assert after["workstation"].standing is Standing.NOTIFIED
    assert after["teaching-archive"].method is Method.LETTER  # what the copy was called is destroyed, too
    assert kept(world) == {("", "", "", "")}
    with world.services.database.reading() as connection:
        counted = [each for each in report(connection, 2026) if each.part == "notices to recipients"]
    assert [(each.name, each.records) for each in counted] == [("NOTIFIED", 1), ("OPEN", 1)]


def test_a_recall_that_was_open_can_still_be_said_when_the_original_is_gone(bureau: Office) -> None:
    world, row = bureau.world, bureau.world.row()
    plan = bureau.approved()
    with world.services.database.writing() as connection:
        opening = recalls.Opening(
            cause=Cause.WRONG_RECIPIENT,
            subject="CARE",
            by="ig",
            at=world.clock(),
            ids=world.services.ids,
            method=lambda _name: Method.KOS,
        )
        recalls.open_(connection, opening, ("CARE",))
    bureau.execute(plan)
    assert by_recipient(world)["workstation"].cause is Cause.WRONG_RECIPIENT
    send(world)
    note = dcmread(BytesIO(world.archive.sent[0][1]))
    assert (note.ConceptNameCodeSequence[0].CodeValue, note.StudyInstanceUID) == ("113037", row.study_instance_uid)


def test_nobody_is_told_of_what_never_left(bureau: Office) -> None:
    bureau.world.sql("UPDATE disclosures SET outcome = 'FAILED'")
    _, certificate = bureau.execute(bureau.approved())
    assert by_recipient(bureau.world) == {}
    assert verify(certificate.text.encode(), bureau.world.services.heads.key.public_key())["notices"] == {}
