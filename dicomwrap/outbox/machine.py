"""A folder of photographs, each of which is wrapped, sent, vouched for and then deleted, whatever happens in between.

Knows the order of the steps and what each needs on the disk before the next. Must not know how photographs are wrapped
or how objects travel: both are given, and so are clocks. Every step may be the last before a crash; when it is taken
again nothing is lost, and no photograph gets a second identity.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from dicomwrap.durable import PART, Disk, digest, reason_of
from dicomwrap.errors import ArchiveRefusedError, DicomwrapError, OutputError, PeerError, ReceiptError, WatchError
from dicomwrap.outbox.arrivals import NOTE, Arrivals
from dicomwrap.outbox.ports import Archive, Made, Told, What, Wrap
from dicomwrap.outbox.task import State, Task, TaskBook, Uids
from dicomwrap.receipt import read_receipt

FOLDER: Final = ".dicomwrap"
FIRST_WAIT: Final = 5.0
LONGEST_WAIT: Final = 300.0
_OFFER_AGAIN: Final = 5  # an archive that has been asked so often without vouching is sent the object again

_LEFT: Final = "It was there before the watch began"
_TAKE: Final = "If it is of the same patient and visit, start the watch with --take-existing."
_KEPT_REMEDY: Final = "Delete it by hand, or start the watch with --delete-all, when nobody needs that."
_OTHERWISE: Final = "This very photograph was sent before, with other details than those given now"
_OTHERWISE_REMEDY: Final = (
    "Delete it if it is here by mistake; if it was sent for the wrong patient, have that corrected."
)

Photos: TypeAlias = tuple[Path, ...]


@dataclass(slots=True)
class _Wait:
    """How long something that failed is left alone."""

    until: float = 0.0
    seconds: float = FIRST_WAIT
    times: int = 0

    def again(self, now: float) -> None:
        self.until, self.times = now + self.seconds, self.times + 1
        self.seconds = min(self.seconds * 2, LONGEST_WAIT)


@dataclass(kw_only=True)
class Outbox:
    """The folder, and everything that is needed to bring its photographs away.

    Attributes:
        folder: where photographs arrive.
        wrap: makes the object of a photograph by its task at the path given last, or raises DicomwrapError.
        archive: where objects go.
        assign: gives the identifiers of a new photograph.
        moment: the clock as a date and time, for the task.
        clock: seconds that only go forward.
        tell: is told what happens.
        details: what the wrapper needs to know about photographs that arrive now.
        settle: seconds for which a file must not change before it has arrived.
        delete: whether photographs are deleted when the archive vouches for them.
        delete_all: also those of which something isn't in the object.
        take_existing: whether photographs that were there before, of which nothing is known, are of ``details`` too.
        wanted: tells by its name whether a file is a photograph.
        disk: makes the changes.
    """

    folder: Path
    wrap: Wrap
    archive: Archive
    assign: Callable[[], Uids]
    moment: Callable[[], datetime]
    clock: Callable[[], float]
    tell: Callable[[Told], None]
    details: Mapping[str, str]
    settle: float = 2.0
    delete: bool = True
    delete_all: bool = False
    take_existing: bool = False
    wanted: Callable[[str], bool] = lambda _name: True
    disk: Disk = field(default_factory=Disk)

    def __post_init__(self) -> None:
        self._own = self.folder / FOLDER
        for folder in (self._own, self._own / "tasks", self._own / "objects"):
            folder.mkdir(mode=0o700, exist_ok=True)
        for part in self._own.glob(f"*/*{PART}"):
            part.unlink()  # what a crash left half written
        self._book = TaskBook(self._own / "tasks", self.disk)
        self._arrivals = Arrivals(self.folder, wanted=self.wanted, clock=self.clock, settle=self.settle)
        if not self.take_existing:
            self._arrivals.leave_what_is_there()
        self._refused: dict[str, str] = {}
        self._waits: dict[str, _Wait] = {}
        self._peer = _Wait()
        self._last: dict[str, Told] = {}

    @property
    def unsettled(self) -> bool:
        """Whether a file hasn't arrived whole yet."""
        return self._arrivals.unsettled

    @property
    def open(self) -> int:
        """How many photographs are on their way."""
        end = (State.DELETED,) if self.delete else (State.DELETED, State.COMMITTED)
        return sum(task.state not in end and not self._is_at_its_end(task) for task in self._book)

    @property
    def refused(self) -> int:
        """How many photographs were refused since the start."""
        return len(self._refused)

    def look(self) -> None:
        """Look at the folder once, and bring each photograph as far as it will go now.

        Raises:
            OSError: the folder can't be read.
        """
        arrived = self._arrivals.look()
        for sha256, photos in arrived.items():
            if self._book.get(sha256) is None:
                self._try(sha256, photos[0].name, partial(self._take, sha256, photos))
        for task in self._book:
            self._try(task.sha256, task.name, partial(self._go_on, task, arrived.get(task.sha256, ())))

    def _try(self, sha256: str, name: str, act: Callable[[], None]) -> None:
        """Do something about a photograph, and leave it alone for a while when that fails."""
        now, wait = self.clock(), self._waits.setdefault(sha256, _Wait())
        if now < wait.until:
            return
        try:
            act()
            self._waits[sha256] = _Wait()
        except PeerError as error:
            self._peer.again(now)
            self._say(sha256, Told(name=name, what=What.WAITING, reason=error.reason, remedy=error.remedy))
        except DicomwrapError as error:
            wait.again(now)
            self._say(sha256, Told(name=name, what=What.WAITING, reason=error.reason, remedy=error.remedy))
        except OSError as error:
            wait.again(now)
            reason = f"The disk fails ({reason_of(error)})"
            self._say(sha256, Told(name=name, what=What.WAITING, reason=reason, remedy="Make room, or mend it."))

    def _say(self, sha256: str, told: Told) -> None:
        if self._last.get(sha256) != told:
            self._last[sha256] = told
            self.tell(told)

    def _take(self, sha256: str, photos: Photos) -> None:
        """Give a new photograph its identity."""
        if sha256 in self._refused:
            self._note(photos, self._refused[sha256])
        elif all(map(self._arrivals.was_there, photos)):
            self._say(sha256, Told(name=photos[0].name, what=What.LEFT, reason=_LEFT, remedy=_TAKE))
        else:
            name, number = photos[0].name, self._book.next_number()
            task = Task(
                sha256=sha256, name=name, number=number, uids=self.assign(), at=self.moment(), details=self.details
            )
            self._book.add(task)
            self._say(sha256, Told(name=name, what=What.TAKEN))

    def _go_on(self, task: Task, photos: Photos) -> None:
        """Bring a photograph step by step as far as it will go."""
        steps = {
            State.ASSIGNED: self._wrap,
            State.WRAPPED: self._store,
            State.STORED: self._commit,
            State.COMMITTED: self._finish,
            State.DELETED: self._seen_again,
        }
        following: Task | None = task
        while following is not None:
            following = steps[following.state](following, photos)

    def _wrap(self, task: Task, photos: Photos) -> Task | None:
        if not photos:
            return None
        part = self._object(task).with_suffix(PART)
        part.unlink(missing_ok=True)
        try:
            made = self.wrap(photos[0], task, part) or Made()
        except OutputError:
            raise
        except DicomwrapError as error:
            self._refuse(task, photos, error)
            return None
        if digest(photos[0])[0] != task.sha256:
            return None  # it was changed under our hands, and will be seen as another one
        object_sha256, _ = digest(part)
        self.disk.promote(part, self._object(task))
        for warning in made.warnings:
            self.tell(Told(name=photos[0].name, what=What.WARNED, reason=warning))
        wrapped = replace(task, state=State.WRAPPED, object_sha256=object_sha256, left_out=made.left_out)
        return self._book.write(wrapped)

    def _store(self, task: Task, photos: Photos) -> Task | None:
        if not self._is_ready(task):
            return None
        try:
            self.archive.store(self._object(task), task)
        except ArchiveRefusedError as error:
            self._note(photos, str(error))
            raise
        self._peer = _Wait()
        self._say(task.sha256, Told(name=task.name, what=What.STORED))
        return self._book.write(replace(task, state=State.STORED, stored_at=self.moment()))

    def _commit(self, task: Task, _photos: Photos) -> Task | None:
        if not self._is_ready(task):
            return None
        try:
            receipt = self.archive.commit(self._object(task), task)
        except ArchiveRefusedError:
            if self._waits[task.sha256].times % _OFFER_AGAIN == _OFFER_AGAIN - 1:
                self._book.write(replace(task, state=State.WRAPPED))
            raise
        self._peer = _Wait()
        self._say(task.sha256, Told(name=task.name, what=What.COMMITTED))
        return self._book.write(replace(task, state=State.COMMITTED, receipt=str(receipt)))

    def _finish(self, task: Task, photos: Photos) -> Task | None:
        if not self.delete:
            self._remove_object(task)
            return None
        if not photos and self.unsettled:
            return None  # it may lie there still, and not have arrived again yet
        if self._is_kept(task):
            self._note(photos, f"Kept: {task.left_out}. {_KEPT_REMEDY}")
            self._remove_object(task)
            self._say(task.sha256, Told(name=task.name, what=What.KEPT, reason=task.left_out, remedy=_KEPT_REMEDY))
            return None
        if not _has_receipt(task):
            self._book.write(replace(task, state=State.STORED, receipt=""))
            raise ReceiptError("Its receipt is gone from the disk", "The archive is asked again; nothing is deleted.")
        self._delete(task, photos)
        self._remove_object(task)
        self._say(task.sha256, Told(name=task.name, what=What.DELETED))
        self._book.write(replace(task, state=State.DELETED))
        return None

    def _is_kept(self, task: Task) -> bool:
        return bool(task.left_out) and not self.delete_all

    def _is_at_its_end(self, task: Task) -> bool:
        return task.state is State.COMMITTED and self._is_kept(task)

    def _seen_again(self, task: Task, photos: Photos) -> Task | None:
        """Deal with a photograph that was sent and deleted, and is there again."""
        if not photos or not self.delete:
            return None
        if dict(task.details) != dict(self.details):
            self._note(photos, f"{_OTHERWISE}. {_OTHERWISE_REMEDY}")
            told = Told(name=photos[0].name, what=What.REFUSED, reason=_OTHERWISE, remedy=_OTHERWISE_REMEDY)
            self._say(task.sha256, told)
            return None
        # what the archive vouched for then it needn't hold any more: it is offered the same object again
        return self._book.write(replace(task, state=State.ASSIGNED, receipt=""))

    def _refuse(self, task: Task, photos: Photos, error: DicomwrapError) -> None:
        """Leave a photograph where it is, say why, and forget its identity if nobody can have seen it."""
        self._note(photos, str(error))
        if task.object_sha256:
            raise error
        self._refused[task.sha256] = str(error)
        self._book.drop(task)
        told = Told(name=photos[0].name, what=What.REFUSED, reason=error.reason, remedy=error.remedy)
        self._say(task.sha256, told)

    def _note(self, photos: Photos, text: str) -> None:
        """Write beside each photograph why it stays, once."""
        data = f"{text}\n".encode()
        for photo in photos:
            note = _note_of(photo)
            if not note.exists() or note.read_bytes() != data:
                self.disk.put(note, data)

    def _delete(self, task: Task, photos: Photos) -> None:
        for photo in photos:
            with suppress(FileNotFoundError):
                self.disk.remove_if(photo, task.sha256)
            if not photo.exists() and _note_of(photo).exists():
                self.disk.remove(_note_of(photo))

    def _object(self, task: Task) -> Path:
        return self._own / "objects" / f"{task.sha256}.dcm"

    def _is_ready(self, task: Task) -> bool:
        """Tell whether the archive can be asked about an object now; a missing one is made again at the next look."""
        file = self._object(task)
        if not file.is_file() or digest(file)[0] != task.object_sha256:
            self._book.write(replace(task, state=State.ASSIGNED))
            return False
        return self.clock() >= self._peer.until

    def _remove_object(self, task: Task) -> None:
        if self._object(task).exists():
            self.disk.remove(self._object(task))


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Be the only one who watches a folder.

    Raises:
        WatchError: somebody else does, or it is no folder that we can write to.
    """
    try:
        (folder / FOLDER).mkdir(mode=0o700, exist_ok=True)
        lock = (folder / FOLDER / "lock").open("ab")
    except OSError as error:
        raise WatchError(f"{folder} can't be watched ({reason_of(error)})") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise WatchError(f"{folder} is being watched already", "Stop the other watcher first.") from error
        yield


def _has_receipt(task: Task) -> bool:
    """Tell whether the receipt on the disk is for the object of this task."""
    try:
        found = read_receipt(Path(task.receipt)) if task.receipt else None
    except OSError:
        return False
    return found is not None and (found.sop_instance_uid, found.sha256) == (
        task.uids.sop_instance_uid,
        task.object_sha256,
    )


def _note_of(photo: Path) -> Path:
    return photo.with_name(f"{photo.name}{NOTE}")
