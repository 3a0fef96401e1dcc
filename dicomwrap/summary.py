"""Say what a DICOM photograph is, in words: ``dicomwrap inspect``.

Knows where an object says what. Must not print, and must not judge; what is hidden or wrong comes from
``dicomwrap.verify``. Never raises on a file, however hostile. The answer names the patient: it is for the screen of
whoever may see the photograph, never for a log.
"""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset
from pydicom.uid import UID

from dicomwrap import iodtables, words
from dicomwrap.consenttags import read_stamp, seal_state
from dicomwrap.judging.findings import Finding, Severity
from dicomwrap.judging.opening import UnfitFileError, opened, read
from dicomwrap.judging.picture import transfer_syntax_uid
from dicomwrap.judging.profile import description_of
from dicomwrap.judging.values import binary, decimals, items, number, text, texts
from dicomwrap.transfersyntaxes import TRANSFER_SYNTAXES
from dicomwrap.verify import judged

HIDDEN: Final = frozenset({
    "HIDDEN_METADATA", "GPS_ATTRIBUTE", "OWNER_ATTRIBUTE", "THUMBNAIL", "TRAILING_DATA", "ICC_TEXT", "PREAMBLE",
})  # fmt: skip
Facts = dict[str, "str | int | list[Facts] | list[str] | Facts | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What one object says of itself; "" and None stand for what it doesn't say. Field names are keys of the JSON."""

    file: str
    error: str = ""
    sop_class: Facts = field(default_factory=dict)
    transfer_syntax: Facts = field(default_factory=dict)
    picture: Facts = field(default_factory=dict)
    patient: Facts = field(default_factory=dict)
    study: Facts = field(default_factory=dict)
    series: Facts = field(default_factory=dict)
    instance: Facts = field(default_factory=dict)
    taken: Facts = field(default_factory=dict)
    device: Facts = field(default_factory=dict)
    exposure: Facts = field(default_factory=dict)
    view: Facts = field(default_factory=dict)
    operators: list[str] = field(default_factory=list)
    colour_profile: Facts = field(default_factory=dict)
    lossy: list[Facts] = field(default_factory=list)
    derivation: str = ""
    consent: Facts | None = None
    references: list[Facts] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """Return the summary for a program; the keys are always the same."""
        return asdict(self)


def summary_of_file(path: Path, *, key: bytes | None = None) -> Summary:
    """Sum up one file; ``error`` says why when it can't be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydicom; whoever wants to know runs verify
        try:
            with opened(path) as file:
                dataset = read(file)
        except UnfitFileError as unfit:
            return Summary(file=str(path), error=unfit.finding.message)
        return summary(dataset, file=str(path), key=key)


def summary(dataset: Dataset, *, file: str, key: bytes | None = None) -> Summary:
    """Sum up an object that was read and that nobody has looked into yet."""
    findings = judged(dataset, key=key)
    return Summary(
        file=file,
        sop_class=_named(text(dataset, "SOPClassUID")),
        transfer_syntax=_named(transfer_syntax_uid(dataset)),
        picture=_picture(dataset),
        patient=_patient(dataset),
        study=_study(dataset),
        series=_series(dataset),
        instance={"uid": text(dataset, "SOPInstanceUID"), "number": text(dataset, "InstanceNumber")},
        taken=_taken(dataset),
        device=_device(dataset),
        exposure=_exposure(dataset),
        view=_view(dataset),
        operators=[words.person(name) for name in texts(dataset, "OperatorsName") if name],
        colour_profile=_profile(dataset),
        lossy=_lossy(dataset),
        derivation=text(dataset, "DerivationDescription"),
        consent=_consent(dataset, key),
        references=_references(dataset),
        hidden=_hidden(findings),
    )


def _named(uid: str) -> Facts:
    if uid in TRANSFER_SYNTAXES:
        return {"uid": uid, "name": TRANSFER_SYNTAXES[uid].words}
    if uid in iodtables.SOP_CLASSES:
        return {"uid": uid, "name": iodtables.SOP_CLASSES[uid].name}
    name = UID(uid).name if uid else ""
    return {"uid": uid, "name": "" if name == uid else name}


def _picture(dataset: Dataset) -> Facts:
    return {
        "columns": number(dataset, "Columns"),
        "rows": number(dataset, "Rows"),
        "frames": (number(dataset, "NumberOfFrames") or 1) if "PixelData" in dataset else 0,
        "samples": number(dataset, "SamplesPerPixel"),
        "bits": number(dataset, "BitsStored"),
        "photometric": text(dataset, "PhotometricInterpretation"),
    }


def _patient(dataset: Dataset) -> Facts:
    return {
        "name": words.person(text(dataset, "PatientName")),
        "id": text(dataset, "PatientID"),
        "issuer": text(dataset, "IssuerOfPatientID"),
        "birth_date": words.day(text(dataset, "PatientBirthDate")),
        "sex": text(dataset, "PatientSex"),
        "identity_removed": text(dataset, "PatientIdentityRemoved"),
    }


def _study(dataset: Dataset) -> Facts:
    return {
        "uid": text(dataset, "StudyInstanceUID"),
        "id": text(dataset, "StudyID"),
        "date": words.day(text(dataset, "StudyDate")),
        "time": words.clock(text(dataset, "StudyTime")),
        "description": text(dataset, "StudyDescription"),
        "accession_number": text(dataset, "AccessionNumber"),
    }


def _series(dataset: Dataset) -> Facts:
    return {
        "uid": text(dataset, "SeriesInstanceUID"),
        "number": text(dataset, "SeriesNumber"),
        "description": text(dataset, "SeriesDescription"),
        "modality": text(dataset, "Modality"),
    }


def _taken(dataset: Dataset) -> Facts:
    at, offset = words.moment(text(dataset, "AcquisitionDateTime"))
    if not at:
        at, offset = words.moment(text(dataset, "ContentDate") + text(dataset, "ContentTime"))
    return {"at": at, "offset": offset or (words.zone(text(dataset, "TimezoneOffsetFromUTC")) if at else "")}


def _device(dataset: Dataset) -> Facts:
    lens = (text(dataset, keyword) for keyword in ("LensMake", "LensModel"))
    return {
        "manufacturer": text(dataset, "Manufacturer"),
        "model": text(dataset, "ManufacturerModelName"),
        "software": text(dataset, "SoftwareVersions"),
        "serial_number": text(dataset, "DeviceSerialNumber"),
        "lens": " ".join(part for part in lens if part),
    }


def _exposure(dataset: Dataset) -> Facts:
    flash = {0: "did not fire", 1: "fired"}
    return {
        "time": words.exposure_time(decimals(dataset, "ExposureTimeInSeconds")),
        "aperture": words.measured(decimals(dataset, "FNumber"), "f/{}"),
        "sensitivity": words.measured(decimals(dataset, "PhotographicSensitivity"), "ISO {}"),
        "focal_length": words.measured(decimals(dataset, "FocalLength"), "{} mm"),
        "focal_length_35mm": words.measured(decimals(dataset, "FocalLengthIn35mmFilm"), "{} mm"),
        "flash": flash.get(number(dataset, "FlashFiringStatus") or 0, "") if "FlashFiringStatus" in dataset else "",
    }


def _view(dataset: Dataset) -> Facts:
    side = text(dataset, "ImageLaterality") or text(dataset, "Laterality")
    return {
        "sites": [text(region, "CodeMeaning") for region in items(dataset, "AnatomicRegionSequence")],
        "side": words.SIDES.get(side, side),
        "lesion": text(dataset, "TrackingID"),
        "recognisable": text(dataset, "RecognizableVisualFeatures"),
    }


def _profile(dataset: Dataset) -> Facts:
    icc = binary(dataset, "ICCProfile")
    return {
        "description": description_of(icc) if icc else "",
        "color_space": text(dataset, "ColorSpace"),
        "bytes": len(icc),
    }


def _lossy(dataset: Dataset) -> list[Facts]:
    methods, ratios = (texts(dataset, f"LossyImageCompression{what}") for what in ("Method", "Ratio"))
    count = min(max(len(methods), len(ratios)), 100)
    padded = zip(methods + ("",) * (count - len(methods)), ratios + ("",) * (count - len(ratios)), strict=False)
    return [{"method": words.METHODS.get(method, method), "ratio": ratio} for method, ratio in padded]


def _consent(dataset: Dataset, key: bytes | None) -> Facts | None:
    stamp = read_stamp(dataset)
    if stamp is None:
        return None
    return {
        "record": stamp.record_id,
        "version": stamp.record_version,
        "status": words.STATUS.get(stamp.status, stamp.status),
        "basis": stamp.basis,
        "permitted": [words.purpose(code) for code in stamp.permitted],
        "denied": [words.purpose(code) for code in stamp.denied],
        "confidentiality": words.CONFIDENTIALITY.get(stamp.confidentiality, stamp.confidentiality),
        "purpose_of_capture": words.purpose(stamp.capture_purpose),
        "capture_device": stamp.device_class,
        "decided_on": stamp.decided_on.isoformat() if stamp.decided_on else "",
        "not_after": stamp.not_after.isoformat() if stamp.not_after else "",
        "given_by": words.GIVERS.get(stamp.given_by, stamp.given_by),
        "seal": seal_state(dataset, key).value,
    }


def _references(dataset: Dataset) -> list[Facts]:
    return [
        {
            "purpose": "; ".join(text(code, "CodeMeaning") for code in items(item, "PurposeOfReferenceCodeSequence")),
            "sop_class": _named(text(item, "ReferencedSOPClassUID"))["name"],
            "uid": text(item, "ReferencedSOPInstanceUID"),
        }
        for keyword in ("ReferencedInstanceSequence", "ReferencedImageSequence", "SourceImageSequence")
        for item in items(dataset, keyword)
    ]


def _hidden(findings: tuple[Finding, ...]) -> list[str]:
    return [each.message for each in findings if each.code in HIDDEN and each.severity is not Severity.NOTE]
