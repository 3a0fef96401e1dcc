"""What an object would be filed as: the registry's row, read from its elements and its consent stamp.

Knows which element says what. Must not know what an object must bring, nor what becomes of it.

Sources: requirements 2.1 (what is on record of an image), 003-61 (what a patient sent in).
"""

from __future__ import annotations

from datetime import datetime

from pydicom.dataset import Dataset

from dicomwrap.consentstamp import ConsentStamp
from dicomwrap.terms import SECONDARY_CODES
from orthanc_plugin.enforcement.objections import day_of
from orthanc_plugin.enforcement.reading import identity
from orthanc_plugin.enforcement.sopclasses import image_type
from orthanc_plugin.policy.model import ImageSource, ImageStatus, MadeFor
from orthanc_plugin.registry.images import ImageRow


def row_of(dataset: Dataset, stamp: ConsentStamp | None, sha256: str, *, issuer: str, at: datetime) -> ImageRow:
    """Return the registry's row for an object.

    Args:
        dataset: the object.
        stamp: the consent stamp in it.
        sha256: digest of the bytes that the archive stores.
        issuer: whose a patient number is that has no issuer.
        at: when it came.
    """
    made = str(dataset.get("ContentDate") or dataset.get("AcquisitionDateTime") or dataset.get("StudyDate") or "")
    return ImageRow(
        sop_instance_uid=str(dataset.SOPInstanceUID),
        sop_class_uid=str(dataset.SOPClassUID),
        series_instance_uid=str(dataset.SeriesInstanceUID),
        study_instance_uid=str(dataset.StudyInstanceUID),
        patient_id=identity(dataset, "PatientID"),
        issuer=identity(dataset, "IssuerOfPatientID") or issuer,
        accession_number=identity(dataset, "AccessionNumber"),
        image_type=image_type(str(dataset.SOPClassUID)),
        made_on=day_of(made),
        made_for=MadeFor.SECONDARY if stamp and stamp.capture_purpose in SECONDARY_CODES else MadeFor.CARE,
        source=ImageSource.PATIENT_SUPPLIED if stamp and stamp.device_class == "PATIENT" else ImageSource.DEPARTMENT,
        intimate=bool(stamp and stamp.confidentiality in ("R", "V")),
        status=ImageStatus.ACTIVE,
        sha256=sha256,
        consent_id=None,
        received_at=at.isoformat(),
    )
