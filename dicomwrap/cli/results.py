"""What became of a manifest's rows: the result file, by which interrupted work goes on.

Knows JSON Lines, and what a later run must find unchanged. Must not know how photographs are wrapped.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from dicomwrap.cli.manifest import ManifestError, Row
from dicomwrap.cli.papers import Papers
from dicomwrap.cli.plainfiles import read_plain
from dicomwrap.cli.report import Outcome, Wrapped, row
from dicomwrap.durable import Disk
from dicomwrap.receipt import SUFFIX, read_receipt

NAMESPACE: Final = "uid-namespace"
_NAMESPACE_LENGTH: Final = 32
_BEGINNING: Final = '{"row"'
_OTHER_FILE: Final = "Name another file with --results; this one is left as it is."
_SUPERSEDED: Final = "No row of the manifest says this any more"
Entry = dict[str, object]


@dataclass(slots=True)
class Studies:
    """When each study began, so that all its objects say the same, whichever was wrapped first."""

    _started: dict[str, datetime] = field(default_factory=dict)

    def started(self, uid: str, moment: datetime) -> datetime:
        """Return the beginning of a study; ``moment`` when it is new."""
        return self._started.setdefault(uid, moment)

    def known(self, uid: str) -> str:
        """Return the beginning of a study as the result file has it."""
        started = self._started.get(uid)
        return "" if started is None else started.isoformat()

    def remember(self, entry: Entry) -> None:
        """Take a study's beginning from a result of an earlier run."""
        with suppress(ValueError):
            self.started(str(entry.get("study_instance_uid")), datetime.fromisoformat(str(entry.get("study_started"))))


@dataclass(slots=True)
class Results:
    """The result file: one line for each picture of each row, in the manifest's order once a run has ended.

    A row is known by what it says, not by its number: rows may be put in between. Photographs lie below ``photos``.
    """

    path: Path
    photos: Path
    studies: Studies = field(default_factory=Studies)
    done: dict[str, list[Entry]] = field(default_factory=dict)
    superseded: list[Entry] = field(default_factory=list)

    def load(self) -> None:
        """Remember what earlier runs did; a line that a crash left half is passed over.

        Raises:
            ManifestError: the file is no result file; it would be replaced.
        """
        if not self.path.exists():
            return
        try:
            lines = read_plain(self.path).decode("utf-8", "replace").splitlines()
        except OSError as error:
            raise ManifestError(f"{self.path} can't be read ({error.strerror})", _OTHER_FILE) from error
        results = [text for text in lines if text.startswith(_BEGINNING)]
        if not results and not _BEGINNING.startswith("".join(lines).strip()):
            raise ManifestError(f"{self.path} is no result file", _OTHER_FILE)
        for text in results:
            with suppress(ValueError):
                entry = json.loads(text)
                self.studies.remember(entry)
                self.done.setdefault(str(entry.get("key")), []).append(entry)

    def is_done(self, each: Row) -> bool:
        """Tell whether a row was wrapped before, from the same file, and its objects are there, whole, or were sent."""
        entries = self.done.get(each.key, [])
        source = _stat(self.photos / each.photo)
        return bool(entries) and all(
            entry.get("status") == "wrapped"
            and source in ("", entry.get("source"))
            and (_size(str(entry.get("output"))) == entry.get("size") or _was_sent(entry))
            for entry in entries
        )

    def entries(self, each: Row, outcomes: tuple[Outcome, ...]) -> list[Entry]:
        """Return how a row fared, as the file has it."""
        source = _stat(self.photos / each.photo)
        return [self._entry(outcome, {"row": each.number, "key": each.key, "source": source}) for outcome in outcomes]

    def _entry(self, outcome: Outcome, known: Mapping[str, object]) -> Entry:
        entry = {**row(outcome), **known}
        if isinstance(outcome, Wrapped):
            entry.update(size=_size(outcome.output), study_started=self.studies.known(outcome.study_instance_uid))
        return {"row": entry.pop("row"), **entry}

    def append(self, entries: list[Entry]) -> None:
        """Note how a row fared."""
        key = str(entries[0]["key"])
        self.superseded += self.done.get(key, [])
        self.done[key] = entries
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(entry)}\n" for entry in entries)

    def settle(self, rows: tuple[Row, ...]) -> tuple[str, ...]:
        """Write the file anew, durably: the lines of each row of the manifest, in its order.

        Objects of earlier runs that no row stands for any more come last, as ``superseded``; their files are returned.
        """
        known = {each.key for each in rows}
        lines = [{**entry, "row": each.number} for each in rows for entry in self.done.get(each.key, [])]
        current = {entry.get("output") for entry in lines}
        gone = [entry for key, entries in self.done.items() if key not in known for entry in entries]
        old = [
            {**entry, "row": 0, "status": "superseded", "reason": _SUPERSEDED}
            for entry in (*self.superseded, *gone)
            if entry.get("output") not in current and _size(str(entry.get("output"))) > 0
        ]
        Disk().put(self.path, "".join(f"{json.dumps(entry)}\n" for entry in (*lines, *old)).encode())
        return tuple(str(entry["output"]) for entry in old)


def keyed(each: Row, papers: Papers) -> Row:
    """Return a row with what it is known by: its photograph, all that it says, and what the papers that it names say.

    Where several rows say the same of the same photograph, all but the first are refused and known by number too.
    """
    parts = [each.photo, json.dumps(asdict(each.details), sort_keys=True), papers.digest(each.details)]
    if each.problem:
        parts.append(str(each.number))
    key = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return replace(each, key=key)


def namespace(out: Path) -> str:
    """Return the random text that all UIDs of this import are made with; the first run writes it.

    Raises:
        ManifestError: it can't be read or written.
    """
    path = out / NAMESPACE
    try:
        with suppress(FileExistsError):
            Disk().put_new(path, os.urandom(16).hex().encode())
        found = read_plain(path, _NAMESPACE_LENGTH).decode("ascii")
        if len(found) != _NAMESPACE_LENGTH:
            raise ValueError("too short")
        return found
    except (OSError, ValueError) as error:
        raise ManifestError(
            f"{path} can't be read or written, or is damaged", "Make --out a folder you may write to, or a new one."
        ) from error


def _was_sent(entry: Entry) -> bool:
    """Tell whether an archive vouches for an object that isn't here any more: its receipt lies where it was."""
    receipt = Path(f"{entry.get('output')}{SUFFIX}")
    try:
        found = read_receipt(receipt) if receipt.exists() else None
    except OSError:
        return False
    return found is not None and found.sop_instance_uid == entry.get("sop_instance_uid")


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return -1


def _stat(path: Path) -> str:
    """Return by what a later run sees that a photograph is the same file; "" when it is gone."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return ""
    return f"{found.st_size} {found.st_mtime_ns}"
