"""What lies in the quarantine spool and is on no list: what a kill left behind, and what isn't the spool's at all.

Knows the spool's names. A file that can't be taken for what its name says stays where it is and is somebody's task; it
keeps nobody from working, for its sender was never told that it arrived. Must not know how anything is held.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Collection, Iterator
from typing import Final

from orthanc_plugin.enforcement.reading import IntakeRefusedError, parsed
from orthanc_plugin.errors import SpoolError
from orthanc_plugin.policy.storing import StorageTask
from orthanc_plugin.registry import tasks
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

OURS: Final = re.compile(r"[0-9a-f]{64}\.dcm")
STRANGE: Final = "quarantine"  # the task's subject where the file's own name could say anything


def leftovers(services: Services, listed: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Give name and content of each object in the spool that isn't ``listed``.

    Raises:
        RegistryError: what can't be read could not be told of.
    """
    for name in services.spool.names():
        if name in listed:
            continue
        try:
            content = _object(services, name)
        except (IntakeRefusedError, SpoolError) as error:
            _tell(services, name, str(error.args[0]))
        else:
            yield name, content


def _object(services: Services, name: str) -> bytes:
    if not OURS.fullmatch(name):
        raise SpoolError("The file is none of the spool's.")
    content = services.spool.get(name)
    if name != f"{hashlib.sha256(content).hexdigest()}.dcm":
        raise SpoolError("The file does not hold what its name says.")
    parsed(content)
    return content


def _tell(services: Services, name: str, reason: str) -> None:
    """Have somebody look into a file of the spool's folder."""
    logger.warning("a file in the quarantine spool is left as it is: %s", reason)
    subject = name if OURS.fullmatch(name) else STRANGE
    words = f"a file in the quarantine spool that is on no list can't be used: {reason} Look at it, and take it out."
    kind, fresh, at = StorageTask.UNREADABLE_FILE, services.ids(), services.clock()
    with services.database.writing() as connection:
        tasks.open_task(connection, task_id=fresh, kind=kind, subject=subject, reason=words, at=at)
