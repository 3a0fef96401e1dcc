"""Whether the guard itself works: ``GET /consentgate/health``, for an operator, a monitor and ``consentgate watch``.

Knows the parts that a decision needs. It is answered by a thread of those that decide, so an answer at all says that
they live. Every part is asked at once and within a time, so that one that hangs is told and hides no other. Shows no
picture and leaves no entry in the trail, because it must answer when the trail can't.
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
from orthanc_plugin.enforcement.rest import OK, UNAVAILABLE, Call, Reply
from orthanc_plugin.errors import ConsentgateError, RegistryError, SpoolError
from orthanc_plugin.services import Services

SECONDS: Final = 3.0
LEAST_FREE: Final = 256 * 1024 * 1024  # bytes: a few photographs more can still be kept
MEGABYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """How one part is."""

    ok: bool
    detail: str = ""


def heartbeat(services: Services) -> Part:
    """Tell when the heartbeat was last heard."""
    pulse = services.gate.pulse
    last = pulse.last.isoformat() if pulse.last else "never"
    return Part(ok=pulse.last is not None and not pulse.stopped(services.clock()), detail=f"last beat {last}")


def registry(services: Services) -> Part:
    """Read from the registry, and take its write lock."""
    with services.database.reading() as connection:
        connection.execute(text("SELECT 1"))
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
    if (seen := services.heads.verified_at) is None:
        raise RegistryError("The trail's head has not been signed since the start.")
    pulse = services.gate.pulse
    late = services.clock() - seen > pulse.within
    return Part(ok=not late, detail=f"head signed and met {seen.isoformat()}")


Parts = Mapping[str, Callable[[Services], Part]]
PARTS: Final[Parts] = {
    "heartbeat": heartbeat,
    "registry": registry,
    "spool": spool,
    "trail": trail,
}


class _Asked:
    """A part that is being asked, in a thread of its own: nothing can stop one that hangs."""

    def __init__(self, part: Callable[[Services], Part], services: Services) -> None:
        self.found = Part(ok=False, detail="did not answer in time")
        self.thread = threading.Thread(target=self._ask, args=(part, services), daemon=True)
        self.thread.start()

    def _ask(self, part: Callable[[Services], Part], services: Services) -> None:
        try:
            self.found = part(services)
        except ConsentgateError as error:
            self.found = Part(ok=False, detail=str(error))
        except Exception as error:  # noqa: BLE001 - a part that fails in any way is a part that doesn't work
            self.found = Part(ok=False, detail=type(error).__name__)

    def answer(self, seconds: float) -> Part:
        self.thread.join(seconds)
        return self.found


def health(services: Services, _call: Call) -> Reply:
    """Say whether the policy threads, the registry, the spool and the trail work, and whether the doors are open."""
    return examined(services, PARTS, SECONDS)


def examined(services: Services, known: Parts, seconds: float) -> Reply:
    """Return how each of the ``known`` parts is, asked all at once."""
    asked = {name: _Asked(part, services) for name, part in known.items()}
    parts = {"decisions": Part(ok=True, detail="this answer")}
    parts |= {name: each.answer(seconds) for name, each in asked.items()}
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
