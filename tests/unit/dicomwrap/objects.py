"""DICOM objects made from photographs made on the spot."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import count

from pydicom.dataset import Dataset

from dicomwrap.anatomy import body_site
from dicomwrap.consentfile import read_consent
from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.consentstamp import ConsentStamp
from dicomwrap.elements import Elements, Value
from dicomwrap.encoding import Part10
from dicomwrap.iod.dermoscopic import Dermoscopy
from dicomwrap.iod.modules import Circumstances, View, Wrapping, capture_moment
from dicomwrap.photograph import CaptureFacts, Photograph, Reading
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


def about(facts: CaptureFacts, *, site: str = "Skin of hand", laterality: str = "L", **known: object) -> Circumstances:
    """Return what is known of an object besides its pixels; ``known`` are fields of Circumstances, Visit and View."""
    visit = {name: known.pop(name) for name in ("description", "operator", "encounter") if name in known}
    view = {name: known.pop(name) for name in ("recognisable", "lesion") if name in known}
    given = {
        "patient": PATIENT,
        "visit": Visit(study_instance_uid="2.25.1", started=capture_moment(facts, NOW).local, **visit),
        "place": Place(series_instance_uid="2.25.2", series_number=1, instance_number=1),
        "view": View(site=body_site(site), laterality=laterality, **view),
        "wrapping": Wrapping(at=NOW, sop_instance_uid="2.25.3", version="test"),
        **known,
    }
    return Circumstances(**given)


def built(
    data: bytes | None = None,
    *,
    stamp: ConsentStamp | None = None,
    reading: Reading | None = None,
    dermoscopy: Dermoscopy | None = None,
    key: bytes | None = None,
    **known: object,
) -> Part10:
    """Return a photograph wrapped at ``NOW``, as it would be written; ``known`` is for ``about``."""
    photograph = read_photographs(camera_photo() if data is None else data, reading or Reading())[0]
    circumstances = about(photograph.facts, **known)
    return wrap(photograph, circumstances, stamp or ConsentStamp(), dermoscopy=dermoscopy, key=key)


def wrap_photograph(photograph: Photograph) -> Part10:
    """Return a photograph that was read, wrapped at ``NOW``."""
    return wrap(photograph, about(photograph.facts), ConsentStamp())


def wrapped(data: bytes | None = None, **options: object) -> Dataset:
    """Return a photograph wrapped at ``NOW``, as pydicom reads it; ``options`` are those of ``built``."""
    return as_dataset(built(data, **options))


def without(made: Part10, *keywords: str) -> Part10:
    """Return the object without some elements."""
    return replace(made, elements=Elements({key: value for key, value in made.elements.items() if key not in keywords}))


def having(made: Part10, **values: Value) -> Part10:
    """Return the object with some elements changed or added."""
    return replace(made, elements=Elements({**made.elements, **values}))
