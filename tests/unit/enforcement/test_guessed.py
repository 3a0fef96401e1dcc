"""Names that anybody can make of a patient's number: known or not, the answer, its time and its trace are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orthanc_plugin.audit.event import Outcome
from orthanc_plugin.enforcement import withheld
from orthanc_plugin.enforcement.pace import FLOOR
from orthanc_plugin.enforcement.withheld import MOST_NAMES
from orthanc_plugin.registry import images
from orthanc_plugin.registry.images import orthanc_id
from tests.fakes.exits import NOBODY, OTHER, THIRD, Asking, Given, refuse, world_with_senders
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.fakes.world import World

PATIENT, STUDY = orthanc_id("P9"), orthanc_id("P9", "2.25.1")  # of whom nothing may leave
HIDDEN = (OTHER, THIRD)
GUESSES = tuple(orthanc_id(f"guess {number}") for number in range(MOST_NAMES))


def belong(world: World, uid: str) -> None:
    """Have a picture be of the patient of whom nothing may leave."""
    with world.services.database.writing() as connection:
        images.change(connection, uid, {"orthanc_patient": PATIENT, "orthanc_study": STUDY})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a world with a picture of one patient that may leave, and pictures of another that may not."""
    made = world_with_senders(tmp_path)
    for uid in (UID, *HIDDEN):
        made.file(CARE, TEACHING, uid=uid)
    for uid in HIDDEN:
        refuse(made, uid)
        belong(made, uid)
    yield made
    made.close()


@dataclass(frozen=True, kw_only=True)
class Traced:
    """An answer, what it left in the trail and how long it was held back."""

    given: Given
    entries: list[dict[str, object]]
    waited: list[float]


def asked(world: World, ask: Callable[[Asking], Given]) -> Traced:
    asking, before = Asking(world=world), len(world.trail())
    given = ask(asking)
    return Traced(given=given, entries=world.trail()[before:], waited=asking.waiting.waited)


def create(*names: str) -> Callable[[Asking], Given]:
    return lambda asking: asking.post("/tools/create-archive", list(names))


def store(*names: str) -> Callable[[Asking], Given]:
    return lambda asking: asking.post("/modalities/dermatology/store", list(names))


DOORS: dict[str, Callable[[str], Callable[[Asking], Given]]] = {
    "archive": lambda name: lambda asking: asking.get(f"/patients/{name}/archive"),
    "posted archive": lambda name: lambda asking: asking.post(f"/patients/{name}/archive", {}),
    "named": lambda name: lambda asking: asking.get(f"/tools/create-archive?resources={name}"),
    "several": lambda name: create(GUESSES[0], name, GUESSES[1]),
    "store": store,
}


@pytest.mark.parametrize("door", DOORS)
def test_a_patient_leaves_no_more_behind_than_one_who_is_unknown(world: World, door: str) -> None:
    world.archive.objects.clear()  # a picture that were read would be missed, and that is on record
    known, unknown = (asked(world, DOORS[door](name)) for name in (PATIENT, NOBODY))
    assert known.given.status == unknown.given.status == 403
    assert known.waited == unknown.waited == [FLOOR]
    assert len(known.entries) == len(unknown.entries) == (3 if door == "several" else 1)
    (told,) = (each for each in known.given.json["refused"] if each["resource"] == PATIENT)  # type: ignore[attr-defined]
    assert told["decisions"] == [each["id"] for each in known.entries if each["subject"] == OTHER]


def test_beside_what_leaves_a_guess_still_tells_nothing(world: World) -> None:
    told = []
    for name in (PATIENT, NOBODY):
        traced = asked(world, create(world.row().orthanc_study, name))
        assert (traced.given.status, traced.waited) == (200, [FLOOR])
        (left_out,) = traced.given.manifest["left_out"]  # type: ignore[misc]
        told.append((len(traced.entries), {**left_out, "decisions": len(left_out["decisions"])}))
    assert told[0] == told[1]


def test_with_a_guess_in_it_nothing_is_sent_at_all(world: World) -> None:
    told = []
    for name in (PATIENT, NOBODY):
        traced = asked(world, store(world.row().orthanc_study, name))
        (refused,) = traced.given.json["refused"]  # type: ignore[misc]
        told.append((traced.given.status, traced.waited, len(traced.entries), refused["named"], refused["reasons"]))
    assert told[0] == told[1] == (403, [FLOOR], 1, 2, [withheld.NOTHING])
    assert world.archive.sent == []


@pytest.mark.parametrize("door", ["archive", "named", "store"])
def test_what_may_leave_is_not_held_back(world: World, door: str) -> None:
    traced = asked(world, DOORS[door](world.row().orthanc_patient))
    assert (traced.given.status, traced.waited) == (200, [])


def test_of_very_many_pictures_only_so_many_are_looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    belong(world, UID)  # the first, and it may leave
    monkeypatch.setattr(withheld, "MOST_GUESSED", 1)
    assert asked(world, DOORS["archive"](PATIENT)).given.status == 200
    refuse(world, UID)
    world.file(CARE, TEACHING, uid="2.25.6")
    belong(world, "2.25.6")  # and now only the last
    traced = asked(world, DOORS["archive"](PATIENT))
    assert (traced.given.status, len(traced.entries), traced.waited) == (403, 1, [FLOOR])


@pytest.mark.parametrize("last", [PATIENT, NOBODY])
def test_only_so_many_can_be_guessed_at_once(world: World, last: str) -> None:
    traced = asked(world, create(*GUESSES, last))
    assert (traced.given.status, traced.entries, traced.waited) == (400, [], [FLOOR])


def test_a_permit_that_nothing_can_come_of_is_on_record_with_its_reason(world: World) -> None:
    """Nobody has looked whether the pictures of the patient show who it is, so no anonymised copy may leave."""
    patient = world.row().orthanc_patient
    traced = asked(world, lambda asking: asking.get(f"/patients/{patient}/archive", "lecturer"))
    assert (traced.given.status, traced.waited) == (403, [FLOOR])
    assert traced.entries[-1]["outcome"] == Outcome.REFUSED


def test_without_a_record_the_answer_comes_no_sooner(world: World) -> None:
    world.stop_the_trail()
    traced = asked(world, DOORS["archive"](PATIENT))
    assert (traced.given.status, traced.waited) == (403, [FLOOR])
