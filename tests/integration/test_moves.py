"""Moves and sends of several pictures from a running Orthanc to real peers that take, refuse, hang and break off."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server

import httpx
import pydicom
import pytest
from pydicom.uid import JPEGBaseline8Bit, VLPhotographicImageStorage
from pynetdicom import AE, evt

from demo.peers import HOST, Receiver
from orthanc_plugin.archive.storescu import Parcel
from orthanc_plugin.registry.images import orthanc_id
from tests.integration.archive import Archive, started
from tests.integration.stock import dcmtk

COUNT = 24
SUCCESS, WARNING, FAILED = 0x0000, 0xB000, 0xC000


class Ward:
    """An archive with a series of photographs, and nobody at the workstation."""

    def __init__(self, archive: Archive, folder: Path) -> None:
        self.archive = archive
        template = pydicom.dcmread(archive.wrapped("A").file)
        template.SeriesInstanceUID = self.series = str(pydicom.uid.generate_uid(prefix=None))
        self.files: dict[str, Path] = {}
        for number in range(COUNT):
            uid = pydicom.uid.generate_uid(prefix=None)
            template.SOPInstanceUID = template.file_meta.MediaStorageSOPInstanceUID = uid
            self.files[str(uid)] = folder / f"{number}.dcm"
            template.save_as(self.files[str(uid)], enforce_file_format=True)
            assert archive.journey.camera.push(self.files[str(uid)]) == 0
        self.study, self.patient = str(template.StudyInstanceUID), str(template.PatientID)
        archive.journey.at_workstation.stop()

    def move(self) -> int:
        keys = {"StudyInstanceUID": self.study, "SeriesInstanceUID": self.series}
        return self.archive.journey.workstation.move("DERMWS", "SERIES", **keys)

    def send(self) -> httpx.Response:
        body = f'["{orthanc_id(self.patient, self.study, self.series)}"]'.encode()
        return self.archive.server.ask("POST", "/modalities/dermatology/store", "derm", content=body)

    def outcomes(self, seq: int) -> dict[str, str]:
        """Return how the release of each picture ended, by the trail since ``seq``."""
        entries = [each for each in self.archive.entries_since(seq) if each["event"] == "110104"]
        return {str(each["subject"]): str(each["outcome"]) for each in entries}


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    folder = tmp_path_factory.mktemp("moves")
    with started(folder) as archive:
        give_role_to_send(archive)
        made = Ward(archive, folder)
        yield made
        archive.journey.at_workstation = Receiver(aet="DERMWS", port=archive.server.ports.workstation)


def give_role_to_send(archive: Archive) -> None:
    archive.server.stop()
    policy = archive.server.folder / "policy.toml"
    before, name, after = policy.read_text().partition('name = "derm"')
    policy.write_text(before + name + after.replace('roles = ["', 'roles = ["send", "', 1))
    archive.server.start()


@contextmanager
def workstation(ward: Ward, store: Callable[[evt.Event], int]) -> Iterator[list[int]]:
    """Have a workstation listen that answers as ``store`` says; give how many associations it had."""
    associations: list[int] = []
    entity = AE(ae_title="DERMWS")
    entity.add_supported_context(VLPhotographicImageStorage, [JPEGBaseline8Bit])
    handlers = [(evt.EVT_C_STORE, store), (evt.EVT_ACCEPTED, lambda _event: associations.append(1))]
    port = ward.archive.server.ports.workstation
    server = entity.start_server((HOST, port), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield associations
    finally:
        server.shutdown()


@pytest.mark.parametrize("way", ["move", "send"])
def test_the_bytes_that_were_filed_arrive_on_one_association(ward: Ward, way: str) -> None:
    held: dict[str, bytes] = {}

    def store(event: evt.Event) -> int:
        held[str(event.request.AffectedSOPInstanceUID)] = event.request.DataSet.getvalue()
        return SUCCESS

    before = ward.archive.last_entry()
    with workstation(ward, store) as associations:
        if way == "move":
            assert ward.move() == SUCCESS
        else:
            given = ward.send()
            assert (given.status_code, given.json()["InstancesCount"]) == (200, COUNT), given.text
    assert held == {uid: bytes(Parcel.of(file.read_bytes()).data) for uid, file in ward.files.items()}
    assert len(associations) == 1
    assert ward.outcomes(before) == dict.fromkeys(ward.files, "0")


def test_dcmtk_s_storescp_takes_them_all(ward: Ward, tmp_path: Path) -> None:
    options = ["--prefer-jpeg8", "--aetitle", "DERMWS"]
    with dcmtk("storescp", tmp_path, options, port=ward.archive.server.ports.workstation):
        assert ward.move() == SUCCESS
    assert {str(pydicom.dcmread(file).SOPInstanceUID) for file in tmp_path.glob("VL*")} == set(ward.files)


def test_a_workstation_that_refuses_some_gets_the_rest_and_each_outcome_is_on_record(ward: Ward) -> None:
    refused = set(list(ward.files)[1::3])
    taken: set[str] = set()

    def store(event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        if uid in refused:
            return 0xA700
        taken.add(uid)
        return SUCCESS

    before = ward.archive.last_entry()
    with workstation(ward, store):
        assert ward.move() == WARNING
        assert (taken, ward.outcomes(before)) == (
            set(ward.files) - refused,
            {uid: "8" if uid in refused else "0" for uid in ward.files},
        )
        given = ward.send()
    counts = (given.status_code, given.json()["InstancesCount"], given.json()["FailedInstancesCount"])
    assert counts == (502, COUNT, len(refused))


def test_a_workstation_that_breaks_off_in_the_middle_ends_it_and_what_did_not_arrive_is_not_called_delivered(
    ward: Ward,
) -> None:
    taken: list[str] = []

    def store(event: evt.Event) -> int:
        if len(taken) == 4:
            event.assoc.abort()
        else:
            taken.append(str(event.request.AffectedSOPInstanceUID))
        return SUCCESS

    before = ward.archive.last_entry()
    with workstation(ward, store):
        assert ward.move() == WARNING
    found = ward.outcomes(before)
    assert {uid for uid, outcome in found.items() if outcome == "0"} == set(taken)
    assert len(taken) == 4
    assert set(found) < set(ward.files)  # what was not begun has no record of a release


def test_a_workstation_that_hangs_is_given_up_and_nobody_else_waits_for_it(ward: Ward) -> None:
    before = ward.archive.last_entry()
    told: list[int] = []
    moving = threading.Thread(target=lambda: told.append(ward.move()))
    with create_server((HOST, ward.archive.server.ports.workstation)) as silent:
        silent.settimeout(60)
        moving.start()
        with silent.accept()[0]:
            assert ward.archive.server.ask("GET", "/system", "admin").status_code == 200
            assert moving.is_alive()  # it waits for ten seconds, and somebody else was answered meanwhile
            moving.join()
    assert told[0] in (WARNING, FAILED)
    assert set(ward.outcomes(before).values()) == {"8"}


def test_a_workstation_that_is_away_fails_at_once(ward: Ward) -> None:
    before = ward.archive.last_entry()
    assert ward.move() in (WARNING, FAILED)
    assert ward.send().status_code == 502
    assert list(ward.outcomes(before).values()) == ["8"]
