"""Invented patients, one a round: a consent, photographs filed at both nodes, perhaps a review, perhaps a withdrawal.

Knows how each is done however often Orthanc and the registry are killed meanwhile: as people and cameras do it, again
until it is accepted.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from uuid import UUID

import pydicom
from pydicom.uid import generate_uid

from demo.consents import CARE, TEACHING, Person, consent_file
from demo.peers import Caller, wait_until
from demo.photographs import SUBJECTS, photograph
from demo.server import Server
from orthanc_plugin.archive.storescu import Parcel
from tests.endurance.scene import SECONDS, Scene

PICTURES = 3  # of each patient at each node


@dataclass(kw_only=True)
class Case:
    """A patient, and what is known of their photographs.

    Attributes:
        files: each photograph's file by UID.
        reviewed: what a person confirmed that it may leave without the patient's identity.
        withdrawn: the moment at which their withdrawal had returned.
    """

    person: Person
    files: dict[str, Path] = field(default_factory=dict)
    reviewed: set[str] = field(default_factory=set)
    withdrawn: float | None = None

    @property
    def teaches(self) -> bool:
        """Tell whether they agree to teaching."""
        return TEACHING in self.person.scopes

    def contents(self) -> dict[str, bytes]:
        """Return each photograph's data set."""
        return {uid: data_set(file.read_bytes()) for uid, file in self.files.items()}


def data_set(file: bytes) -> bytes:
    """Return a file's data set without its header, which each archive writes anew."""
    return bytes(Parcel.of(file).data)


def again(done: Callable[[], bool]) -> None:
    """Do something until it is accepted."""
    assert wait_until(done, SECONDS, pause=0.5)


def admitted(scene: Scene, number: int, folder: Path) -> Case:
    """Have a patient come: consent and first photograph, while nothing is killed."""
    person = Person(
        letter=f"E{number}",
        patient_id=f"END-{number:04}",
        name=f"Elder^Number{number}",
        birth_date="1980-06-15",
        sex="F",
        body_site="70559009",
        laterality="L",
        consent=f"urn:uuid:{UUID(int=number)}",
        scopes=(CARE, TEACHING) if number % 2 else (CARE,),
    )
    consent = consent_file(person, folder)
    server = scene.nodes[0].server
    again(lambda: _does(server, "consent", "add", str(consent), "--birth-date", person.birth_date, "--by", "clinic"))
    case = Case(person=person)
    for where in range(len(scene.nodes)):
        made = pydicom.dcmread(_wrapped(person, consent, folder / f"{number}-{where}.dcm"))
        for _ in range(PICTURES):
            uid = generate_uid(prefix=None)
            made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = uid
            case.files[str(uid)] = folder / f"{number}-{where}-{uid}.dcm"
            made.save_as(case.files[str(uid)], enforce_file_format=True)
    return case


def _wrapped(person: Person, consent: Path, file: Path) -> Path:
    photo = file.with_suffix(".jpg")
    photo.write_bytes(photograph(SUBJECTS[0], date.today()))  # noqa: DTZ011 - a day, as the demonstration takes it
    options = ["--patient-id", person.patient_id, "--issuer", "HOSPITAL", "--patient-name", person.name]
    options += ["--birth-date", person.birth_date, "--sex", person.sex, "--body-site", person.body_site]
    options += ["--laterality", person.laterality, "--consent", str(consent)]
    program = Path(sys.executable).parent / "dicomwrap"
    subprocess.run([program, "wrap", photo, "--out", file, *options], check=True, capture_output=True, timeout=SECONDS)
    return file


def filed(scene: Scene, case: Case) -> None:
    """Push every photograph to its node, each until it is accepted, as a camera does."""
    for at, file in enumerate(case.files.values()):
        camera = Caller(aet="DERMCAM", port=scene.nodes[at // PICTURES].server.ports.dicom)
        again(lambda camera=camera, file=file: camera.push(file) == 0)  # type: ignore[misc]


def reviewed(scene: Scene, case: Case) -> None:
    """Have somebody confirm the first photograph."""
    uid = next(iter(case.files))
    server = scene.nodes[0].server
    again(lambda: _does(server, "review", "confirm", uid, "--nothing-identifying", "--by", "Reviewer One"))
    case.reviewed.add(uid)


def withdraw(scene: Scene, case: Case) -> None:
    """Have the patient withdraw everything; note when that has returned."""
    server = scene.nodes[1].server

    def withdrawn() -> bool:
        done = server.consentgate("consent", "withdraw", case.person.consent, "--by", "clinic")
        # Killed after it was committed, and before it could say so: then it is done all the same.
        return done.returncode == 0 or "WITHDRAWN" in done.stderr

    again(withdrawn)
    case.withdrawn = time.monotonic()


def _does(server: Server, *arguments: str) -> bool:
    done = server.consentgate(*arguments)
    return done.returncode == 0 or "on record" in done.stderr
