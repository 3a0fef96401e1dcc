"""Copies that are made before anybody's turn comes to get them: of pictures that were confirmed for whoever waits.

Knows the queue of wanted copies. Must not decide, and records no release: a copy is made only where somebody could have
it now, and leaves only once everything was asked again. It is made where it holds nobody up: in the courier when
nothing is to be sent, else on the plugin's heartbeat. Source: ADR 59.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.errors import ArchiveError, ConsentgateError
from orthanc_plugin.gate import Answer
from orthanc_plugin.registry import images, wantedcopies
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.wantedcopies import Wanted
from orthanc_plugin.release import Context
from orthanc_plugin.sending.keptcopies import Shelf, permitted
from orthanc_plugin.sending.packing import original
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparing:
    """Makes copies ahead.

    Attributes:
        services: gate, registry and release.
        archive: reads.
        place: that archive, as the holdings call it: what others have is made ahead beside theirs.
        patience: for how long a copy is left to others who might make it.
    """

    services: Services
    archive: ImageArchive
    place: str
    patience: timedelta = timedelta(0)

    def any(self) -> bool:
        """Tell whether something is to be made.

        Raises:
            RegistryError: nobody can tell.
        """
        with self.services.database.reading() as connection:
            return wantedcopies.waits(connection, self.services.clock() - self.patience, self.place)

    def some(self, most: int, stopping: Callable[[], bool] = lambda: False) -> int:
        """Make as many of the copies that are wanted; return how many there were.

        Raises:
            ConsentgateError: registry or archive are away; what was taken is tried again.
        """
        if self.services.gate.closed is not None or not self.any():
            return 0
        at = self.services.clock() - self.patience
        taken = self.services.database.write(lambda connection: wantedcopies.take(connection, at, most, self.place))
        for number, each in enumerate(taken):
            if stopping():
                return number
            self._make(each)
        return len(taken)

    def _make(self, wanted: Wanted) -> None:
        """Make one, if anybody may have it; what can't be made is made, or refused, when it is asked for.

        Raises:
            ConsentgateError: registry or archive are away.
        """
        try:
            self._kept(wanted)
        except ArchiveError:
            raise
        except ConsentgateError as error:
            logger.info("a copy could not be made ahead (%s)", type(error).__name__)
        except Exception:  # the boundary: one picture must not keep others from being made
            logger.exception("a copy could not be made ahead")
        self.services.database.write(lambda connection: wantedcopies.made(connection, wanted))

    def _kept(self, wanted: Wanted) -> None:
        shelf, release = Shelf(self.services), self.services.release
        if shelf.copies.limits.none or shelf.copies.folder.is_crowded():  # it would be made in vain
            return
        with self.services.database.reading() as connection:
            row = images.get(connection, wanted.picture)
            found = self._for_somebody(connection, wanted, row) if row else None
        if row is None or found is None:
            return
        answer, context = found
        if shelf.about(answer.decision, context, row) is None or shelf.take(answer.decision, context, row) is not None:
            return
        made = release.prepare(answer.decision, context, original(self.archive, row), row.sop_instance_uid)
        shelf.keep(answer, context, row, made)

    def _for_somebody(self, connection: Connection, wanted: Wanted, row: ImageRow) -> tuple[Answer, Context] | None:
        """Return what somebody who is bound to the profile would be answered, None where nobody may have the copy."""
        bindings = (each for each in self.services.policy.bindings if each.profile == wanted.profile)
        found = (permitted(self.services, connection, row.sop_instance_uid, each) for each in bindings)
        return next((each for each in found if each is not None), None)
