"""A watched folder, an archive and a clock that are all simulated, and that can crash at any moment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from dicomwrap.durable import Disk, digest
from dicomwrap.errors import ArchiveRefusedError, NotAPhotographError, PeerError
from dicomwrap.outbox import Outbox, Task, Told, Uids, claimed
from dicomwrap.receipt import Receipt, keep

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
PATIENT = {"patient_id": "P1"}
BAD = b"no photograph"


class CrashError(BaseException):
    """The power fails. Nothing catches it."""


class Fate:
    """Counts the moments at which the power could fail, and lets it fail at one of them."""

    def __init__(self, at: int = 0) -> None:
        self.count = 0
        self.at = at

    def moment(self) -> None:
        self.count += 1
        if self.count == self.at:
            raise CrashError


class FragileDisk(Disk):
    """A disk on which the power may fail before, within and after each change."""

    def __init__(self, fate: Fate) -> None:
        self.fate = fate

    def put(self, path: Path, data: bytes) -> None:
        self._half(path, data)
        super().put(path, data)
        self.fate.moment()

    def put_new(self, path: Path, data: bytes) -> None:
        self._half(path, data)
        super().put_new(path, data)
        self.fate.moment()

    def promote(self, part: Path, path: Path) -> None:
        self.fate.moment()
        super().promote(part, path)
        self.fate.moment()

    def remove(self, path: Path) -> None:
        self.fate.moment()
        super().remove(path)
        self.fate.moment()

    def remove_if(self, path: Path, sha256: str) -> bool:
        self.fate.moment()
        gone = super().remove_if(path, sha256)
        self.fate.moment()
        return gone

    def _half(self, path: Path, data: bytes) -> None:
        part = path.parent / ".dicomwrap-half.part"
        self.fate.moment()
        part.write_bytes(data[: len(data) // 2])
        self.fate.moment()
        part.unlink()


@dataclass
class Archive:
    """Keeps the first object of each UID, as archives do, and vouches for what it keeps.

    Attributes:
        held: the objects by SOP instance UID.
        vouched: the UIDs that it has vouched for.
        losing: whether its receipts vanish at once.
        offers: every UID that it was ever sent, with the photograph's digest.
        stores: how often it was sent something.
    """

    receipts: Path
    fate: Fate = field(default_factory=Fate)
    up: bool = True
    vouching: bool = True
    refusing: bool = False
    losing: bool = False
    held: dict[str, bytes] = field(default_factory=dict)
    vouched: set[str] = field(default_factory=set)
    offers: set[tuple[str, str]] = field(default_factory=set)
    stores: int = 0

    def store(self, file: Path, task: Task) -> None:
        self.fate.moment()
        if not self.up:
            raise PeerError("The archive is down")
        if self.refusing:
            raise ArchiveRefusedError("The archive doesn't take the object")
        data = file.read_bytes()
        inside = json.loads(data)
        assert inside["uid"] == task.uids.sop_instance_uid
        self.stores += 1
        self.offers.add((inside["uid"], hashlib.sha256(bytes.fromhex(inside["photo"])).hexdigest()))
        self.held.setdefault(inside["uid"], data)
        self.fate.moment()

    def commit(self, file: Path, task: Task) -> Path:
        self.fate.moment()
        uid = task.uids.sop_instance_uid
        if not self.up:
            raise PeerError("The archive is down")
        if uid not in self.held or not self.vouching:
            raise ArchiveRefusedError("The archive doesn't vouch for it yet")
        sha256, size = digest(file)
        self.vouched.add(uid)
        self.fate.moment()
        made = Receipt(
            sop_class_uid="1.2", sop_instance_uid=uid, sha256=sha256, size=size, transaction_uid="2.25.1",
            peer_aet="ARCHIVE", peer_host="h", peer_port=104, sent_by="C-STORE", sent_at=NOW, committed_at=NOW,
            version="1", photograph_sha256=task.sha256,
        )  # fmt: skip
        path = keep(made, file, self.receipts, FragileDisk(self.fate))
        if self.losing:
            path.unlink()
        return path


@dataclass
class World:
    """A folder with its archive, over any number of crashes.

    Attributes:
        originals: every photograph that ever arrived, by digest.
        told: what was told.
    """

    folder: Path
    details: Mapping[str, str] = field(default_factory=lambda: PATIENT)
    delete: bool = True
    take_existing: bool = True
    settle: float = 2.0
    seconds: float = 0.0
    uids: int = 0
    originals: dict[str, bytes] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    fate: Fate = field(default_factory=Fate)
    interfere: Callable[[Path], None] = lambda _photo: None

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.archive = Archive(receipts=self.folder.parent / "receipts")

    def arrive(self, name: str, data: bytes) -> Path:
        """Put a photograph into the folder."""
        path = self.folder / name
        if path.exists():
            self.gone(path)
        path.write_bytes(data)
        if not data.startswith(BAD):
            self.originals[hashlib.sha256(data).hexdigest()] = data
        return path

    def gone(self, path: Path) -> None:
        """Forget a photograph that a person takes away before it is safe."""
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        copies = [each for each in self.photographs() if each != path and digest(each)[0] == sha256]
        if not copies and not self._is_safe(sha256):
            self.originals.pop(sha256, None)
        path.unlink()

    def photographs(self) -> list[Path]:
        """Return what is in the folder and isn't ours."""
        return [
            path
            for path in self.folder.iterdir()
            if path.is_file() and not path.name.startswith(".") and not path.name.endswith(".refused.txt")
        ]

    def outbox(self) -> Outbox:
        """Start anew, as after a crash."""
        self.archive.fate = self.fate
        return Outbox(
            folder=self.folder, wrap=self._wrap, archive=self.archive, assign=self._assign, moment=lambda: NOW,
            clock=lambda: self.seconds, tell=self.told.append, details=self.details, settle=self.settle,
            delete=self.delete, take_existing=self.take_existing, disk=FragileDisk(self.fate),
        )  # fmt: skip

    def run(self, looks: int = 12, step: float = 3.0) -> Outbox:
        """Watch for a while."""
        with claimed(self.folder):
            outbox = self.outbox()
            for _ in range(looks):
                outbox.look()
                self.seconds += step
        return outbox

    def run_with_crash(self, at: int, looks: int = 12) -> bool:
        """Watch until the power fails at a moment; tell whether it did."""
        self.fate = Fate(at)
        try:
            self.run(looks)
        except CrashError:
            return True
        finally:
            self.fate = Fate()
        return False

    def check(self) -> None:
        """No photograph is lost, and none has two identities."""
        here = {digest(path)[0] for path in self.photographs()}
        for sha256 in self.originals:
            assert sha256 in here or self._is_safe(sha256), "a photograph is lost"
        photographs = [sha256 for _, sha256 in self.archive.offers]
        uids = [uid for uid, _ in self.archive.offers]
        assert len(set(photographs)) == len(photographs), "a photograph was sent under two UIDs"
        assert len(set(uids)) == len(uids), "two photographs were sent under one UID"

    def _is_safe(self, sha256: str) -> bool:
        objects = (self.archive.held[uid] for uid in self.archive.vouched)
        photos = (bytes.fromhex(json.loads(data)["photo"]) for data in objects)
        return any(hashlib.sha256(photo).hexdigest() == sha256 for photo in photos)

    def _assign(self) -> Uids:
        self.uids += 1
        return Uids(study_instance_uid="2.25.1", series_instance_uid="2.25.2", sop_instance_uid=f"2.25.9{self.uids}")

    def _wrap(self, photo: Path, task: Task, target: Path) -> None:
        self.fate.moment()
        data = photo.read_bytes()
        if data.startswith(BAD):
            raise NotAPhotographError("This is no photograph")
        assert not target.exists()
        made = {"uid": task.uids.sop_instance_uid, "photo": data.hex(), "details": dict(task.details)}
        text = json.dumps(made).encode()
        target.write_bytes(text[: len(text) // 2])
        self.fate.moment()
        target.write_bytes(text)
        self.interfere(photo)
        self.fate.moment()
