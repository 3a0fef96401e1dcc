"""The modules that every object of ours shares: patient, study, series, equipment, image, SOP common.

Knows where PS3.3 puts each fact about a visit, a device and a moment. Must not know files, consents or the clock: every
value is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Final

from dicomwrap.anatomy import BodySite
from dicomwrap.elements import Elements, code
from dicomwrap.photograph import CaptureFacts, Device
from dicomwrap.series import Place
from dicomwrap.subject import Encounter, Patient, Request, Visit

IMPLEMENTATION_CLASS_UID: Final = "2.25.322528883987018458695550191836514516683"
IMPLEMENTATION_VERSION_NAME: Final = "DICOMWRAP_1"
MANUFACTURER: Final = "Consentgate"
MODEL: Final = "dicomwrap"
_LONGEST_LO: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesion:
    """One lesion, followed over the years: the same identifier and UID in each of its pictures."""

    id: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the photograph shows: the site, the side as ImageLaterality has it, and the lesion it follows.

    ``recognisable`` is a person's word on whether the picture shows who the patient is; None: nobody said.
    """

    site: BodySite
    laterality: str
    recognisable: bool | None = None
    lesion: Lesion | None = None

    @property
    def visual_features(self) -> str:
        """RecognizableVisualFeatures: a face says YES by itself; NO is for a person to say; "" is not known."""
        if self.recognisable is not None:
            return "YES" if self.recognisable else "NO"
        return "YES" if self.site.recognisable else ""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Another object that this one points at."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Everything about one object but its pixels: whose, where, when, of what, and what it refers to."""

    patient: Patient
    visit: Visit
    place: Place
    view: View
    wrapping: Wrapping
    consent_forms: tuple[Reference, ...] = ()


def capture_moment(facts: CaptureFacts, at: datetime) -> Moment:
    """Return when the photograph was taken: by the camera's word, else the time of wrapping."""
    if facts.taken_at is not None:
        return Moment(local=facts.taken_at, offset=facts.offset)
    return Moment(local=at.replace(tzinfo=None), offset=at.utcoffset())


def meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax: str) -> Elements:
    """Return the file meta information (PS3.10 section 7.1)."""
    return Elements(
        MediaStorageSOPClassUID=sop_class_uid,
        MediaStorageSOPInstanceUID=sop_instance_uid,
        TransferSyntaxUID=transfer_syntax,
        ImplementationClassUID=IMPLEMENTATION_CLASS_UID,
        ImplementationVersionName=IMPLEMENTATION_VERSION_NAME,
    )


def sop_common(sop_class_uid: str, wrapping: Wrapping, taken: Moment, done: str) -> Elements:
    """Return the SOP Common module (PS3.3 section C.12.1); ``done`` says what the wrapper did."""
    made = wrapping.at if taken.offset is None else wrapping.at.astimezone(timezone(taken.offset))
    found = Elements(
        SpecificCharacterSet="ISO_IR 192",
        SOPClassUID=sop_class_uid,
        SOPInstanceUID=wrapping.sop_instance_uid,
        InstanceCreationDate=da(made),
        InstanceCreationTime=tm(made),
        InstanceOriginStatus="LOCAL",
        ContributingEquipmentSequence=[_wrapper(wrapping, done)],
    )
    found.known(TimezoneOffsetFromUTC=taken.zone)
    return found


def _wrapper(wrapping: Wrapping, done: str) -> Elements:
    """Return the item that names this program (PS3.3 section C.12.1.1.5)."""
    return Elements(
        PurposeOfReferenceCodeSequence=[code("109103", "DCM", "Modifying Equipment")],
        Manufacturer=MANUFACTURER,
        ManufacturerModelName=MODEL,
        SoftwareVersions=wrapping.version,
        ContributionDateTime=dt(Moment(local=wrapping.at.replace(tzinfo=None), offset=wrapping.at.utcoffset())),
        ContributionDescription=done,
    )


def patient(who: Patient) -> Elements:
    """Return the Patient module (PS3.3 section C.7.1.1)."""
    found = Elements(PatientName=who.name, PatientID=who.id, PatientBirthDate=da(who.birth_date), PatientSex=who.sex)
    found.known(IssuerOfPatientID=who.issuer)
    return found


def study(visit: Visit) -> Elements:
    """Return the General Study and Patient Study modules (PS3.3 sections C.7.2.1 and C.7.2.2)."""
    encounter = visit.encounter
    found = Elements(
        StudyInstanceUID=visit.study_instance_uid,
        StudyDate=da(visit.started),
        StudyTime=tm(visit.started),
        StudyID=visit.started.strftime("%Y%m%d%H%M%S"),
        AccessionNumber=encounter.accession,
        ReferringPhysicianName=encounter.referrer,
    )
    found.known(
        StudyDescription=visit.description,
        AdmissionID=encounter.admission_id,
        ReasonForVisit=encounter.reason,
        RequestingService=encounter.service,
    )
    if encounter.admission_issuer:
        found["IssuerOfAdmissionIDSequence"] = [Elements(LocalNamespaceEntityID=encounter.admission_issuer)]
    return found


def series(modality: str, description: str, place: Place, visit: Visit) -> Elements:
    """Return the General Series module (PS3.3 section C.7.3.1)."""
    found = Elements(
        Modality=modality,
        SeriesInstanceUID=place.series_instance_uid,
        SeriesNumber=place.series_number,
        SeriesDescription=description[:_LONGEST_LO],
    )
    found.known(OperatorsName=visit.operator)
    if visit.encounter.request is not None:
        found["RequestAttributesSequence"] = [_request(visit.encounter.request)]
    return found


def _request(request: Request) -> Elements:
    item = Elements()
    item.known(
        RequestedProcedureID=request.procedure_id,
        RequestedProcedureDescription=request.procedure,
        ScheduledProcedureStepID=request.step_id,
        ScheduledProcedureStepDescription=request.step,
    )
    return item


def equipment(device: Device, encounter: Encounter) -> Elements:
    """Return the General Equipment module (PS3.3 section C.7.5.1)."""
    found = Elements(Manufacturer=device.manufacturer)
    found.known(
        ManufacturerModelName=device.model,
        SoftwareVersions=device.software,
        DeviceSerialNumber=device.serial_number,
        InstitutionName=encounter.institution,
        InstitutionalDepartmentName=encounter.department,
    )
    return found


def image(about: Circumstances, taken: Moment, facts: CaptureFacts) -> Elements:
    """Return what the General Image and VL Image modules say of view and time (PS3.3 sections C.7.6.1, C.8.12.1).

    When the picture was acquired is said only when the camera said it.
    """
    site = about.view.site
    found = Elements(
        InstanceNumber=about.place.instance_number,
        ContentDate=da(taken.local),
        ContentTime=tm(taken.local),
        PatientOrientation="",
        ImageLaterality=about.view.laterality,
        AcquisitionContextSequence=[],
        AnatomicRegionSequence=[code(site.value, site.scheme, site.meaning)],
    )
    found.known(
        RecognizableVisualFeatures=about.view.visual_features,
        AcquisitionDateTime=None if facts.taken_at is None else dt(taken),
    )
    if about.consent_forms:
        found["ReferencedInstanceSequence"] = [_consent_form(form) for form in about.consent_forms]
    if about.view.lesion is not None:
        found.update(TrackingID=about.view.lesion.id, TrackingUID=about.view.lesion.uid)
    return found


def _consent_form(form: Reference) -> Elements:
    return Elements(
        ReferencedSOPClassUID=form.sop_class_uid,
        ReferencedSOPInstanceUID=form.sop_instance_uid,
        PurposeOfReferenceCodeSequence=[code("59284-0", "LN", "Consent Document")],
    )


def da(day: date | None) -> str:
    """Return a day as DA has it (PS3.5 section 6.2); "" when it isn't known."""
    return "" if day is None else f"{day.year:04}{day.month:02}{day.day:02}"


def tm(moment: datetime) -> str:
    """Return a time of day as TM has it."""
    whole = f"{moment.hour:02}{moment.minute:02}{moment.second:02}"
    return f"{whole}.{moment.microsecond:06}" if moment.microsecond else whole


def dt(moment: Moment) -> str:
    """Return a moment as DT has it, with its distance from UTC where that is known."""
    return f"{da(moment.local)}{tm(moment.local)}{moment.zone}"
