"""The patient's own copy: each picture asked for at the gate, its disclosure recorded, then made into a file.

Knows the gate's way out (``packing``) and the folder. Must not know who checked what: a picture whose checks are not
met is refused like any other, and is told in words that the patient may read. Whoever is refused as a person (R3), and
not for a picture's sake, gets no folder: its pages tell more than the pictures do. Source: requirements 2.6 R3.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from io import BytesIO
from typing import Final

from sqlalchemy import Connection

from dicomwrap.errors import DicomwrapError
from dicomwrap.judging.opening import UnfitFileError, read
from dicomwrap.pictures import Picture, pictures
from dicomwrap.terms import Audience, Form, Purpose
from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.audit.event import EventType
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.config.bindings import Binding
from orthanc_plugin.gate import AccessRequest as Asked
from orthanc_plugin.gate import Requester
from orthanc_plugin.lifecycle import accounts, subjectaccess
from orthanc_plugin.lifecycle.accountpages import as_csv, as_html
from orthanc_plugin.lifecycle.accountpdf import as_pdf
from orthanc_plugin.lifecycle.ownfolder import (
    FORMS,
    PHOTOGRAPHS,
    Destroyed,
    Missing,
    OwnCopyMade,
    consents_page,
    readme,
)
from orthanc_plugin.lifecycle.subjectaccess import DOCUMENTS, KEY_OBJECTS, AccessRefusedError
from orthanc_plugin.policy.access import SECURE, LeftOut, left_out
from orthanc_plugin.policy.dates import has_died
from orthanc_plugin.policy.law import access_to_the_record
from orthanc_plugin.registry import access, consentrows, hidings, ledger, patients, stubs
from orthanc_plugin.registry.access import AccessRequest
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.registry.trail import append
from orthanc_plugin.sending.packing import Packed, Packer, original
from orthanc_plugin.services import Services

DOOR: Final = "consentgate subject-access"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What came of a copy: the files in it, in how many of them others are hidden, and what was left out."""

    names: tuple[str, ...]
    missing: tuple[Missing, ...]
    hidden: int = 0


class OwnCopy:
    """Fills a folder for whoever asked.

    Args:
        services: gate, registry, release and policy.
        archive: reads.
        request: what was asked for, and by whom.
        by: who makes the copy.
    """

    def __init__(self, services: Services, archive: ImageArchive, request: AccessRequest, by: str) -> None:
        self.services = services
        self.request = request
        self.act = services.act(by, DOOR)
        self.packer = Packer(services, archive)
        self.binding = Binding(
            name=request.recipient,
            purpose=Purpose.SUBJECT_ACCESS,
            audience=request.audience,
            form=Form.IDENTIFIABLE,
            secure_channel=request.handover in SECURE,
        )
        self.requester = Requester(
            actor=by,
            recipient=request.recipient,
            purpose=Purpose.SUBJECT_ACCESS,
            audience=request.audience,
            form=Form.IDENTIFIABLE,
        )

    def fill(self, folder: OwnCopyMade) -> Made:
        """Write everything into ``folder``; a picture's disclosure is on record before its file is there.

        Raises:
            AccessRefusedError: whoever asks may not have a copy at all, or not any more.
            ConsentgateError: something can't be had or written; the folder is then not to be kept.
        """
        with self.services.database.reading() as connection:
            subjectaccess.ready(connection, self.act, self.request.request_id)  # much may have happened since it was
            known = accounts.pictures(connection, self.request.who)
            rows = sorted((row for row in known if row.sop_class_uid != KEY_OBJECTS), key=_by_day)
            against = self._against_asker(connection, rows)
            if not against:
                self._pages(connection, folder)  # before this copy itself is in the account
        if against:
            raise self._refused(rows, against)
        begun: list[str] = []
        try:
            return self._filled(folder, rows, begun)
        except BaseException:
            self._end(begun, Delivery.FAILED)
            raise

    def _filled(self, folder: OwnCopyMade, rows: Sequence[ImageRow], begun: list[str]) -> Made:
        names: list[str] = []
        missing: list[Missing] = []
        hidden = 0
        for row in rows:
            given = self._give(row, folder, begun)
            if isinstance(given, LeftOut):
                missing.append(Missing(taken_on=row.made_on, reason=given))
            else:
                files, others_hidden = given
                names += files
                hidden += len(files) if others_hidden else 0
        made = Made(names=tuple(names), missing=tuple(missing), hidden=hidden)
        day = hospital_day(self.services.clock())
        folder.put("README.txt", readme(day, made.names, made.missing, self._destroyed(), made.hidden).encode())
        return made

    def _destroyed(self) -> list[Destroyed]:
        with self.services.database.reading() as connection:
            found = stubs.of_patient(connection, patients.numbers(connection, self.request.who))
        return [
            Destroyed(
                objects=stub.objects,
                acquired=stub.acquired,
                on=hospital_day(datetime.fromisoformat(stub.executed_at)),
                certificate=stub.certificate,
            )
            for stub in found
        ]

    def _against_asker(self, connection: Connection, rows: Sequence[ImageRow]) -> tuple[str, ...]:
        """Return why whoever asks may not see this patient's record at all; empty if they may.

        The pages tell of all pictures, so that R3 must be for them in each. Without pictures only the patient asks.
        """
        if not rows:
            patient = patients.find(connection, *self.request.who)
            living = patient is not None and not has_died(patient, self.act.day)
            alone = living and self.request.audience is Audience.PATIENT
            return () if alone else ("There is no picture by which somebody else's access could be decided.",)
        found = dict.fromkeys(reason for row in rows for reason in self._reasons(connection, row))
        return tuple(found)

    def _reasons(self, connection: Connection, row: ImageRow) -> tuple[str, ...]:
        answer = self.services.gate.answer(connection, self._asked(row), self.act.at)
        found = access_to_the_record(answer.case) if answer.case else answer.decision
        if found is None or not found.permits:
            return found.reasons if found else answer.decision.reasons
        return ()

    def _asked(self, row: ImageRow) -> Asked:
        return Asked(requester=self.requester, sop_instance_uid=row.sop_instance_uid, door=DOOR)

    def _refused(self, rows: Sequence[ImageRow], against: Sequence[str]) -> AccessRefusedError:
        """Have the refusal put on record, with what must be done because of it, and return the error."""
        gate, reasons = self.services.gate, " ".join(against)
        if rows:
            gate.authorize_all([self._asked(row) for row in rows])
        else:
            gate.refuse(self.requester, DOOR, reasons, rule="ACCESS_UNDECIDED", subject=self.request.request_id)
        return AccessRefusedError(
            f"No copy is made for whoever asks. {reasons}",
            remedy="Have what is missing decided and recorded, or close the request with --not-given.",
        )

    def _pages(self, connection: Connection, folder: OwnCopyMade) -> None:
        """Write what is to be read."""
        day, who = hospital_day(self.services.clock()), self.request.who
        numbers = patients.numbers(connection, who)
        records = [each.record for number in numbers for each in consentrows.listed(connection, *number)]
        account = accounts.of_patient(connection, self.services.policy, who)
        folder.put("consents.txt", consents_page(records).encode())
        folder.put("disclosures.html", as_html(account, day).encode())
        folder.put("disclosures.csv", as_csv(account, day).encode())
        folder.put("disclosures.pdf", as_pdf(account, day))

    def _give(self, row: ImageRow, folder: OwnCopyMade, begun: list[str]) -> tuple[tuple[str, ...], bool] | LeftOut:
        """Put a picture into the folder; return its files, and whether others are hidden in them, or why not."""
        packed = self.packer.pack(self.requester, row, self.binding, DOOR)
        if not isinstance(packed, Packed):
            return self._against(row)
        begun.append(packed.disclosure)
        try:
            files = _files(packed.released.content)
        except (DicomwrapError, UnfitFileError):
            self._end([packed.disclosure], Delivery.FAILED)
            return LeftOut.NO_FILE
        place = FORMS if row.sop_class_uid.startswith(DOCUMENTS) else PHOTOGRAPHS
        return folder.put_pictures(row.made_on, files, place), bool(packed.released.review)

    def _against(self, row: ImageRow) -> LeftOut:
        """Return why a picture was refused; one that can't be read is no refusal, and there is no copy without it."""
        with self.services.database.reading() as connection:
            found = access.checks(connection, self.request.request_id, row.sop_instance_uid)
            others = hidings.standing(connection, row.sop_instance_uid, row.sha256).others
        findings = access.newest(found, row.sop_instance_uid, row.sha256)
        reason = left_out(row.status, findings, form=row.sop_class_uid.startswith(DOCUMENTS), others=others)
        if reason is LeftOut.NOT_NOW:
            original(self.packer.archive, row)
        return reason

    def _end(self, begun: Sequence[str], outcome: Delivery) -> None:
        event = self.act.event(EventType.INSTANCES_TRANSFERRED, outcome, subject=self.request.request_id)

        def ended(connection: Connection) -> None:
            seals = [ledger.deliver(connection, disclosure, outcome) for disclosure in begun]
            append(connection, [replace(event, detail="\n".join(seals))] if seals else [])

        self.services.database.write(ended)


def _by_day(row: ImageRow) -> tuple[str, str]:
    return (row.made_on.isoformat() if row.made_on else "9"), row.sop_instance_uid


def _files(content: bytes) -> tuple[Picture, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydicom; the object was accepted as it is
        return tuple(pictures(read(BytesIO(content))))
