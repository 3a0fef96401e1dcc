"""Anonymise one file after another into a folder: each copy whole or not there, and none made twice.

Knows files, and the engine. Must not print. The copy's name is its own UID, because file names carry patients' names;
so that a run can be taken up again, the folder notes what was done by keyed digests, which tell nobody anything of the
patient. The notes also have who reviewed a picture and what was blanked, which the copy itself must not say.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum, unique
from pathlib import Path
from typing import BinaryIO, Final

from pydicom.errors import InvalidDicomError

from dicomwrap.cli.jobs import each
from dicomwrap.confidentiality import PixelDuty
from dicomwrap.durable import PART, Disk, digest, reason_of
from dicomwrap.hostile import UNREADABLE
from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.deid.crops import Crop
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.deid.regions import Region
from orthanc_plugin.deid.vault import Vault
from orthanc_plugin.errors import ConfigurationError, DeidentificationError

NOTES: Final = ".consentgate-done.jsonl"
HELD: Final = "Nobody has confirmed that the picture shows nothing identifying. Look at it, then give --reviewed-by."
TAKEN: Final = "A different copy of this picture is there already. Give another folder."
NO_FILE: Final = "It is no regular file but, say, a pipe or a device. Give files, and folders of files."
_LEFT_OVER: Final = f".dicomwrap-*{PART}"
_AGAIN: Final = (
    "Have the original sent again by what made it, or leave it out; if it is refused again, ask for support with these "
    "words, and without the picture."
)
_OTHER_CODING: Final = "Have the picture sent in another transfer syntax, such as Explicit VR Little Endian."
# What to do, by what the engine says: its own remedy is for a release, which has a decision and an archive.
_REMEDIES: Final = (
    ("are no DICOM object", "Give DICOM files; 'dicomwrap wrap' makes them of photographs."),
    ("are never anonymised", "Leave it out."),
    ("has no pixel data", "Leave it out: only pictures are anonymised."),
    ("transfer syntax is not one", _OTHER_CODING),
    ("streams can't be read to their end", _OTHER_CODING),
    ("still carries identifiers", "Give a profile that keeps less, such as minimum, or leave it out."),
    ("A UID that is kept", "Give a profile without Retain UIDs, or leave it out."),
)


@unique
class Status(StrEnum):
    """What became of an input."""

    WRITTEN = "written"
    HELD = "held"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one input; ``actions`` counts the attributes that were changed or removed."""

    input: str
    status: Status
    output: str | None = None
    reason: str | None = None
    actions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be done with every input."""

    profile: Profile
    pseudonyms: Pseudonyms
    reviewed_by: str = ""
    regions: Mapping[Path, tuple[Region, ...]] = field(default_factory=dict)
    crops: Mapping[Path, Crop] = field(default_factory=dict)
    vault: Vault | None = None

    @property
    def confirmed(self) -> bool:
        """Tell whether somebody has looked at every picture and confirmed it."""
        return bool(self.reviewed_by)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    output: str
    sha256: str
    actions: int


class Batch:
    """Copies into one folder.

    Args:
        out: the folder; made when it isn't there.
        order: what is to be done.

    Raises:
        ConfigurationError: the folder can't be made or read.
    """

    def __init__(self, out: Path, order: Order) -> None:
        self.out = out
        self.order = order
        self.disk = Disk()
        self.done: defaultdict[str, list[_Note]] = defaultdict(list)
        try:
            out.mkdir(parents=True, exist_ok=True)
            for of, note in _notes(out / NOTES):
                self.done[of].append(note)
        except OSError as error:
            raise _unusable(error) from error

    def run(self, inputs: tuple[Path, ...], jobs: int = 1) -> Iterator[Outcome]:
        """Yield what became of each input, in order; ``jobs`` of them are worked on at a time, by processes."""
        with _tidied(self.out):
            yield from each(self._outcome, inputs, jobs)

    def _outcome(self, path: Path) -> Outcome:
        try:
            if path.exists() and not path.is_file() and not path.is_dir():  # a pipe would be waited for without end
                return _refused(path, NO_FILE)
            content = path.read_bytes()
        except OSError as error:
            return _refused(path, f"It can't be read ({reason_of(error)}). Mend that, then run the command again.")
        try:
            return self._made(path, content)
        except OSError as error:
            words = f"No copy could be written ({reason_of(error)})."
            return _refused(path, f"{words} Mend that in the folder of the copies, then run the command again.")
        except DeidentificationError as error:
            return _refused(path, _reason(error))

    def _made(self, path: Path, content: bytes) -> Outcome:
        regions, crop = self.order.regions.get(path, ()), self.order.crops.get(path)
        of = self._of(content, regions, crop)
        for known in self.done.get(of, ()):
            if self._is_there(known):
                return self._written(path, known)
        derived = deidentify(
            content,
            self.order.profile,
            self.order.pseudonyms,
            confirmed=self.order.confirmed,
            regions=regions,
            crop=crop,
            vault=self.order.vault,
        )
        if self.order.profile.pixels is PixelDuty.CONFIRMED and not self.order.confirmed:
            return Outcome(input=str(path), status=Status.HELD, reason=HELD, actions=derived.actions)
        sha256 = hashlib.sha256(derived.content).hexdigest()
        note = _Note(output=f"{derived.sop_instance_uid}.dcm", sha256=sha256, actions=derived.actions)
        if (self.out / note.output).exists() and not self._is_there(note):
            return _refused(path, TAKEN)
        # Noted first: there is never a copy of which nobody can tell who reviewed it, and a note without one says
        # nothing, because a copy is known by its digest.
        self._remember(of, note, regions, crop)
        try:
            self.disk.put_new(self.out / note.output, derived.content)
        except FileExistsError:
            if not self._is_there(note):
                return _refused(path, TAKEN)
        return self._written(path, note)

    def _written(self, path: Path, note: _Note) -> Outcome:
        output = str(self.out / note.output)
        return Outcome(input=str(path), status=Status.WRITTEN, output=output, actions=note.actions)

    def _is_there(self, note: _Note) -> bool:
        path = self.out / note.output
        return path.is_file() and digest(path)[0] == note.sha256

    def _of(self, content: bytes, regions: tuple[Region, ...], crop: Crop | None) -> str:
        """Return what stands for this input under this order: nobody without the key can tell which it was."""
        parts = [hashlib.sha256(content).hexdigest(), self.order.profile.digest, self.order.confirmed]
        blanked = [list(each.corners) for each in regions]
        kept = [] if crop is None else [asdict(crop)]
        message = json.dumps([*parts, blanked, *kept]).encode()
        return hmac.new(self.order.pseudonyms.key, message, hashlib.sha256).hexdigest()

    def _remember(self, of: str, note: _Note, regions: tuple[Region, ...], crop: Crop | None) -> None:
        line = {
            "of": of,
            **asdict(note),
            "reviewed_by": self.order.reviewed_by or None,
            "regions": [each.corners for each in regions],
            "crop": None if crop is None else asdict(crop),
        }
        private = os.open(self.out / NOTES, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)  # it names a person
        with os.fdopen(private, "a+b") as file:
            file.write((b"\n" if _ends_within_a_line(file) else b"") + json.dumps(line).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.done[of].append(note)


def _unusable(error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"The folder of the copies can't be used ({reason_of(error)}).", remedy="Give another folder."
    )


def _refused(path: Path, reason: str) -> Outcome:
    return Outcome(input=str(path), status=Status.REFUSED, reason=reason)


def _reason(error: DeidentificationError) -> str:
    """Return the reason and what to do; where its remedy is that of a release, which speaks of a decision, another."""
    if error.remedy != DeidentificationError.remedy:
        return str(error)
    said = str(error.args[0])
    if isinstance(error.__cause__, UNREADABLE) and not isinstance(error.__cause__, InvalidDicomError):
        said = f"The object is damaged or unusual. {said}"
    return f"{said} {next((remedy for part, remedy in _REMEDIES if part in said), _AGAIN)}"


@contextmanager
def _tidied(folder: Path) -> Iterator[None]:
    """Hold a folder, once what a run that was killed left half written is removed from it.

    Nothing is removed while another run holds the folder, or where the file system can't tell.

    Raises:
        ConfigurationError: the folder can't be read.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _unusable(error) from error
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for part in folder.glob(_LEFT_OVER):
                part.unlink(missing_ok=True)
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _ends_within_a_line(file: BinaryIO) -> bool:
    """Tell whether a run that was broken off, or a full disk, left half a line."""
    if not file.seek(0, os.SEEK_END):
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def _notes(path: Path) -> Iterator[tuple[str, _Note]]:
    """Yield what was noted; a line that a broken run left half written is as good as none."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            said = json.loads(line)
            note = _Note(
                output=Path(str(said["output"])).name, sha256=str(said["sha256"]), actions=int(said["actions"])
            )
            yield str(said["of"]), note
        except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError):
            continue
