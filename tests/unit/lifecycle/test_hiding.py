"""Who may take which step in hiding other people, and what each leaves in the trail and on whose list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orthanc_plugin.audit.chain import verify
from orthanc_plugin.errors import UnknownImageError
from orthanc_plugin.lifecycle import hiding, reviewing
from orthanc_plugin.lifecycle.act import UnnamedPersonError
from orthanc_plugin.lifecycle.hiding import On
from orthanc_plugin.lifecycle.reviewing import ReviewRefusedError, SecondPersonError
from orthanc_plugin.policy.model import Anonymisable, Obligation, Others
from orthanc_plugin.policy.others import Hiding
from orthanc_plugin.policy.reviewing import EVERY, HIDING, OTHERS, Kind, Shown
from orthanc_plugin.registry import hidings, images, reviews
from tests.fakes.hiding import FACE, HIDING_POLICY, agreed, hidden, proposed, rejected
from tests.fakes.looking import NOTHING
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.fakes.world import World, make_world

TWICE = '[[users]]\nname = "looker-at-home"\nperson = "looker"\nroles = ["review"]\npurpose = "RECORDS_MANAGEMENT"\n'
TWICE += 'audience = "RECORDS_OFFICER"\n'


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path, policy=HIDING_POLICY + TWICE)
    made.file(CARE, TEACHING)
    yield made
    made.close()


def stands(world: World) -> Hiding:
    with world.services.database.reading() as connection:
        return hiding.stands(connection, hiding.on(connection, UID))


def step(world: World, by: str, take: Callable[..., object], *more: object) -> object:
    with world.services.database.writing() as connection:
        return take(connection, world.services.act(by, "test"), hiding.on(connection, UID), *more)


def duties(world: World) -> list[object]:
    return [each["subject"] for each in world.tasks() if each["kind"] == Obligation.REDACT_THIRD_PARTIES]


def queued(world: World) -> list[tuple[str, str]]:
    with world.services.database.reading() as connection:
        return [(each.image, each.step.reviewer) for each in hiding.queue(connection)]


def test_what_one_person_proposes_another_confirms_and_the_work_is_done(world: World) -> None:
    assert (stands(world).others, queued(world), duties(world)) == (None, [], [])
    proposed(world)
    assert (stands(world).others, queued(world), duties(world)) == (Others.PROPOSED, [(UID, "looker")], [UID])
    found = agreed(world)
    assert (found.regions, found.outcome, found.profile) == ((FACE,), Anonymisable.UNKNOWN, HIDING.name)
    assert (dict(found.checklist), len(found.pixels)) == ({OTHERS: Shown.COVERED}, 64)
    assert (stands(world).confirmed, queued(world), duties(world)) == (found, [], [])
    effects = [each["effect"] for each in world.trail() if str(each["effect"]).startswith("HIDING")]
    assert effects == [
        "HIDING_OPENED", "HIDING_SHOWN", "HIDING_PROPOSED", "HIDING_OPENED", "HIDING_SHOWN", "HIDING_CONFIRMED",
    ]  # fmt: skip
    assert verify(world.services.trail.entries()).whole


@pytest.mark.parametrize("by", ["looker", "LOOKER ", "looker-at-home"])
def test_nobody_settles_what_they_proposed_under_whatever_name(by: str, world: World) -> None:
    proposed(world)
    with pytest.raises(SecondPersonError):
        agreed(world, by=by)
    with pytest.raises(SecondPersonError):
        rejected(world, by)
    agreed(world)
    rejected(world, "looker")
    with pytest.raises(SecondPersonError):
        rejected(world, by)
    assert stands(world).others is Others.CHANGING


def test_whoever_has_no_name_in_policy_toml_is_no_second_person(world: World) -> None:
    with pytest.raises(UnnamedPersonError):
        proposed(world, by="somebody")
    proposed(world)
    with pytest.raises(UnnamedPersonError):
        agreed(world, by="somebody")
    with pytest.raises(UnnamedPersonError):
        rejected(world, "somebody")
    assert stands(world).others is Others.PROPOSED


def test_nobody_agrees_on_what_they_have_not_been_shown(world: World) -> None:
    proposed(world)
    with pytest.raises(ReviewRefusedError, match="has not been looked at"):
        step(world, "second-looker", hiding.confirm, "")
    step(world, "second-looker", hiding.open_, "pixels")
    with pytest.raises(ReviewRefusedError, match="has not been looked at"):
        step(world, "second-looker", hiding.confirm, "")
    step(world, "second-looker", hiding.show)
    proposed(world, (32, 32, 8, 8))
    with pytest.raises(ReviewRefusedError, match="has not been looked at"):
        step(world, "second-looker", hiding.confirm, "")
    step(world, "second-looker", hiding.show)
    world.clock.advance(minutes=world.services.policy.review.open_minutes)
    with pytest.raises(ReviewRefusedError, match="has not been looked at"):
        step(world, "second-looker", hiding.confirm, "")
    assert agreed(world).regions == ((32, 32, 8, 8),)


@pytest.mark.parametrize(
    ("take", "more", "words"),
    [
        (hiding.show, (), "not open"),
        (hiding.propose, ((),), "not open"),
        (hiding.redact, ((FACE,),), "not open"),
        (hiding.confirm, ("",), "No regions are proposed"),
        (hiding.reject, ("nobody",), "Nobody is hidden"),
        (hiding.reject, (" ",), "needs a reason"),
    ],
)
def test_a_step_out_of_turn_is_refused_and_changes_nothing(
    take: Callable[..., object], more: tuple[object, ...], words: str, world: World
) -> None:
    with pytest.raises(ReviewRefusedError, match=words):
        step(world, "looker", take, *more)
    assert world.sql("SELECT * FROM reviews") == []


def test_no_regions_are_no_proposal(world: World) -> None:
    step(world, "looker", hiding.open_, "pixels")
    with pytest.raises(ReviewRefusedError, match="Nothing would be hidden"):
        step(world, "looker", hiding.redact, ())


def test_what_two_have_agreed_on_two_take_back_and_the_trail_tells_the_steps_apart(world: World) -> None:
    hidden(world)
    rejected(world, "second-looker")
    assert (stands(world).others, queued(world), duties(world)) == (Others.CHANGING, [(UID, "second-looker")], [UID])
    agreed(world, by="looker")
    assert (stands(world).others, duties(world)) == (Others.HIDDEN, [])
    rejected(world, "second-looker")
    rejected(world, "looker")
    assert (stands(world).others, queued(world), duties(world)) == (None, [], [])
    proposed(world)
    rejected(world, "second-looker")
    told = [each["effect"] for each in world.trail() if str(each["effect"]).startswith(("HIDING_R", "HIDING_L"))]
    assert told == ["HIDING_LIFTING_ASKED", "HIDING_LIFTING_ASKED", "HIDING_LIFTED", "HIDING_REJECTED"]


@pytest.mark.parametrize("done", [proposed, hidden], ids=["proposed", "agreed on"])
def test_nobody_shows_others_again_without_having_opened_the_picture(
    done: Callable[[World], object], world: World
) -> None:
    done(world)
    before = stands(world)
    world.clock.advance(minutes=world.services.policy.review.open_minutes)
    with pytest.raises(ReviewRefusedError, match="not open"):
        rejected(world, "second-looker")
    assert stands(world) == before
    step(world, "second-looker", hiding.open_, "pixels")
    rejected(world, "second-looker")
    if stands(world).lifting is not None:
        with pytest.raises(ReviewRefusedError, match="not open"):
            rejected(world, "looker")
        step(world, "looker", hiding.open_, "pixels")
        rejected(world, "looker")
    assert stands(world).others is None


def test_a_draft_of_the_detectors_hides_nobody(world: World) -> None:
    step(world, "looker", hiding.open_, "pixels")
    step(world, "looker", hiding.propose, ())
    assert (stands(world).others, duties(world)) == (None, [])


def test_a_picture_that_is_not_there_is_looked_at_by_nobody(world: World) -> None:
    world.sql("UPDATE images SET status = 'DISPOSED'")
    with pytest.raises(UnknownImageError), world.services.database.reading() as connection:
        hiding.on(connection, UID)
    assert queued(world) == []


def test_a_review_before_anonymising_and_one_for_others_say_nothing_to_one_another(world: World) -> None:
    found = hidden(world)
    with world.services.database.writing() as connection:
        assert reviews.answered(connection, UID, found.sha256, OTHERS, lambda _: False) is None
        for name in ("", "teaching"):
            under = world.services.release.under(name) if name else EVERY
            assert reviews.verdict(connection, UID, found.sha256, under) is None
        act = world.services.act("looker", "test")
        matter = reviewing.matter(connection, UID, "", world.services.release.under)
        with pytest.raises(ReviewRefusedError, match=r"^Two persons have agreed that other people are shown"):
            reviewing.confirm(connection, act, matter, NOTHING, "")
        reviewing.reject(connection, act, matter, "A tattoo.")
    assert stands(world).confirmed == found


def test_every_step_is_a_row_that_the_trail_seals(world: World) -> None:
    hidden(world)
    with world.services.database.reading() as connection:
        kinds = [each.kind for each in hidings.steps(connection, UID)]
        sealed = set(reviews.step_seals(connection))
        row = images.get(connection, UID)
        assert row is not None
        assert hidings.standing(connection, *On(UID, row.sha256)).others is Others.HIDDEN
    assert kinds == [Kind.OPENED, Kind.SHOWN, Kind.REDACTED, Kind.OPENED, Kind.SHOWN, Kind.VERDICT]
    assert sealed <= {str(each["detail"]) for each in world.trail()}
