"""Turn a clinical photograph into a DICOM object that carries its consent, and back.

The names below are the library; docs/dicomwrap.md shows them at work. They are resolved when they are first used, so
that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dicomwrap.anatomy import body_site
    from dicomwrap.consentfile import read_consent
    from dicomwrap.consentstamp import ConsentStamp, stamp_of, stamp_without_consent
    from dicomwrap.consenttags import SealState, read_stamp, seal_state
    from dicomwrap.encoding import Part10
    from dicomwrap.errors import DicomwrapError
    from dicomwrap.iod.dermoscopic import Dermoscopy
    from dicomwrap.iod.encapsulated_pdf import consent_form
    from dicomwrap.iod.modules import Circumstances, Lesion, Reference, View, Wrapping, capture_moment
    from dicomwrap.iod.video_photographic import video_photographic
    from dicomwrap.photograph import Orienting, Photograph, Reading
    from dicomwrap.series import Place, SeriesBook
    from dicomwrap.source.film import read_film
    from dicomwrap.source.readers import read_photographs
    from dicomwrap.subject import Encounter, Patient, Visit, patient_from_text
    from dicomwrap.summary import summary_of_file
    from dicomwrap.terms import Purpose
    from dicomwrap.uids import derived_uid, fresh_uid
    from dicomwrap.unwrap import unwrap as unwrap_file
    from dicomwrap.verify import verify_file
    from dicomwrap.version import VERSION
    from dicomwrap.wrap import as_dataset, encoded, stamped, write
    from dicomwrap.wrap import wrap as wrap_photograph

__all__ = [
    "VERSION",
    "Circumstances",
    "ConsentStamp",
    "Dermoscopy",
    "DicomwrapError",
    "Encounter",
    "Lesion",
    "Orienting",
    "Part10",
    "Patient",
    "Photograph",
    "Place",
    "Purpose",
    "Reading",
    "Reference",
    "SealState",
    "SeriesBook",
    "View",
    "Visit",
    "Wrapping",
    "as_dataset",
    "body_site",
    "capture_moment",
    "consent_form",
    "derived_uid",
    "encoded",
    "fresh_uid",
    "patient_from_text",
    "read_consent",
    "read_film",
    "read_photographs",
    "read_stamp",
    "seal_state",
    "stamp_of",
    "stamp_without_consent",
    "stamped",
    "summary_of_file",
    "unwrap_file",
    "verify_file",
    "video_photographic",
    "wrap_photograph",
    "write",
]

# public name: module, and the name there
_HOMES: Final = {
    "VERSION": ("version", "VERSION"),
    "Circumstances": ("iod.modules", "Circumstances"),
    "ConsentStamp": ("consentstamp", "ConsentStamp"),
    "Dermoscopy": ("iod.dermoscopic", "Dermoscopy"),
    "DicomwrapError": ("errors", "DicomwrapError"),
    "Encounter": ("subject", "Encounter"),
    "Lesion": ("iod.modules", "Lesion"),
    "Orienting": ("photograph", "Orienting"),
    "Part10": ("encoding", "Part10"),
    "Patient": ("subject", "Patient"),
    "Photograph": ("photograph", "Photograph"),
    "Place": ("series", "Place"),
    "Purpose": ("terms", "Purpose"),
    "Reading": ("photograph", "Reading"),
    "Reference": ("iod.modules", "Reference"),
    "SealState": ("consenttags", "SealState"),
    "SeriesBook": ("series", "SeriesBook"),
    "View": ("iod.modules", "View"),
    "Visit": ("subject", "Visit"),
    "Wrapping": ("iod.modules", "Wrapping"),
    "as_dataset": ("wrap", "as_dataset"),
    "body_site": ("anatomy", "body_site"),
    "capture_moment": ("iod.modules", "capture_moment"),
    "consent_form": ("iod.encapsulated_pdf", "consent_form"),
    "derived_uid": ("uids", "derived_uid"),
    "encoded": ("wrap", "encoded"),
    "fresh_uid": ("uids", "fresh_uid"),
    "patient_from_text": ("subject", "patient_from_text"),
    "read_consent": ("consentfile", "read_consent"),
    "read_film": ("source.film", "read_film"),
    "read_photographs": ("source.readers", "read_photographs"),
    "read_stamp": ("consenttags", "read_stamp"),
    "seal_state": ("consenttags", "seal_state"),
    "stamp_of": ("consentstamp", "stamp_of"),
    "stamp_without_consent": ("consentstamp", "stamp_without_consent"),
    "stamped": ("wrap", "stamped"),
    "summary_of_file": ("summary", "summary_of_file"),
    "unwrap_file": ("unwrap", "unwrap"),
    "verify_file": ("verify", "verify_file"),
    "video_photographic": ("iod.video_photographic", "video_photographic"),
    "wrap_photograph": ("wrap", "wrap"),
    "write": ("wrap", "write"),
}


def __getattr__(name: str) -> object:
    """Return a public name from its module (PEP 562).

    Raises:
        AttributeError: there is no such name.
    """
    try:
        module, attribute = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'dicomwrap' has no attribute {name!r}") from None
    return getattr(import_module(f"dicomwrap.{module}"), attribute)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(_HOMES)
