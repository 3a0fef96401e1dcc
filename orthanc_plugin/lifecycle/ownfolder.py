"""The folder that a patient takes home: photographs, consents, the account of disclosures, a page that explains it.

Knows files. Must not know who decides. The folder is whole or not there, its owner alone can read it, and what is there
already is never touched. It is made in a place that is one run's alone, locked while that run lives; what a run that
was cut off has left behind is cleared away by the next.
"""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from dicomwrap.consentrecord import ConsentRecord, Scope
from dicomwrap.durable import Disk, reason_of, sync_folder
from dicomwrap.pictures import Picture
from dicomwrap.terms import ConsentState, Form, GiverType, Purpose, PurposeGroup
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.policy.access import LeftOut
from orthanc_plugin.policy.accounts import told_day
from orthanc_plugin.policy.words import AUDIENCE_WORDS, one_line, purpose_words

OWNER_ONLY: Final = 0o700
PHOTOGRAPHS: Final = "photographs"
FORMS: Final = "forms"
Names = tuple[str, ...]
PLACE: Final = "consentgate-part-"
LOCK: Final = "lock"
FORM_WORDS: Final = {
    Form.ANONYMISED: "without anything that shows who it is",
    Form.IDENTIFIABLE: "in a form that may show who it is",
}
STATE_WORDS: Final[dict[ConsentState, str]] = {
    ConsentState.PROPOSED: "This was talked about and has not been decided.",
    ConsentState.GIVEN: "This was agreed to.",
    ConsentState.REFUSED: "This was refused.",
    ConsentState.WITHDRAWN: "This was agreed to and has been taken back.",
    ConsentState.EXPIRED: "This was agreed to and has ended.",
    ConsentState.SUPERSEDED: "This was agreed to and has been replaced by a later decision.",
    ConsentState.ENTERED_IN_ERROR: "This was put on record by mistake and counts for nothing.",
}

GROUP_WORDS: Final = {PurposeGroup.ALL: "every use", PurposeGroup.ALL_SECONDARY: "every use beside care"}


class FolderError(ConsentgateError):
    """The folder can't be made."""

    remedy = "Give the path of a folder that isn't there yet, on a disk with room."


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A picture that isn't in the folder, and why."""

    taken_on: date | None
    reason: LeftOut


class OwnCopyMade(ABC):
    """A patient's own copy while it is made: files that are written once, each under a name of its own."""

    def __init__(self) -> None:
        self._days: Counter[str] = Counter()

    @abstractmethod
    def put(self, name: str, data: bytes) -> None:
        """Write a file that is not there yet.

        Raises:
            FolderError: it can't be written.
        """

    def put_pictures(self, taken_on: date | None, found: Iterable[Picture], folder: str = PHOTOGRAPHS) -> Names:
        """Write a photograph, or the frames of one, or a document, named by its day; return the names."""
        return tuple(self._put_picture(taken_on, picture, folder) for picture in found)

    def _put_picture(self, taken_on: date | None, picture: Picture, folder: str) -> str:
        day = f"{folder}/{taken_on.isoformat() if taken_on else 'day-not-known'}"
        self._days[day] += 1
        name = f"{day}_{self._days[day]}{picture.suffix}"
        self.put(name, picture.data)
        return name


class OwnFolder(OwnCopyMade):
    """The folder while it is made, in a place of its own.

    Args:
        out: where it will be.
        part: where it is made.
    """

    def __init__(self, out: Path, part: Path) -> None:
        super().__init__()
        self.out = out
        self.part = part
        self.disk = Disk()

    def put(self, name: str, data: bytes) -> None:
        """Write a file that is not there yet."""
        try:
            self.disk.put_new(self.part / name, data)
        except OSError as error:
            raise FolderError(f"The folder can't be written ({reason_of(error)}).") from error

    def begin(self) -> None:
        """Make the folder where it is made."""
        for folder in (self.part, self.part / PHOTOGRAPHS, self.part / FORMS):
            folder.mkdir(mode=OWNER_ONLY)

    def finish(self) -> None:
        """Give the folder its name, once all of it is on the disk."""
        for folder in (self.part / PHOTOGRAPHS, self.part / FORMS, self.part):
            sync_folder(folder)
        if self.out.exists():
            raise FolderError("Something was put at the place of the folder meanwhile.")
        self.part.rename(self.out)
        sync_folder(self.out.parent)


@contextmanager
def own_folder(out: Path) -> Iterator[OwnFolder]:
    """Give the folder to be filled; it is there afterwards, or nothing is.

    Raises:
        FolderError: it can't be made, or something is there already.
    """
    place = out.absolute()
    if place.exists() or place.is_symlink():
        raise FolderError("There is something at the place of the folder, and nothing is overwritten.")
    try:
        with workplace(place) as work:
            folder = OwnFolder(place, work / "own")
            folder.begin()
            yield folder
            folder.finish()
    except OSError as error:
        raise FolderError(f"The folder can't be made ({reason_of(error)}).") from error


@contextmanager
def workplace(out: Path) -> Iterator[Path]:
    """Give an empty folder beside ``out`` that no other run uses, and remove it with what is left in it."""
    name = f".{out.name}.{PLACE}"
    for left in out.parent.glob(f"{glob.escape(name)}*"):
        with suppress(OSError), _locked(left / LOCK):  # of a run that still lives the lock can't be had
            shutil.rmtree(left)
    work = Path(mkdtemp(prefix=name, dir=out.parent))
    try:
        with _locked(work / LOCK, os.O_CREAT):
            yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _locked(path: Path, flags: int = 0) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destroyed:
    """A record that does not exist any more: how many pictures, of which year, and the certificate that tells of it."""

    objects: int
    acquired: str
    on: date
    certificate: str


def readme(
    made: date, names: Sequence[str], missing: Sequence[Missing], destroyed: Sequence[Destroyed], hidden: int
) -> str:
    """Return the page that explains the folder; in so many of its photographs other people are hidden."""
    lines = [
        f"Your copy, made on {told_day(made)}",
        "",
        f"{PHOTOGRAPHS}/   {_photographs(names)} file(s), named by the day on which each was taken. They open in any",
        "              program for pictures. Nothing is hidden in them: no name, no place, no device.",
        f"{FORMS}/        the forms that were signed, as far as they are kept with the photographs.",
        "consents.txt  what was agreed, refused or taken back about photographs, and when.",
        "disclosures.pdf, disclosures.html, disclosures.csv  who has had copies of the photographs, for what, and what",
        "              they hold now.",
        "",
        *((f"In {hidden} photograph(s) other people are hidden under grey areas.",) if hidden else ()),
        *(_missing(missing) if missing else ("Nothing that is kept was left out.",)),
        *(_destroyed(each) for each in destroyed),
        "",
        "If you think that something is missing or wrong, tell the hospital. You may also complain to the Information",
        "Commissioner (ico.org.uk). Keep this folder as safe as you would keep your letters from the hospital.",
        "",
    ]
    return "\n".join(lines)


def _photographs(names: Sequence[str]) -> int:
    return sum(name.startswith(f"{PHOTOGRAPHS}/") for name in names)


def _missing(missing: Sequence[Missing]) -> Iterator[str]:
    yield f"{len(missing)} picture(s) are not in this copy:"
    for each in missing:
        taken = f"taken on {told_day(each.taken_on)}" if each.taken_on else "of which the day is not known"
        yield f"- one {taken}. {each.reason}"


def _destroyed(each: Destroyed) -> str:
    year = f" of {each.acquired}" if each.acquired else ""
    return f"- {each.objects} picture(s){year} were destroyed on {told_day(each.on)}; certificate {each.certificate}."


def consents_page(records: Sequence[ConsentRecord]) -> str:
    """Return what was agreed, refused and taken back, for the patient to read."""
    if not records:
        return "No consent about photographs is on record.\n"
    return "\n\n".join("\n".join(map(one_line, _consent(record))) for record in records) + "\n"


def _consent(record: ConsentRecord) -> Iterator[str]:
    by = "you" if record.giver.type is GiverType.PATIENT else record.giver.relationship or "somebody else for you"
    yield f"{told_day(record.decided_on)}, decided by {by} (reference {record.id}, version {record.version})"
    yield STATE_WORDS[record.state]
    for scope in record.scopes:
        yield f"- {_scope(scope)}"
    for each in record.withdrawn:
        yield f"- taken back: {_purpose(each.purpose)}, on {told_day(each.on)}"


def _scope(scope: Scope) -> str:
    audience = ", ".join(AUDIENCE_WORDS[word] for word in scope.audience)
    until = f" to {told_day(scope.valid_to)}" if scope.valid_to else " on, without an end"
    limits = "".join(f'; "{condition}"' for condition in scope.conditions)
    named = f"; only {', '.join(scope.named_recipients)}" if scope.named_recipients else ""
    return (
        f"{_purpose(scope.purpose)}: {FORM_WORDS[scope.max_form]}, for {audience}{named}, "
        f"from {told_day(scope.valid_from)}{until}{limits}"
    )


def _purpose(word: Purpose | PurposeGroup) -> str:
    return GROUP_WORDS[word] if isinstance(word, PurposeGroup) else purpose_words(word)
