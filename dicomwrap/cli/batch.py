"""Wrap the photographs named on the command line: one call, one patient, one study.

Knows names of outputs and fresh UIDs. Must not print.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from dicomwrap.cli.orders import Order
from dicomwrap.cli.report import Outcome, Wrapped
from dicomwrap.cli.wrapping import Study, Task, each, wrap_file, wrap_form
from dicomwrap.iod import encapsulated_pdf
from dicomwrap.iod.modules import Reference
from dicomwrap.series import SeriesBook
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
        form=Reference(sop_class_uid=encapsulated_pdf.SOP_CLASS_UID, sop_instance_uid=form_uid) if form_uid else None,
    )

    def task(source: Path, path_for: Callable[[int], Path], uid_for: Callable[[str, int], str]) -> Task:
        return Task(source=source, order=order, study_for=lambda _: study, path_for=path_for, uid_for=uid_for)

    tasks = (task(photo, names.for_photo(photo), lambda _, __: new_uid()) for photo in photos)
    wrapped = False
    for outcomes in each(wrap_file, tasks, jobs):
        wrapped = wrapped or any(isinstance(outcome, Wrapped) for outcome in outcomes)
        yield from outcomes
    if order.form and wrapped:  # a form without a photograph is filed by other means
        yield wrap_form(study, task(Path(form_name), lambda _: names.for_form(), lambda _, __: form_uid))


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
