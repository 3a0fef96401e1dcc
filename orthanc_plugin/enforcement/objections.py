"""What stands against filing an object: its bytes, identity, consent. Each objection names its rule.

Knows what an object must bring. Must not know what becomes of it: ``intake`` holds it, refuses it or lets it in,
nor its device: ``devicerules`` does.

Sources: requirements 001-18a (a consent reference), 003-68a (the correct patient), 000-17a (consent before the
picture), 003-61 (what a patient sent in).
"""

from __future__ import annotations

from datetime import date
from typing import Final

from pydicom.dataset import Dataset
from sqlalchemy import Connection

from dicomwrap.bitstream.markers import Stream
from dicomwrap.bitstream.verify import contradictions
from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.consentstamp import denied_purposes, permitted_purposes
from dicomwrap.plaintext import text_of
from dicomwrap.terms import SECONDARY_PURPOSES, ConsentState, GiverType, Purpose, WithdrawalPhase
from orthanc_plugin.config.policyfile import BeforeFiling, ConsentReference, Intake, Policy
from orthanc_plugin.enforcement import keyobjects
from orthanc_plugin.enforcement.reading import CHECKED_SYNTAXES, identity_faults
from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.lifecycle.filing import UNCONFIRMED
from orthanc_plugin.policy.model import ImageSource, ImageType, MadeFor
from orthanc_plugin.registry import consents, disposals, facts, images, patients
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.quarantine import Held, Status

DISPOSED: Final = (
    "DISPOSED_BEFORE: its retention period had ended, and it was destroyed or is to be; see the certificate"
)


def day_of(text: str) -> date | None:
    """Return the date that a DA or DT value begins with, None when it is none."""
    try:
        return date.fromisoformat(f"{text[:4]}-{text[4:6]}-{text[6:8]}")
    except ValueError:
        return None


def must_wait(connection: Connection, asked_of: BeforeFiling, row: ImageRow, held: Held | None) -> bool:
    """Tell whether only the patient's approval is missing (requirements 003-98c); what they sent in needs none."""
    asked = asked_of is BeforeFiling.EVERY or (asked_of is BeforeFiling.INTIMATE and row.intimate)
    if not asked or row.image_type is not ImageType.CLINICAL_PHOTO or row.source is ImageSource.PATIENT_SUPPLIED:
        return False
    if held is not None:
        return held.status in (Status.HELD, Status.AWAITING_PATIENT_APPROVAL)
    return images.get(connection, row.sop_instance_uid) is None


def of_claim(policy: Policy, row: ImageRow, account: str, held: Held | None) -> list[str]:
    """Say whether the object claims without leave that the patient supplied it: then hardly a rule would bind it.

    Believed are accounts that policy.toml says so of, and an officer who has confirmed it. By C-STORE nobody is: which
    AE title calls isn't known when intake is asked.
    """
    user = policy.user(account)
    believed = (held is not None and held.patient_supplied) or (user is not None and user.patient_supplied)
    if row.source is not ImageSource.PATIENT_SUPPLIED or believed:
        return []
    told = "it says that the patient supplied it, and its sender is not one whose word that is"
    return [f"{UNCONFIRMED}: {told}; an officer may confirm it: 'consentgate quarantine release --patient-supplied'"]


def of_stream(dataset: Dataset, row: ImageRow, frames: tuple[Stream, ...]) -> list[str]:
    """Say what is wrong with a photograph's own bytes; ``frames`` as far as they were taken apart."""
    if row.image_type is not ImageType.CLINICAL_PHOTO:
        return []
    found = [f"HEADER_CONTRADICTS_BITSTREAM: {each}" for each in contradictions(dataset, frames)]
    if dataset.file_meta.TransferSyntaxUID not in CHECKED_SYNTAXES:
        found.insert(0, "SYNTAX_NOT_CHECKED: metadata could hide in a stream of this transfer syntax")
    return found


def of_records(
    connection: Connection,
    intake: Intake,
    dataset: Dataset,
    row: ImageRow,
    *,
    held: Held | None,
    today: date,
    new: bool = False,
) -> list[str]:
    """Say what the registry knows against the object.

    Args:
        connection: open transaction.
        intake: what policy.toml says a photograph must bring.
        dataset: the object.
        row: what it would be filed as.
        held: what quarantine has of it; an officer may have said there which consent it is filed under.
        today: the day it is at the hospital.
        new: nobody ever heard of its UID.
    """
    if disposals.stub_of(connection, row.sop_instance_uid) is not None:
        return [DISPOSED]
    found = keyobjects.objections(connection, dataset, row)
    known = None if new else images.get(connection, row.sop_instance_uid)
    if known is not None and (known.sha256, known.patient_id) != (row.sha256, row.patient_id):
        found.append("SOP_INSTANCE_UID_REUSED: another object with this UID is in the archive")
    found += _identity(connection, dataset, row)
    if row.image_type is ImageType.CLINICAL_PHOTO:
        found += _consent(connection, intake, row, linked=held is not None and held.consent_id is not None, today=today)
    return found


def _identity(connection: Connection, dataset: Dataset, row: ImageRow) -> list[str]:
    if not row.patient_id:
        return ["IDENTITY_MISSING: the object names no patient"]
    if faults := identity_faults(dataset):
        return faults
    patient = patients.find(connection, row.patient_id, row.issuer)
    written = text_of(dataset, "PatientBirthDate")
    born = day_of(written)
    if written and born is None:
        return ["IDENTITY_UNREADABLE: the birth date is no date"]
    if patient and patient.dob and born and patient.dob != born:
        return ["IDENTITY_MISMATCH: the birth date is not the one on record for this patient"]
    return []


def taken_back_in_session(connection: Connection, consent_id: str | None, row: ImageRow, today: date) -> bool:
    """Tell whether the patient took the consent back while pictures were taken, and this is one of that day's.

    Nothing of such a session is kept (requirements 002-26a); what was made and sent on other days is held instead.
    """
    if consent_id is None:
        return False
    try:
        record = consents.current(connection, consent_id)
    except UnknownRecordError:
        return False
    during = record.withdrawal is not None and record.withdrawal.phase is WithdrawalPhase.DURING_CAPTURE
    since = record.withdrawn_since(Purpose.DIRECT_CARE) if Purpose.DIRECT_CARE in denied_purposes(record) else None
    return during and since is not None and since in (today, row.made_on)


def _consent(connection: Connection, intake: Intake, row: ImageRow, *, linked: bool, today: date) -> list[str]:
    """Say why the photograph has no usable consent reference (requirements 001-18a).

    ``linked``: an officer, not the object, says which consent it is, and has seen the dates.
    """
    if row.consent_id is None:
        return _consent_of_patient(connection, intake, row)
    try:
        record = consents.current(connection, row.consent_id)
    except UnknownRecordError:
        return ["CONSENT_UNKNOWN: the consent it refers to is not on record"]
    if (record.patient_id, record.issuer or "") not in patients.numbers(connection, (row.patient_id, row.issuer)):
        return ["CONSENT_OF_ANOTHER_PATIENT: the consent it refers to was given by someone else"]
    if record.state is not ConsentState.GIVEN:
        return [f"CONSENT_NOT_IN_FORCE: the consent it refers to is {record.state}"]
    if over := _over(record, row, today):
        return over
    if not facts.covers(record, row):
        return ["CONSENT_OF_ANOTHER_PICTURE: the consent it refers to names other pictures"]
    return [] if linked else _afterwards(record, row, today)


def _consent_of_patient(connection: Connection, intake: Intake, row: ImageRow) -> list[str]:
    if row.source is ImageSource.PATIENT_SUPPLIED:
        return []  # the team may use what a patient sent in, and asks for consent (requirements 003-61)
    missing = ["CONSENT_MISSING: the photograph refers to no consent"]
    if intake.consent_reference is ConsentReference.REQUIRED:
        return missing
    numbers = patients.numbers(connection, (row.patient_id, row.issuer))
    known = [each.record for number in numbers for each in consents.listed(connection, *number)]
    return [] if any(record.state is ConsentState.GIVEN for record in known) else missing


def _over(record: ConsentRecord, row: ImageRow, today: date) -> list[str]:
    """Say whether time or the patient ended what the picture would be filed under, though it is stored as given."""
    if all(scope.valid_to is not None and scope.valid_to < today for scope in record.scopes):
        return ["CONSENT_NOT_IN_FORCE: the consent it refers to has expired"]
    if row.made_for is MadeFor.CARE and Purpose.DIRECT_CARE in denied_purposes(record):
        return ["CONSENT_NOT_IN_FORCE: the consent it refers to was withdrawn from care"]
    if row.made_for is MadeFor.SECONDARY and permitted_purposes(record).isdisjoint(SECONDARY_PURPOSES):
        return ["CONSENT_NOT_IN_FORCE: the consent it refers to permits no such use"]
    return []


def _afterwards(record: ConsentRecord, row: ImageRow, today: date) -> list[str]:
    """Say whether the consent was given after the picture was made, for all anyone knows (requirements 000-17a)."""
    if record.giver.type is GiverType.BEST_INTERESTS:
        return []
    if row.made_on is None or row.made_on > today:
        return ["CAPTURE_DATE_MISSING: it does not say when it was made, or says a day that has not come"]
    if record.decided_on <= row.made_on:
        return []
    return ["CONSENT_AFTER_CAPTURE: the consent it refers to was given after the picture was made"]
