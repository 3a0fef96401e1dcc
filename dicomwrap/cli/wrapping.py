"""What ``dicomwrap wrap`` does with each file: read it, wrap every picture in it, and say how it fared.

Knows files and the order that was checked. Must not print. A photograph that is refused never stops the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, TypedDict

from dicomwrap.cli.orders import Order
from dicomwrap.cli.report import Outcome, Refused, Wrapped
from dicomwrap.encoding import Part10, first_uid
from dicomwrap.errors import DicomwrapError, NotAPhotographError, UnsupportedFilmError, UnsupportedPhotographError
from dicomwrap.iod.modules import Circumstances, Reference, Wrapping, capture_moment
from dicomwrap.photograph import CaptureFacts, Device, Photograph
from dicomwrap.series import Place, Places
from dicomwrap.source.readers import read_photographs
from dicomwrap.subject import Visit
from dicomwrap.uids import derived_uid
from dicomwrap.version import VERSION
from dicomwrap.wrap import stamped, time_warnings, wrap, write

LARGEST_FILE: Final = 1 << 30
_FORM_SERIES: Final = 999  # behind the photographs' series
_FILM_BOXES: Final = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_HEADER_ENOUGH: Final = 1024


@dataclass(slots=True, kw_only=True)
class Study:
    """The study that photographs go into; it begins with the first that can be read."""

    order: Order
    uid: str
    places: Places
    form: Reference | None = None
    started: datetime | None = None
    _visit: Visit | None = None

    def visit(self, facts: CaptureFacts) -> Visit:
        """Return the visit; the first photograph's time of capture is its beginning."""
        if self._visit is None:
            self._visit = Visit(
                study_instance_uid=self.uid,
                started=self.started or capture_moment(facts, self.order.now).local,
                description=self.order.description,
                operator=self.order.operator,
                encounter=self.order.encounter,
            )
        return self._visit


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One file to wrap.

    Attributes:
        source: the file.
        order: what was said about it.
        study_for: gives the study by what the camera said.
        path_for: where the object goes, by the digest of the file and the page.
        uid_for: the SOP Instance UID, by the digest of the file and the page.
        durable: whether the object must be safe on the disk before it is told.
        again: whether an object of the same UID, or half a file, may be in the way of work that is repeated.
    """

    source: Path
    order: Order
    study_for: Callable[[CaptureFacts], Study]
    path_for: Callable[[str, int], Path]
    uid_for: Callable[[str, int], str]
    durable: bool = False
    again: bool = False


def wrap_file(task: Task) -> tuple[Outcome, ...]:
    """Wrap every picture of a file; one outcome each, or one refusal. Never raises for what a file holds."""
    try:
        data = file_bytes(task.source)
        if data[4:8] in _FILM_BOXES and _is_film(data):
            return (_film(task, data),)
        photographs = read_photographs(data, task.order.reading)
    except DicomwrapError as error:
        return (_refused(task, error),)
    return tuple(_outcome(task, photograph) for photograph in photographs)


def wrap_single(task: Task) -> Wrapped:
    """Wrap the one picture of a file.

    Raises:
        DicomwrapError: it can't be wrapped, or the file holds several pictures.
    """
    data = file_bytes(task.source)
    if data[4:8] in _FILM_BOXES and _is_film(data):
        return _film(task, data)
    photographs = read_photographs(data, task.order.reading)
    if len(photographs) > 1:
        raise UnsupportedPhotographError(
            f"The file holds {len(photographs)} pictures",
            "Wrap it with 'dicomwrap wrap', which makes an object of each.",
        )
    return _wrapped(task, photographs[0])


def wrap_form(study: Study, task: Task) -> Outcome:
    """Wrap the signed consent form into the study, in a series of its own."""
    from dicomwrap.iod import encapsulated_pdf

    uid = task.uid_for("", 1)
    place = Place(series_instance_uid=derived_uid("form", uid), series_number=_FORM_SERIES, instance_number=1)
    about = _about(study, task.order, study.visit(CaptureFacts()), place, uid)
    built = stamped(encapsulated_pdf.consent_form(task.order.form, about), task.order.consent, uid, task.order.key)
    try:
        path = _put(task, built, about, "", 1)
    except DicomwrapError as error:
        return _refused(task, error)
    return Wrapped(**_told(task, path, built, about), lossless=True)


def _outcome(task: Task, photograph: Photograph) -> Outcome:
    try:
        return _wrapped(task, photograph)
    except DicomwrapError as error:
        return _refused(task, error, photograph.page)


def _wrapped(task: Task, photograph: Photograph) -> Wrapped:
    order = task.order
    named = replace(photograph, facts=_with_device(photograph.facts, order.device))
    about = _circumstances(task, named.facts, named.sha256, named.page)
    built = wrap(named, about, order.consent, dermoscopy=order.dermoscopy, key=order.key)
    path = _put(task, built, about, named.sha256, named.page)
    return Wrapped(
        **_told(task, path, built, about),
        lossless=not named.added_loss,
        page=named.page,
        sha256=named.sha256,
        rows=named.rows,
        columns=named.columns,
        left_out=named.left_out,
        warnings=(*named.warnings, *time_warnings(named.facts, order.now), *order.warnings),
    )


def _is_film(data: bytes) -> bool:
    from dicomwrap.source.isobmff import is_film

    return is_film(data)


def _film(task: Task, data: bytes) -> Wrapped:
    from dicomwrap.iod.video_photographic import video_photographic
    from dicomwrap.source.film import read_film

    order = task.order
    if order.dermoscopy is not None or order.reading.orientation is not None:
        raise UnsupportedFilmError(
            "DICOM has no dermoscopic film, and no place for a film's orientation",
            "Wrap it without --dermoscopy and --exif-orientation.",
        )
    film = read_film(data, drop_audio=order.drop_audio, orienting=order.reading.orienting)
    named = replace(film, facts=_with_device(film.facts, order.device))
    about = _circumstances(task, named.facts, named.sha256, 1)
    uid = about.wrapping.sop_instance_uid
    built = stamped(video_photographic(named, about), order.consent, uid, order.key)
    path = _put(task, built, about, named.sha256, 1)
    return Wrapped(
        **_told(task, path, built, about),
        lossless=True,
        sha256=named.sha256,
        rows=named.rows,
        columns=named.columns,
        warnings=(*named.warnings, *time_warnings(named.facts, order.now), *order.warnings),
    )


def _circumstances(task: Task, facts: CaptureFacts, sha256: str, page: int) -> Circumstances:
    study = task.study_for(facts)
    place = study.places.place_for(facts.device)
    return _about(study, task.order, study.visit(facts), place, task.uid_for(sha256, page))


def _put(task: Task, built: Part10, about: Circumstances, sha256: str, page: int) -> Path:
    path = task.path_for(sha256, page)
    if task.again:
        make_way(path, about.wrapping.sop_instance_uid)
    write(built, path, durable=task.durable)
    return path


def make_way(path: Path, sop_instance_uid: str) -> None:
    """Remove what interrupted work left at ``path``: half a file, or the same object. Nothing else is removed."""
    try:
        with path.open("rb") as file:
            there = first_uid(file.read(_HEADER_ENOUGH))
    except FileNotFoundError:
        return
    except OSError:
        there = ""
    if there == sop_instance_uid or (path.is_file() and path.stat().st_size == 0):
        path.unlink()


def _about(study: Study, order: Order, visit: Visit, place: Place, uid: str) -> Circumstances:
    return Circumstances(
        patient=order.patient,
        visit=visit,
        place=place,
        view=order.view,
        wrapping=Wrapping(at=order.now, sop_instance_uid=uid, version=VERSION),
        consent_forms=() if study.form is None else (study.form,),
    )


def _with_device(facts: CaptureFacts, said: Device) -> CaptureFacts:
    """Return the facts with what a person said of the device in place of the camera's word."""
    if said == Device():
        return facts
    device = facts.device
    return replace(
        facts,
        device=Device(
            manufacturer=said.manufacturer or device.manufacturer,
            model=said.model or device.model,
            software=said.software or device.software,
            serial_number=said.serial_number or device.serial_number,
        ),
    )


class _Told(TypedDict):
    input: str
    output: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    transfer_syntax: str


def _told(task: Task, path: Path, built: Part10, about: Circumstances) -> _Told:
    return {
        "input": str(task.source),
        "output": str(path),
        "sop_instance_uid": about.wrapping.sop_instance_uid,
        "series_instance_uid": about.place.series_instance_uid,
        "study_instance_uid": about.visit.study_instance_uid,
        "transfer_syntax": str(built.meta["TransferSyntaxUID"]),
    }


def _refused(task: Task, error: DicomwrapError, page: int = 1) -> Refused:
    return Refused(input=str(task.source), page=page, reason=error.reason, remedy=error.remedy)


def file_bytes(photo: Path) -> bytes:
    """Read a photograph's file.

    Raises:
        NotAPhotographError: there is no such file, it is too large, or it can't be read.
    """
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
