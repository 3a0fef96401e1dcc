"""What Orthanc has deleted is looked into together, and nothing of it is forgotten."""

from __future__ import annotations

import logging
import threading

import pytest

from orthanc_plugin.enforcement.gone import AT_ONCE, Gone
from tests.fakes.pictures import CARE, TEACHING
from tests.fakes.world import World


def told(world: World) -> list[str]:
    return [str(entry["subject"]) for entry in world.trail() if entry["effect"] == "UNPLANNED_DESTRUCTION"]


def test_what_went_together_is_told_of_each_once_and_of_nothing_else(world: World) -> None:
    rows = [world.file(CARE, TEACHING, uid=f"2.25.{900 + number}") for number in range(5)]
    gone = Gone(world.services)
    for row in (*rows[:3], rows[0]):
        gone.note(row.orthanc_instance)
    gone.note("nobody knows it")
    gone.stop()
    assert sorted(told(world)) == sorted(row.sop_instance_uid for row in rows[:3])


def test_however_many_went_none_is_left_out(world: World) -> None:
    row = world.file(CARE)
    gone = Gone(world.services)
    for number in range(2 * AT_ONCE):
        gone.note(f"nobody knows {number}")
    gone.note(row.orthanc_instance)
    gone.stop()
    assert told(world) == [row.sop_instance_uid]


def test_what_goes_while_the_others_are_looked_into_is_looked_into_after_them(world: World) -> None:
    rows = [world.file(CARE, TEACHING, uid=f"2.25.{900 + number}") for number in range(20)]
    gone = Gone(world.services, seconds=0.0)
    threads = [
        threading.Thread(target=lambda some=some: [gone.note(row.orthanc_instance) for row in some])
        for some in (rows[:10], rows[10:])
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    gone.stop()
    assert sorted(told(world)) == sorted(row.sop_instance_uid for row in rows)


def test_a_registry_that_is_away_ends_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    row = world.file(CARE)
    gone = Gone(world.services, seconds=0.0)
    world.stop_the_trail()
    with caplog.at_level(logging.ERROR):
        gone.note(row.orthanc_instance)
        gone.stop()
    assert "could not be recorded" in caplog.text
    assert row.patient_id not in caplog.text
