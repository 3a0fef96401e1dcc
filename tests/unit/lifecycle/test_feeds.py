"""Feeds of patients' facts beside what people record: a feed never undoes what was recorded after it was taken."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from orthanc_plugin.lifecycle import people
from orthanc_plugin.lifecycle.importing import KINDS, import_rows
from orthanc_plugin.lifecycle.people import Told
from orthanc_plugin.policy.model import Capacity, Gillick, Patient
from orthanc_plugin.registry import patients
from orthanc_plugin.registry.patients import Key, Value
from tests.fakes.pictures import CARE, consent
from tests.fakes.sheets import errors, sheet
from tests.fakes.world import World
from tests.unit.lifecycle.steps import acting

ANNA: Key = ("P1", "HOSP")
BEFORE = "2026-11-22T05:30+00:00"  # four hours before the world's clock
AFTER = "2026-11-22T09:30+00:00"
NEWER = "somebody changed it since the feed was taken; leave it empty, or take a newer feed"


@pytest.fixture
def anna(world: World) -> World:
    world.record(consent(CARE))
    return world


def say(world: World, **facts: Value) -> None:
    """Record facts as a person does."""
    with acting(world) as (connection, act):
        people.tell(connection, act, Told(who=ANNA, facts=facts, reason="the patient rang"))


def feed(world: World, tmp_path: Path, as_of: str, **cells: str) -> list[tuple[str, str]]:
    """Import one row; return what is wrong with it, by column."""
    path = sheet(tmp_path / "feed.csv", {"patient_id": "P1", "as_of": as_of, **cells})
    act = world.services.act
    report = import_rows(world.services.database, lambda: act("officer", "test"), KINDS["patients"], path)
    if report.errors is None:
        return []
    (failed,) = errors(report.errors)
    return list(zip(failed["field"].split("; "), failed["remedy"].split(" | "), strict=True))


def found(world: World) -> Patient:
    with world.services.database.reading() as connection:
        patient = patients.find(connection, *ANNA)
    assert patient is not None
    return patient


@pytest.mark.parametrize(
    ("fact", "said", "fed"),
    [
        ("national_data_opt_out", True, "no"),
        ("capacity", Capacity.LACKS, "HAS"),
        ("gillick", Gillick.NOT_COMPETENT, "COMPETENT"),
    ],
)
def test_a_feed_does_not_undo_what_a_person_recorded_after_it_was_taken(
    fact: str, said: Value, fed: str, anna: World, tmp_path: Path
) -> None:
    say(anna, **{fact: said})
    before = found(anna)
    assert feed(anna, tmp_path, BEFORE, **{fact: fed}) == [(fact, f"{fact}: {NEWER}")]
    assert found(anna) == before


def test_what_says_nothing_else_is_taken_from_an_older_feed(anna: World, tmp_path: Path) -> None:
    say(anna, national_data_opt_out=True)
    assert feed(anna, tmp_path, BEFORE, national_data_opt_out="yes", capacity="LACKS") == []
    assert (found(anna).national_data_opt_out, found(anna).capacity) == (True, Capacity.LACKS)


def test_a_feed_taken_after_a_person_s_word_replaces_it(anna: World, tmp_path: Path) -> None:
    say(anna, national_data_opt_out=True)
    anna.clock.advance(hours=1)
    assert feed(anna, tmp_path, AFTER, national_data_opt_out="no") == []
    assert not found(anna).national_data_opt_out


def test_a_feed_replaces_what_an_older_one_told_though_it_was_taken_in_later(anna: World, tmp_path: Path) -> None:
    assert feed(anna, tmp_path, "2026-11-21", capacity="LACKS") == []
    assert feed(anna, tmp_path, BEFORE, capacity="HAS") == []
    assert found(anna).capacity is Capacity.HAS


def test_a_feed_does_not_repeat_a_merge_that_a_person_has_undone_since(anna: World, tmp_path: Path) -> None:
    into: Mapping[str, str] = {"merged_into": "P2"}
    assert feed(anna, tmp_path, "2026-11-21", **into) == []
    with acting(anna) as (connection, act):
        people.unmerge(connection, act, ANNA, "two people after all")
    assert feed(anna, tmp_path, BEFORE, **into) == [("merged_into", f"merged_into: {NEWER}")]
    anna.clock.advance(hours=1)
    assert feed(anna, tmp_path, (anna.clock() - timedelta(minutes=1)).isoformat(), **into) == []
