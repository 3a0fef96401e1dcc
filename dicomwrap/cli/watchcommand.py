"""``dicomwrap watch``: a tethered camera's folder, from the photograph to its deletion receipt.

Knows click, and how a task of the outbox becomes an object. Must not know the order of the steps, nor DICOM's messages.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import click

from dicomwrap.cli import orders
from dicomwrap.cli.details import Details
from dicomwrap.cli.main import Tools
from dicomwrap.cli.options import detail_options, details
from dicomwrap.cli.papers import Papers
from dicomwrap.cli.sending import route, send_options, send_order
from dicomwrap.cli.visits import Visits
from dicomwrap.cli.watching import Courier, show, stopped_by_signals, watch, watch_options
from dicomwrap.cli.wrapcommand import stamp_key
from dicomwrap.cli.wrapping import Study, Task, wrap_single
from dicomwrap.errors import DicomwrapError, OutputError
from dicomwrap.outbox import Made, Uids
from dicomwrap.outbox import Task as Photo
from dicomwrap.sending.delivery import Terms
from dicomwrap.series import DerivedPlace
from dicomwrap.version import VERSION

SUFFIXES: Final = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".heic", ".heif", ".hif", ".avif", ".png", ".tif", ".tiff", ".webp",
    ".bmp", ".mp4", ".mov", ".m4v",
    # refused, with a note, so that nobody waits for them
    ".dng", ".nef", ".nrw", ".cr2", ".cr3", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw", ".gif", ".jxl", ".jp2",
    ".psd",
})  # fmt: skip
_NUMBERS: Final = 999  # as many as an anonymised copy may keep
_VISITS: Final = Path(".dicomwrap", "visits")


@click.command("watch")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@send_options
@watch_options
@click.option("--stamp-key", type=click.Path(path_type=Path), help="Seals the consent stamps.")
@click.option("--drop-audio", is_flag=True, help="Wrap a film without its sound; else it is refused.")
@detail_options
@click.pass_context
def watch_command(
    context: click.Context,
    /,
    folder: Path,
    receipts: Path | None,
    settle: float,
    every: float,
    once: bool,
    keep: bool,
    delete_all: bool,
    take_existing: bool,
    **options: object,
) -> None:
    """Wrap each photograph that a camera puts into FOLDER, send it, and delete it when the archive vouches for it.

    A file of which something is left out, such as a second picture, is kept unless --delete-all is given.

    After a crash start it again: nothing is lost, and nothing is sent twice. What is refused stays, with the reason in
    a text file beside it. With --once, photographs that are there already are taken, and the command ends.

    Exit code 0: nothing is left on its way. 1: something is (start the watch again), or was refused. 2: the call itself
    is wrong.
    """
    tools = context.find_object(Tools) or Tools()
    said = details(options)
    if said.consent_form:
        raise click.UsageError(
            "--consent-form: wrap and send the form with the first photographs, by 'dicomwrap wrap'."
        )
    said = replace(said, consent=str(Path(said.consent).absolute()) if said.consent else "")
    try:
        settings = orders.Settings(
            now=tools.now(),
            prove=True,
            key=stamp_key(options.pop("stamp_key")),
            drop_audio=bool(options.pop("drop_audio")),
        )
        orders.order(said, settings, Papers())
    except orders.UsageProblemsError as error:
        raise click.UsageError("\n".join(error.problems)) from error
    order = send_order(**options)  # type: ignore[arg-type]
    known = {name: text for name, text in asdict(said).items() if text}
    visits = Visits(folder / _VISITS)
    try:
        with route(order, tools.new_uid) as way, stopped_by_signals() as stop:
            left = watch(
                folder,
                wrapper(settings, visits),
                Courier(way, Terms(moment=tools.now, version=VERSION, receipts=receipts)),
                assign=_assigner(visits, known, tools),
                details=known,
                moment=tools.now,
                wanted=lambda name: Path(name).suffix.lower() in SUFFIXES,
                stop=stop,
                tell=show,
                settle=settle,
                every=every,
                once=once,
                delete=not keep,
                delete_all=delete_all,
                take_existing=take_existing or once,
            )
    except DicomwrapError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(1 if left else 0)


def wrapper(settings: orders.Settings, visits: Visits) -> Callable[[Path, Photo, Path], Made]:
    """Return what makes the object of a photograph: by its task alone, so that doing it again gives the same object."""

    def wrap_one(photo: Path, task: Photo, target: Path) -> Made:
        order = _order(Details(**task.details), replace(settings, now=task.at))
        study = Study(
            order=order,
            uid=task.uids.study_instance_uid,
            places=DerivedPlace(
                study_instance_uid=task.uids.study_instance_uid, number=(task.number - 1) % _NUMBERS + 1
            ),
            started=visits.started(task.uids.study_instance_uid, task.at.replace(tzinfo=None)),
        )
        made = wrap_single(
            Task(
                source=photo,
                order=order,
                study_for=lambda _: study,
                path_for=lambda _, __: target,
                uid_for=lambda _, __: task.uids.sop_instance_uid,
                durable=True,
            )
        )
        return Made(warnings=made.warnings, left_out=made.left_out)

    return wrap_one


def _order(said: Details, settings: orders.Settings) -> orders.Order:
    """Check the details of a task again.

    Raises:
        OutputError: they can't be used now; the photograph waits.
    """
    try:
        return orders.order(said, settings, Papers())
    except orders.UsageProblemsError as error:
        raise OutputError("; ".join(error.problems), "Put back what was there when the watch began.") from error


def _assigner(visits: Visits, known: Mapping[str, str], tools: Tools) -> Callable[[], Uids]:
    def assign() -> Uids:
        begun = visits.begin(known, tools.now(), tools.new_uid)
        return Uids(
            study_instance_uid=begun.study_uid, series_instance_uid=tools.new_uid(), sop_instance_uid=tools.new_uid()
        )

    return assign
