"""Others are found in a picture that was confirmed for anonymised copies before: it waits until somebody looks anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_plugin.gate import Answer, DecisionChangedError
from orthanc_plugin.lifecycle import reviewing
from orthanc_plugin.policy.model import Effect, Obligation, Others
from orthanc_plugin.policy.others import ANEW
from orthanc_plugin.policy.reviewing import Outline, Shown, State
from orthanc_plugin.release import Released
from tests.fakes.hiding import FACE, agreed, hidden, proposed
from tests.fakes.hiding import rejected as unhidden
from tests.fakes.looking import LOOKING, confirmed, opened, redacted, rejected
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.fakes.world import World, make_world

ELSEWHERE: Outline = (32, 32, 16, 16)
PERMIT, WAITS = Effect.PERMIT_ANONYMISED, Effect.NEEDS_REVIEW


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a world in which the teacher has asked for a picture."""
    made = make_world(tmp_path, policy=LOOKING)
    made.file(CARE, TEACHING)
    assert asked(made).decision.effect is WAITS
    yield made
    made.close()


def asked(world: World) -> Answer:
    return world.services.gate.authorize(world.request("teacher"))


def looked(world: World, by: str = "looker", *regions: Outline, **answers: Shown) -> None:
    """Have somebody look and find nothing that identifies the patient."""
    opened(world, by)
    if regions:
        redacted(world, *regions, by=by)
    confirmed(world, by, **answers)


def waiting(world: World) -> list[tuple[str, str, State]]:
    with world.services.database.reading() as connection:
        queue = reviewing.queue(connection, world.services.act("", "test"), world.services.release.under)
        return [(each.profile, each.reason, each.found.state) for each in queue]


def duties(world: World) -> list[object]:
    return [each["reason"] for each in world.tasks() if each["kind"] == Obligation.VERIFY_RESIDUAL_ID]


def made(world: World, answer: Answer) -> Released:
    context = world.services.context(answer, world.binding("teacher"))
    content = world.archive.read(world.row().orthanc_instance)
    return world.services.release.prepare(answer.decision, context, content, UID)


def test_a_picture_waits_again_at_once_and_leaves_once_somebody_has_confirmed_it_anew(world: World) -> None:
    looked(world)
    answer = asked(world)
    copy = made(world, answer)
    proposed(world)
    assert (asked(world).decision.effect, duties(world)) == (PERMIT, [])  # one person's word is none yet
    agreed(world)
    assert (waiting(world), duties(world)) == ([("teaching", ANEW, State.WAITING)], [ANEW])
    with pytest.raises(DecisionChangedError):
        world.services.disclose(answer, copy)
    assert world.disclosures() == []
    again = asked(world)
    assert again.decision.effect is WAITS
    assert any(ANEW in each for each in again.decision.reasons)
    assert again.decision.obligations == (Obligation.VERIFY_RESIDUAL_ID,)
    assert again.case is not None
    assert again.case.image.others is Others.HIDDEN
    looked(world, "second-looker", FACE, other_people=Shown.COVERED)
    assert (waiting(world), duties(world)) == ([], [])
    assert asked(world).decision.effect is PERMIT
    assert made(world, asked(world)).sha256 != copy.sha256


@pytest.mark.parametrize(
    ("regions", "answers", "effect"),
    [
        ((), {}, WAITS),
        ((FACE,), {"face": Shown.COVERED}, WAITS),
        ((FACE,), {"other_people": Shown.COVERED}, PERMIT),
        ((ELSEWHERE,), {"other_people": Shown.COVERED}, WAITS),
    ],
)
def test_who_blanked_the_others_before_need_not_look_again(
    regions: tuple[Outline, ...], answers: dict[str, Shown], effect: Effect, world: World
) -> None:
    looked(world)
    looked(world, "looker", *regions, **answers)
    hidden(world)
    assert len(waiting(world)) == len(duties(world)) == int(effect is WAITS)
    assert asked(world).decision.effect is effect


def test_a_yes_for_every_profile_counts_under_none_any_more_and_a_no_still_does(world: World) -> None:
    confirmed(world, profile="")
    assert asked(world).decision.effect is PERMIT
    hidden(world)
    assert asked(world).decision.effect is WAITS
    with pytest.raises(reviewing.ReviewRefusedError, match=r"^Two persons have agreed that other people are shown"):
        confirmed(world, profile="")
    rejected(world, profile="")
    assert (asked(world).decision.effect, waiting(world)) == (Effect.DENY, [])


def test_a_look_under_one_profile_is_none_under_another(world: World) -> None:
    for profile in ("teaching", "publication"):
        opened(world, profile=profile)
        confirmed(world, profile=profile)
    hidden(world)
    opened(world, profile="publication")
    confirmed(world, profile="publication")
    assert (asked(world).decision.effect, len(waiting(world))) == (WAITS, 1)


def test_once_nobody_is_hidden_any_more_what_was_confirmed_counts_again(world: World) -> None:
    looked(world)
    hidden(world)
    unhidden(world, "looker")
    assert (asked(world).decision.effect, len(waiting(world))) == (WAITS, 1)
    unhidden(world, "second-looker")
    assert (asked(world).decision.effect, waiting(world)) == (PERMIT, [])
    hidden(world)
    assert (asked(world).decision.effect, len(waiting(world))) == (WAITS, 1)


def test_where_nobody_had_to_wait_the_next_who_asks_does(world: World) -> None:
    world.sql("DELETE FROM review_requests")
    looked(world)
    asked(world)
    hidden(world)
    assert (waiting(world), duties(world)) == ([], [])
    asked(world)
    assert [(profile, state) for profile, _, state in waiting(world)] == [("teaching", State.WAITING)]
    (reason,) = duties(world)
    assert ANEW in str(reason)
