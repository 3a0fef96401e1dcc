"""Wrap the photographs named on the command line: one call, one patient, one study.

Knows names of outputs and fresh UIDs. Must not print.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from dicomwrap.cli.jobs import each
from dicomwrap.cli.orders import Order
from dicomwrap.cli.report import Outcome, Wrapped
from dicomwrap.cli.wrapping import Study, Task, file_bytes, wrap_file, wrap_form
from dicomwrap.errors import DicomwrapError
from dicomwrap.iod.modules import Reference, capture_moment
from dicomwrap.photograph import CaptureFacts
from dicomwrap.series import DerivedPlace, SeriesBook
from dicomwrap.source.readers import read_photographs
from dicomwrap.uids import UidSource


def wrap_each(
    photos: tuple[Path, ...], out: Path, order: Order, new_uid: UidSource, *, jobs: int = 1, form_name: str = ""
) -> Iterator[Outcome]:
    """Wrap the photographs into one study, several at a time; the consent form, when there is one, comes last."""
    names = _Names(out)
    form_uid = new_uid() if order.form else ""
    study = Study(
        order=order,
        uid=order.study_uid or new_uid(),
        places=SeriesBook(new_uid=new_uid),
        form=_form(form_uid) if form_uid else None,
        started=_first_moment(photos, order) if jobs > 1 else None,
    )
    tasks = tuple(
        Task(
            source=photo,
            order=order,
            study_for=_study_for(study, number, jobs),
            path_for=_by_page(names.for_photo(photo)),
            uid_for=lambda _, __: new_uid(),
        )
        for number, photo in enumerate(photos, start=1)
    )
    wrapped = False
    for outcomes in each(wrap_file, tasks, jobs):
        wrapped = wrapped or any(isinstance(outcome, Wrapped) for outcome in outcomes)
        yield from outcomes
    if order.form and wrapped:  # a form without a photograph is filed by other means
        form = replace(
            tasks[0], source=Path(form_name), path_for=lambda _, __: names.for_form(), uid_for=lambda _, __: form_uid
        )
        yield wrap_form(study, form)


def _form(uid: str) -> Reference:
    from dicomwrap.iod.encapsulated_pdf import SOP_CLASS_UID

    return Reference(sop_class_uid=SOP_CLASS_UID, sop_instance_uid=uid)


def _by_page(path_for: Callable[[int], Path]) -> Callable[[str, int], Path]:
    return lambda _, page: path_for(page)


def _study_for(study: Study, number: int, jobs: int) -> Callable[[CaptureFacts], Study]:
    """Return the study as a task sees it; where others work beside it, a photograph's place is its number's."""
    if jobs == 1:
        return lambda _: study
    alone = replace(study, places=DerivedPlace(study_instance_uid=study.uid, number=number))
    return lambda _: alone


def _first_moment(photos: tuple[Path, ...], order: Order) -> datetime:
    """Return when the first photograph that can be read was taken: the visit begins with it."""
    for photo in photos:
        try:
            return capture_moment(read_photographs(file_bytes(photo), order.reading)[0].facts, order.now).local
        except DicomwrapError:
            continue
    return order.now.replace(tzinfo=None)


def out_problem(out: Path, photos: int) -> str | None:
    """Say why the objects can't go to ``out``; None when they can."""
    if is_file_name(out):
        return "--out: is one file, but several photographs are given; name a folder" if photos > 1 else None
    return "--out: is a file; name a folder, or a file that ends in .dcm" if out.is_file() else None


def is_file_name(out: Path) -> bool:
    """Tell whether ``out`` names one object rather than a folder."""
    return out.suffix.lower() == ".dcm" and not out.is_dir()


class _Names:
    """Names of the objects of one call: after the photograph, with -2, -3 where two pictures share a name."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self._taken: set[str] = set()

    def for_photo(self, photo: Path) -> Callable[[int], Path]:
        """Return the path of each picture of a photograph's file."""
        if is_file_name(self.out):
            return lambda page: self.out if page == 1 else self.out.with_stem(f"{self.out.stem}-p{page}")
        number, name = 1, photo.stem
        while name.casefold() in self._taken:
            number += 1
            name = f"{photo.stem}-{number}"
        self._taken.add(name.casefold())
        return lambda page: self.out / (f"{name}.dcm" if page == 1 else f"{name}-p{page}.dcm")

    def for_form(self) -> Path:
        """Return the path of the consent form."""
        if is_file_name(self.out):
            return self.out.with_stem(f"{self.out.stem}-consent-form")
        return self.for_photo(Path("consent-form"))(1)
