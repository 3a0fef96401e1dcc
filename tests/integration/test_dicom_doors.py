"""Every DICOM door of a running Orthanc, with real associations."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from demo.peers import NO_ASSOCIATION, Caller, Receiver, free_ports, wait_until
from tests.integration.archive import Archive

SUCCESS = 0x0000


def arrived(receiver: Receiver, count: int) -> list[Dataset]:
    wait_until(lambda: len(receiver.received) >= count, 5 if count else 0.5)
    return receiver.take()


def reasons_since(archive: Archive, seq: int) -> list[str]:
    """Wait for the trail: what the core refuses is read from its log, a moment later."""
    found: list[str] = []

    def noted() -> bool:
        entries = archive.entries_since(seq)
        found[:] = [str(rule) for entry in entries for rule in entry["rules"]]  # type: ignore[attr-defined]
        return bool(found)

    wait_until(noted, 10, pause=0.3)
    return found


LEVELS = (
    ("STUDY", {"StudyInstanceUID": "study_instance_uid"}),
    ("SERIES", {"StudyInstanceUID": "study_instance_uid", "SeriesInstanceUID": "series_instance_uid"}),
    (
        "IMAGE",
        {
            "StudyInstanceUID": "study_instance_uid",
            "SeriesInstanceUID": "series_instance_uid",
            "SOPInstanceUID": "sop_instance_uid",
        },
    ),
)


@pytest.mark.parametrize(("level", "keys"), LEVELS, ids=[level for level, _ in LEVELS])
def test_the_workstation_gets_the_picture_at_every_level(archive: Archive, level: str, keys: dict[str, str]) -> None:
    made = archive.wrapped("A")
    named = {keyword: str(getattr(made, name)) for keyword, name in keys.items()}
    assert archive.journey.workstation.move("DERMWS", level, **named) == SUCCESS
    received = arrived(archive.journey.at_workstation, 1)
    assert [str(each.SOPInstanceUID) for each in received] == [made.sop_instance_uid]


def test_a_list_of_studies_is_asked_about_one_by_one(archive: Archive) -> None:
    uids = "\\".join(archive.wrapped(letter).study_instance_uid for letter in "AB")
    assert archive.journey.workstation.move("DERMWS", StudyInstanceUID=uids) == SUCCESS
    assert len(arrived(archive.journey.at_workstation, 2)) == 2


def test_a_list_with_one_that_is_refused_is_no_success(archive: Archive) -> None:
    uids = "\\".join(archive.wrapped(letter).study_instance_uid for letter in "AB")
    assert archive.journey.teaching.move("TEACHING", StudyInstanceUID=uids) != SUCCESS
    assert arrived(archive.journey.at_teaching, 0) == []


def test_quarantine_and_nothing_look_the_same_to_a_caller(archive: Archive) -> None:
    held = archive.wrapped("C").study_instance_uid
    answers = {archive.journey.workstation.move("DERMWS", StudyInstanceUID=uid) for uid in (held, "1.2.3.4")}
    assert answers in ({0xB000}, {0xC000})
    assert arrived(archive.journey.at_workstation, 0) == []


CALLS = (
    ("STRANGER", "move", "STRANGER", "UNKNOWN_AE"),
    ("STRANGER", "move", "DERMWS", "UNKNOWN_AE"),
    ("STRANGER", "get", "", "UNKNOWN_AE"),
    ("dermws", "move", "DERMWS", "UNKNOWN_AE"),
    ("DERMWS", "move", "TEACHING", "PURPOSE_NOT_BOUND"),
    ("TEACHING", "move", "DERMWS", "PURPOSE_NOT_BOUND"),
    ("DERMWS", "move", "DERMCAM", "UNKNOWN_AE"),
    ("DERMWS", "move", "NOWHERE", "UNKNOWN_AE"),
    ("DERMCAM", "move", "DERMWS", "SERVICE_NOT_ALLOWED"),
    ("DERMWS", "get", "", "SERVICE_NOT_ALLOWED"),
    ("TEACHING", "get", "", "SERVICE_NOT_ALLOWED"),
    ("DERMWS", "find", "", "SERVICE_NOT_ALLOWED"),
)


@pytest.mark.parametrize(("aet", "service", "destination", "rule"), CALLS)
def test_what_nobody_bound_is_refused_and_the_trail_says_why(
    archive: Archive, aet: str, service: str, destination: str, rule: str
) -> None:
    before = archive.last_entry()
    caller = Caller(aet=aet, port=archive.server.ports.dicom)
    study = archive.wrapped("A").study_instance_uid
    if service == "move":
        status = caller.move(destination, StudyInstanceUID=study)
    else:
        status = getattr(caller, service)(StudyInstanceUID=study)
    assert status != SUCCESS
    assert arrived(archive.journey.at_workstation, 0) == []
    assert arrived(archive.journey.at_teaching, 0) == []
    assert rule in reasons_since(archive, before)


def test_a_stranger_may_not_store(archive: Archive) -> None:
    before = archive.last_entry()
    stranger = Caller(aet="STRANGER", port=archive.server.ports.dicom)
    assert stranger.push(archive.wrapped("A").file) != 0
    assert "UNKNOWN_AE" in reasons_since(archive, before)


def test_a_workstation_may_not_store(archive: Archive) -> None:
    assert Caller(aet="DERMWS", port=archive.server.ports.dicom).push(archive.wrapped("A").file) != 0


def test_a_recipient_that_is_away_costs_nothing_but_a_failure(archive: Archive) -> None:
    journey = archive.journey
    journey.at_workstation.stop()
    try:
        study = archive.wrapped("A").study_instance_uid
        assert journey.workstation.move("DERMWS", StudyInstanceUID=study) not in (SUCCESS, NO_ASSOCIATION)
        assert archive.server.ask("GET", "/system", "admin").status_code == 200
    finally:
        journey.at_workstation = Receiver(aet="DERMWS", port=archive.server.ports.workstation)


def test_two_archives_never_meet_on_a_port() -> None:
    assert len(set(free_ports(20))) == 20
