"""The way in: C-STORE, STOW-RS and POST /instances. Accept, clean, keep in quarantine, or refuse.

Knows what an object must bring. Nothing is lost: what may not be filed is in the quarantine spool before the sender is
told it arrived, and what can't even be kept is refused audibly. Orthanc's Received hook fails open, so it never raises,
and the C-STORE filter and the OnStored hook check that what is stored was asked about.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from pydicom.dataset import Dataset
from sqlalchemy import Connection

from dicomwrap.bitstream.verify import contradictions
from dicomwrap.consenttags import read_stamp
from dicomwrap.terms import SECONDARY_CODES, ConsentState
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.config.policyfile import ConsentReference
from orthanc_plugin.enforcement.reading import (
    CHECKED_SYNTAXES,
    IDENTITY,
    identity_faults,
    parsed,
    without_hidden_metadata,
)
from orthanc_plugin.enforcement.sopclasses import image_type
from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.policy.model import ImageSource, ImageStatus, ImageType, MadeFor
from orthanc_plugin.registry import consents, facts, images, patients, quarantine
from orthanc_plugin.registry.images import ImageRow, orthanc_id, with_orthanc_ids
from orthanc_plugin.registry.quarantine import Held
from orthanc_plugin.registry.trail import append
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

DOOR: Final = "intake"
FOUND_IN_SPOOL: Final = "FOUND_IN_SPOOL: the archive stopped before it had told the sender"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of an object: ``content`` is what Orthanc stores, or None when it stores nothing."""

    content: bytes | None
    changed: bool = False
    reasons: tuple[str, ...] = ()


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(f"{text[:4]}-{text[4:6]}-{text[6:8]}")
    except ValueError:
        return None


class Intake:
    """Examines what comes in.

    Args:
        services: registry, spool, policy, clock.
    """

    def __init__(self, services: Services) -> None:
        self.services = services

    def examine(self, content: bytes, origin: str) -> Verdict:
        """Decide what becomes of ``content``, and write it down before anything is stored or dropped.

        Raises:
            ConsentgateError: it can't be taken and can't be kept; the sender must be told.
        """
        arrived = hashlib.sha256(content).hexdigest()
        dataset = parsed(content)
        kept = without_hidden_metadata(dataset, content)
        row = self.row_of(dataset, hashlib.sha256(kept).hexdigest())
        with self.services.database.reading() as connection:
            held = quarantine.same(connection, row.sop_instance_uid, arrived)
            row = replace(row, consent_id=self._reference(dataset, held))
            reasons = tuple(self._objections(connection, dataset, row))
        if reasons:
            self._hold(content, arrived, row, origin, reasons, held)
            return Verdict(content=None, reasons=reasons)
        self._accept(dataset, row, origin, arrived, changed=kept is not content)
        return Verdict(content=kept, changed=kept is not content)

    def recover(self) -> None:
        """List what is in the spool without a row: the archive was killed between the two, and the sender not told.

        Raises:
            ConsentgateError: the spool or the registry failed.
        """
        with self.services.database.reading() as connection:
            listed = {held.spool_name for held in quarantine.listed(connection, None)}
        for name in self.services.spool.names():
            if name not in listed:
                content = self.services.spool.get(name)
                arrived = hashlib.sha256(content).hexdigest()
                row = self.row_of(parsed(content), arrived)
                self._hold(content, arrived, row, "SPOOL", (FOUND_IN_SPOOL,), None)

    def knows(self, header: Mapping[str, object]) -> bool:
        """Tell whether intake has accepted the instance that Orthanc reads this header in."""
        with self.services.database.reading() as connection:
            row = images.get(connection, str(header["SOPInstanceUID"]))
        names = [str(header.get(keyword) or "") for keyword in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")]
        return row is not None and row.orthanc_instance == orthanc_id(*names, row.sop_instance_uid)

    def stored(self, header: Mapping[str, object], orthanc_instance: str, sha256: str = "") -> None:
        """Check, after the fact, that what Orthanc stored was accepted; if not, no door may show it.

        Args:
            header: the instance's elements by keyword.
            orthanc_instance: Orthanc's identifier.
            sha256: digest of the stored bytes, when they were read.
        """
        uid = str(header["SOPInstanceUID"])
        seen = Dataset()
        for keyword in IDENTITY:
            setattr(seen, keyword, str(header.get(keyword) or ""))
        found = with_orthanc_ids(self.row_of(seen, sha256), str(seen.PatientID))
        with self.services.database.writing() as connection:
            row = images.get(connection, uid)
            if row is not None and found["orthanc_instance"] == row.orthanc_instance == orthanc_instance:
                return
            if row is None:
                patients.ensure(connection, str(found["patient_id"]), str(found["issuer"]), None)
            images.distrust(connection, {**found, "orthanc_instance": orthanc_instance})
            self._note(connection, "OnStored", uid, Outcome.FAILURE, ("STORED_UNASKED: refused at every door",))

    def row_of(self, dataset: Dataset, sha256: str) -> ImageRow:
        """Return the registry's row for an object whose stored bytes have this digest."""
        stamp = read_stamp(dataset)
        made = str(dataset.get("ContentDate") or dataset.get("AcquisitionDateTime") or dataset.get("StudyDate") or "")
        return ImageRow(
            sop_instance_uid=str(dataset.SOPInstanceUID),
            sop_class_uid=str(dataset.SOPClassUID),
            series_instance_uid=str(dataset.SeriesInstanceUID),
            study_instance_uid=str(dataset.StudyInstanceUID),
            patient_id=str(dataset.get("PatientID") or "").strip(),
            issuer=str(dataset.get("IssuerOfPatientID") or self.services.policy.intake.default_issuer).strip(),
            accession_number=str(dataset.get("AccessionNumber") or "").strip(),
            image_type=image_type(str(dataset.SOPClassUID)),
            made_on=_date(made),
            made_for=MadeFor.SECONDARY if stamp and stamp.capture_purpose in SECONDARY_CODES else MadeFor.CARE,
            source=ImageSource.DEPARTMENT,
            intimate=bool(stamp and stamp.confidentiality in ("R", "V")),
            status=ImageStatus.ACTIVE,
            sha256=sha256,
            consent_id=None,
            received_at=self.services.clock().isoformat(),
        )

    def _reference(self, dataset: Dataset, held: Held | None) -> str | None:
        """Return the consent the object brings, or the one an officer linked to it in quarantine."""
        if held is not None and held.consent_id:
            return held.consent_id
        stamp = read_stamp(dataset)
        return (stamp.record_id or None) if stamp else None

    def _objections(self, connection: Connection, dataset: Dataset, row: ImageRow) -> list[str]:
        found = []
        known = images.get(connection, row.sop_instance_uid)
        if known is not None and (known.sha256, known.patient_id) != (row.sha256, row.patient_id):
            found.append("SOP_INSTANCE_UID_REUSED: another object with this UID is in the archive")
        found += self._identity(connection, dataset, row)
        if row.image_type is ImageType.CLINICAL_PHOTO:
            if dataset.file_meta.TransferSyntaxUID not in CHECKED_SYNTAXES:
                found.append("SYNTAX_NOT_CHECKED: metadata could hide in a stream of this transfer syntax")
            found += [f"HEADER_CONTRADICTS_BITSTREAM: {each}" for each in contradictions(dataset)]
            found += self._consent(connection, row)
        return found

    def _identity(self, connection: Connection, dataset: Dataset, row: ImageRow) -> list[str]:
        if not row.patient_id:
            return ["IDENTITY_MISSING: the object names no patient"]
        if faults := identity_faults(dataset):
            return faults
        patient = patients.find(connection, row.patient_id, row.issuer)
        written = str(dataset.get("PatientBirthDate") or "")
        born = _date(written)
        if written and born is None:
            return ["IDENTITY_UNREADABLE: the birth date is no date"]
        if patient and patient.dob and born and patient.dob != born:
            return ["IDENTITY_MISMATCH: the birth date is not the one on record for this patient"]
        return []

    def _consent(self, connection: Connection, row: ImageRow) -> list[str]:
        """Say why the photograph has no usable consent reference (requirements 001-18a)."""
        if row.consent_id is None:
            return self._consent_of_patient(connection, row)
        try:
            record = consents.current(connection, row.consent_id)
        except UnknownRecordError:
            return ["CONSENT_UNKNOWN: the consent it refers to is not on record"]
        if (record.patient_id, record.issuer or "") != (row.patient_id, row.issuer):
            return ["CONSENT_OF_ANOTHER_PATIENT: the consent it refers to was given by someone else"]
        if record.state is not ConsentState.GIVEN:
            return [f"CONSENT_NOT_IN_FORCE: the consent it refers to is {record.state}"]
        if not facts.covers(record, row):
            return ["CONSENT_OF_ANOTHER_PICTURE: the consent it refers to names other pictures"]
        return []

    def _consent_of_patient(self, connection: Connection, row: ImageRow) -> list[str]:
        missing = ["CONSENT_MISSING: the photograph refers to no consent"]
        if self.services.policy.intake.consent_reference is ConsentReference.REQUIRED:
            return missing
        known = consents.listed(connection, row.patient_id, row.issuer)
        return [] if any(each.record.state is ConsentState.GIVEN for each in known) else missing

    def _hold(
        self, content: bytes, arrived: str, row: ImageRow, origin: str, reasons: tuple[str, ...], held: Held | None
    ) -> None:
        """Keep the bytes as they came: file first, then the row; only then may the sender be told."""
        name = f"{arrived}.dcm"
        self.services.spool.put(name, content)
        now = self.services.clock()
        with self.services.database.writing() as connection:
            quarantine.hold(
                connection,
                Held(
                    quarantine_id=held.quarantine_id if held else self.services.ids(),
                    sop_instance_uid=row.sop_instance_uid,
                    sha256=arrived,
                    size=len(content),
                    spool_name=name,
                    reasons=reasons,
                    origin=origin,
                    received_at=now.isoformat(),
                ),
            )
            self._note(connection, origin, row.sop_instance_uid, Outcome.REFUSED, reasons)

    def _accept(self, dataset: Dataset, row: ImageRow, origin: str, arrived: str, *, changed: bool) -> None:
        """Record the instance before Orthanc stores it."""
        with self.services.database.writing() as connection:
            born = _date(str(dataset.get("PatientBirthDate") or ""))
            patients.ensure(connection, row.patient_id, row.issuer, born)
            images.expect(connection, row, str(dataset.get("PatientID") or "").strip())
            reasons = ("hidden metadata taken out of the stream",) if changed else ()
            self._note(
                connection, origin, row.sop_instance_uid, Outcome.SUCCESS, reasons, f"sha256 as it came {arrived}"
            )

    def _note(
        self,
        connection: Connection,
        origin: str,
        subject: str,
        outcome: Outcome,
        reasons: tuple[str, ...],
        detail: str = "",
    ) -> None:
        event = AuditEvent(
            id=self.services.ids(),
            at=self.services.clock(),
            event=EventType.IMPORT,
            outcome=outcome,
            actor=origin,
            door=DOOR,
            subject=subject,
            effect={Outcome.SUCCESS: "ACCEPTED", Outcome.REFUSED: "QUARANTINED"}.get(outcome, "UNASKED"),
            rules=tuple(reason.partition(":")[0] for reason in reasons),
            reasons=reasons,
            policy=self.services.policy.sha256,
            detail=detail,
        )
        append(connection, [event])
