"""A real Orthanc that takes photographs of registered devices and operators only, by C-STORE, REST and STOW-RS.

What each sender is told, what becomes of the photograph, what somebody is asked to look into.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames

from demo.journey import Journey
from demo.server import ROOT, Server
from dicomwrap.consenttags import read_stamp, stamp
from tests.fakes import commands
from tests.integration.archive import ports, today

RULES = """
operators = "registered"
devices = "registered"
image_classes = { MANAGED = ["PHOTOGRAPH"], PERSONAL = ["PHOTOGRAPH"] }
"""
SAFE = ("--password", "--auto-lock", "--cloud-sync", "off", "--department", "Illustration")
WHY = ("--reason", "asset list", "--by", "illustration")
DEVICES = {
    "CAM-01": ("DEDICATED", "--serial", "SN 1", "--encrypted", "--remote-wipe"),
    "CAM-02": ("DEDICATED", "--serial", "SN 2", "--waive", "encrypted", "--no-remote-wipe"),
    "TAB-01": ("MANAGED", "--station", "Ward 7", "--encrypted", "--remote-wipe"),
    "OWN-01": ("PERSONAL", "--serial", "SN 4", "--encrypted", "--remote-wipe", "--owner", "registrar"),
    "LOST-1": ("DEDICATED", "--serial", "SN 5", "--encrypted", "--remote-wipe"),
    "LOST-2": ("DEDICATED", "--serial", "SN 6", "--aet", "DERMWS", "--encrypted", "--remote-wipe"),
}
FILED, TAKEN, REFUSED = "filed", "held, and the sender was told that it arrived", "held, and the sender was told no"


@dataclass(frozen=True, kw_only=True)
class Studio:
    """The archive with its register, and a photograph that is sent in many ways."""

    server: Server
    journey: Journey
    work: Path

    def run(self, *arguments: str, code: int = 0) -> list[dict[str, object]]:
        done = self.server.consentgate(*arguments, "--json")
        assert done.returncode == code, done.stderr
        found = json.loads(done.stdout)
        return found if isinstance(found, list) else [found]

    def made(self, *, serial: str = "sn1", hours: float = 0.0, **values: object) -> tuple[str, Path]:
        """Write a photograph that its device took ``hours`` ago; return its UID and its file."""
        dataset = pydicom.dcmread(self.journey.wrapped["A"].file)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid(prefix=None)
        taken_at = datetime.now(UTC) - timedelta(hours=hours)
        dataset.AcquisitionDateTime = taken_at.strftime("%Y%m%d%H%M%S+0000")
        dataset.DeviceSerialNumber = serial
        dataset.OperatorsName = "FIELD^alex"
        if "reason" in values:
            said = read_stamp(dataset)
            assert said is not None
            stamp(dataset, replace(said, device_class="PERSONAL", device_reason=str(values.pop("reason"))))
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        path = self.work / f"{dataset.SOPInstanceUID}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        return str(dataset.SOPInstanceUID), path

    def by_cstore(self, path: Path) -> bool:
        return self.journey.camera.push(path) == 0

    def by_rest(self, path: Path) -> bool:
        answer = self.server.ask("POST", "/instances", "uploader", content=path.read_bytes())
        assert answer.status_code in (200, 500)
        return answer.status_code == 200

    def by_stow(self, path: Path) -> bool:
        body = b"--part\r\nContent-Type: application/dicom\r\n\r\n" + path.read_bytes() + b"\r\n--part--\r\n"
        kind = {
            "Content-Type": 'multipart/related; type="application/dicom"; boundary=part',
            "Accept": "application/dicom+json",
        }
        answer = self.server.ask("POST", "/dicom-web/studies", "uploader", headers=kind, content=body)
        assert answer.status_code in (200, 202, 400, 409)
        return path.stem in json.dumps(answer.json().get("00081199")) if answer.status_code != 400 else False

    def became(self, uid: str, *, told: bool) -> str:
        rules = self.rules(uid)
        seen = self.server.ask("GET", f"/wado?requestType=WADO&objectUID={uid}", "derm").status_code
        assert (seen == 200) is (rules == [])
        return (FILED if told else "lost") if not rules else TAKEN if told else REFUSED

    def rules(self, uid: str) -> list[str]:
        with sqlite3.connect(self.server.folder / "registry.db") as registry:
            query = "SELECT reasons FROM quarantine WHERE sop_instance_uid = ? AND status = 'HELD'"
            held = registry.execute(query, (uid,)).fetchall()
        return [reason.partition(":")[0] for (reasons,) in held for reason in json.loads(reasons)]

    def tasks(self) -> dict[tuple[str, str], str]:
        return {(str(task["kind"]), str(task["subject"])): str(task["task_id"]) for task in self.run("task", "list")}


def configured(folder: Path) -> Server:
    """Write the demonstration's configuration, with the rules of this hospital."""
    server = Server(folder=folder, ports=ports(), run=commands.run)
    options = [part for name, port in asdict(server.ports).items() for part in (f"--{name}-port", str(port))]
    script = str(ROOT / "docker" / "consent_gate.py")
    commands.checked([commands.PROGRAM, "init", str(folder), "--script", script, *options])
    policy = server.folder / "policy.toml"
    strict = policy.read_text().replace('operators = "any"\ndevices = "any"\n', RULES)
    policy.write_text(strict.replace('personal_device = "reject"', 'personal_device = "allow_with_reason"'))
    return server


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """Give a running archive whose register has every kind of device."""
    folder = tmp_path_factory.mktemp("studio")
    server = configured(folder / "orthanc")
    server.start()
    work = folder / "work"
    work.mkdir()
    journey = Journey(server=server, work=work, today=today(), show=lambda _line: None)
    made = Studio(server=server, journey=journey, work=work)
    try:
        journey.wrap()
        operator = ("operator", "add", "S100", "--name", "Field^Alex", "--role", "clinical photographer")
        made.run(*operator, "--from", "2020-01-01", "--by", "illustration")
        for name, (kind, *said) in DEVICES.items():
            made.run("device", "add", name, "--class", kind, *said, *SAFE, *WHY)
        yield made
    finally:
        journey.at_workstation.stop()
        journey.at_teaching.stop()
        server.stop()


@pytest.fixture(params=["C-STORE", "REST", "STOW-RS"])
def send(request: pytest.FixtureRequest, studio: Studio) -> Callable[[Path], bool]:
    """Give each way in: it tells whether the sender was told yes."""
    return {"C-STORE": studio.by_cstore, "REST": studio.by_rest, "STOW-RS": studio.by_stow}[request.param]


@pytest.mark.parametrize(
    ("values", "became", "rules"),
    [
        ({}, FILED, []),
        ({"serial": " sn 1"}, FILED, []),
        ({"serial": "", "StationName": "WARD 7"}, FILED, []),
        ({"serial": "", "StationName": "WARD 7", "RecognizableVisualFeatures": "YES"}, TAKEN, ["IMAGE_CLASS"]),
        ({"serial": "SN9"}, TAKEN, ["UNREGISTERED_DEVICE"]),
        ({"OperatorsName": "Somebody^Else"}, TAKEN, ["UNREGISTERED_OPERATOR"]),
        ({"serial": "SN2"}, FILED, []),
        ({"serial": "SN2", "hours": 3.0}, TAKEN, ["ENCRYPTION_WARNING"]),
        ({"serial": "SN4"}, TAKEN, ["PERSONAL_DEVICE"]),
        ({"serial": "SN4", "reason": "URGENT_CARE"}, FILED, []),
        ({"hours": 30.0}, FILED, []),
        ({"SoftwareVersions": "WhatsApp 2.24"}, TAKEN, ["AUTO_UPLOAD_SUSPECTED"]),
    ],
)
def test_what_becomes_of_a_photograph_is_the_same_by_every_way_in(
    values: dict[str, object], became: str, rules: list[str], send: Callable[[Path], bool], studio: Studio
) -> None:
    uid, path = studio.made(**values)  # type: ignore[arg-type]
    told = send(path)
    assert (studio.rules(uid), studio.became(uid, told=told)) == (rules, became)


def test_a_lost_device_is_refused_by_every_way_in_and_its_photographs_are_kept(studio: Studio) -> None:
    before, path = studio.made(serial="SN5")
    assert studio.by_cstore(path)
    (lost,) = studio.run("device", "lost", "LOST-1", "--reason", "left on a bus", "--by", "illustration")
    assert [each["sop_instance_uid"] for each in lost["came"]] == [before]  # type: ignore[attr-defined]
    kept = []
    for way in (studio.by_cstore, studio.by_rest, studio.by_stow):
        uid, path = studio.made(serial="SN5")
        assert not way(path)
        assert not way(path)
        assert (studio.rules(uid), studio.became(uid, told=False)) == (["DEVICE_LOST"], REFUSED)
        kept.append(uid)
    came = studio.run("device", "images", "LOST-1")
    assert [each["sop_instance_uid"] for each in came] == [before, *kept]
    assert {("DEVICE_LOST", "LOST-1"), ("BREACH_ASSESSMENT", "LOST-1")} <= studio.tasks().keys()
    studio.run("device", "found", "LOST-1", "--reason", "handed in", "--by", "illustration")
    for each in came[1:]:
        assert studio.run("quarantine", "release", str(each["quarantine_id"]), "--by", "officer") == [
            {"released": True}
        ]
        assert studio.became(str(each["sop_instance_uid"]), told=True) == FILED


def test_a_lost_device_that_sends_by_itself_is_known_by_its_ae_title(studio: Studio) -> None:
    studio.run("device", "change", "LOST-2", "--aet", "DERMCAM", *WHY)
    studio.run("device", "lost", "LOST-2", "--reason", "stolen", "--by", "illustration")
    uid, path = studio.made()
    assert not studio.by_cstore(path)
    assert not studio.by_cstore(path)
    assert studio.server.audit(1)[0]["rules"] == ["DEVICE_LOST"]
    assert (studio.rules(uid), studio.became(uid, told=False)) == (["DEVICE_LOST"], REFUSED)
    assert uid in [each["sop_instance_uid"] for each in studio.run("device", "images", "LOST-2")]
    with sqlite3.connect(studio.server.folder / "registry.db") as registry:
        assert registry.execute("SELECT count(*) FROM images WHERE sop_instance_uid = ?", (uid,)).fetchone() == (0,)
    studio.run("device", "found", "LOST-2", "--reason", "handed in", "--by", "illustration")
    assert studio.by_cstore(path)
    assert studio.became(uid, told=True) == FILED


def test_what_is_to_be_looked_into_is_on_the_list_and_what_was_is_filed(studio: Studio) -> None:
    study = studio.journey.wrapped["A"].study_instance_uid
    assert studio.by_cstore(studio.made(hours=30.0)[1])
    assert studio.by_cstore(studio.made(serial="SN2")[1])
    raw = pydicom.dcmread(studio.journey.wrapped["A"].file)
    frame = next(generate_frames(raw.PixelData, number_of_frames=1))
    comment = b"\xff\xfe\x00\x15Sent with Instagram"  # a COM segment
    uid, path = studio.made(PixelData=encapsulate([frame[:2] + comment + frame[2:]]))
    assert studio.by_cstore(path)
    assert studio.rules(uid) == ["AUTO_UPLOAD_SUSPECTED"]
    tasks = studio.tasks()
    wanted = {("LATE_TRANSFER", study), ("ENCRYPTION_WARNING", "CAM-02"), ("AUTO_UPLOAD_SUSPECTED", study)}
    assert wanted <= tasks.keys()
    task = tasks["AUTO_UPLOAD_SUSPECTED", study]
    studio.run("task", "close", task, "--note", "Downloaded by the patient's wish.", "--by", "governance")
    (held,) = (each for each in studio.run("quarantine", "list") if each["sop_instance_uid"] == uid)
    assert studio.run("quarantine", "release", str(held["quarantine_id"]), "--by", "officer") == [{"released": True}]
    assert {entry["rules"][0] for entry in studio.server.audit(200) if entry["rules"]} >= {"LATE_TRANSFER"}  # type: ignore[index]
    shares = {str(each["device_class"]): each["photographs"] for each in studio.run("device", "share")}
    assert shares["DEDICATED"]
    assert studio.server.consentgate("audit", "verify").returncode == 0
