"""Who may take which step of a review, and what a verdict holds for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from orthanc_plugin.deid.pixeldigest import pixels_of
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.proposals import Finding, Outcome
from orthanc_plugin.deid.regions import Region
from orthanc_plugin.errors import ReleaseRefusedError
from orthanc_plugin.gate import DecisionChangedError
from orthanc_plugin.lifecycle import reviewing
from orthanc_plugin.lifecycle.reviewing import ReviewRefusedError, SecondPersonError
from orthanc_plugin.policy.model import Anonymisable, Decision, Effect, Obligation
from orthanc_plugin.policy.reviewing import CHECKLIST, Shown, State
from orthanc_plugin.registry import reviews
from orthanc_plugin.release import Hidden, unmet
from tests.fakes.looking import LOOKING, NOTHING, confirmed, matter, opened, redacted, rejected
from tests.fakes.pictures import CARE, TEACHING, UID, photograph_bytes
from tests.fakes.world import World, make_world, with_policy

REGION = (16, 16, 16, 16)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a world in which the teacher has asked for a picture."""
    made = make_world(tmp_path, policy=LOOKING)
    made.file(CARE, TEACHING)
    assert asked(made) is Effect.NEEDS_REVIEW
    yield made
    made.close()


def asked(world: World, by: str = "teacher") -> Effect:
    return world.services.gate.authorize(world.request(by)).decision.effect


def waiting(world: World) -> list[reviewing.Waiting]:
    with world.services.database.reading() as connection:
        return list(reviewing.queue(connection, world.services.act("", "test"), world.services.release.under))


def test_a_picture_waits_until_somebody_has_confirmed_what_leaves(world: World) -> None:
    (found,) = waiting(world)
    assert (found.image, found.profile, found.requesters) == (UID, "teaching", ("teacher",))
    assert found.found.state is State.WAITING
    opened(world)
    assert waiting(world)[0].found.by == "looker"
    assert asked(world) is Effect.NEEDS_REVIEW
    redacted(world, REGION)
    assert confirmed(world, face=Shown.COVERED).outcome is Anonymisable.YES
    assert waiting(world) == []
    assert asked(world) is Effect.PERMIT_ANONYMISED


def test_what_is_confirmed_is_what_is_blanked_and_no_detector_s_word(world: World) -> None:
    finding = Finding(
        detector="face", version="1", outcome=Outcome.FOUND, regions=(Region.rectangle(0, 0, 20, 20),), reason=""
    )
    opened(world, pixels=pixels_of(world.archive.read(world.row().orthanc_instance)))
    with world.services.database.writing() as connection:
        act = world.services.act("looker", "test")
        drafted = reviewing.propose(connection, act, matter(world), (finding,))
        assert drafted.regions == ((0, 0, 20, 20),)
        assert reviewing.proposed(connection, act, matter(world)) == drafted.regions
    assert waiting(world)[0].proposals[0]["outcome"] == "FOUND"
    redacted(world, REGION)
    assert confirmed(world, face=Shown.COVERED).regions == (REGION,)
    request = world.request("teacher")
    answer = world.services.gate.authorize(request)
    context = world.services.context(answer, world.binding("teacher"))
    released = world.services.release.prepare(answer.decision, context, photograph_of(world), UID)
    bare = world.services.release.derived(photograph_of(world), profile(world), Hidden(), confirmed=True)
    blank = world.services.release.derived(photograph_of(world), profile(world), Hidden((REGION,)), confirmed=True)
    assert released.content == blank.content != bare.content


def photograph_of(world: World) -> bytes:
    return world.archive.read(world.row().orthanc_instance)


def profile(world: World) -> Profile:
    return world.services.release.profile(world.binding("teacher"))


Step = Callable[[World], object]
STEPS: dict[str, Step] = {
    "open": opened,
    "redact": redacted,
    "confirm": confirmed,
    "confirm for every profile": partial(confirmed, profile=""),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("by", ["teacher", "TEACHER ", "a teacher", "A  Teacher", "teacher-at-desk"])
def test_whoever_asked_takes_no_step_under_whatever_name(step: Step, by: str, world: World) -> None:
    with pytest.raises(SecondPersonError, match="asked for a copy"):
        step(world, by=by)  # type: ignore[call-arg]


def test_a_policy_may_do_without_a_second_person(world: World) -> None:
    alone = replace(world.services.policy.review, second_person=False)
    changed = with_policy(world, review=alone)
    opened(changed, by="teacher")
    assert confirmed(changed, by="teacher").outcome is Anonymisable.YES


def test_whoever_asks_after_they_have_confirmed_it_has_no_copy(world: World) -> None:
    world.sql("DELETE FROM review_requests")
    confirmed(world, by="a teacher", profile="")
    answer = world.services.gate.authorize(world.request("teacher"))
    told = unmet(answer.decision, world.services.context(answer, world.binding("teacher")))
    assert told == ("whoever asks has confirmed the picture themselves, and somebody else must look at it",)


@pytest.mark.parametrize("step", [opened, redacted, confirmed], ids=["open", "redact", "confirm"])
def test_what_somebody_has_open_is_theirs_until_it_lapses(step: Step, world: World) -> None:
    opened(world, by="second-looker")
    with pytest.raises(ReviewRefusedError, match="second-looker has the picture open"):
        step(world)
    world.clock.advance(minutes=59)
    with pytest.raises(ReviewRefusedError, match="open"):
        step(world)
    world.clock.advance(minutes=1)
    opened(world)
    with pytest.raises(ReviewRefusedError, match="looker has the picture open"):
        confirmed(world, by="second-looker")
    assert confirmed(world).outcome is Anonymisable.YES


def test_nobody_confirms_under_a_profile_what_they_have_not_opened_and_been_shown(world: World) -> None:
    with pytest.raises(ReviewRefusedError, match="not open"):
        confirmed(world)
    with world.services.database.writing() as connection:
        reviewing.open_(connection, world.services.act("looker", "test"), matter(world), "")
    with pytest.raises(ReviewRefusedError, match="has not been looked at"):
        confirmed(world)
    with world.services.database.writing() as connection:
        reviewing.redact(connection, world.services.act("looker", "test"), matter(world), [REGION])
    with pytest.raises(ReviewRefusedError, match="has not been looked at"):
        confirmed(world)


def test_another_s_regions_are_not_taken_over(world: World) -> None:
    opened(world, by="second-looker")
    redacted(world, REGION, by="second-looker")
    world.clock.advance(minutes=60)
    opened(world)
    with pytest.raises(ReviewRefusedError, match="no region is"):
        confirmed(world, face=Shown.COVERED)
    assert confirmed(world).regions == ()


def test_what_is_covered_needs_a_region_and_every_item_an_answer(world: World) -> None:
    opened(world)
    with pytest.raises(ReviewRefusedError, match="no region is"):
        confirmed(world, tattoo=Shown.COVERED)
    with world.services.database.writing() as connection:
        act, on = world.services.act("looker", "test"), matter(world)
        for item in CHECKLIST:
            rest = {each: answer for each, answer in NOTHING.items() if each != item}
            with pytest.raises(ReviewRefusedError, match=f"not answered: {item}"):
                reviewing.confirm(connection, act, on, rest, "")
        with pytest.raises(ReviewRefusedError, match="no item shoes"):
            reviewing.confirm(connection, act, on, {**NOTHING, "shoes": Shown.NOT_SHOWN}, "")
    assert asked(world) is Effect.NEEDS_REVIEW


def test_what_identifies_outside_the_regions_keeps_the_picture_in(world: World) -> None:
    opened(world)
    redacted(world, REGION)
    assert confirmed(world, face=Shown.COVERED, ears=Shown.IDENTIFIES).outcome is Anonymisable.NO
    assert not asked(world).startswith("PERMIT")


def test_a_rejection_is_never_in_anybody_s_way_and_the_newest_verdict_counts(world: World) -> None:
    opened(world)
    confirmed(world)
    opened(world, by="second-looker")
    rejected(world, by="teacher")
    assert not asked(world).startswith("PERMIT")
    opened(world)
    confirmed(world)
    assert asked(world) is Effect.PERMIT_ANONYMISED
    rejected(world, profile="")
    assert not asked(world).startswith("PERMIT")
    with pytest.raises(ReviewRefusedError, match="needs a reason"), world.services.database.writing() as connection:
        reviewing.reject(connection, world.services.act("looker", "test"), matter(world), " ")


def test_a_confirmation_is_for_the_profile_as_it_was(world: World, tmp_path: Path) -> None:
    opened(world)
    confirmed(world)
    policy = LOOKING.replace("retain_safe_private = true", "retain_safe_private = false")
    (tmp_path / "other").mkdir()
    changed = make_world(tmp_path / "other", policy=policy)
    under = changed.services.release.under("teaching")
    assert under != world.services.release.under("teaching")
    with world.services.database.reading() as connection:
        assert reviews.verdict(connection, UID, world.row().sha256, under) is None
    changed.close()


def test_a_confirmation_without_a_profile_counts_under_each_and_one_with_a_profile_does_not(world: World) -> None:
    under = world.services.release.under("publication")
    opened(world)
    confirmed(world)
    with world.services.database.reading() as connection:
        assert reviews.verdict(connection, UID, world.row().sha256, under) is None
    confirmed(world, profile="")
    with world.services.database.reading() as connection:
        found = reviews.verdict(connection, UID, world.row().sha256, under)
        assert found is not None
        assert found.outcome is Anonymisable.YES
        assert reviews.verdict(connection, UID, "another object", under) is None


def test_the_task_is_done_once_everybody_who_asked_has_an_answer(world: World) -> None:
    request = world.request("teacher")
    other = replace(request, requester=replace(request.requester, actor="editor", profile="publication"))
    world.services.gate.authorize(other)
    opened(world)
    confirmed(world)
    (left,) = waiting(world)
    assert (left.profile, left.requesters) == ("publication", ("editor",))
    confirmed(world, profile="")
    assert waiting(world) == []


def test_other_pixels_than_those_looked_at_do_not_leave(world: World) -> None:
    opened(world, pixels="of another picture")
    confirmed(world)
    answer = world.services.gate.authorize(world.request("teacher"))
    context = world.services.context(answer, world.binding("teacher"))
    with pytest.raises(ReleaseRefusedError, match="not those that were looked at"):
        world.services.release.prepare(answer.decision, context, photograph_of(world), UID)


def test_a_new_verdict_before_the_release_begins_stops_it(world: World) -> None:
    opened(world)
    confirmed(world)
    answer = world.services.gate.authorize(world.request("teacher"))
    context = world.services.context(answer, world.binding("teacher"))
    released = world.services.release.prepare(answer.decision, context, photograph_of(world), UID)
    opened(world)
    redacted(world, REGION)
    confirmed(world, face=Shown.COVERED)
    with pytest.raises(DecisionChangedError, match="looked at the picture again"):
        world.services.disclose(answer, released)
    assert world.disclosures() == []


@pytest.mark.parametrize(("others", "met"), [(Shown.NOT_SHOWN, True), (Shown.IDENTIFIES, False), (None, False)])
def test_nobody_else_in_the_picture_meets_the_obligation_to_hide_others(
    others: Shown | None, met: bool, world: World
) -> None:
    opened(world)
    if others is not None:
        confirmed(world, face=Shown.IDENTIFIES, other_people=others)
    answer = world.services.gate.authorize(world.request("derm"))
    hiding = Decision(
        effect=Effect.PERMIT_IDENTIFIABLE,
        reasons=("They ask for their own.",),
        rules=("R3",),
        obligations=(Obligation.REDACT_THIRD_PARTIES,),
    )
    context = world.services.context(replace(answer, decision=hiding), world.binding("derm"))
    assert (unmet(hiding, context) == ()) is met


def test_the_pixels_of_a_picture_have_a_digest_of_their_own() -> None:
    content = photograph_bytes()
    assert pixels_of(content) == pixels_of(content)
    assert pixels_of(content.replace(b"Doe^Jane", b"Roe^Jane")) == pixels_of(content)
    with pytest.raises(ReleaseRefusedError):
        pixels_of(b"no object")
