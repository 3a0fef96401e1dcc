"""What ``dicomwrap watch`` does around the outbox: the loop, the way to the archive, and what a person is told.

Knows signals, seconds and lines. Must not know how photographs are wrapped: that is given.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Event

import click

from dicomwrap.cli.nodes import stacked
from dicomwrap.errors import ArchiveRefusedError, OutputError, PeerError
from dicomwrap.outbox import Archive, Outbox, Task, Told, Uids, What, Wrap, claimed
from dicomwrap.receipt import keep
from dicomwrap.sending.delivery import NOT_WHOLE, NOT_WHOLE_REMEDY, UNVOUCHED, Route, Terms, receipt_for
from dicomwrap.sending.parcel import Parcel, parcel
from dicomwrap.sending.words import is_not_whole

watch_options = stacked(
    click.option(
        "--settle",
        type=click.FloatRange(min=0),
        default=2.0,
        show_default=True,
        help="Seconds for which a photograph must not change before it is taken.",
    ),
    click.option(
        "--every",
        type=click.FloatRange(min=0, min_open=True),
        default=1.0,
        show_default=True,
        help="Seconds between two looks at the folder.",
    ),
    click.option("--once", is_flag=True, help="Stop when every photograph has been tried."),
    click.option("--keep", is_flag=True, help="Don't delete the photographs."),
    click.option(
        "--delete-all",
        is_flag=True,
        help="Delete also photographs of which something is left out, such as a second picture in the file.",
    ),
    click.option(
        "--take-existing",
        is_flag=True,
        help="Take also photographs that were in the folder before; they are then of this patient.",
    ),
)


class Courier:
    """The archive at the end of a route.

    Attributes:
        route: the way there.
        terms: the clock, the version, the disk, and the folder for receipts; in the outbox's own when None.
    """

    def __init__(self, route: Route, terms: Terms) -> None:
        self.route = route
        self.terms = terms

    def store(self, file: Path, task: Task) -> None:
        """Send the object of a task.

        Raises:
            PeerError: the archive is out of reach, or breaks off.
            ArchiveRefusedError: it doesn't take the object.
        """
        (answer,) = self.route.store([_parcel(file, task)])
        if not answer.stored and answer.status is None:
            raise PeerError(f"The archive doesn't take it in ({answer.reason})", "It is tried again later.")
        if not answer.stored:
            raise ArchiveRefusedError(f"The archive refuses it: {answer.reason}")
        if is_not_whole(answer.status):
            raise ArchiveRefusedError(f"{NOT_WHOLE}: {answer.reason}", NOT_WHOLE_REMEDY)

    def commit(self, file: Path, task: Task) -> Path:
        """Have the archive vouch for the object of a task, and return where its receipt is.

        Raises:
            PeerError: the archive is out of reach, or doesn't report in time.
            ArchiveRefusedError: it doesn't vouch for the object yet.
            ReceiptError: the receipt can't be written.
        """
        sent = _parcel(file, task)
        if self.route.commit is None:
            raise ArchiveRefusedError("Nobody is asked to vouch for it", "Give --commit.")
        committed = self.route.commit([sent])
        if sent.sop_instance_uid not in committed.uids:
            raise ArchiveRefusedError(f"{UNVOUCHED} ({committed.reasons[sent.sop_instance_uid]})")
        sent_at = task.stored_at or self.terms.moment()
        receipt = receipt_for(sent, committed, self.route, self.terms, sent_at, photograph_sha256=task.sha256)
        return keep(receipt, file, self.terms.receipts or file.parent.parent / "receipts", self.terms.disk)


def watch(
    folder: Path,
    wrap_one: Wrap,
    archive: Archive,
    *,
    assign: Callable[[], Uids],
    details: Mapping[str, str],
    moment: Callable[[], datetime],
    wanted: Callable[[str], bool],
    stop: Event,
    tell: Callable[[Told], None],
    settle: float = 2.0,
    every: float = 1.0,
    once: bool = False,
    delete: bool = True,
    delete_all: bool = False,
    take_existing: bool = False,
) -> int:
    """Bring photographs away until ``stop`` is set, and return how many are left on their way, or were refused.

    Args:
        folder: where photographs arrive.
        wrap_one: makes the object of a photograph by its task at the path given last.
        archive: where objects go; see ``Courier``.
        assign: gives the identifiers of a new photograph.
        details: what ``wrap_one`` needs to know; kept with each task. Nothing that changes from one start to the next.
        moment: the clock, as a date and time.
        wanted: tells by its name whether a file is a photograph.
        stop: set to end the watch after the look that is being taken.
        tell: is told what happens.
        settle: seconds for which a photograph must not change.
        every: seconds between looks.
        once: end when every photograph has been tried.
        delete: whether photographs are deleted when the archive vouches for them.
        delete_all: also those of which something isn't in the object.
        take_existing: take also what was there before.

    Raises:
        WatchError: the folder can't be watched, or is watched already.
    """
    with claimed(folder):
        outbox = Outbox(
            folder=folder,
            wrap=wrap_one,
            archive=archive,
            assign=assign,
            moment=moment,
            clock=time.monotonic,
            tell=tell,
            details=details,
            settle=settle,
            delete=delete,
            delete_all=delete_all,
            take_existing=take_existing,
            wanted=wanted,
        )
        _look_on(outbox, stop, every=every, once=once, tell=tell)
        return outbox.open + outbox.refused


@contextmanager
def stopped_by_signals() -> Iterator[Event]:
    """Give what is set when the user or the system asks the program to end."""
    stop = Event()
    before = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, before[number])  # who asks twice means at once, and nothing is lost then either

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def show(told: Told) -> None:
    """Print one thing that happened."""
    name = "".join(sign if sign.isprintable() else "?" for sign in told.name)
    said = f"{name}: {told.what}"
    if told.reason:
        click.echo(f"{said}: {told.reason.rstrip('.')}. {told.remedy}".rstrip(), err=told.what is not What.DELETED)
    else:
        click.echo(said)


def _look_on(outbox: Outbox, stop: Event, *, every: float, once: bool, tell: Callable[[Told], None]) -> None:
    while not stop.is_set():
        try:
            outbox.look()
        except OSError as error:  # a folder on the network comes and goes
            reason = error.strerror or type(error).__name__
            tell(Told(name=outbox.folder.name, what=What.WAITING, reason=f"The folder can't be read ({reason})"))
        if once and not outbox.unsettled:
            return
        stop.wait(every)


def _parcel(file: Path, task: Task) -> Parcel:
    """Read the object, which must be the one whose identity was given to the photograph."""
    found = parcel(file)
    if found.sop_instance_uid != task.uids.sop_instance_uid:
        raise OutputError("The object has another identity than its photograph was given", "Report this as a fault.")
    return found
