"""The patient's approval before filing: nothing is lost, nothing is filed against the patient's word."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_plugin.errors import ArchiveError, IllegalTransitionError, SpoolError, UnknownRecordError
from orthanc_plugin.lifecycle import approval, refusal
from orthanc_plugin.lifecycle.approval import Answer, Swept
from orthanc_plugin.registry import quarantine
from orthanc_plugin.registry.quarantine import Held
from tests.fakes.clinic import AskingArchive, clinic, kept, status, waiting, way_in
from tests.fakes.pictures import UID, consent, encoded, photograph, photograph_bytes
from tests.fakes.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a world in which one photograph waits for approval."""
    made = clinic(tmp_path, "every")
    made.record(consent())
    made.receive()
    yield made
    made.close()


def answered(world: World, answer: Answer = Answer.PATIENT_APPROVED, words: str = "") -> Held:
    held = waiting(world)
    with world.services.database.writing() as connection:
        return approval.approve(connection, world.services.act("nurse", "test"), held.quarantine_id, answer, words)


def withdrawn(world: World, held: Held, *, refuse: bool = False) -> Held:
    with world.services.database.writing() as connection:
        act = world.services.act("nurse", "test")
        return approval.withdraw(connection, act, held.quarantine_id, "not my face", refuse=refuse)


def swept(world: World, archive: AskingArchive | None = None) -> Swept:
    return approval.sweep(way_in(world, archive), world.services.act("consentgate", "test"))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer.PATIENT_APPROVED, ""),
        (Answer.PATIENT_UNABLE, "under general anaesthetic"),
        (Answer.PROXY_APPROVED, "mother, parental responsibility"),
    ],
)
def test_what_is_approved_is_filed_and_the_spool_lets_go_of_it(answer: Answer, words: str, world: World) -> None:
    held = answered(world, answer, words)
    assert (held.status, world.trail()[-1]["effect"]) == ("APPROVED", answer)
    assert swept(world) == Swept(filed=(held.quarantine_id,), still=())
    assert (status(world, held.quarantine_id), kept(world)) == ("RELEASED", ())
    assert world.row().sop_instance_uid == UID
    assert swept(world) == Swept(filed=(), still=())


def test_the_words_stay_in_the_registry_and_out_of_the_trail(world: World) -> None:
    held = answered(world, Answer.PATIENT_UNABLE, "Jane is asleep")
    assert held.reasons[-1] == "PATIENT_UNABLE: Jane is asleep"
    swept(world)
    assert "Jane" not in str(world.trail())


@pytest.mark.parametrize("answer", [Answer.PATIENT_UNABLE, Answer.PROXY_APPROVED])
def test_an_approval_by_anybody_else_needs_words(answer: Answer, world: World) -> None:
    with pytest.raises(IllegalTransitionError, match="needs words"):
        answered(world, answer, "  ")
    assert waiting(world).status == "AWAITING_PATIENT_APPROVAL"


def test_before_its_window_ends_nothing_is_filed_and_then_it_is(world: World) -> None:
    held = waiting(world)
    world.clock.advance(minutes=29, seconds=59)
    assert swept(world) == Swept(filed=(), still=())
    assert world.rows() == []
    world.clock.advance(seconds=1)
    assert swept(world).filed == (held.quarantine_id,)
    assert "WINDOW_ENDED" in [entry["effect"] for entry in world.trail()]
    assert world.row().sop_instance_uid == UID


def test_what_the_patient_takes_back_is_deleted_and_that_it_was_taken_stays_on_record(world: World) -> None:
    held = withdrawn(world, waiting(world))
    world.services.spool.drop(held.spool_name)
    assert (held.status, held.settled_by, kept(world), world.rows()) == ("DELETED", "nurse", (), [])
    entry = world.trail()[-1]
    assert (entry["effect"], entry["subject"], entry["reasons"]) == ("DELETED_UNFILED", UID, ["PATIENT_WITHDREW"])
    assert "face" not in str(entry)
    assert [each.record.state for each in world.consents()] == ["GIVEN"]


def test_a_refusal_of_the_picture_is_recorded_when_asked(world: World) -> None:
    withdrawn(world, waiting(world), refuse=True)
    refused = world.consents()[-1].record
    assert (refused.state, refused.level, refused.targets, refused.giver.type) == (
        "REFUSED",
        "IMAGE",
        (UID,),
        "PATIENT",
    )
    assert (refused.patient_id, refused.issuer) == ("P1", "HOSP")


def test_a_refused_picture_stays_shut_though_an_older_consent_names_it(world: World) -> None:
    world.record(consent(id="urn:x:of-it", level="IMAGE", targets=[UID]))
    with world.services.database.writing() as connection:
        refusal.of_pictures(connection, world.services.act("nurse", "test"), ("P1", "HOSP"), (UID,))
    answered(world)
    swept(world)
    assert world.row().sop_instance_uid == UID
    assert not world.services.gate.authorize(world.request()).decision.permits


def test_an_approved_photograph_can_be_taken_back_until_it_is_filed(world: World) -> None:
    held = answered(world)
    assert withdrawn(world, held).status == "DELETED"
    assert swept(world) == Swept(filed=(), still=())
    assert (world.rows(), kept(world)) == ([], ())


def test_what_is_filed_or_on_its_way_is_not_deleted(world: World) -> None:
    held = answered(world)
    world.receive()  # intake has accepted it; the archive is about to have it
    assert status(world, held.quarantine_id) == "FILING"
    with pytest.raises(IllegalTransitionError, match="FILING"):
        withdrawn(world, held)
    swept(world)
    with pytest.raises(IllegalTransitionError, match="RELEASED"):
        withdrawn(world, held)
    with pytest.raises(IllegalTransitionError, match="can't be deleted"):
        _deleted(world, held)


def _deleted(world: World, held: Held) -> None:
    with world.services.database.writing() as connection:
        now = quarantine.get(connection, held.quarantine_id)
        quarantine.delete(connection, now, by="nurse", at=world.clock(), reason="X")


def test_a_consent_withdrawn_after_the_approval_keeps_the_photograph_out(world: World) -> None:
    held = answered(world)
    world.withdraw()
    assert swept(world) == Swept(filed=(), still=(held.quarantine_id,))
    assert (world.rows(), status(world, held.quarantine_id)) == ([], "HELD")
    assert len(kept(world)) == 1


def test_an_archive_that_is_down_loses_nothing_and_the_next_sweep_files(world: World) -> None:
    held = answered(world)
    archive = AskingArchive(world=world, down=True)
    assert swept(world, archive) == Swept(filed=(), still=(held.quarantine_id,))
    assert (status(world, held.quarantine_id), len(kept(world))) == ("APPROVED", 1)
    archive.down = False
    assert swept(world, archive).filed == (held.quarantine_id,)


def test_a_crash_after_intake_accepted_is_made_good_by_the_next_sweep(world: World) -> None:
    held = answered(world)
    world.receive()
    assert (status(world, held.quarantine_id), len(kept(world))) == ("FILING", 1)
    assert swept(world).filed == (held.quarantine_id,)
    assert (len(world.rows()), kept(world)) == (1, ())


def test_a_crash_between_settling_and_dropping_leaves_a_file_that_the_next_sweep_drops(world: World) -> None:
    held = answered(world)
    swept(world)
    world.services.spool.put(held.spool_name, photograph_bytes())
    swept(world)
    assert kept(world) == ()


class ForgetfulArchive(AskingArchive):
    """An archive that gives back something else than it was given."""

    def read(self, orthanc_instance: str) -> bytes:
        return super().read(orthanc_instance) + b"x"


def test_an_archive_that_gives_back_other_bytes_does_not_get_the_spool_s_copy_dropped(world: World) -> None:
    held = answered(world)
    assert swept(world, ForgetfulArchive(world=world)).still == (held.quarantine_id,)
    assert (status(world, held.quarantine_id), len(kept(world))) == ("FILING", 1)


def test_a_file_changed_in_the_spool_is_not_filed(world: World) -> None:
    held = answered(world)
    world.services.spool.put(held.spool_name, b"something else")
    with pytest.raises(ArchiveError, match="changed on disk"):
        way_in(world).file(held, world.services.act("nurse", "test"))
    world.services.spool.drop(held.spool_name)
    with pytest.raises(SpoolError):
        way_in(world).file(held, world.services.act("nurse", "test"))


def test_two_who_file_at_once_file_it_once(world: World) -> None:
    held = answered(world)
    act = world.services.act("nurse", "test")
    assert way_in(world).file(held, act)
    assert way_in(world).file(held, act)
    assert [entry["effect"] for entry in world.trail()].count("RELEASED") == 1
    world.services.spool.put(held.spool_name, photograph_bytes())
    assert way_in(world).file(held, act)
    assert [entry["effect"] for entry in world.trail()].count("RELEASED") == 1


def test_one_that_can_not_be_filed_does_not_hold_up_the_others(world: World) -> None:
    first = answered(world)
    world.services.spool.put(first.spool_name, b"something else")
    world.clock.advance(minutes=1)
    world.receive(encoded(photograph(uid="2.25.9")))
    second = answered(world)
    assert swept(world) == Swept(filed=(second.quarantine_id,), still=(first.quarantine_id,))


@pytest.mark.parametrize("step", ["approve", "withdraw"])
def test_only_what_waits_can_be_answered(step: str, world: World) -> None:
    held = waiting(world)
    withdrawn(world, held)
    with pytest.raises(IllegalTransitionError, match="DELETED"):
        _again(world, held, step)


def _again(world: World, held: Held, step: str) -> None:
    act = world.services.act("nurse", "test")
    with world.services.database.writing() as connection:
        if step == "approve":
            approval.approve(connection, act, held.quarantine_id, Answer.PATIENT_APPROVED)
        else:
            approval.withdraw(connection, act, held.quarantine_id, "", refuse=False)


def test_what_was_deleted_is_not_filed(world: World) -> None:
    held = withdrawn(world, waiting(world))
    with pytest.raises(IllegalTransitionError, match="took the picture back"):
        way_in(world).file(held, world.services.act("nurse", "test"))


def test_an_object_that_is_not_there_is_told(world: World) -> None:
    act = world.services.act("nurse", "test")
    with pytest.raises(UnknownRecordError), world.services.database.writing() as connection:
        approval.approve(connection, act, "nothing", Answer.PATIENT_APPROVED)


def test_without_the_trail_nothing_is_approved_and_nothing_deleted(world: World) -> None:
    held = waiting(world)
    world.stop_the_trail()
    for step in ("approve", "withdraw"):
        with pytest.raises(Exception, match="registry can't be written"):
            _again(world, held, step)
    assert waiting(world) == held
