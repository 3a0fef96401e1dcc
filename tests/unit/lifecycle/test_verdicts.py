"""How long a verdict holds, for whom, and which one counts at the release."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orthanc_plugin.errors import ReleaseRefusedError
from orthanc_plugin.gate import DecisionChangedError
from orthanc_plugin.lifecycle import reviewing
from orthanc_plugin.lifecycle.reviewing import ReviewRefusedError, SecondPersonError
from orthanc_plugin.policy.model import Anonymisable, Decision, Effect, Obligation
from orthanc_plugin.policy.reviewing import Shown, State
from orthanc_plugin.release import Released, unmet
from orthanc_plugin.sending.packing import Packed, Packer, Refusal
from orthanc_plugin.services import build
from tests.fakes.looking import LOOKING, confirmed, opened, redacted, rejected
from tests.fakes.pictures import CARE, TEACHING, UID, consent, encoded, photograph
from tests.fakes.world import World, counted_ids, make_world

REGION = (16, 16, 16, 16)
LECTURER = """
[[users]]
name = "lecturer"
roles = ["view"]
purpose = "TEACHING"
audience = "TRUST_STUDENTS"
form = "ANONYMISED"
profile = "teaching"
"""
CHANGED = LOOKING.replace("retain_safe_private = true", "retain_safe_private = false")
HIDING = Decision(
    effect=Effect.PERMIT_IDENTIFIABLE,
    reasons=("They ask for their own.",),
    rules=("R3",),
    obligations=(Obligation.REDACT_THIRD_PARTIES,),
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a world with a picture that may leave for teaching once somebody has looked."""
    made = make_world(tmp_path, policy=LOOKING + LECTURER)
    made.file(CARE, TEACHING)
    yield made
    made.close()


def asked(world: World, by: str = "teacher") -> Effect:
    return world.services.gate.authorize(world.request(by)).decision.effect


def packed(world: World, by: str = "teacher") -> Packed | Refusal:
    return Packer(world.services, world.archive).pack(world.requester(by), world.row(), world.binding(by), "test")


def under(world: World, policy: str) -> World:
    """Return the same world under another policy."""
    (world.folder / "policy.toml").write_text(policy)
    ids = counted_ids(f"of {len(world.trail())}")
    return replace(world, services=build(world.folder / "settings.toml", {}, world.clock, ids, world.ticks))


def waiting(world: World) -> list[reviewing.Waiting]:
    with world.services.database.reading() as connection:
        return list(reviewing.queue(connection, world.services.act("", "test"), world.services.release.under))


def test_a_rejection_is_not_forgotten_when_the_profile_changes(world: World) -> None:
    asked(world)
    confirmed(world, profile="")
    rejected(world, by="second-looker")
    changed = under(world, CHANGED)
    assert not asked(changed).startswith("PERMIT")
    assert isinstance(packed(changed), Refusal)
    opened(changed)
    confirmed(changed)
    assert asked(changed) is Effect.PERMIT_ANONYMISED


def test_a_rejection_is_not_forgotten_when_the_profile_becomes_again_what_it_was(world: World) -> None:
    asked(world)
    opened(world)
    confirmed(world)
    changed = under(world, CHANGED)
    assert asked(changed) is Effect.NEEDS_REVIEW
    rejected(changed)
    again = under(changed, LOOKING)
    assert not asked(again).startswith("PERMIT")
    assert isinstance(packed(again), Refusal)


def test_a_rejection_under_one_profile_is_none_under_another(world: World) -> None:
    confirmed(world, profile="")
    rejected(world, profile="publication")
    assert asked(world) is Effect.PERMIT_ANONYMISED


def test_nobody_uncovers_by_a_confirmation_for_every_profile_what_somebody_had_blanked(world: World) -> None:
    asked(world)
    opened(world)
    redacted(world, REGION)
    confirmed(world, face=Shown.COVERED)
    with pytest.raises(ReviewRefusedError, match="regions of the picture blanked"):
        confirmed(world, by="second-looker", profile="")
    assert asked(world) is Effect.PERMIT_ANONYMISED
    assert confirmed(world, by="second-looker", profile="", face=Shown.IDENTIFIES).outcome is Anonymisable.NO


def test_who_was_refused_for_want_of_consent_does_not_review_the_picture_for_others(tmp_path: Path) -> None:
    world = make_world(tmp_path, policy=LOOKING + LECTURER)
    world.file(CARE)
    assert asked(world) is Effect.DENY
    assert waiting(world) == []
    world.record(consent(TEACHING, id="urn:x:teaching"))
    assert asked(world, "lecturer") is Effect.NEEDS_REVIEW
    with pytest.raises(SecondPersonError):
        opened(world, by="teacher")
    (found,) = waiting(world)
    assert (found.profile, found.requesters) == ("teaching", ("lecturer",))
    world.close()


def test_who_has_had_a_copy_does_not_review_the_picture_again_for_others(world: World) -> None:
    asked(world, "lecturer")
    opened(world)
    confirmed(world)
    assert isinstance(packed(world), Packed)
    changed = under(world, CHANGED + LECTURER)
    assert asked(changed, "lecturer") is Effect.NEEDS_REVIEW
    with pytest.raises(SecondPersonError):
        opened(changed, by="teacher")


def test_who_confirmed_the_picture_before_they_asked_waits_for_somebody_else(world: World) -> None:
    confirmed(world, by="teacher", profile="")
    assert isinstance(packed(world), Refusal)
    (found,) = waiting(world)
    assert (found.found.state, found.profile, found.requesters) == (State.CONFIRMED, "teaching", ("teacher",))
    opened(world)
    confirmed(world)
    assert waiting(world) == []
    assert isinstance(packed(world), Packed)


def test_another_object_than_the_one_that_was_looked_at_does_not_leave(world: World) -> None:
    confirmed(world, profile="")
    answer = world.services.gate.authorize(world.request("teacher"))
    context = world.services.context(answer, world.binding("teacher"))
    other = encoded(photograph(PatientComments="Other bytes of the same UID."))
    with pytest.raises(ReleaseRefusedError, match="object is not the one that was looked at"):
        world.services.release.prepare(answer.decision, context, other, UID)


@pytest.mark.parametrize("change", [{"review": ""}, {"key": None}, {"profile": ""}, {"profile": "of another"}])
def test_a_copy_that_does_not_say_by_whose_verdict_and_under_what_it_was_made_is_not_released(
    change: dict[str, str | None], world: World
) -> None:
    confirmed(world, profile="")
    answer = world.services.gate.authorize(world.request("teacher"))
    context = world.services.context(answer, world.binding("teacher"))
    row = world.row()
    made = world.services.release.prepare(answer.decision, context, world.archive.read(row.orthanc_instance), UID)
    less: Released = replace(made, **change)  # type: ignore[arg-type]
    with pytest.raises(DecisionChangedError):
        world.services.disclose(answer, less)
    assert world.disclosures() == []
    assert world.services.disclose(answer, made)


def alone(world: World, by: str = "derm") -> bool:
    answer = replace(world.services.gate.authorize(world.request(by)), decision=HIDING)
    return unmet(HIDING, world.services.context(answer, world.binding(by))) == ()


def test_that_nobody_else_is_shown_is_not_taken_from_a_look_at_a_blanked_copy(world: World) -> None:
    opened(world)
    redacted(world, REGION)
    confirmed(world, face=Shown.COVERED)
    assert not alone(world)


def test_that_nobody_else_is_shown_does_not_outlive_a_rejection(world: World) -> None:
    confirmed(world, profile="")
    assert alone(world)
    rejected(world)
    assert not alone(world)
    confirmed(world, profile="", face=Shown.IDENTIFIES)
    assert alone(world)


def test_that_nobody_else_is_shown_is_not_taken_from_whoever_asks(world: World) -> None:
    confirmed(world, by="Derm", profile="")
    assert not alone(world)
    confirmed(world, by="looker", profile="")
    assert alone(world)


def test_that_others_are_shown_counts_whoever_says_so_and_however_the_copy_was_blanked(world: World) -> None:
    confirmed(world, profile="")
    opened(world, by="derm")
    redacted(world, REGION, by="derm")
    confirmed(world, by="derm", other_people=Shown.COVERED)
    rejected(world)
    assert not alone(world)
