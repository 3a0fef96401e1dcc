"""Check what was said about photographs as a whole, and turn it into what the wrapper needs.

Knows the fields and their faults. Must not print, and must not read photographs. Every fault is told at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

from dicomwrap.anatomy import body_site, laterality_from_text
from dicomwrap.cli.details import Details
from dicomwrap.cli.papers import Papers
from dicomwrap.cli.stamping import stamp_for, stamp_warnings
from dicomwrap.consentstamp import ConsentStamp
from dicomwrap.errors import PatientDetailsError, ProblemsError
from dicomwrap.iod.modules import Lesion, View
from dicomwrap.photograph import MOST_PIXELS, Device, Orienting, Reading
from dicomwrap.subject import Encounter, Patient, Request, name_problem, patient_from_text, person_name, text_problem
from dicomwrap.uids import derived_uid, is_uid

_LONGEST_SH: Final = 16
_LONGEST_REASON: Final = 1024
YES_NO: Final = {"": None, "yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_ORIENTING: Final = {each.value: each for each in Orienting}
_LO: Final = (
    "study_description", "admission_issuer", "institution", "department", "service", "procedure", "step",
    "manufacturer", "model", "serial_number", "software", "lesion", "admission_id",
)  # fmt: skip
_DERMOSCOPIC: Final = ("dermoscopy", "polarised", "contact", "immersion", "magnification", "colour_temperature")
_SH: Final = ("accession", "procedure_id", "step_id")
if TYPE_CHECKING:
    from dicomwrap.consentrecord import ConsentRecord
    from dicomwrap.iod.dermoscopic import Dermoscopy

Found = TypeVar("Found")


class UsageProblemsError(Exception):
    """What was said is wrong; ``problems`` says in what, all at once."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be wrapped how, for whom: checked. The same for every photograph of one call or one row.

    Attributes:
        now: when, with a time zone.
        patient: who is in the pictures.
        view: what the pictures show.
        consent: what the objects say of their consent.
        description: of the study.
        operator: who took the pictures, in DICOM's form.
        encounter: the visit.
        device: what a person said of the device; wins over the camera's word.
        reading: how to read photographs.
        dermoscopy: how the lesion was looked at; None for an ordinary photograph.
        study_uid: the study to wrap into; "" for a new one.
        form: the signed consent form, a PDF's bytes.
        key: seals the stamps.
        drop_audio: wrap a film without its sound.
        warnings: sentences for a person, the same for every photograph.
    """

    now: datetime
    patient: Patient = field(default_factory=Patient)
    view: View
    consent: ConsentStamp
    description: str = ""
    operator: str = ""
    encounter: Encounter = field(default_factory=Encounter)
    device: Device = field(default_factory=Device)
    reading: Reading = field(default_factory=Reading)
    dermoscopy: Dermoscopy | None = None
    study_uid: str = ""
    form: bytes = b""
    key: bytes | None = None
    drop_audio: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is the same for every photograph of a call, whatever the manifest's rows say."""

    now: datetime
    most_pixels: int = MOST_PIXELS
    prove: bool = False
    key: bytes | None = None
    drop_audio: bool = False


def order(details: Details, settings: Settings, papers: Papers) -> Order:
    """Check what was said about one photograph, or about all of a call.

    Raises:
        UsageProblemsError: names everything that is wrong with it.
    """
    faults = Faults()
    faults.texts(details)
    record = faults.told(lambda: papers.consent(details.consent), None)
    patient = faults.told(lambda: _patient(details, record, settings.now), Patient())
    view = _view(faults, details, patient)
    consent = faults.told(lambda: stamp_for(record, details, view), ConsentStamp())
    dermoscopy = _dermoscopy(faults, details)
    reading = _reading(faults, details, settings)
    form = faults.told(lambda: papers.form(details.consent_form), b"")
    faults.raise_if_any()
    return Order(
        now=settings.now,
        patient=patient,
        view=view,
        consent=consent,
        description=details.study_description.strip(),
        operator=person_name(details.operator),
        encounter=_encounter(details),
        device=_device(details),
        reading=reading,
        dermoscopy=dermoscopy,
        study_uid=details.study_uid.strip(),
        form=form,
        key=settings.key,
        drop_audio=settings.drop_audio,
        warnings=(*_patient_warnings(patient, details, view), *stamp_warnings(record, consent, view, settings.now)),
    )


class Faults:
    """What is wrong with what was said, gathered."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def texts(self, details: Details) -> None:
        """Check every field that is plain text."""
        for name in ("operator", "referrer"):
            self.text(name, name_problem(getattr(details, name)))
        for name in _LO:
            self.text(name, text_problem(getattr(details, name)))
        self.text("reason", text_problem(details.reason, _LONGEST_REASON))
        for name in _SH:
            self.text(name, text_problem(getattr(details, name), _LONGEST_SH))
        uid = details.study_uid.strip()
        self.text("study_uid", None if not uid or is_uid(uid) else "is no UID: digits and dots, 64 at most")

    def text(self, name: str, problem: str | None) -> None:
        """Remember what is wrong with a field, if anything is."""
        if problem is not None:
            self.problems.append(f"{_option(name)}: {problem}")

    def told(self, read: Callable[[], Found], otherwise: Found) -> Found:
        """Return what ``read`` reads; ``otherwise``, with its problems remembered, when it can't."""
        try:
            return read()
        except ProblemsError as error:
            self.problems.extend(error.problems)
            return otherwise

    def choice(self, name: str, text: str, allowed: dict[str, Found], otherwise: Found) -> Found:
        """Return what a word stands for; ``otherwise``, with a problem remembered, when it stands for nothing."""
        try:
            return allowed[text.strip().lower()]
        except KeyError:
            self.text(name, f"must be one of {', '.join(word for word in allowed if word)}")
            return otherwise

    def number(self, name: str, text: str) -> float | None:
        """Return a positive number; None, with a problem remembered unless the text is empty, when it is none."""
        try:
            value = float(text) if text.strip() else None
        except ValueError:
            value = -1.0
        if value is not None and not 0 < value < 1e6:
            self.text(name, "must be a positive number")
            return None
        return value

    def raise_if_any(self) -> None:
        """Tell everything that was gathered.

        Raises:
            UsageProblemsError: something is wrong.
        """
        if self.problems:
            raise UsageProblemsError(self.problems)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _patient(details: Details, record: ConsentRecord | None, now: datetime) -> Patient:
    number, issuer = _identity(record, details.patient_id.strip(), details.issuer.strip())
    return patient_from_text(
        patient_id=number,
        issuer=issuer,
        name=details.patient_name,
        birth_date=details.birth_date,
        sex=details.sex,
        today=now.date(),
    )


def _identity(record: ConsentRecord | None, patient_id: str, issuer: str) -> tuple[str, str]:
    """Return the patient's number and its issuer: as given, else as the consent has them; never two patients."""
    if record is None or record.patient_id is None:
        return patient_id, issuer
    if patient_id not in ("", record.patient_id.strip()):
        raise PatientDetailsError(("--consent: is another patient's; give the consent of the patient you name",))
    if record.issuer is not None and issuer not in ("", record.issuer.strip()):
        raise PatientDetailsError(("--consent: its patient's number has another issuer",))
    return record.patient_id, issuer or record.issuer or ""


def _view(faults: Faults, details: Details, patient: Patient) -> View:
    lesion = details.lesion.strip()
    if lesion and not patient.id and not details.patient_id.strip():
        faults.text("lesion", "needs --patient-id; a lesion is one patient's")
    return View(
        site=faults.told(lambda: body_site(details.body_site), body_site(None)),
        laterality=faults.told(lambda: laterality_from_text(details.laterality or "U"), "U"),
        recognisable=faults.choice("recognisable", details.recognisable, YES_NO, None),
        lesion=Lesion(id=lesion, uid=derived_uid("lesion", patient.issuer, patient.id, lesion)) if lesion else None,
    )


def _dermoscopy(faults: Faults, details: Details) -> Dermoscopy | None:
    if not any(getattr(details, name) for name in _DERMOSCOPIC):
        return None
    from dicomwrap.cli.dermoscopy import dermoscopy  # most photographs are none

    return dermoscopy(faults, details)


def _reading(faults: Faults, details: Details, settings: Settings) -> Reading:
    believed = details.exif_orientation.strip()
    if believed not in ("", *"12345678"):
        faults.text("exif_orientation", "must be 1 (upright already) to 8")
        believed = ""
    return Reading(
        most_pixels=settings.most_pixels,
        orienting=faults.choice(
            "orientation",
            details.orientation or Orienting.REENCODE,
            {each.value: each for each in Orienting},
            Orienting.KEEP,
        ),
        orientation=int(believed) if believed else None,
        prove=settings.prove,
    )


def _encounter(details: Details) -> Encounter:
    request = Request(
        procedure_id=details.procedure_id.strip(),
        procedure=details.procedure.strip(),
        step_id=details.step_id.strip(),
        step=details.step.strip(),
    )
    return Encounter(
        accession=details.accession.strip(),
        admission_id=details.admission_id.strip(),
        admission_issuer=details.admission_issuer.strip(),
        institution=details.institution.strip(),
        department=details.department.strip(),
        service=details.service.strip(),
        reason=details.reason.strip(),
        referrer=person_name(details.referrer),
        request=None if request == Request() else request,
    )


def _device(details: Details) -> Device:
    return Device(
        manufacturer=details.manufacturer.strip(),
        model=details.model.strip(),
        software=details.software.strip(),
        serial_number=details.serial_number.strip(),
    )


def _patient_warnings(patient: Patient, details: Details, view: View) -> tuple[str, ...]:
    doubts = {
        "no patient's number was given; an archive can't tell whose photograph this is": not patient.id,
        "no side was given; written as unpaired": not details.laterality.strip(),
        "without --issuer the lesion's UID can be another patient's elsewhere": view.lesion and not patient.issuer,
    }
    return tuple(words for words, doubtful in doubts.items() if doubtful)
