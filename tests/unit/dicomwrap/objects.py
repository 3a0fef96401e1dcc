"""DICOM objects made from photographs made on the spot."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import count

from pydicom.dataset import Dataset

from dicomwrap.anatomy import body_site
from dicomwrap.consentfile import read_consent
from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.consentstamp import ConsentStamp
from dicomwrap.encoding import Part10
from dicomwrap.iod.dermoscopic import Dermoscopy
from dicomwrap.iod.modules import Circumstances, View, Wrapping, capture_moment
from dicomwrap.photograph import Reading
from dicomwrap.series import Place
from dicomwrap.source.readers import read_photographs
from dicomwrap.subject import Patient, Visit
from dicomwrap.uids import UidSource
from dicomwrap.wrap import as_dataset, wrap
from tests.unit.dicomwrap.photos import camera_photo

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
PATIENT = Patient(id="P1", issuer="HOSP", name="Doe^Jane", birth_date=date(1980, 6, 15), sex="F")
CONSENT = """{
 "id": "urn:uuid:1b4e28ba-2fa1-11d2-883f-0016d3cca427", "version": 3, "patient_id": "P1", "issuer": "HOSP",
 "state": "GIVEN", "giver": {"type": "PATIENT", "id": "P1"}, "decided_on": "2025-03-01",
 "purposes": ["DIRECT_CARE", "TEACHING"], "max_form": "IDENTIFIABLE", "audience": ["CARE_TEAM", "TRUST_STUDENTS"],
 "evidence": "SIGNED_FORM"
}"""


def consent() -> ConsentRecord:
    """Return a consent to care and teaching."""
    return read_consent(CONSENT)


def counted_uids() -> UidSource:
    """Return a source of UIDs that are known beforehand."""
    numbers = count(1)
    return lambda: f"2.25.{next(numbers)}"


def built(
    data: bytes | None = None,
    *,
    patient: Patient = PATIENT,
    site: str = "Skin of hand",
    laterality: str = "L",
    stamp: ConsentStamp | None = None,
    reading: Reading | None = None,
    dermoscopy: Dermoscopy | None = None,
    key: bytes | None = None,
    **view: object,
) -> Part10:
    """Return a photograph wrapped at ``NOW``, as it would be written."""
    photograph = read_photographs(camera_photo() if data is None else data, reading or Reading())[0]
    about = Circumstances(
        patient=patient,
        visit=Visit(study_instance_uid="2.25.1", started=capture_moment(photograph.facts, NOW).local),
        place=Place(series_instance_uid="2.25.2", series_number=1, instance_number=1),
        view=View(site=body_site(site), laterality=laterality, **view),
        wrapping=Wrapping(at=NOW, sop_instance_uid="2.25.3", version="test"),
    )
    return wrap(photograph, about, stamp or ConsentStamp(), dermoscopy=dermoscopy, key=key)


def wrapped(data: bytes | None = None, **options: object) -> Dataset:
    """Return a photograph wrapped at ``NOW``, as pydicom reads it; ``options`` are those of ``built``."""
    return as_dataset(built(data, **options))
