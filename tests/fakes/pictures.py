"""Consents as a form gives them, and pictures as a device sends them, made on the spot."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from io import BytesIO

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from dicomwrap.consentfile import read_consent
from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.consentstamp import ConsentStamp, stamp_of
from dicomwrap.subject import Patient
from dicomwrap.terms import Purpose
from tests.unit.dicomwrap.objects import PATIENT, wrapped

UID = "2.25.3"
CONSENT_ID = "urn:uuid:1b4e28ba-2fa1-11d2-883f-0016d3cca427"
CARE = {"purpose": "DIRECT_CARE", "max_form": "IDENTIFIABLE", "audience": ["CARE_TEAM"]}
TEACHING = {"purpose": "TEACHING", "max_form": "ANONYMISED", "audience": ["TRUST_STUDENTS"]}


@cache
def photograph_bytes() -> bytes:
    """Return the encoded photograph of ``PATIENT`` that refers to ``CONSENT_ID``."""
    return encoded(photograph())


def consent(*scopes: Mapping[str, object], **changes: object) -> ConsentRecord:
    """Return a consent of ``PATIENT`` to ``scopes`` (to care, when none is named), complete enough to be recorded."""
    fields = {
        "id": CONSENT_ID,
        "patient_id": PATIENT.id,
        "issuer": PATIENT.issuer,
        "state": "GIVEN",
        "giver": {"type": "PATIENT", "id": PATIENT.id},
        "decided_on": "2025-03-01",
        "scopes": [dict(scope) for scope in scopes or (CARE,)],
        "evidence": "SIGNED_FORM",
        "explained": ["WHY", "USE", "AUDIENCE", "TRANSMISSION", "STORAGE", "RETENTION", "DISPOSAL"],
        "discussion": {"note": "Talked through in clinic.", "author": "clinic"},
    }
    return read_consent(json.dumps({**fields, **changes}))


def photograph(
    *,
    uid: str = UID,
    patient: Patient = PATIENT,
    refers_to: ConsentRecord | None = None,
    stamp: ConsentStamp | None = None,
    data: bytes | None = None,
    **elements: object,
) -> Dataset:
    """Return a wrapped photograph that refers to a consent; ``elements`` are set afterwards, None removes one."""
    known = stamp or stamp_of(refers_to or consent(CARE, TEACHING), Purpose.DIRECT_CARE)
    dataset = wrapped(data, patient=patient, stamp=known)
    dataset.SOPInstanceUID = uid
    dataset.file_meta.MediaStorageSOPInstanceUID = uid
    for keyword, value in elements.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    return dataset


def ct(uid: str = "2.25.77", **elements: object) -> Dataset:
    """Return a CT image that brings no consent."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    values = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": uid,
        "StudyInstanceUID": "2.25.71",
        "SeriesInstanceUID": "2.25.72",
        "PatientID": PATIENT.id,
        "Modality": "CT",
        **elements,
    }
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def encoded(dataset: Dataset) -> bytes:
    """Return the file's bytes, without the checks of ``dicomwrap``."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
