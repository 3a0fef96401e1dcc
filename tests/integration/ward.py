"""A real Orthanc whose workstation and one account may list, and a study of which some pictures are hidden.

Patient A's study has two series: of the first one picture may be seen and one is intimate, of the second none may be.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pydicom

from demo.journey import Journey, Wrapped
from demo.server import ROOT, Server
from tests.fakes import commands
from tests.integration.archive import ports, today

STUDENT = """
[[users]]
name = "student"
roles = ["list"]
purpose = "TEACHING"
audience = "TRUST_STUDENTS"
form = "ANONYMISED"
profile = "teaching"
"""
HIDDEN_WORD = "WITHHELD"


@dataclass(frozen=True, kw_only=True)
class Ward:
    """The archive, its photographs, and the UIDs of those that nobody may be told of."""

    server: Server
    journey: Journey
    work: Path
    hidden: tuple[str, ...]

    def made(self, letter: str) -> Wrapped:
        return self.journey.wrapped[letter]

    def leaks(self, said: str | bytes) -> list[str]:
        """Return what an answer has of what nobody may be told of."""
        text = said.decode("latin-1") if isinstance(said, bytes) else said
        quarantined = self.made("C")
        words = (*self.hidden, HIDDEN_WORD, quarantined.study_instance_uid, quarantined.person.patient_id)
        return [word for word in words if word in text]

    def last_query(self) -> dict[str, object]:
        """Return the newest query in the trail that was answered."""
        return [each for each in self.server.audit(60) if "withheld" in str(each["detail"])][-1]


def configured(folder: Path) -> Server:
    """Write the demonstration's configuration; then let the workstation search, and add a student who may list."""
    server = Server(folder=folder, ports=ports(), run=commands.run)
    used = server.ports
    numbers = {"http": used.http, "dicom": used.dicom, "camera": used.camera, "workstation": used.workstation}
    options = [part for name, port in numbers.items() for part in (f"--{name}-port", str(port))]
    script = str(ROOT / "docker" / "consent_gate.py")
    teaching = ("--teaching-port", str(used.teaching))
    commands.checked([commands.PROGRAM, "init", str(folder), "--script", script, *options, *teaching])
    policy, orthanc = folder / "policy.toml", folder / "orthanc.json"
    text = policy.read_text().replace('may = ["move", "receive"]', 'may = ["move", "receive", "find"]')
    policy.write_text(text.replace("\n[profiles.teaching]", f"{STUDENT}\n[profiles.teaching]"))
    text = orthanc.read_text().replace('"derm":', '"student": "a password of the test",\n    "derm":')
    shut = '"AllowStore": false, "AllowFind": false, "AllowFindWorklist": false'
    orthanc.write_text(text.replace(shut, '"AllowStore": false, "AllowFind": true, "AllowFindWorklist": true'))
    return server


def _hide(server: Server, journey: Journey, work: Path, name: str, **elements: str) -> tuple[str, ...]:
    """File another picture into A's study, then say that it is intimate; return the UIDs that are only its own."""
    dataset = pydicom.dcmread(journey.wrapped["A"].file)
    uid = pydicom.uid.generate_uid(prefix=None)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
    for keyword, value in {"SeriesDescription": HIDDEN_WORD, "InstanceNumber": "77", **elements}.items():
        setattr(dataset, keyword, value)
    path = work / f"{name}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    assert journey.camera.push(path) == 0
    said = ("--intimate", "--reason", "seen at review", "--by", "dr-look")
    done = server.consentgate("image", "set", str(uid), *said)
    assert done.returncode == 0, done.stderr
    return (str(uid), *(value for keyword, value in elements.items() if keyword.endswith("UID")))


@contextmanager
def opened(folder: Path) -> Iterator[Ward]:
    """Start it, file the photographs, stop everything at the end."""
    server, work = configured(folder / "orthanc"), folder / "work"
    work.mkdir()
    server.start()
    journey = Journey(server=server, work=work, today=today(), show=lambda _line: None)
    try:
        journey.wrap()
        series = str(pydicom.uid.generate_uid(prefix=None))
        # Hidden pictures first: the core takes a series' attributes from the first that it stores.
        hidden = _hide(server, journey, work, "second", SeriesInstanceUID=series)
        hidden += _hide(server, journey, work, "same")
        journey.push()
        yield Ward(server=server, journey=journey, work=work, hidden=hidden)
    finally:
        journey.at_workstation.stop()
        journey.at_teaching.stop()
        server.stop()
