"""The first journey, step by step: each step says what was tried, what happened, and whether that is right.

Knows the order of events. Every step uses real traffic; what it prints has no ids and no ports in it, so that the
README can show it and be tested against it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset

from demo.consents import PEOPLE, Person, consent_file
from demo.peers import Caller, Receiver, wait_until
from demo.photographs import SUBJECTS, another, photograph
from demo.proofs import (
    change_one_byte,
    first_part,
    identifiers_left,
    no_trace,
    pixels,
    what_was_kept,
    words,
    wrapped_pixels,
)
from demo.server import Server
from orthanc_plugin.registry.images import orthanc_id

SUCCESS: Final = 0x0000
ARRIVAL_SECONDS: Final = 10
ROUTE_SECONDS: Final = 60  # a series becomes stable, and another process is only starting
Printer = Callable[[str], None]


@dataclass(kw_only=True)
class Wrapped:
    """One patient's photograph and the object made of it."""

    person: Person
    photo: Path
    file: Path
    sop_instance_uid: str = ""
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    orthanc_instance: str = ""


@dataclass(kw_only=True)
class Journey:
    """The walk.

    Attributes:
        server: the guarded Orthanc.
        work: folder for what the walk makes.
        today: the day.
        photos: the user's own photographs, used in turn in place of generated ones.
        show: prints a line.
    """

    server: Server
    work: Path
    today: date
    photos: tuple[Path, ...] = ()
    show: Printer = print
    wrong: int = 0
    wrapped: dict[str, Wrapped] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ports = self.server.ports
        self.camera = Caller(aet="DERMCAM", port=ports.dicom)
        self.workstation = Caller(aet="DERMWS", port=ports.dicom)
        self.teaching = Caller(aet="TEACHING", port=ports.dicom)
        self.stranger = Caller(aet="STRANGER", port=ports.dicom)
        self.at_workstation = Receiver(aet="DERMWS", port=ports.workstation)
        self.at_teaching = Receiver(aet="TEACHING", port=ports.teaching)

    def walk(self) -> bool:
        """Take every step; tell whether all went as they must."""
        chapters = (
            ("a. Three photographs are wrapped", self.wrap),
            ("b. A camera pushes them", self.push),
            ("c. The dermatology workstation retrieves them for care", self.care),
            ("d. The teaching archive asks", self.teach),
            ("e. What must be refused is refused, and the trail says why", self.refusals),
            ("f. A route sends by itself", self.route),
            ("g. B withdraws the consent to teaching", self.withdrawal),
            ("h. The audit trail is proven whole", self.trail),
        )
        try:
            for title, chapter in chapters:
                self.show(title)
                chapter()
        finally:
            self.at_workstation.stop()
            self.at_teaching.stop()
        return self.wrong == 0

    def step(self, tried: str, happened: str, *, right: bool) -> None:
        """Print one step."""
        self.wrong += not right
        self.show(f"  {'right' if right else 'WRONG'}  {tried}: {happened}")

    # a
    def wrap(self) -> None:
        """Wrap one photograph a patient."""
        for number, person in enumerate(PEOPLE):
            photo = self._photo(number)
            file = self.work / f"{person.letter.lower()}.dcm"
            answer = self._wrap(person, photo, file)
            if answer is None:
                self.step(f"dicomwrap wrap, patient {person.letter}", "refused", right=False)
                continue
            made = Wrapped(person=person, photo=photo, file=file)
            made.sop_instance_uid = str(answer["sop_instance_uid"])
            made.study_instance_uid = str(answer["study_instance_uid"])
            made.series_instance_uid = str(answer["series_instance_uid"])
            self.wrapped[person.letter] = made
            kept, clean = what_was_kept(photo, file), no_trace(file, self.photos)
            consent = "consent to " + " and ".join(words(person)) if person.consent else "no consent"
            what = f"{kept or 'PIXELS CHANGED'}, {'nothing hidden' if clean else 'HIDDEN METADATA LEFT'}"
            self.step(f"dicomwrap wrap, patient {person.letter}, {consent}", what, right=bool(kept) and clean)

    def _photo(self, number: int) -> Path:
        if self.photos:
            return self.photos[number % len(self.photos)]
        subject = SUBJECTS[number]
        path = self.work / f"{subject.name}.jpg"
        path.write_bytes(photograph(subject, self.today))
        return path

    def _wrap(self, person: Person, photo: Path, file: Path) -> dict[str, object] | None:
        options = ["--patient-id", person.patient_id, "--issuer", "HOSPITAL", "--patient-name", person.name]
        options += ["--birth-date", person.birth_date, "--sex", person.sex, "--body-site", person.body_site]
        options += ["--laterality", person.laterality, "--json"]
        if person.consent:
            consent = consent_file(person, self.work)
            options += ["--consent", str(consent)]
            self.server.consentgate("consent", "add", str(consent), "--birth-date", person.birth_date, "--by", "clinic")
        program = Path(sys.executable).parent / "dicomwrap"
        done = subprocess.run(  # noqa: S603 - our own program
            [str(program), "wrap", str(photo), "--out", str(file), *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode != 0:
            self.show(done.stderr.rstrip())
            return None
        found: dict[str, object] = json.loads(done.stdout.splitlines()[0])
        return found

    # b
    def push(self) -> None:
        """Push all three by C-STORE; C's is kept, and no door shows it."""
        for letter in "AB":
            status = self.camera.push(self.wrapped[letter].file)
            self.step(f"C-STORE of {letter}'s photograph", "filed" if status == 0 else "REFUSED", right=status == 0)
        status = self.camera.push(self.wrapped["C"].file)
        held = json.loads(self.server.consentgate("quarantine", "list", "--json").stdout or "[]")
        kept = [each for each in held if each["sop_instance_uid"] == self.wrapped["C"].sop_instance_uid]
        reason = kept[0]["reasons"][0].partition(":")[0] if kept else "NOT KEPT"
        accepted = "accepted from the sender" if status == 0 else "REFUSED"
        self.step(
            "C-STORE of C's photograph", f"{accepted}, kept in quarantine ({reason})", right=status == 0 and bool(kept)
        )
        shown = [door for door, open_ in self._doors_to("C") if open_]
        self.step(
            "C's photograph by REST, DICOMweb, WADO-URI and C-MOVE",
            "no door shows it" if not shown else f"SHOWN BY {', '.join(shown)}",
            right=not shown,
        )
        for letter in "AB":
            self.wrapped[letter].orthanc_instance = self._orthanc_instance(letter)

    def _orthanc_instance(self, letter: str) -> str:
        made = self.wrapped[letter]
        uids = (made.study_instance_uid, made.series_instance_uid, made.sop_instance_uid)
        return orthanc_id(made.person.patient_id, *uids)

    def _doors_to(self, letter: str) -> Iterator[tuple[str, bool]]:
        made = self.wrapped[letter]
        study = f"/dicom-web/studies/{made.study_instance_uid}"
        paths = {
            "REST": f"/instances/{self._orthanc_instance(letter)}/file",
            "WADO-RS": study,
            "metadata": f"{study}/metadata",
            "WADO-URI": f"/wado?requestType=WADO&objectUID={made.sop_instance_uid}&contentType=application/dicom",
        }
        for name, path in paths.items():
            yield name, self.server.ask("GET", path, "derm").status_code == 200
        listed = self.server.ask("GET", "/dicom-web/studies", "derm").text
        yield "QIDO-RS", made.study_instance_uid in listed
        self.workstation.move("DERMWS", StudyInstanceUID=made.study_instance_uid)
        yield "C-MOVE", bool(self.at_workstation.take())

    # c
    def care(self) -> None:
        """Retrieve A and B for care, by C-MOVE and by DICOMweb."""
        for letter in "AB":
            made = self.wrapped[letter]
            status = self.workstation.move("DERMWS", StudyInstanceUID=made.study_instance_uid)
            arrived = self._arrived(self.at_workstation, 1)
            same = len(arrived) == 1 and pixels(arrived[0]) == wrapped_pixels(made.file)
            self.step(
                f"C-MOVE of {letter}'s study to DERMWS",
                "arrived, pixels equal the photograph's" if same else f"status {status:04X}, {len(arrived)} arrived",
                right=same and status == SUCCESS,
            )
            as_stored = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
            answer = self.server.ask("GET", f"/dicom-web/studies/{made.study_instance_uid}", "derm", headers=as_stored)
            same = answer.status_code == 200 and pixels(first_part(answer.content)) == wrapped_pixels(made.file)
            self.step(
                f"WADO-RS of {letter}'s study by account derm",
                "arrived, pixels equal the photograph's" if same else f"HTTP {answer.status_code}",
                right=same,
            )

    def _arrived(self, receiver: Receiver, count: int) -> list[Dataset]:
        wait_until(lambda: len(receiver.received) >= count, ARRIVAL_SECONDS if count else 1)
        return receiver.take()

    # d
    def teach(self) -> None:
        """Ask for teaching before and after a named person has looked at B's picture."""
        before = self._teaching_gets("B")
        nothing = "nothing comes, a named person must look at it first" if not before else "RELEASED UNSEEN"
        self.step("C-MOVE of B's study to TEACHING", nothing, right=not before)
        uid = self.wrapped["B"].sop_instance_uid
        done = self.server.consentgate("review", "confirm", uid, "--nothing-identifying", "--by", "Reviewer One")
        said = done.stdout.strip() if done.returncode == 0 else done.stderr.strip()
        self.step("consentgate review confirm, by Reviewer One", said, right=done.returncode == 0)
        after = self._teaching_gets("B")
        made = self.wrapped["B"]
        faults = identifiers_left(made.person, made.file, (made.sop_instance_uid, made.study_instance_uid), after)
        what = "one de-identified copy comes" if not faults else f"NOT DE-IDENTIFIED: {', '.join(faults)}"
        self.step("C-MOVE of B's study to TEACHING", what, right=not faults)
        others = self._teaching_gets("A")
        self.step("C-MOVE of A's study to TEACHING", "nothing comes" if not others else "RELEASED", right=not others)

    def _teaching_gets(self, letter: str) -> list[Dataset]:
        made = self.wrapped[letter]
        status = self.teaching.move("TEACHING", StudyInstanceUID=made.study_instance_uid)
        return self._arrived(self.at_teaching, 1 if status == SUCCESS else 0)

    # e
    def refusals(self) -> None:
        """Try what must be refused; each refusal must be in the trail with a reason."""
        study = self.wrapped["A"].study_instance_uid
        instance = self.wrapped["A"].orthanc_instance
        file = f"/instances/{instance}/file"
        purpose = {"X-Purpose-Of-Use": "TEACHING"}
        dicom: tuple[tuple[str, Callable[[], int]], ...] = (
            ("C-MOVE by an unknown AE title", lambda: self.stranger.move("STRANGER", StudyInstanceUID=study)),
            ("C-MOVE by DERMWS to TEACHING", lambda: self.workstation.move("TEACHING", StudyInstanceUID=study)),
            ("C-GET by DERMWS", lambda: self.workstation.get(StudyInstanceUID=study)),
        )
        for tried, call in dicom:
            self._refused(tried, lambda call=call: call() in (SUCCESS,))  # type: ignore[misc]
        http: tuple[tuple[str, str, str, str, dict[str, str]], ...] = (
            ("account derm asks for teaching", "GET", file, "derm", purpose),
            ("GET /instances/{id}/file by account teacher", "GET", file, "teacher", {}),
            ("GET /instances/{id}/file by account uploader", "GET", file, "uploader", {}),
            ("WebDAV listing", "GET", "/webdav/by-uids", "derm", {}),
            ("a misspelt route (/instance/{id}/file)", "GET", f"/instance/{instance}/file", "derm", {}),
            ("DELETE of A's instance", "DELETE", f"/instances/{instance}", "admin", {}),
        )
        for tried, method, path, account, headers in http:
            self._refused(
                tried,
                lambda method=method, path=path, account=account, headers=headers: (  # type: ignore[misc]
                    self.server.ask(method, path, account, headers=headers).status_code != 403
                ),
            )

    def _refused(self, tried: str, let_through: Callable[[], bool]) -> None:
        """Try something; it must fail, move nothing, and be in the trail."""
        last = max((int(str(entry["seq"])) for entry in self.server.audit(1)), default=0)
        passed = let_through() or bool(self.at_workstation.take() + self.at_teaching.take())
        entries: list[dict[str, object]] = []

        def noted() -> bool:
            entries[:] = [
                entry
                for entry in self.server.audit(20)
                if int(str(entry["seq"])) > last and entry["effect"] in ("DENY", "NEEDS_REVIEW")
            ]
            return bool(entries)

        recorded = wait_until(noted, ARRIVAL_SECONDS, pause=0.3)
        reasons = entries[-1]["reasons"] if entries else []
        reason = str(reasons[0]) if isinstance(reasons, list) and reasons else "NOT IN THE TRAIL"
        self.step(tried, "LET THROUGH" if passed else f"refused; trail: {reason}", right=recorded and not passed)

    # f
    def route(self) -> None:
        """Write a route, start a courier, and file another photograph: its series goes where the route leads."""
        self.server.route()
        made = self.wrapped["A"]
        self.camera.push(another(made.file))
        wait_until(lambda: len(self.at_workstation.received) > 1, ROUTE_SECONDS)
        arrived = self.at_workstation.take()
        same = len(arrived) > 1 and all(pixels(each) == wrapped_pixels(made.file) for each in arrived)
        self.step(
            "a route to DERMWS in policy.toml, consentgate courier, and a second photograph in A's series",
            "both arrived, pixels equal the photograph's" if same else f"{len(arrived)} arrived",
            right=same,
        )

    # g
    def withdrawal(self) -> None:
        """Withdraw teaching; care goes on."""
        consent = self.wrapped["B"].person.consent
        done = self.server.consentgate("consent", "withdraw", consent, "--purpose", "TEACHING", "--by", "clinic")
        self.step("consentgate consent withdraw --purpose TEACHING", "recorded", right=done.returncode == 0)
        arrived = self._teaching_gets("B")
        self.step("C-MOVE of B's study to TEACHING", "nothing comes" if not arrived else "RELEASED", right=not arrived)
        status = self.workstation.move("DERMWS", StudyInstanceUID=self.wrapped["B"].study_instance_uid)
        care = self._arrived(self.at_workstation, 1)
        works = status == SUCCESS and len(care) == 1
        self.step("C-MOVE of B's study to DERMWS", "arrived" if works else f"status {status:04X}", right=works)

    # h
    def trail(self) -> None:
        """Verify the trail, then a copy of it with one byte changed."""
        done = self.server.consentgate("audit", "verify", "--json")
        whole = done.returncode == 0 and json.loads(done.stdout)["whole"]
        self.step("consentgate audit verify", "the trail is whole" if whole else done.stdout + done.stderr, right=whole)
        copy = self.work / "tampered.db"
        changed = change_one_byte(self.server.folder / "registry.db", copy)
        done = self.server.consentgate("audit", "verify", "--database", f"sqlite:///{copy}", "--json")
        found = json.loads(done.stdout) if done.stdout else {}
        named = done.returncode == 1 and found.get("broken_at") == changed
        what = "verification fails and names the entry" if named else f"NOT FOUND: {found.get('problem')}"
        self.step("the same with one byte changed in a copy", what, right=named)
