"""Notices of recall: sent to recipients that a machine can tell, deleted at those under our control.

Knows in what order a notice is claimed, sent and written down. Must not know which copies are recalled, nor what
follows from an answer. A notice goes to a recipient whose days as a recipient are over, too: it takes nothing there.
What can't be said by a machine becomes a letter, with the reason; what fails is tried again, and never given up.

Sources: requirements 2.9, G-19 (UK GDPR 19); IHE RAD IOCM.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import Connection

from orthanc_plugin.archive.erasing import Eraser
from orthanc_plugin.archive.port import ImageArchive, NotTakenError
from orthanc_plugin.config.bindings import Destination, DicomNode
from orthanc_plugin.config.recipients import Kind, Recipient
from orthanc_plugin.errors import ArchiveError, ConsentgateError
from orthanc_plugin.lifecycle import recalling, whereabouts
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.recalling import Method, next_try
from orthanc_plugin.registry import recallturns, unended
from orthanc_plugin.registry.recallturns import Noticed, Turn
from orthanc_plugin.sending import brokenoff
from orthanc_plugin.sending.destinations import demands_tls
from orthanc_plugin.sending.rejection import NotNameableError, Rejection
from orthanc_plugin.sending.ways import Ways
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

DOOR: Final = "courier"
LEASE: Final = timedelta(minutes=5)
MOST: Final = 8
ON_ITS_WAY: Final = timedelta(hours=1)  # what has not ended by then broke off
WAIT: Final = timedelta(seconds=30)
NO_DESTINATION: Final = "policy.toml has no such recipient any more"
NO_PEER: Final = "the recipient is no other Orthanc of policy.toml any more"
NEEDED: Final = "the recipient has the same object for another reason that still stands"
NEVER_LEFT: Final = "nothing of it had left"
ERASED: Final = "deleted at the other Orthanc, and not found there afterwards"
STILL_THERE: Final = "the other Orthanc still has it after deleting it"
MOVING: Final = "a copy is still on its way there"
NOT_SECURE: Final = "policy.toml demands TLS of the recipient, and it would be told without"
Step = Callable[[Connection, Act, str], object]


class NoChannelError(ArchiveError):
    """The recipient may not be told by the way that leads to it."""

    remedy = 'Set "UseDicomTls": true for the node in orthanc.json, or write a letter (consentgate recall letter).'


@dataclass(frozen=True, slots=True, kw_only=True)
class Notices:
    """Sends what is due.

    Attributes:
        services: the registry, the policy and the keys.
        archive: reads what originals say of their patient.
        ways: gives the way to each recipient.
        name: of the courier.
    """

    services: Services
    archive: ImageArchive
    ways: Ways
    name: str

    def perform(self) -> int:
        """Send the notices that are due; return how many were seen to.

        Raises:
            RegistryError: the registry can't be asked.
        """
        at = self.services.clock()
        with self.services.database.reading() as connection:
            if not recallturns.due(connection, at):
                return 0
        turns = self.services.database.write(
            lambda connection: recallturns.claim(connection, self.name, at, at + LEASE, MOST)
        )
        for turn in turns:
            self._perform(turn)
        return len(turns)

    def _perform(self, turn: Turn) -> None:
        """See to one notice; what fails is tried again later."""
        try:
            self._seen_to(turn)
        except (NotNameableError, NotTakenError) as error:
            self._letter(turn, str(error.args[0]))
        except ConsentgateError as error:
            self._later(turn, str(error.args[0]))
        except Exception:  # the boundary: one notice must not end the courier
            logger.exception("a notice of recall could not be sent")
            self._later(turn, "sending it broke off")

    def _seen_to(self, turn: Turn) -> None:
        recall, at = turn.recall, self.services.clock()
        destination = self.services.policy.recipient(recall.recipient)
        with self.services.database.reading() as connection:
            if not recallturns.holds(connection, turn):
                return
            copies = recallturns.noticed(connection, recall, self._same_machine(destination))
            doubt = whereabouts.doubt(connection, destination, copies) if destination else NO_DESTINATION
        if not copies:
            self._write(turn, lambda connection, act, name: recalling.acknowledge(connection, act, name, NEVER_LEFT))
        elif destination is None or doubt:
            self._letter(turn, doubt)
        elif any(copy.needed for copy in copies):
            self._letter(turn, NEEDED)
        elif moving := [copy.disclosure_id for copy in copies if _moving(copy, at)]:
            self._later(turn, MOVING, at if self._broken_off(moving, at) else at + WAIT)
        elif recall.method is Method.DELETE:
            self._erase(turn, destination, copies)
        else:
            self._tell(turn, destination, copies, at)

    def _broken_off(self, moving: Sequence[str], at: datetime) -> bool:
        """Write down how releases ended whose courier died with rows that were cancelled since; tell if any did."""

        def settle(connection: Connection) -> bool:
            left = unended.left_behind(connection, moving, at - LEASE)
            for each in left:
                brokenoff.settle(connection, self.services, each, each.disclosure_id)
            return bool(left)

        return self.services.database.write(settle)

    def _same_machine(self, destination: Destination | None) -> tuple[str, ...]:
        """Return who of policy.toml may be the same Orthanc, by its host: what one of them may keep isn't deleted."""
        host = _host(destination)
        return tuple(each.name for each in self.services.policy.destinations if host and _host(each) == host)

    def _tell(self, turn: Turn, destination: Destination, copies: Sequence[Noticed], at: datetime) -> None:
        """Send rejection notes."""
        makes = Rejection(services=self.services, archive=self.archive, destination=destination)
        notes = makes.notes(turn.recall, copies, at)
        with closing(self.ways.to(destination)) as way:
            _require_secure(destination, secured=way.secured)
            if not self._begun(turn):
                return
            for note in notes:
                way.store(note)
        self._write(turn, recalling.notified)

    def _erase(self, turn: Turn, destination: Destination, copies: Sequence[Noticed]) -> None:
        """Delete at an Orthanc that is under our control what the ledger says it has from us, and nothing else."""
        if not isinstance(destination, Recipient) or destination.kind is not Kind.PEER:
            return self._letter(turn, NO_PEER)
        with closing(Eraser(self.ways.server(destination))) as eraser:
            _require_secure(destination, secured=eraser.secured)
            if not self._begun(turn):
                return None
            gone = [eraser.erase(uid) for uid in sorted({copy.released_uid for copy in copies})]
        if not all(gone):
            return self._later(turn, STILL_THERE)
        return self._write(turn, lambda connection, act, name: recalling.acknowledge(connection, act, name, ERASED))

    def _begun(self, turn: Turn) -> bool:
        """Record that the notice goes out now; tell whether it still is to.

        Raises:
            RegistryError: it could not be recorded, so nothing may leave.
        """
        act = self.services.act(self.name, DOOR)

        def begin(connection: Connection) -> bool:
            if still := recallturns.holds(connection, turn):
                recalling.begun(connection, act, turn.recall.recall_id)
            return still

        return self.services.database.write(begin)

    def _letter(self, turn: Turn, why: str) -> None:
        self._write(turn, lambda connection, act, name: recalling.by_letter(connection, act, name, why))

    def _later(self, turn: Turn, problem: str, when: datetime | None = None) -> None:
        at = when or next_try(turn.recall.attempts, self.services.clock())
        self.services.database.write(lambda connection: recallturns.later(connection, turn, at, problem))

    def _write(self, turn: Turn, step: Step) -> None:
        """Write down what came of it, unless the notice has gone into other hands or somebody has answered it."""
        act = self.services.act(self.name, DOOR)

        def write(connection: Connection) -> None:
            if recallturns.holds(connection, turn):
                step(connection, act, turn.recall.recall_id)

        self.services.database.write(write)


def _moving(copy: Noticed, at: datetime) -> bool:
    """Tell whether a copy is on its way there: a notice that came before it would be forgotten."""
    return copy.begun_at is not None and at - datetime.fromisoformat(copy.begun_at) < ON_ITS_WAY


def _host(destination: Destination | None) -> str:
    """Return the host of a destination, however its address is written; '' when it has none."""
    if isinstance(destination, Recipient):
        return urlsplit(destination.url).hostname or ""
    return destination.host.lower() if isinstance(destination, DicomNode) else ""


def _require_secure(destination: Destination, *, secured: bool) -> None:
    if demands_tls(destination) and not secured:
        raise NoChannelError(f"{NOT_SECURE}.")
