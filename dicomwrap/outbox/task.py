"""What is to become of one photograph, kept on the disk so that nobody forgets it.

Knows the task file's JSON. Must not know how photographs are wrapped or sent. A task holds what the wrapper needs to
know about the patient, so only its owner reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum, unique
from pathlib import Path
from typing import Final

from dicomwrap.durable import Disk
from dicomwrap.errors import WatchError

SCHEMA: Final = 1
_SUFFIX: Final = ".json"


@unique
class State(StrEnum):
    """How far a photograph has come; it only goes back where something is missing on the disk."""

    ASSIGNED = "assigned"
    WRAPPED = "wrapped"
    STORED = "stored"
    COMMITTED = "committed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Uids:
    """The identifiers of one photograph's object, given before it is wrapped and never again."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One photograph on its way.

    Attributes:
        sha256: digest of the photograph; the task's name.
        name: the photograph's file when it was first seen.
        number: its place among all photographs of the folder, from 1.
        uids: identifiers of its object.
        at: when they were given; wrapping again with this time gives the same object again.
        details: what the wrapper needs to know, as it was when the photograph arrived.
        state: how far it has come.
        object_sha256: digest of the object; "" until it is wrapped.
        stored_at: when the archive took it.
        receipt: path of the deletion receipt; "" until there is one.
        left_out: what of the photograph isn't in its object, so that it must not be deleted; "" when nothing is.
    """

    sha256: str
    name: str
    number: int
    uids: Uids
    at: datetime
    details: Mapping[str, str] = field(repr=False)
    state: State = State.ASSIGNED
    object_sha256: str = ""
    stored_at: datetime | None = None
    receipt: str = ""
    left_out: str = ""


class TaskBook:
    """All tasks of a folder: in memory, and each in a file named after its photograph's digest."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk
        self._tasks = {task.sha256: task for task in map(_read, sorted(folder.glob(f"*{_SUFFIX}")))}

    def __iter__(self) -> Iterator[Task]:
        """Give the tasks, oldest first."""
        return iter(sorted(self._tasks.values(), key=lambda task: task.number))

    def get(self, sha256: str) -> Task | None:
        """Return a photograph's task."""
        return self._tasks.get(sha256)

    def next_number(self) -> int:
        """Return a number that no task has."""
        return max((task.number for task in self._tasks.values()), default=0) + 1

    def add(self, task: Task) -> Task:
        """Write a new task; there must be none for this photograph.

        Raises:
            OSError: it can't be written, or there is one.
        """
        self._disk.put_new(self._path(task), _text(task))
        self._tasks[task.sha256] = task
        return task

    def write(self, task: Task) -> Task:
        """Write how far a task has come.

        Raises:
            OSError: it can't be written; the task is as it was.
        """
        self._disk.put(self._path(task), _text(task))
        self._tasks[task.sha256] = task
        return task

    def drop(self, task: Task) -> None:
        """Forget a task whose identifiers nobody has seen.

        Raises:
            OSError: it can't be removed.
        """
        self._disk.remove(self._path(task))
        self._tasks.pop(task.sha256, None)

    def _path(self, task: Task) -> Path:
        return self._folder / f"{task.sha256}{_SUFFIX}"


def _text(task: Task) -> bytes:
    stored_at = None if task.stored_at is None else task.stored_at.isoformat()
    found = asdict(task) | {"details": dict(task.details), "at": task.at.isoformat(), "stored_at": stored_at}
    return json.dumps({"schema": SCHEMA, **found}, indent=1).encode()  # a name that is no UTF-8 is escaped


def _read(path: Path) -> Task:
    """Read a task.

    Raises:
        WatchError: it is no task. Nobody guesses then: the photograph may have been sent.
    """
    try:
        found = json.loads(path.read_bytes())
        if found.pop("schema") != SCHEMA or found["sha256"] != path.stem:
            raise ValueError("another schema or photograph")
        changed = {
            "uids": Uids(**found["uids"]),
            "at": datetime.fromisoformat(found["at"]),
            "stored_at": None if found["stored_at"] is None else datetime.fromisoformat(found["stored_at"]),
            "state": State(found["state"]),
        }
        return Task(**(found | changed))
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise WatchError(
            f"The task file {path.name} can't be read", "Restore it from a backup, or ask who looks after this machine."
        ) from error
