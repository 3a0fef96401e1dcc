"""Anonymise one file after another into a folder: each copy whole or not there, and none made twice.

Knows files, and the engine. Must not print. The copy's name is its own UID, because file names carry patients' names;
so that a run can be taken up again, the folder notes what was done by keyed digests, which tell nobody anything.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum, unique
from pathlib import Path
from typing import Final

from dicomwrap.cli.jobs import each
from dicomwrap.confidentiality import PixelDuty
from dicomwrap.durable import Disk, digest, reason_of
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
    confirmed: bool = False
    regions: Mapping[Path, tuple[Region, ...]] = field(default_factory=dict)
    crops: Mapping[Path, Crop] = field(default_factory=dict)
    vault: Vault | None = None


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
        try:
            out.mkdir(parents=True, exist_ok=True)
            self.done = dict(_notes(out / NOTES))
        except OSError as error:
            raise ConfigurationError(
                f"The folder of the copies can't be used ({reason_of(error)}).", remedy="Give another folder."
            ) from error

    def run(self, inputs: tuple[Path, ...], jobs: int = 1) -> Iterator[Outcome]:
        """Yield what became of each input, in order; ``jobs`` of them are worked on at a time, by processes."""
        yield from each(self._outcome, inputs, jobs)

    def _outcome(self, path: Path) -> Outcome:
        try:
            return self._made(path, path.read_bytes())
        except OSError as error:
            return Outcome(input=str(path), status=Status.REFUSED, reason=f"The file: {reason_of(error)}.")
        except DeidentificationError as error:
            return Outcome(input=str(path), status=Status.REFUSED, reason=_reason(error))

    def _made(self, path: Path, content: bytes) -> Outcome:
        regions, crop = self.order.regions.get(path, ()), self.order.crops.get(path)
        of = self._of(content, regions, crop)
        note = self.done.get(of)
        if note is not None and self._is_there(note):
            return self._written(path, note)
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
        try:
            self.disk.put_new(self.out / note.output, derived.content)
        except FileExistsError:
            if not self._is_there(note):
                return Outcome(input=str(path), status=Status.REFUSED, reason=TAKEN)
        self._remember(of, note)
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

    def _remember(self, of: str, note: _Note) -> None:
        line = {"of": of, "output": note.output, "sha256": note.sha256, "actions": note.actions}
        with (self.out / NOTES).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self.done[of] = note


def _reason(error: DeidentificationError) -> str:
    """Return the reason; the remedy only where it isn't the one of a release, which speaks of a decision."""
    return str(error.args[0]) if error.remedy == DeidentificationError.remedy else str(error)


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
        except (ValueError, KeyError, TypeError):
            continue
