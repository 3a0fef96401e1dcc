"""What ``dicomwrap wrap`` does: check the order as a whole, then wrap one photograph after the other.

Knows files, options and their faults. Must not print. A photograph that is refused never stops the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, TypeVar

from dicomwrap.anatomy import body_site, laterality_from_text
from dicomwrap.cli.report import Refused, Wrapped
from dicomwrap.consentfile import read_consent
from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.consentstamp import (
    NORMAL,
    RESTRICTED,
    ConsentStamp,
    permitted_purposes,
    stamp_of,
    stamp_without_consent,
)
from dicomwrap.errors import DicomwrapError, NotAPhotographError, PatientDetailsError, ProblemsError
from dicomwrap.iod.vl_photographic import View, Wrapping, capture_moment
from dicomwrap.photograph import Photograph
from dicomwrap.series import SeriesBook
from dicomwrap.source.readers import read_photograph
from dicomwrap.subject import (
    Patient,
    Visit,
    name_problem,
    patient_from_text,
    person_name,
    text_problem,
)
from dicomwrap.terms import ConsentState, Purpose
from dicomwrap.uids import UidSource
from dicomwrap.wrap import time_warnings, wrap, write

LARGEST_FILE: Final = 1 << 29
LARGEST_CONSENT: Final = 1 << 20
Found = TypeVar("Found")


class UsageProblemsError(Exception):
    """The call itself is wrong; ``problems`` says in what, all at once."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One call, checked: what to wrap, for whom, and where to."""

    photos: tuple[Path, ...]
    out: Path
    now: datetime
    patient: Patient
    view: View
    consent: ConsentStamp
    description: str
    operator: str
    warnings: tuple[str, ...]


def order(
    *,
    photos: tuple[Path, ...],
    out: Path,
    now: datetime,
    patient_id: str = "",
    issuer: str = "",
    patient_name: str = "",
    birth_date: str = "",
    sex: str = "",
    body_site: str = "",
    laterality: str = "",
    consent: Path | None = None,
    purpose: str = Purpose.DIRECT_CARE.value,
    operator: str = "",
    study_description: str = "",
) -> Order:
    """Check a call as a whole.

    Raises:
        UsageProblemsError: names everything that is wrong with it.
    """
    faults = _Faults()
    record = faults.told(lambda: None if consent is None else _consent(consent), None)
    patient_id, issuer = faults.told(
        lambda: _identity(record, patient_id.strip(), issuer.strip()), (patient_id, issuer)
    )
    patient = faults.told(
        lambda: patient_from_text(
            patient_id=patient_id, issuer=issuer, name=patient_name, birth_date=birth_date, sex=sex, today=now.date()
        ),
        Patient(),
    )
    view = _view(faults, body_site, laterality)
    reason = faults.told(lambda: _purpose(purpose), Purpose.DIRECT_CARE)
    faults.text("--operator", name_problem(operator))
    faults.text("--study-description", text_problem(study_description))
    faults.text("--out", _out_problem(out, len(photos)))
    faults.raise_if_any()
    return Order(
        photos=photos,
        out=out,
        now=now,
        patient=patient,
        view=view,
        consent=_stamp(record, reason, view),
        description=study_description.strip(),
        operator=person_name(operator),
        warnings=(*_patient_warnings(patient, laterality), *_consent_warnings(record, reason, now)),
    )


def wrap_each(order: Order, new_uid: UidSource) -> Iterator[Wrapped | Refused]:
    """Wrap the photographs one after the other; the visit begins with the first that can be read."""
    series = SeriesBook(new_uid=new_uid)
    names = _Names(order.out)
    study_uid, visit = new_uid(), None
    for photo in order.photos:
        try:
            photograph = read_photograph(_bytes(photo))
            visit = visit or _visit(order, photograph, study_uid)
            yield _wrapped(order, photo, photograph, visit, series, names, new_uid())
        except DicomwrapError as error:
            yield Refused(photo=str(photo), reason=error.reason, remedy=error.remedy)


def _wrapped(
    order: Order, photo: Path, photograph: Photograph, visit: Visit, series: SeriesBook, names: _Names, uid: str
) -> Wrapped:
    place = series.place_for(photograph.facts.device)
    dataset = wrap(
        photograph,
        patient=order.patient,
        visit=visit,
        place=place,
        view=order.view,
        consent=order.consent,
        wrapping=Wrapping(at=order.now, sop_instance_uid=uid, version=_version()),
    )
    path = names.path_for(photo)
    write(dataset, path)
    return Wrapped(
        photo=str(photo),
        file=str(path),
        sop_instance_uid=uid,
        series_instance_uid=place.series_instance_uid,
        study_instance_uid=visit.study_instance_uid,
        sha256=photograph.sha256,
        rows=photograph.rows,
        columns=photograph.columns,
        warnings=(*photograph.warnings, *time_warnings(photograph, order.now), *order.warnings),
    )


class _Faults:
    """What is wrong with a call, gathered."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def text(self, option: str, problem: str | None) -> None:
        if problem is not None:
            self.problems.append(f"{option}: {problem}")

    def told(self, read: Callable[[], Found], otherwise: Found) -> Found:
        """Return what ``read`` reads; ``otherwise``, with its problems remembered, when it can't."""
        try:
            return read()
        except ProblemsError as error:
            self.problems.extend(error.problems)
            return otherwise

    def raise_if_any(self) -> None:
        if self.problems:
            raise UsageProblemsError(self.problems)


class _Names:
    """Names of the objects of one call: after the photograph, with -2, -3 where two photographs share a name."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self._taken: set[str] = set()

    def path_for(self, photo: Path) -> Path:
        if _is_file_name(self.out):
            return self.out
        number, name = 1, photo.stem
        while name.casefold() in self._taken:
            number += 1
            name = f"{photo.stem}-{number}"
        self._taken.add(name.casefold())
        return self.out / f"{name}.dcm"


def _consent(path: Path) -> ConsentRecord:
    try:
        if path.stat().st_size > LARGEST_CONSENT:
            raise PatientDetailsError(("--consent: the file is too large to be a consent",))
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise PatientDetailsError((f"--consent: can't be read ({error.strerror})",)) from error
    except ValueError as error:
        raise PatientDetailsError(("--consent: is no text in UTF-8",)) from error
    try:
        return read_consent(text)
    except ProblemsError as error:
        raise PatientDetailsError(tuple(f"--consent: {problem}" for problem in error.problems)) from error


def _identity(record: ConsentRecord | None, patient_id: str, issuer: str) -> tuple[str, str]:
    """Return the patient's number and its issuer: as given, else as the consent has them; never two patients."""
    if record is None or record.patient_id is None:
        return patient_id, issuer
    if patient_id not in ("", record.patient_id.strip()):
        raise PatientDetailsError(("--consent: is another patient's; give the consent of the patient you name",))
    if record.issuer is not None and issuer not in ("", record.issuer.strip()):
        raise PatientDetailsError(("--consent: its patient's number has another issuer",))
    return record.patient_id, issuer or record.issuer or ""


def _view(faults: _Faults, site: str, laterality: str) -> View:
    return View(
        site=faults.told(lambda: body_site(site), body_site(None)),
        laterality=faults.told(lambda: laterality_from_text(laterality or "U"), "U"),
    )


def _purpose(text: str) -> Purpose:
    try:
        return Purpose(text.strip().upper())
    except ValueError:
        raise PatientDetailsError((f"--purpose: unknown; allowed are {', '.join(Purpose)}",)) from None


def _out_problem(out: Path, photos: int) -> str | None:
    if _is_file_name(out):
        return "is one file, but several photographs are given; name a folder" if photos > 1 else None
    return "is a file; name a folder, or a file that ends in .dcm" if out.is_file() else None


def _is_file_name(out: Path) -> bool:
    return out.suffix.lower() == ".dcm" and not out.is_dir()


def _stamp(record: ConsentRecord | None, purpose: Purpose, view: View) -> ConsentStamp:
    level = RESTRICTED if view.site.intimate else NORMAL
    if record is None:
        return stamp_without_consent(purpose, confidentiality=level)
    return stamp_of(record, purpose, confidentiality=level)


def _patient_warnings(patient: Patient, laterality: str) -> tuple[str, ...]:
    nobody = "no patient's number was given; an archive can't tell whose photograph this is"
    sideless = "no side was given; written as unpaired"
    return (*(() if patient.id else (nobody,)), *(() if laterality.strip() else (sideless,)))


def _consent_warnings(record: ConsentRecord | None, purpose: Purpose, now: datetime) -> tuple[str, ...]:
    if record is None:
        return ("no consent was given; the object says so",)
    if record.state is not ConsentState.GIVEN:
        return (f"the consent's state is {record.state}; the object says so",)
    found = []
    if purpose not in permitted_purposes(record):
        found.append(f"the consent doesn't permit {purpose}, the purpose of capture")
    if all(scope.valid_to is not None and scope.valid_to < now.date() for scope in record.scopes):
        found.append("the consent has expired")
    if all(scope.valid_from > now.date() for scope in record.scopes):
        found.append("the consent isn't in force yet")
    return tuple(found)


def _visit(order: Order, photograph: Photograph, study_uid: str) -> Visit:
    return Visit(
        study_instance_uid=study_uid,
        started=capture_moment(photograph, order.now).local,
        description=order.description,
        operator=order.operator,
    )


def _bytes(photo: Path) -> bytes:
    try:
        if not photo.exists():
            raise NotAPhotographError("There is no such file", "Check the path.")
        if not photo.is_file():
            raise NotAPhotographError("This isn't a file", "Give the photographs themselves, not their folder.")
        if photo.stat().st_size > LARGEST_FILE:
            raise NotAPhotographError(f"The file is larger than {LARGEST_FILE >> 20} MiB")
        return photo.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise NotAPhotographError(
            f"The file can't be read ({reason})", "Check the path and its permissions."
        ) from error


def _version() -> str:
    try:
        return version("consentgate")
    except PackageNotFoundError:
        return "unknown"
