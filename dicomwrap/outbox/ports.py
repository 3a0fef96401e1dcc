"""What the outbox needs from the world, and what it tells of itself.

Knows the shapes. Must not know who stands behind them: programs give the real ones, tests give simulators.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path
from typing import Protocol, TypeAlias

from dicomwrap.outbox.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What there is to say of an object that was made.

    Attributes:
        warnings: sentences for a person.
        left_out: what of the photograph isn't in the object; "" when nothing is.
    """

    warnings: tuple[str, ...] = ()
    left_out: str = ""


# Makes the object of a photograph by its task at the path given last.
Wrap: TypeAlias = Callable[[Path, Task, Path], Made | None]


class Archive(Protocol):
    """Where objects go."""

    def store(self, file: Path, task: Task) -> None:
        """Send an object.

        Raises:
            PeerError: the archive is out of reach.
            ArchiveRefusedError: it doesn't take the object.
        """

    def commit(self, file: Path, task: Task) -> Path:
        """Have the archive vouch for an object, and return where the receipt is, on the disk.

        Raises:
            PeerError: the archive is out of reach.
            ArchiveRefusedError: it doesn't vouch for the object, or not yet.
            ReceiptError: the receipt can't be written.
        """


@unique
class What(StrEnum):
    """What there is to tell about a photograph."""

    TAKEN = "taken"
    LEFT = "left"
    WARNED = "warning"
    KEPT = "kept"
    REFUSED = "refused"
    STORED = "stored"
    COMMITTED = "committed"
    DELETED = "deleted"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One thing that happened to one photograph, told once."""

    name: str
    what: What
    reason: str = ""
    remedy: str = ""
