"""C-MOVE by a number that anybody can guess: answer, time and trace don't say whether there is such a patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from orthanc_plugin.enforcement import cmove
from orthanc_plugin.enforcement.cmove import MoveRefusedError
from orthanc_plugin.enforcement.pace import FLOOR
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import images
from tests.fakes.pictures import CARE, consent, encoded, photograph
from tests.fakes.waiting import Waiting
from tests.fakes.world import World
from tests.unit.enforcement.moving import move_scp

HIDDEN = tuple(f"2.25.{100 + number}" for number in range(5))
SEEN = "2.25.90"
BY_PATIENT, BY_ORDER = {"Level": "PATIENT", "PatientID": "P1"}, {"Level": "STUDY", "AccessionNumber": "ACC1"}
UNKNOWN_PATIENT, UNKNOWN_ORDER = {**BY_PATIENT, "PatientID": "P2"}, {**BY_ORDER, "AccessionNumber": "ACC2"}


@dataclass(frozen=True, kw_only=True)
class Traced:
    """What a move told, what it left in the trail, and how long it was held back."""

    told: str
    entries: list[tuple[object, ...]]
    waited: list[float]


def moved(world: World, identifier: Mapping[str, str], *, newer: bool) -> Traced:
    waiting, before, told = Waiting(), len(world.trail()), ""
    scp = move_scp(world, pace=waiting.pace())
    try:
        (scp.create if newer else scp.hook)(OriginatorAET="DERMWS", TargetAET="DERMWS", **identifier)
    except MoveRefusedError as error:
        told = str(error)
    compared = ("event", "subject", "rules", "reasons", "door", "actor", "detail")
    entries = [tuple(str(entry[name]) for name in compared) for entry in world.trail()[before:]]
    return Traced(told=told, entries=entries, waited=waiting.waited)


@pytest.fixture
def hiding(world: World) -> World:
    """Give a world with a patient of whom the workstation may have nothing."""
    world.record(consent(CARE))
    for uid in HIDDEN:
        assert world.receive(encoded(photograph(uid=uid, AccessionNumber="ACC1"))).reasons == ()
    with world.services.database.writing() as connection:
        for uid in HIDDEN:
            images.change(connection, uid, {"status": ImageStatus.QUARANTINED})
    return world


@pytest.mark.parametrize("newer", [False, True], ids=["version 1", "by sub-operations"])
@pytest.mark.parametrize(
    ("hidden", "unknown"), [(BY_PATIENT, UNKNOWN_PATIENT), (BY_ORDER, UNKNOWN_ORDER)], ids=["patient", "order"]
)
def test_a_patient_of_whom_nothing_may_go_is_refused_as_one_whom_nobody_knows(
    hidden: Mapping[str, str], unknown: Mapping[str, str], newer: bool, hiding: World
) -> None:
    known = moved(hiding, hidden, newer=newer)
    assert known == moved(hiding, unknown, newer=newer)
    assert (known.waited, len(known.entries)) == ([FLOOR], 1)
    assert hiding.archive.sent == []


def test_a_number_that_several_patients_have_is_refused_likewise(hiding: World) -> None:
    with hiding.services.database.writing() as connection:
        images.change(connection, HIDDEN[0], {"issuer": "OTHER"})
    assert moved(hiding, BY_PATIENT, newer=False) == moved(hiding, UNKNOWN_PATIENT, newer=False)


def test_only_so_many_pictures_are_looked_through_while_the_answer_is_held_back(
    hiding: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cmove, "MOST_GUESSED", len(HIDDEN) - 1)
    with hiding.services.database.writing() as connection:
        images.change(connection, HIDDEN[-1], {"status": ImageStatus.ACTIVE})
    assert moved(hiding, BY_PATIENT, newer=False) == moved(hiding, UNKNOWN_PATIENT, newer=False)


def test_what_may_go_goes_at_once_and_what_may_not_is_on_record_by_itself(hiding: World) -> None:
    assert hiding.receive(encoded(photograph(uid=SEEN))).reasons == ()
    found = moved(hiding, BY_PATIENT, newer=False)
    assert (found.told[:9], found.waited, len(hiding.archive.sent)) == ("1 of 6 in", [], 1)
    assert {entry[1] for entry in found.entries} == {SEEN, *HIDDEN}


def test_what_is_named_by_a_uid_that_only_its_owner_knows_is_answered_at_once(hiding: World) -> None:
    for uid in ("2.25.1", "2.25.77"):
        assert moved(hiding, {"Level": "STUDY", "StudyInstanceUID": uid}, newer=False).waited == []
