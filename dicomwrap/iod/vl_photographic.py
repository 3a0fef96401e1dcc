"""Build a VL Photographic Image.

Knows PS3.3 section A.32.4 and the modules it names, and where EXIF facts belong (PS3.17 Annex NNNN). Must not know
files, consents or the clock: every value is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Final

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEGBaseline8Bit, VLPhotographicImageStorage
from pydicom.valuerep import DSfloat

from dicomwrap.anatomy import BodySite
from dicomwrap.photograph import Exposure, Photograph
from dicomwrap.series import Place
from dicomwrap.subject import Patient, Visit

IMPLEMENTATION_CLASS_UID: Final = "2.25.322528883987018458695550191836514516683"
IMPLEMENTATION_VERSION_NAME: Final = "DICOMWRAP_1"
MANUFACTURER: Final = "Consentgate"
MODEL: Final = "dicomwrap"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the photograph shows: the site, and the side as ImageLaterality has it."""

    site: BodySite
    laterality: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A time on the wall, and its distance from UTC where that is known."""

    local: datetime
    offset: timedelta | None

    @property
    def zone(self) -> str:
        """The offset as TimezoneOffsetFromUTC has it, such as ``+0100``; empty when unknown."""
        if self.offset is None:
            return ""
        minutes = round(self.offset.total_seconds() / 60)
        return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapping:
    """The act of wrapping: when (with a time zone), by which version, under which new UID."""

    at: datetime
    sop_instance_uid: str
    version: str


def capture_moment(photograph: Photograph, at: datetime) -> Moment:
    """Return when the photograph was taken: by the camera's word, else the time of wrapping."""
    facts = photograph.facts
    if facts.taken_at is not None:
        return Moment(local=facts.taken_at, offset=facts.offset)
    return Moment(local=at.replace(tzinfo=None), offset=at.utcoffset())


def vl_photographic(
    photograph: Photograph, *, patient: Patient, visit: Visit, place: Place, view: View, wrapping: Wrapping
) -> Dataset:
    """Return the object, without its consent stamp (PS3.3 section A.32.4)."""
    taken = capture_moment(photograph, wrapping.at)
    dataset = Dataset()
    dataset.file_meta = _file_meta(wrapping.sop_instance_uid)
    _sop_common(dataset, wrapping, taken)
    _patient(dataset, patient)
    _study(dataset, visit)
    _series(dataset, place, view, visit)
    _equipment(dataset, photograph)
    _image(dataset, place, view, taken)
    _acquisition(dataset, photograph.facts.exposure)
    _pixels(dataset, photograph)
    return dataset


def _file_meta(sop_instance_uid: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = VLPhotographicImageStorage
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = JPEGBaseline8Bit
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta


def _sop_common(dataset: Dataset, wrapping: Wrapping, taken: Moment) -> None:
    made = wrapping.at if taken.offset is None else wrapping.at.astimezone(timezone(taken.offset))
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = VLPhotographicImageStorage
    dataset.SOPInstanceUID = wrapping.sop_instance_uid
    dataset.InstanceCreationDate = _da(made)
    dataset.InstanceCreationTime = _tm(made)
    dataset.InstanceOriginStatus = "LOCAL"
    if taken.zone:
        dataset.TimezoneOffsetFromUTC = taken.zone
    dataset.ContributingEquipmentSequence = [_wrapper(wrapping)]


def _wrapper(wrapping: Wrapping) -> Dataset:
    """Return the item that names this program (PS3.3 section C.12.1.1.5)."""
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [_code("109103", "DCM", "Modifying Equipment")]
    item.Manufacturer = MANUFACTURER
    item.ManufacturerModelName = MODEL
    item.SoftwareVersions = wrapping.version
    item.ContributionDateTime = _dt(Moment(local=wrapping.at.replace(tzinfo=None), offset=wrapping.at.utcoffset()))
    item.ContributionDescription = "Wrapped the camera's JPEG; its entropy-coded data are unchanged"
    return item


def _patient(dataset: Dataset, patient: Patient) -> None:
    dataset.PatientName = patient.name
    dataset.PatientID = patient.id
    if patient.issuer:
        dataset.IssuerOfPatientID = patient.issuer
    dataset.PatientBirthDate = _da(patient.birth_date)
    dataset.PatientSex = patient.sex


def _study(dataset: Dataset, visit: Visit) -> None:
    dataset.StudyInstanceUID = visit.study_instance_uid
    dataset.StudyDate = _da(visit.started)
    dataset.StudyTime = _tm(visit.started)
    dataset.StudyID = visit.started.strftime("%Y%m%d%H%M%S")
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    if visit.description:
        dataset.StudyDescription = visit.description


def _series(dataset: Dataset, place: Place, view: View, visit: Visit) -> None:
    dataset.Modality = "XC"
    dataset.SeriesInstanceUID = place.series_instance_uid
    dataset.SeriesNumber = place.series_number
    dataset.SeriesDescription = f"Photographs: {view.site.meaning}"[:64]
    if visit.operator:
        dataset.OperatorsName = visit.operator


def _equipment(dataset: Dataset, photograph: Photograph) -> None:
    device = photograph.facts.device
    dataset.Manufacturer = device.manufacturer
    _set_known(
        dataset,
        ManufacturerModelName=device.model,
        SoftwareVersions=device.software,
        DeviceSerialNumber=device.serial_number,
    )


def _image(dataset: Dataset, place: Place, view: View, taken: Moment) -> None:
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.InstanceNumber = place.instance_number
    dataset.ContentDate = _da(taken.local)
    dataset.ContentTime = _tm(taken.local)
    dataset.AcquisitionDateTime = _dt(taken)
    dataset.PatientOrientation = ""
    dataset.ImageLaterality = view.laterality
    dataset.AcquisitionContextSequence = []
    dataset.AnatomicRegionSequence = [_code(view.site.value, view.site.scheme, view.site.meaning)]
    if view.site.recognisable:  # NO is for a person to say, so its absence stands for "not known"
        dataset.RecognizableVisualFeatures = "YES"


def _acquisition(dataset: Dataset, exposure: Exposure) -> None:
    _set_known(
        dataset,
        ExposureTimeInSeconds=_ds(exposure.exposure_time),
        FNumber=_ds(exposure.f_number),
        PhotographicSensitivity=exposure.sensitivity,
        FocalLength=_ds(exposure.focal_length),
        FocalLengthIn35mmFilm=exposure.focal_length_35mm,
        FlashFiringStatus=None if exposure.flash_fired is None else int(exposure.flash_fired),
        LensMake=exposure.lens_make,
        LensModel=exposure.lens_model,
    )


def _pixels(dataset: Dataset, photograph: Photograph) -> None:
    dataset.SamplesPerPixel = photograph.samples
    dataset.PhotometricInterpretation = photograph.photometric
    if photograph.samples > 1:
        dataset.PlanarConfiguration = 0
    dataset.Rows = photograph.rows
    dataset.Columns = photograph.columns
    dataset.BitsAllocated = 8
    dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionRatio = _ds(photograph.ratio)
    dataset.LossyImageCompressionMethod = "ISO_10918_1"
    dataset.add_new("PixelData", "OB", encapsulate([photograph.stream]))
    dataset["PixelData"].is_undefined_length = True


def _set_known(dataset: Dataset, **values: object) -> None:
    """Set the elements about which something is known."""
    for keyword, value in values.items():
        if value is not None and value != "":
            setattr(dataset, keyword, value)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    item.CodeMeaning = meaning
    return item


def _ds(number: float | None) -> DSfloat | None:
    return None if number is None else DSfloat(number, auto_format=True)


def _da(day: date | None) -> str:
    return "" if day is None else f"{day.year:04}{day.month:02}{day.day:02}"


def _tm(moment: datetime) -> str:
    return moment.strftime("%H%M%S.%f") if moment.microsecond else moment.strftime("%H%M%S")


def _dt(moment: Moment) -> str:
    return f"{_da(moment.local)}{_tm(moment.local)}{moment.zone}"
