"""What an object would be filed as: the registry's row, read from its elements and its consent stamp.

Knows which element says what. Must not know what an object must bring, nor what becomes of it.

Sources: requirements 2.1 (what is on record of an image), 2.5 (ConfidentialityCode), 003-61 (what a patient sent in),
003-62a (intimate pictures); HL7 v3 Confidentiality.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from pydicom.dataset import Dataset

from dicomwrap.anatomy import BodySite, body_site
from dicomwrap.consentblock import GROUP, SEAL
from dicomwrap.consentstamp import ConsentStamp
from dicomwrap.consenttags import read_stamp
from dicomwrap.errors import PatientDetailsError
from dicomwrap.judging.values import items, text, texts
from dicomwrap.plaintext import text_of
from dicomwrap.terms import SECONDARY_CODES
from orthanc_plugin.enforcement.alike import Alike
from orthanc_plugin.enforcement.objections import day_of
from orthanc_plugin.enforcement.reading import LONGEST_IDENTITY, IntakeRefusedError, identity, parsed
from orthanc_plugin.enforcement.sopclasses import image_type
from orthanc_plugin.policy.model import ImageSource, ImageStatus, ImageType, MadeFor
from orthanc_plugin.registry.images import ImageRow

LONGEST_CODE: Final = 16  # characters of CodeValue (SH)
OPEN: Final = frozenset({"", "U", "L", "M", "N"})  # levels up to normal; a word that nobody knows is none of them
RESTRICTED: Final = frozenset({"R", "V", "RESTRICTED", "VERY RESTRICTED"})  # (0040,1008) has words of the sender's own


def row_of(dataset: Dataset, stamp: ConsentStamp | None, sha256: str, *, issuer: str, at: datetime) -> ImageRow:
    """Return the registry's row for an object.

    Args:
        dataset: the object.
        stamp: the consent stamp in it.
        sha256: digest of the bytes that the archive stores.
        issuer: whose a patient number is that has no issuer.
        at: when it came.
    """
    days = (text_of(dataset, each) for each in ("ContentDate", "AcquisitionDateTime", "StudyDate"))
    made = next(filter(None, days), "")
    site, department, intimate = PLACES.of(dataset)
    kind = image_type(text_of(dataset, "SOPClassUID"))
    return ImageRow(
        sop_instance_uid=text_of(dataset, "SOPInstanceUID"),
        sop_class_uid=text_of(dataset, "SOPClassUID"),
        series_instance_uid=text_of(dataset, "SeriesInstanceUID"),
        study_instance_uid=text_of(dataset, "StudyInstanceUID"),
        patient_id=identity(dataset, "PatientID"),
        issuer=identity(dataset, "IssuerOfPatientID") or issuer,
        accession_number=identity(dataset, "AccessionNumber"),
        image_type=kind,
        made_on=day_of(made),
        made_for=MadeFor.SECONDARY if stamp and stamp.capture_purpose in SECONDARY_CODES else MadeFor.CARE,
        source=ImageSource.PATIENT_SUPPLIED if stamp and stamp.device_class == "PATIENT" else ImageSource.DEPARTMENT,
        intimate=bool(stamp and stamp.confidentiality.upper() not in OPEN)
        or (intimate and kind is ImageType.CLINICAL_PHOTO),
        status=ImageStatus.ACTIVE,
        sha256=sha256,
        consent_id=None,
        received_at=at.isoformat(),
        body_site=site,
        department=department,
    )


def patient_id(dataset: Dataset) -> str:
    """Return the patient's number as Orthanc will read it, by which it names what it stores."""
    return text_of(dataset, "PatientID").strip()


def described(content: bytes) -> tuple[str, str]:
    """Return body site and department as a stored object says them, '' for what it doesn't say."""
    try:
        dataset = parsed(content)
    except IntakeRefusedError:  # from before Consentgate, which takes no such object in
        return "", ""
    return _site(dataset), _department(dataset)


def _site(dataset: Dataset) -> str:
    """Return the code of CID 4029 that says what is shown; '' when none or another one does."""
    for region in _regions(dataset)[:1]:
        scheme, value = text(region, "CodingSchemeDesignator"), text(region, "CodeValue")
        try:
            site = body_site(value[:LONGEST_CODE] or None)
        except PatientDetailsError:
            return ""
        return value if (site.scheme, site.value) == (scheme, value) else ""
    return ""


def _department(dataset: Dataset) -> str:
    """Return the department that the object names; what is no LO of one value is none."""
    named = text(dataset, "InstitutionalDepartmentName")
    return named if len(named) <= LONGEST_IDENTITY and named.isprintable() and "\\" not in named else ""


def _place(dataset: Dataset) -> tuple[str, str, bool]:
    """Return the part of the body that is shown, the department, and whether it is said to be intimate."""
    return _site(dataset), _department(dataset), _intimate(dataset)


def _intimate(dataset: Dataset) -> bool:
    """Tell whether a picture says that it is restricted, or of an intimate part, by whatever program it was made."""
    if any(each.strip().upper() in RESTRICTED for each in texts(dataset, "ConfidentialityCode")):
        return True
    codes = ((text(each, "CodingSchemeDesignator"), text(each, "CodeValue")) for each in _regions(dataset))
    return any(BodySite(scheme=scheme, value=value, meaning="").intimate for scheme, value in codes)


def _regions(dataset: Dataset) -> tuple[Dataset, ...]:
    return items(dataset, "AnatomicRegionSequence")


def _block(dataset: Dataset) -> Iterable[int]:
    """Return the tags of the stamp's private group, but for the seal: each object has another, and it isn't read."""
    tags = (tag for tag in dataset.keys() if tag >> 16 == GROUP)  # noqa: SIM118 - a data set itself gives elements
    return (tag for tag in tags if not (tag & 0xF000 and tag & 0xFF == SEAL.offset))


PLACES: Final = Alike(_place, ("AnatomicRegionSequence", "InstitutionalDepartmentName", "ConfidentialityCode"))
STAMPS: Final = Alike(read_stamp, ("ConsentForClinicalTrialUseSequence",), _block)
