"""A guarded Orthanc for trying its doors: what is in it, who may have which of it, and what must never be seen.

A's consent was withdrawn after filing, so A is for nobody. B is for the care team. C never was filed. D's study has a
picture for the care team, an intimate one that is for nobody here, and the signed consent form.
"""

from __future__ import annotations

import io
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pydicom
from pydicom.uid import generate_uid

from demo.consents import CARE, Person, consent_file
from demo.journey import Journey
from demo.photographs import SUBJECTS, photograph
from demo.server import ROOT, Server
from orthanc_plugin.config.bindings import Role
from orthanc_plugin.registry.images import orthanc_id
from tests.fakes import commands
from tests.integration.archive import ports, today
from tests.integration.needles import needles_of

MARK = "SIBLING-SECRET"
FORM = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
    b"% SIGNED-FORM-SECRET\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)
DORA = Person(
    letter="D",
    patient_id="DEMO-1004",
    name="Dogwood^Dora",
    birth_date="1970-01-02",
    sex="F",
    body_site="70559009",
    laterality="L",
    consent="urn:uuid:5d4cf3a6-6a0b-4f6c-9a53-0d7a8f3c1a04",
    scopes=(CARE,),
)
# What policy.toml wants beside a role.
BESIDE = {Role.BREAK_GLASS: Role.VIEW, Role.REQUEST_EXPORT: Role.STORE, Role.REJECT: Role.STORE}
# An account for each role alone, and one with all of them, for a purpose that nobody agreed to: whatever a role opens,
# no picture is behind it. A role that is added later is here by itself.
ALONE = {
    f"only-{role}": (json.dumps(sorted({role, BESIDE.get(role, role)})), "TEACHING", "TRUST_CLINICIAN") for role in Role
}
MIGHTY = {"every-role": (json.dumps(list(Role)), "TEACHING", "TRUST_CLINICIAN")}
# Beside those of the demonstration; "derm" is of the care team, "teacher" and "registrar" are not.
ACCOUNTS = {
    "sender": ('["send"]', "DIRECT_CARE", "CARE_TEAM"),
    "clerk": ('["view", "consent"]', "DIRECT_CARE", "CARE_TEAM"),
    "porter": ('["store", "list"]', "DIRECT_CARE", "CARE_TEAM"),
    "reviewer": ('["review"]', "RECORDS_MANAGEMENT", "RECORDS_OFFICER"),
    "registrar": ('["view", "break-glass"]', "TEACHING", "TRUST_CLINICIAN"),
    **ALONE,
    **MIGHTY,
}
# Who sees to tasks or reviews, which name the pictures that they are about.
TOLD_OF_WORK = ("governance", "reviewer", f"only-{Role.TASKS}", f"only-{Role.REVIEW}", *MIGHTY)
CARE_TEAM = ("derm", "clerk", "porter", "sender")


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One object in the archive, or nearly: C's."""

    file: Path
    dataset: pydicom.Dataset = field(repr=False)
    needles: frozenset[bytes] = field(repr=False)

    @property
    def content(self) -> bytes:
        return self.file.read_bytes()

    def named(self) -> dict[str, str]:
        """Return what the placeholders of the table stand for."""
        said = self.dataset
        uids = (said.StudyInstanceUID, said.SeriesInstanceUID, said.SOPInstanceUID)
        keys = ("patient", "study", "series", "instance")
        ids = {key: orthanc_id(said.PatientID, *uids[:at]) for at, key in enumerate(keys)}
        return {**ids, **dict(zip(("study_uid", "series_uid", "instance_uid"), uids, strict=True))}


def stored(file: Path) -> Stored:
    said = pydicom.dcmread(file)
    found = Stored(file=file, dataset=said, needles=frozenset())
    return Stored(
        file=file, dataset=said, needles=needles_of(file) | {each.encode() for each in found.named().values()}
    )


@dataclass(frozen=True, kw_only=True)
class Doors:
    """The archive, and its objects by name: A, B, C, D, "sibling" and "form"."""

    server: Server
    journey: Journey
    objects: dict[str, Stored]
    client: httpx.Client

    def ask(
        self, method: str, path: str, account: str = "", *, headers: dict[str, str] | None = None, content: bytes = b""
    ) -> httpx.Response:
        """Send one HTTP request as ``account`` (nobody when empty), over connections that are kept."""
        auth = (account, self.server.passwords.get(account, "wrong")) if account else None
        return self.client.request(method, self.server.url + path, auth=auth, headers=headers, content=content)

    def forbidden(self, account: str) -> frozenset[bytes]:
        """Return what no answer to ``account`` may have in it; what is in its own pictures, it may know."""
        everything = frozenset[bytes]().union(*(each.needles for each in self.objects.values()))
        if account in TOLD_OF_WORK:
            return everything - {str(each.dataset.SOPInstanceUID).encode() for each in self.objects.values()}
        if account not in CARE_TEAM:
            return everything
        mine = [self.objects[name] for name in (("B", "D", "form") if account == "clerk" else ("B", "D"))]
        known = frozenset[bytes]().union(*(each.needles for each in mine))
        inside = [each.content for each in mine]
        return frozenset(each for each in everything - known if not any(each in content for content in inside))

    def last_entry(self) -> int:
        return int(self._asked("SELECT max(seq) FROM trail")[0][0])

    def entries_since(self, seq: int) -> list[dict[str, object]]:
        return [json.loads(body) for (body,) in self._asked("SELECT body FROM trail WHERE seq > ? ORDER BY seq", seq)]

    def _asked(self, query: str, *values: int) -> list[tuple[str, ...]]:
        with closing(sqlite3.connect(f"file:{self.server.folder}/registry.db?mode=ro", uri=True)) as registry:
            return registry.execute(query, values).fetchall()


def configured(folder: Path) -> Server:
    """Return a server that is configured, with the accounts of these tests, and not started."""
    server = Server(folder=folder, ports=ports(), run=commands.run)
    used = server.ports
    numbers = {"http": used.http, "dicom": used.dicom, "camera": used.camera, "workstation": used.workstation}
    options = [part for name, port in numbers.items() for part in (f"--{name}-port", str(port))]
    options += ["--teaching-port", str(used.teaching), "--script", str(ROOT / "docker" / "consent_gate.py")]
    commands.checked([commands.PROGRAM, "init", str(folder), *options])
    users = "".join(
        f'[[users]]\nname = "{name}"\nroles = {roles}\npurpose = "{purpose}"\naudience = "{audience}"\n\n'
        for name, (roles, purpose, audience) in ACCOUNTS.items()
    )
    policy, orthanc = folder / "policy.toml", folder / "orthanc.json"
    policy.write_text(policy.read_text().replace("\n[profiles.teaching]", f"\n{users}[profiles.teaching]"))
    passwords = "".join(f'"{name}": "a password of the test",\n    ' for name in ACCOUNTS)
    orthanc.write_text(orthanc.read_text().replace('"derm":', f'{passwords}"derm":'))
    return server


def consented(server: Server, *arguments: str) -> None:
    done = server.consentgate(*arguments, "--by", "clinic")
    assert done.returncode == 0, done.stderr


def wrapped(server: Server, work: Path) -> tuple[Path, Path]:
    """Wrap D's photograph with the signed form; return both objects."""
    consent = consent_file(DORA, work)
    consented(server, "consent", "add", str(consent), "--birth-date", DORA.birth_date)
    photo, form, file = work / "d.jpg", work / "form.pdf", work / "d.dcm"
    photo.write_bytes(photograph(SUBJECTS[2], today()))
    form.write_bytes(FORM)
    program = str(Path(sys.executable).parent / "dicomwrap")
    about = ["--patient-id", DORA.patient_id, "--issuer", "HOSPITAL", "--patient-name", DORA.name]
    about += ["--birth-date", DORA.birth_date, "--sex", DORA.sex, "--body-site", DORA.body_site, "--laterality", "L"]
    options = ["--out", str(file), "--consent", str(consent), "--consent-form", str(form)]
    subprocess.run([program, "wrap", str(photo), *options, *about, "--json"], check=True, capture_output=True)
    return file, work / "d-consent-form.dcm"


def sibling_of(file: Path, picture: Path) -> Path:
    """Make another object of the same series, with the pixels of ``picture`` and a mark."""
    said = pydicom.dcmread(file)
    said.SOPInstanceUID = said.file_meta.MediaStorageSOPInstanceUID = generate_uid(prefix=None)
    said.PixelData = pydicom.dcmread(picture).PixelData
    said.ImageComments = MARK
    said.save_as(path := file.with_name("sibling.dcm"), enforce_file_format=True)
    return path


def filled(journey: Journey, work: Path) -> dict[str, Stored]:
    """File everything, then take back what is for nobody; return the objects."""
    server = journey.server
    journey.wrap()
    journey.push()
    assert journey.wrong == 0
    file, form = wrapped(server, work)
    files = {letter: made.file for letter, made in journey.wrapped.items()}
    files |= {"D": file, "form": form, "sibling": sibling_of(file, files["C"])}
    for name in ("D", "form", "sibling"):
        answer = server.ask("POST", "/instances", "uploader", content=files[name].read_bytes())
        assert answer.status_code == 200, answer.text
        assert answer.json()["ID"], answer.text
    on_disk = {name: kept(server, file) for name, file in files.items()}
    objects = {name: stored(file) for name, file in on_disk.items()}
    intimate = str(objects["sibling"].dataset.SOPInstanceUID)
    consented(server, "image", "set", intimate, "--intimate", "--reason", "seen at review")
    consented(server, "consent", "withdraw", journey.wrapped["A"].person.consent)
    return objects


def kept(server: Server, file: Path) -> Path:
    """Return the archive's own file of the object, or ``file`` when the archive has none."""
    uid = str(pydicom.dcmread(file, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)
    for path in (server.folder / "storage").rglob("*-*"):
        content = path.read_bytes() if path.is_file() else b""
        if content[128:132] == b"DICM" and pydicom.dcmread(io.BytesIO(content)).get("SOPInstanceUID") == uid:
            return path
    return file


@contextmanager
def filled_doors(folder: Path) -> Iterator[Doors]:
    """Start the archive and fill it; stop everything at the end."""
    server, work = configured(folder / "orthanc"), folder / "work"
    work.mkdir()
    server.start()
    journey = Journey(server=server, work=work, today=today(), show=lambda _line: None)
    try:
        objects = filled(journey, work)
        with httpx.Client(trust_env=False, timeout=60) as client:
            yield Doors(server=server, journey=journey, objects=objects, client=client)
    finally:
        journey.at_workstation.stop()
        journey.at_teaching.stop()
        server.stop()
