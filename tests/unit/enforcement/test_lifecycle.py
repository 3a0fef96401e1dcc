"""Around the start and the stop: the gate opens only after every check; a failing one stops Orthanc."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from orthanc_plugin.archive.remote import Credentials, Place, read_credentials, read_place
from orthanc_plugin.enforcement.effective import Standing
from orthanc_plugin.enforcement.lifecycle import (
    CATCHING_UP,
    DELETED,
    STABLE,
    STARTED,
    STOPPED,
    Lifecycle,
    write_boot_file,
)
from orthanc_plugin.errors import ArchiveError, RegistryError
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import holdings
from tests.fakes.configuration import modalities
from tests.fakes.pictures import CARE, encoded, photograph, photograph_bytes
from tests.fakes.routed import ROUTED, sends
from tests.fakes.world import World, make_world


def boot_file(world: World) -> Path:
    settings = world.services.settings
    return settings.path(settings.orthanc.boot_secret)


def lifecycle(world: World, *at_stop: Callable[[], None]) -> Lifecycle:
    world.archive.known_modalities = world.archive.known_modalities or modalities()
    world.services.gate.close(CATCHING_UP)
    standing = Standing(world.services, world.archive)
    write_boot_file(boot_file(world), Credentials(user="consentgate", password="p", secret="s"), "/var/lib/orthanc")
    return Lifecycle(world.services, world.archive, standing, world.worker(), str, at_stop)


def test_after_every_check_the_gate_opens(world: World) -> None:
    lifecycle(world).hook(STARTED, 0, "")
    assert (world.services.gate.closed, world.archive.stopped) == (None, 0)
    assert world.trail()[-1]["detail"] == "started; every check passed"


def test_the_archive_has_one_name_for_good_and_says_it_once_it_has_started(world: World) -> None:
    made = lifecycle(world)
    with pytest.raises(ArchiveError, match="No running Orthanc"):
        read_place(boot_file(world))
    made.hook(STARTED, 0, "")
    first = read_place(boot_file(world))
    assert first == Place(archive=world.archive.name, storage=Path("/var/lib/orthanc"))
    assert first.archive
    lifecycle(world).hook(STARTED, 0, "")
    assert read_place(boot_file(world)) == first


def test_an_archive_that_was_lost_as_a_whole_has_nothing_any_more_though_its_successor_has_another_name(
    world: World,
) -> None:
    picture = world.file(CARE)
    lifecycle(world).hook(STARTED, 0, "")
    with world.services.database.reading() as connection:
        assert holdings.elsewhere(connection, "another") == {picture.orthanc_instance}
    world.archive.objects.clear()
    world.archive.name = ""
    lifecycle(world).hook(STARTED, 0, "")
    with world.services.database.reading() as connection:
        assert holdings.elsewhere(connection, "another") == frozenset()


def test_what_was_stored_while_nobody_asked_is_quarantined(world: World) -> None:
    known = world.file(CARE)
    world.archive.objects["6816cb19-844d5aee-85245eba-28e841e6-2414fae2"] = encoded(photograph(uid="2.25.66"))
    lifecycle(world).hook(STARTED, 0, "")
    assert world.services.gate.closed is None
    assert world.row("2.25.66").status is ImageStatus.QUARANTINED
    assert world.row() == known


def test_what_was_spooled_when_the_archive_was_killed_is_listed_at_the_next_start(world: World) -> None:
    content = photograph_bytes()
    name = f"{hashlib.sha256(content).hexdigest()}.dcm"
    world.services.spool.put(name, content)
    lifecycle(world).hook(STARTED, 0, "")
    assert [(held.spool_name, held.origin) for held in world.held()] == [(name, "SPOOL")]
    lifecycle(world).hook(STARTED, 0, "")
    assert len(world.held()) == 1
    assert world.services.gate.closed is None


@pytest.mark.parametrize("patient_id", ["P1", "P" * 200, "", "P\\1"])
def test_an_old_object_that_can_t_be_read_shuts_its_own_doors_and_not_the_archive(
    patient_id: str, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.archive.objects["old"] = b"no DICOM"
    places = {"orthanc_series": "the-series", "orthanc_study": "the-study", "orthanc_patient": "the-patient"}
    uids = {"SOPInstanceUID": "2.25.66", "SeriesInstanceUID": "2.25.67", "StudyInstanceUID": "2.25.68"}
    world.archive.index["old"] = {**uids, "PatientID": patient_id, "InstanceNumber": "1", **places}
    lifecycle(world).hook(STARTED, 0, "")
    assert (world.services.gate.closed, world.archive.stopped) == (None, 0)
    row = world.row("2.25.66")
    assert (row.status, row.orthanc_instance) == (ImageStatus.QUARANTINED, "old")
    assert (row.orthanc_series, row.orthanc_study, row.orthanc_patient) == ("the-series", "the-study", "the-patient")
    assert not world.services.gate.authorize(world.request(uid="2.25.66")).decision.permits
    assert [entry["subject"] for entry in world.trail() if entry["rules"] == ["STORED_UNASKED"]] == ["2.25.66"]
    (told,) = [record.getMessage() for record in caplog.records if record.exc_info is None]
    assert told.startswith("1 object(s) from before Consentgate can't be read")
    assert not patient_id or patient_id not in told


def open_modality(world: World) -> None:
    world.archive.known_modalities = {"x": {"AET": "X", "Host": "y", "AllowGet": True}}


def strange_plugin(world: World) -> None:
    world.archive.loaded = ("python", "ohif")


def a_peer(world: World) -> None:
    world.archive.known_peers = {"elsewhere": {"Url": "https://elsewhere"}}


def an_object_that_is_nowhere(world: World) -> None:
    world.archive.objects["id"] = b"no DICOM"


@pytest.mark.parametrize(
    "fault", [open_modality, strange_plugin, a_peer, an_object_that_is_nowhere, World.lose_the_database]
)
def test_a_failing_check_stops_orthanc_and_the_gate_stays_shut(fault: Callable[[World], None], world: World) -> None:
    cycle = lifecycle(world)
    fault(world)
    cycle.hook(STARTED, 0, "")
    assert world.archive.stopped == 1
    assert world.services.gate.closed == "a check at the start failed"


def test_other_changes_are_nothing_to_it(world: World) -> None:
    lifecycle(world).hook("NEW_INSTANCE", 0, "id")
    assert (world.services.gate.closed, world.trail()) == (CATCHING_UP, [])


@pytest.mark.parametrize(
    ("level", "told"),
    [(0, []), (1, []), (2, []), (3, ["UNPLANNED_DESTRUCTION"]), ("another version's", ["UNPLANNED_DESTRUCTION"])],
)
def test_of_what_is_deleted_only_pictures_are_looked_for_and_whatever_isn_t_known_to_be_none(
    level: object, told: list[str], world: World
) -> None:
    row = world.file(CARE)
    cycle = lifecycle(world)
    cycle.hook(DELETED, level, row.orthanc_instance)
    cycle.gone.stop()
    assert [effect for entry in world.trail() if (effect := entry["effect"]) == "UNPLANNED_DESTRUCTION"] == told


@pytest.fixture
def routed(tmp_path: Path) -> World:
    """Give a world with a route for everything that becomes stable."""
    return make_world(tmp_path, policy=ROUTED)


def test_a_series_that_became_stable_is_queued_while_nobody_waits(routed: World) -> None:
    row = routed.file(CARE)
    cycle = lifecycle(routed)
    cycle.hook(STABLE, 0, row.orthanc_series)
    cycle.worker.join()
    assert sends(routed) == {(row.sop_instance_uid, "to-teaching"): "WAITING"}


def test_what_became_stable_while_the_archive_was_down_is_queued_at_its_start(routed: World) -> None:
    lifecycle(routed).hook(STARTED, 0, "")
    row = routed.file(CARE)
    routed.archive.objects[row.orthanc_instance] = b""
    lifecycle(routed).hook(STARTED, 0, "")
    assert sends(routed) == {(row.sop_instance_uid, "to-teaching"): "WAITING"}


def test_a_registry_that_can_t_be_written_doesn_t_stop_the_archive(
    routed: World, caplog: pytest.LogCaptureFixture
) -> None:
    row = routed.file(CARE)
    cycle = lifecycle(routed)
    routed.lose_the_database()
    cycle.stable(row.orthanc_series)
    assert "could not be queued for its routes" in caplog.text
    assert routed.archive.stopped == 0


def test_what_could_not_be_queued_is_once_the_registry_is_back(routed: World) -> None:
    row = routed.file(CARE)
    cycle = lifecycle(routed)
    routed.sql("ALTER TABLE outbox RENAME TO away")
    cycle.stable(row.orthanc_series)
    with pytest.raises(RegistryError):
        cycle.queue_missed()
    routed.sql("ALTER TABLE away RENAME TO outbox")
    cycle.queue_missed()
    assert sends(routed) == {(row.sop_instance_uid, "to-teaching"): "WAITING"}
    routed.sql("DELETE FROM outbox")
    cycle.queue_missed()
    assert sends(routed) == {}


def test_at_the_stop_everything_is_cleared_up(world: World) -> None:
    done: list[str] = []
    lifecycle(world, lambda: done.append("first"), lambda: done.append("second")).hook(STOPPED, 0, "")
    assert done == ["first", "second"]
    assert world.trail()[-1]["detail"] == "stopped"


def test_the_boot_file_is_the_owner_s_alone_and_made_anew_each_time(tmp_path: Path) -> None:
    path = tmp_path / "run" / "boot.secret"
    for secret in ("one", "two"):
        write_boot_file(path, Credentials(user="consentgate", password="p", secret=secret))
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert read_credentials(path, "consentgate") == Credentials(user="consentgate", password="p", secret="two")


@pytest.mark.parametrize("content", [None, "", "{}", "[]", "null", json.dumps({"password": "p"})])
def test_without_a_boot_file_no_guarded_orthanc_is_running(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "boot.secret"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ArchiveError, match="Start it"):
        read_credentials(path, "consentgate")


def test_no_secret_is_in_a_repr() -> None:
    shown = repr(Credentials(user="consentgate", password="hush", secret="quiet"))
    assert "hush" not in shown
    assert "quiet" not in shown
