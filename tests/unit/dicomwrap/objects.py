"""DICOM objects made from photographs made on the spot."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import count

from pydicom.dataset import Dataset

from dicomwrap.anatomy import body_site
from dicomwrap.consentfile import read_consent
from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.consentstamp import ConsentStamp
from dicomwrap.iod.vl_photographic import View, Wrapping, capture_moment
from dicomwrap.series import Place
from dicomwrap.source.readers import read_photograph
from dicomwrap.subject import Patient, Visit
from dicomwrap.uids import UidSource
from dicomwrap.wrap import wrap
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


def wrapped(
    data: bytes | None = None,
    *,
    patient: Patient = PATIENT,
    site: str = "Skin of hand",
    laterality: str = "L",
    stamp: ConsentStamp | None = None,
) -> Dataset:
    """Return a photograph wrapped at ``NOW``."""
    photograph = read_photograph(camera_photo() if data is None else data)
    return wrap(
        photograph,
        patient=patient,
        visit=Visit(study_instance_uid="2.25.1", started=capture_moment(photograph, NOW).local),
        place=Place(series_instance_uid="2.25.2", series_number=1, instance_number=1),
        view=View(site=body_site(site), laterality=laterality),
        consent=stamp or ConsentStamp(),
        wrapping=Wrapping(at=NOW, sop_instance_uid="2.25.3", version="test"),
    )
