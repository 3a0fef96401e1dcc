"""The rejection notes of a recall: one key object for each study, in the words that the recipient knows.

Knows what a copy was called when it left. Must not send. Of a copy without the patient's identity a note says nothing
but what the copy said: its own UIDs, those of its study and series, and the pseudonym. They are made again from the key
of the recipient's profile, and believed only where the copy's own UID comes out the same; where it doesn't, no note is
made, and a letter is written.

Sources: PS3.3 A.35.4; PS3.16 TID 2010, CID 7010; IHE RAD IOCM; requirements 2.5 (what links is kept out of copies).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from itertools import groupby
from typing import Final

from pydicom import Dataset, dcmread

from dicomwrap.iod.keyobject import PATIENT_SAFETY, RETENTION_EXPIRED, Code, Referenced, Study, Uids, key_object
from dicomwrap.subject import Patient
from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.config.bindings import Destination
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.errors import ConsentgateError, NotInArchiveError
from orthanc_plugin.policy.recalling import CAUSE_WORDS, TITLES, Cause
from orthanc_plugin.registry.recalls import Recalled
from orthanc_plugin.registry.recallturns import Noticed
from orthanc_plugin.services import Services

STANDARD: Final = {each.value: each for each in (PATIENT_SAFETY, RETENTION_EXPIRED)}
HEADER: Final = ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "AccessionNumber")


class NotNameableError(ConsentgateError):
    """A copy can't be named in a note as its recipient knows it."""

    remedy = "Write to the recipient: consentgate recall letter."


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A copy as its recipient knows it."""

    reference: Referenced
    patient: Patient
    accession: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Makes notes.

    Attributes:
        services: policy and keys.
        archive: reads the originals, for what a copy said of its patient.
        destination: the recipient.
    """

    services: Services
    archive: ImageArchive
    destination: Destination

    def notes(self, recall: Recalled, copies: Sequence[Noticed], at: datetime) -> list[bytes]:
        """Return the notes of a recall; made again they are the same objects.

        Raises:
            NotNameableError: a copy can't be named as the recipient knows it.
            ArchiveError: the archive can't be read now.
            ConfigurationError: the key of the pseudonyms can't be had.
        """
        headers: dict[tuple[str, str, bool], Dataset | None] = {}
        named = []
        for copy in copies:
            place = (copy.patient_id, copy.study_instance_uid, copy.anonymised)
            if place not in headers:
                headers[place] = self._header(copy)
            named.append((self._anonymised if copy.anonymised else _identifiable)(copy, headers[place]))
        return [
            self._note(recall, tuple(group), at)
            for _, group in groupby(sorted(named, key=_study), key=lambda each: each.reference.study_instance_uid)
        ]

    def _note(self, recall: Recalled, named: Sequence[Named], at: datetime) -> bytes:
        study, patient = named[0].reference.study_instance_uid, named[0].patient
        try:
            return key_object(
                title(self.services.policy, recall.cause),
                (each.reference for each in named),
                patient=patient,
                study=Study(study_instance_uid=study, accession=named[0].accession),
                uids=Uids.derived("recall", recall.recall_id, study),
                at=at,
                description=f"Recall {recall.recall_id}: {CAUSE_WORDS[recall.cause]}. Please destroy what is listed.",
            )
        except ValueError as error:
            raise NotNameableError("A copy can't be named in a rejection note.") from error

    def _header(self, copy: Noticed) -> Dataset | None:
        """Return what the original says of its patient; None when it is destroyed."""
        if not copy.orthanc_instance:
            return None
        try:
            content = self.archive.read(copy.orthanc_instance)
        except NotInArchiveError:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pydicom, which would quote values; the object was accepted as it is
            return dcmread(BytesIO(content), specific_tags=[*HEADER], stop_before_pixels=True)

    def _anonymised(self, copy: Noticed, header: Dataset | None) -> Named:
        profile = self.services.policy.profile(self.destination.profile or "")
        if profile is None or header is None or not header.get("PatientID"):
            raise NotNameableError("What an anonymised copy is called in its study can't be found out any more.")
        domain = profile.pseudonym_domain
        pseudonyms = Pseudonyms(key=self.services.release.keys.of(domain).value, domain=domain)
        if pseudonyms.uid(copy.sop_instance_uid) != copy.released_uid:
            raise NotNameableError("An anonymised copy was made under another key or profile than today's.")
        pseudonym = pseudonyms.patient_id(_text(header, "PatientID"), _text(header, "IssuerOfPatientID"))
        return Named(
            reference=Referenced(
                study_instance_uid=pseudonyms.uid(copy.study_instance_uid),
                series_instance_uid=pseudonyms.uid(copy.series_instance_uid),
                sop_class_uid=copy.sop_class_uid,
                sop_instance_uid=copy.released_uid,
            ),
            patient=Patient(id=pseudonym),
        )


def title(policy: Policy, cause: Cause) -> Code:
    """Return the title of the notes that follow from ``cause``."""
    own = policy.recall.title
    if own is None or cause is Cause.DISPOSED:
        return STANDARD[TITLES[cause]]
    return Code(value=own.value, scheme=own.scheme, meaning=own.meaning)


def _identifiable(copy: Noticed, header: Dataset | None) -> Named:
    if not copy.study_instance_uid:
        raise NotNameableError("Where a copy's original was filed isn't known any more.")
    reference = Referenced(
        study_instance_uid=copy.study_instance_uid,
        series_instance_uid=copy.series_instance_uid,
        sop_class_uid=copy.sop_class_uid,
        sop_instance_uid=copy.released_uid,
    )
    if header is None:
        return Named(reference=reference, patient=Patient(id=copy.patient_id, issuer=copy.issuer))
    patient = Patient(
        id=_text(header, "PatientID"),
        issuer=_text(header, "IssuerOfPatientID"),
        name=_text(header, "PatientName"),
        birth_date=_day(_text(header, "PatientBirthDate")),
        sex=_text(header, "PatientSex"),
    )
    return Named(reference=reference, patient=patient, accession=_text(header, "AccessionNumber"))


def _study(named: Named) -> str:
    return named.reference.study_instance_uid


def _text(header: Dataset, keyword: str) -> str:
    value = header.get(keyword)
    return "" if value is None else str(value).strip()


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
