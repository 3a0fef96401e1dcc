"""Which study the photographs of a watched folder go into.

Knows the folder that the watch keeps, and that a visit is one patient's on one day: whoever starts the watch again that
day goes on with the same study. Must not know photographs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dicomwrap.durable import Disk
from dicomwrap.errors import WatchError
from dicomwrap.uids import UidSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A study: its UID, and when it began, which all its objects say."""

    study_uid: str
    started: datetime


class Visits:
    """The studies that a watched folder has begun, one file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, details: Mapping[str, str], now: datetime, new_uid: UidSource) -> Begun:
        """Return the study of these details and this day; a new one when there is none yet.

        Raises:
            WatchError: the folder can't be read or written.
        """
        said = json.dumps([now.date().isoformat(), dict(details)], sort_keys=True)
        path = self._folder / f"{hashlib.sha256(said.encode()).hexdigest()[:32]}.json"
        study = {"study_uid": details.get("study_uid") or new_uid(), "started": now.replace(tzinfo=None).isoformat()}
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):
                Disk().put_new(path, json.dumps(study).encode())
        except OSError as error:
            raise WatchError(f"{self._folder} can't be written ({error.strerror})") from error
        return _read(path)

    def started(self, study_uid: str, otherwise: datetime) -> datetime:
        """Return when a study began; ``otherwise`` when nobody knows any more."""
        known = {found.study_uid: found.started for found in map(_read, sorted(self._folder.glob("*.json")))}
        return known.get(study_uid, otherwise)


def _read(path: Path) -> Begun:
    try:
        found = json.loads(path.read_text(encoding="ascii"))
        return Begun(study_uid=str(found["study_uid"]), started=datetime.fromisoformat(found["started"]))
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise WatchError(
            f"{path} can't be read", "Remove it; the photographs of that day begin a new study."
        ) from error
