"""Whether the guard itself works: ``GET /consentgate/health``, for an operator, a monitor and ``consentgate watch``.

Knows the parts that a decision needs. It is answered by threads of its own, and asks those that decide like any other
part: that they are busy is told, and is no death. Every part is asked at once and within a time, so that one that hangs
is told and hides no other. Shows no picture and leaves no entry in the trail, because it must answer when the trail
can't.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import text

from dicomwrap.version import VERSION
from orthanc_plugin.enforcement.opensessions import blocker
from orthanc_plugin.enforcement.reply import OK, UNAVAILABLE, Reply
from orthanc_plugin.enforcement.rest import Call
from orthanc_plugin.errors import ConsentgateError, RegistryError, SpoolError
from orthanc_plugin.sending.keptcopies import Shelf
from orthanc_plugin.sending.worker import Worker
from orthanc_plugin.services import Services

SECONDS: Final = 3.0
DECISIONS: Final = "decisions"
# For how many seconds a part may owe an answer and count as busy. No decision is waited for so long: threads of which
# none is free by then hang.
PATIENCE: Final[Mapping[str, float]] = {DECISIONS: 60.0}
LEAST_FREE: Final = 256 * 1024 * 1024  # bytes: a few photographs more can still be kept
MEGABYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """How one part is."""

    ok: bool
    detail: str = ""
    busy: bool = False


def heartbeat(services: Services) -> Part:
    """Tell when the heartbeat was last heard."""
    pulse = services.gate.pulse
    if pulse.since is None:
        return Part(ok=False, detail="never heard")
    return Part(ok=not pulse.stopped, detail=f"last beat {pulse.since:.0f} s ago")


def registry(services: Services) -> Part:
    """Read from the registry, see that nobody holds up whoever writes, and take its write lock."""
    with services.database.reading() as connection:
        connection.execute(text("SELECT 1"))
    if (held := blocker(services)) is not None:
        return Part(ok=False, detail=f"{held} {held.remedy}")
    with services.database.writing():
        return Part(ok=True, detail="read, and locked for writing")


def spool(services: Services, least: int = LEAST_FREE) -> Part:
    """Write into the quarantine spool's folder, and see whether at least so many bytes are left."""
    folder = services.spool.folder
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            os.fsync(file.fileno())
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise SpoolError(f"The quarantine spool can't be written ({error.strerror}).") from error
    return Part(ok=free >= least, detail=f"{free // MEGABYTE} MB free")


def trail(services: Services) -> Part:
    """Tell when the trail was last found to be the one whose head was signed; the heartbeat looks at each beat."""
    if services.heads.verified is None:
        raise RegistryError("The trail's head has not been signed since the start.")
    ago = services.ticks() - services.heads.verified
    return Part(ok=ago <= services.gate.pulse.within, detail=f"head signed and met {ago:.0f} s ago")


def copies(services: Services) -> Part:
    """Tell how many anonymised copies are kept, and where; no door needs them."""
    shelf = Shelf(services)
    try:
        number, size = shelf.copies.held()
    except RegistryError:
        return Part(ok=True, detail=f"not counted, in {shelf.copies.folder.path}")
    return Part(ok=True, detail=f"{number} kept, {size // MEGABYTE} MB, in {shelf.copies.folder.path}")


Ask = Callable[[Services], Part]
Parts = Mapping[str, Ask]
PARTS: Final[Parts] = {
    "heartbeat": heartbeat,
    "registry": registry,
    "spool": spool,
    "copies": copies,
    "trail": trail,
}


def this_answer(_services: Services) -> Part:
    """Tell what an answer tells by being one, where a thread that decides gives it."""
    return Part(ok=True, detail="this answer")


def free(decisions: Worker) -> Ask:
    """Return the part that tells once one of these threads is free."""

    def decisions_live(_services: Services) -> Part:
        decisions.meet()
        return Part(ok=True, detail="one of them was free")

    return decisions_live


class _Asked:
    """A part that is being asked, in a thread of its own: nothing can stop one that hangs."""

    def __init__(self, part: Ask, services: Services) -> None:
        self.since = services.ticks()
        self.found: Part | None = None
        self.thread = threading.Thread(target=self._ask, args=(part, services), daemon=True)
        self.thread.start()

    def _ask(self, part: Ask, services: Services) -> None:
        try:
            self.found = part(services)
        except ConsentgateError as error:
            self.found = Part(ok=False, detail=str(error))
        except Exception as error:  # noqa: BLE001 - a part that fails in any way is a part that doesn't work
            self.found = Part(ok=False, detail=type(error).__name__)


class Asker:
    """Asks one part again and again, but never one that still owes an answer: nothing piles up behind it.

    Args:
        part: what is asked.
        services: what it needs.
        patience: for how many seconds it may owe an answer and count as busy.
    """

    def __init__(self, part: Ask, services: Services, patience: float) -> None:
        self.part = part
        self.services = services
        self.patience = patience
        self.lock = threading.Lock()
        self.asked: _Asked | None = None

    def begin(self) -> _Asked:
        """Ask, unless it is being asked."""
        with self.lock:
            if self.asked is None or self.asked.found is not None:
                self.asked = _Asked(self.part, self.services)
            return self.asked

    def told(self, asked: _Asked, seconds: float) -> Part:
        """Return the answer, or for how long it is owed, ``seconds`` after the question at the latest."""
        owed = self.services.ticks() - asked.since
        asked.thread.join(max(0.0, seconds - owed))
        if asked.found is not None:
            return asked.found
        owed = self.services.ticks() - asked.since
        return Part(ok=owed < self.patience, busy=owed < self.patience, detail=f"no answer for {owed:.0f} s")


class Examiner:
    """Says how every part is.

    Args:
        services: what the parts need.
        known: the parts.
        seconds: how long an answer may take.
    """

    def __init__(self, services: Services, known: Parts, seconds: float = SECONDS) -> None:
        self.services = services
        self.seconds = seconds
        self.askers = {name: Asker(part, services, PATIENCE.get(name, 0.0)) for name, part in known.items()}

    def health(self, _services: Services, _call: Call) -> Reply:
        """Answer a call."""
        return self.examined()

    def examined(self) -> Reply:
        """Return how every part is, asked all at once, and whether the doors are open."""
        services = self.services
        asked = {name: asker.begin() for name, asker in self.askers.items()}
        parts = {name: asker.told(asked[name], self.seconds) for name, asker in self.askers.items()}
        why = services.gate.closed
        well = why is None and all(part.ok for part in parts.values())
        payload = {
            "ok": well,
            "doors": {"open": why is None, "why": why or ""},
            "parts": {name: asdict(part) for name, part in parts.items()},
            "policy": services.policy.sha256,
            "version": VERSION,
            "at": services.clock().isoformat(),
        }
        return Reply(status=OK if well else UNAVAILABLE, payload=payload)


def health(services: Services, _call: Call) -> Reply:
    """Say whether the policy threads, the registry, the spool and the trail work, and whether the doors are open."""
    return Examiner(services, {DECISIONS: this_answer, **PARTS}).examined()
