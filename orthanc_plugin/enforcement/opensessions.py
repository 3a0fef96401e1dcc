"""Tells the administrator of a PostgreSQL session that keeps changes from being recorded, before anybody needs one.

Knows for how long a transaction may be open. Must not end it: it may be somebody's work of an hour. Orthanc's log is
told of each once, and ``GET /consentgate/health`` for as long as it lasts; whoever withdraws meanwhile is told, too.
"""

from __future__ import annotations

import logging
from typing import Final

from orthanc_plugin.registry.blockers import Blocker
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

HELD_UP: Final = 10.0  # seconds; whoever writes waits as long, and gives up


def blocker(services: Services, seconds: float = HELD_UP) -> Blocker | None:
    """Return who has kept others from writing for so long.

    Raises:
        RegistryError: nobody can tell.
    """
    return services.database.blocked(seconds)


class OpenSessions:
    """Looks at each beat, and says so once of each process."""

    def __init__(self, services: Services, seconds: float = HELD_UP) -> None:
        self.services = services
        self.seconds = seconds
        self.said: int | None = None

    def look(self) -> None:
        """Look, and say it.

        Raises:
            RegistryError: nobody can tell; the next beat looks again.
        """
        found = blocker(self.services, self.seconds)
        if found is not None and found.pid != self.said:
            logger.warning("%s %s", found, found.remedy)
        self.said = None if found is None else found.pid
