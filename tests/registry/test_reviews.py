"""Steps of reviews as rows: in order, sealed, readable; and what was on record before there were any."""

from __future__ import annotations

import hashlib
import json

import pytest

from orthanc_plugin.policy.model import Anonymisable
from orthanc_plugin.policy.reviewing import HIDING, Kind, Review, Shown, Under
from orthanc_plugin.registry import reviews
from orthanc_plugin.registry.reviews import Asked
from orthanc_plugin.registry.stored import UnreadableRowError
from tests.fakes.pictures import CARE, UID
from tests.fakes.world import World

BEFORE = {
    "review_id": "old",
    "sop_instance_uid": UID,
    "sha256": "ab" * 32,
    "outcome": "YES",
    "checklist": '{"face": false, "tattoo": true}',
    "reviewer": "dr-look",
    "reviewed_at": "2026-01-02T03:04:05+00:00",
    "note": "",
}


def insert_the_old(world: World) -> None:
    names, values = ", ".join(BEFORE), ", ".join(f"'{each}'" for each in BEFORE.values())
    world.sql(f"INSERT INTO reviews ({names}) VALUES ({values})")  # noqa: S608


def step(world: World, **changes: object) -> Review:
    said = {"review_id": world.services.ids(), "sop_instance_uid": UID, "sha256": "ab" * 32, "reviewer": "looker"}
    return Review(**{**said, "reviewed_at": world.clock(), **changes})  # type: ignore[arg-type]


def recorded(world: World, **changes: object) -> Review:
    made = step(world, **changes)
    with world.services.database.writing() as connection:
        reviews.record(connection, made)
    return made


def newest(world: World, digest: str = "") -> Review | None:
    with world.services.database.reading() as connection:
        return reviews.verdict(connection, UID, "ab" * 32, Under("teaching", digest))


def test_what_was_on_record_before_keeps_its_seal_and_holds_under_every_profile(world: World) -> None:
    insert_the_old(world)
    digest = hashlib.sha256(json.dumps(BEFORE, sort_keys=True).encode()).hexdigest()
    with world.services.database.reading() as connection:
        assert list(reviews.seals(connection)) == [f"review record old sha256 {digest}"]
        assert list(reviews.step_seals(connection)) == []
    found = newest(world, "of any profile")
    assert found is not None
    assert (found.outcome, found.regions, found.kind) == (Anonymisable.YES, (), Kind.VERDICT)
    assert found.checklist == {"face": Shown.NOT_SHOWN, "tattoo": Shown.IDENTIFIES}


def test_a_step_is_read_as_it_was_written_and_its_seal_is_that_of_the_row(world: World) -> None:
    made = step(
        world,
        profile="teaching",
        profile_digest="d",
        pixels="p",
        outcome=Anonymisable.YES,
        checklist={"face": Shown.COVERED},
        regions=((1, 2, 3, 4), ((0, 0), (9, 0), (9, 9))),
        note="A note.",
    )
    with world.services.database.writing() as connection:
        seal = reviews.record(connection, made)
        assert list(reviews.step_seals(connection)) == [seal]
        assert reviews.steps(connection, UID, "ab" * 32) == (made,)


def test_the_newest_verdict_that_holds_under_the_profile_counts_whatever_the_clock_said(world: World) -> None:
    insert_the_old(world)
    world.clock.advance(days=-900)
    no = recorded(world, kind=Kind.REJECTED, outcome=Anonymisable.NO, profile_digest="d")
    recorded(world, kind=Kind.REDACTED, profile_digest="d", regions=((0, 0, 1, 1),))
    assert newest(world, "d") == no
    found = newest(world, "e")
    assert found is not None
    assert found.review_id == "old"
    every = recorded(world, outcome=Anonymisable.YES)
    assert newest(world, "d") == newest(world, "e") == every


def test_a_no_holds_under_its_profile_however_that_changes_and_a_yes_as_it_was_only(world: World) -> None:
    said = {"profile": "teaching", "profile_digest": "d"}
    no = recorded(world, kind=Kind.REJECTED, outcome=Anonymisable.NO, **said)
    assert newest(world, "changed") == no
    yes = recorded(world, outcome=Anonymisable.YES, **said)
    assert (newest(world, "d"), newest(world, "changed")) == (yes, no)
    with world.services.database.reading() as connection:
        assert reviews.verdict(connection, UID, "ab" * 32, Under("publication", "e")) is None


def test_a_yes_from_before_others_were_found_in_the_same_bytes_is_none_and_no_earlier_one_counts_instead(
    world: World,
) -> None:
    others = {"profile": HIDING.name, "profile_digest": HIDING.digest, "regions": ((0, 0, 16, 16),)}
    recorded(world, kind=Kind.REJECTED, outcome=Anonymisable.NO, profile="teaching", profile_digest="d")
    yes = recorded(world, outcome=Anonymisable.YES, profile="teaching", profile_digest="d")
    recorded(world, **others, sha256="cd" * 32)
    recorded(world, **others, kind=Kind.REDACTED)
    assert newest(world, "d") == yes
    world.clock.advance(days=-1)
    recorded(world, **others)
    assert newest(world, "d") is None
    anew = recorded(world, outcome=Anonymisable.YES, profile="teaching", profile_digest="d")
    assert newest(world, "d") == anew
    no = recorded(world, kind=Kind.REJECTED, outcome=Anonymisable.NO, profile="teaching", profile_digest="d")
    recorded(world, **others)
    assert newest(world, "d") == no


def test_who_was_refused_is_noted_as_one_who_asked_and_waits_once_somebody_must_look(world: World) -> None:
    world.file(CARE)
    asked = Asked(UID, "teacher", "teacher", "TEACHING", "", "2026-01-01")
    found = []
    with world.services.database.writing() as connection:
        for profile in ("", "teaching", ""):
            reviews.ask(connection, asked._replace(profile=profile))
            found += [each.profile for each in reviews.requests(connection, UID)]
    assert found == ["", "teaching", "teaching"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("regions", "[[1]]"),
        ("regions", "none"),
        ("checklist", '{"face": "PERHAPS"}'),
        ("checklist", "[]"),
        ("outcome", "MAYBE"),
        ("reviewed_at", "yesterday"),
    ],
)
def test_a_verdict_that_can_t_be_read_is_no_verdict(column: str, value: str, world: World) -> None:
    recorded(world, outcome=Anonymisable.YES)
    world.sql(f"UPDATE reviews SET {column} = '{value}'")  # noqa: S608
    with pytest.raises(UnreadableRowError, match="reviews"):
        newest(world)


def test_who_asked_is_noted_once_for_each_use_with_the_profile_of_the_last_time(world: World) -> None:
    world.file(CARE)
    asked = Asked(UID, "teacher", "teacher", "TEACHING", "teaching", "2026-01-01")
    with world.services.database.writing() as connection:
        for each in (asked, asked._replace(asked_at="2026-01-02"), asked._replace(profile="publication")):
            reviews.ask(connection, each)
        reviews.ask(connection, asked._replace(requester="TEACHING", asked_at="2026-01-03"))
        found = reviews.requests(connection, UID)
    assert [(each.requester, each.profile, each.asked_at) for each in found] == [
        ("teacher", "publication", "2026-01-01"),
        ("TEACHING", "teaching", "2026-01-03"),
    ]
