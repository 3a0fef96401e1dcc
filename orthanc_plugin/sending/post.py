"""Keeps the courier going: waits for the Orthanc that it reads from, takes up its new secret and its new policy.

Knows when nothing may be sent: while no guarded Orthanc runs here, its doors are shut, or it runs on another policy
than the courier. Must not know what is sent. Nothing that is away ends the courier; it waits, and says so once.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Event
from typing import Final

from orthanc_plugin.archive.peers import peers_by_aet
from orthanc_plugin.archive.remote import RemoteArchive, RemoteControl, read_credentials, read_network, read_place
from orthanc_plugin.errors import ArchiveError, ConsentgateError
from orthanc_plugin.sending.courier import Rounds, Turn
from orthanc_plugin.sending.notices import Notices
from orthanc_plugin.sending.pace import Pace
from orthanc_plugin.sending.preparing import Preparing
from orthanc_plugin.sending.ways import Ways
from orthanc_plugin.sending.worker import Worker
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

PAUSE: Final = 1.0  # seconds until Orthanc is asked again whether anything may be sent
GLANCE: Final = 0.1  # seconds between looks into an outbox in which nothing is due, each a millisecond's reading
CHECKED: Final = 2.0  # seconds for which the doors count as open once they were found so
READERS: Final = 2
TAIL: Final = 9  # characters that tell couriers of one name apart
LONGEST: Final = 64  # characters, as the outbox has room for
Tell = Callable[[Turn], None]


class NotReadyError(ArchiveError):
    """Nothing may be sent as things are."""

    remedy = "Restart Orthanc on the policy.toml that is meant, or wait until it is ready."


class Post:
    """A courier's post: everything that it goes by, and that may change while it works.

    Args:
        built: gives the services, of the configuration as it is.
        name: of the courier; what it claims is under a name that no other process has, whatever others are called.
        tell: told of each turn.
        stop: set when the courier is to end.
    """

    def __init__(self, built: Callable[[], Services], name: str, tell: Tell, stop: Event) -> None:
        self.built = built
        self.services = built()
        self.name = name
        self.claims = f"{name[TAIL - LONGEST :]}~{self.services.ids()[: TAIL - 1]}"
        self.tell = tell
        self.stop = stop
        self.readers = Worker("courier", READERS, seconds=None)
        self._said = ""
        self._since: datetime | None = None
        self._failed = False
        self._last: list[int] = []
        self._pace = Pace()

    def work(self, *, once: bool) -> None:
        """Send until told to stop; ``once``: what is due now, each once.

        Raises:
            ConsentgateError: with ``once``, what is not ready.
        """
        self._since = self.services.clock() if once else None
        try:
            while not self.stop.is_set():
                try:
                    with self._rounds() as rounds:
                        if self._sent(rounds) or not once:
                            continue
                        return
                except (ConsentgateError, OSError) as error:
                    if once:
                        raise
                    self._failed = True
                    self._say(error)
                    self.stop.wait(PAUSE)
        finally:
            self.readers.stop()
            self.services.database.close()

    def _sent(self, rounds: Rounds) -> bool:
        """Send for as long as the doors count as open; tell whether anything was due."""
        until = self.services.ticks() + CHECKED
        if self._failed:
            rounds.take_back()
            self._failed = False
        notices = Notices(services=rounds.services, archive=rounds.archive, ways=rounds.ways, name=self.name)
        busy = notices.perform() > 0
        while not self.stop.is_set() and self.services.ticks() < until:
            turn = rounds.turn()
            if turn is None:
                if not busy and self._since is None:
                    self._rest(rounds, until)
                return busy
            busy = True
            self.tell(turn)
        return busy

    def _rest(self, rounds: Rounds, until: float) -> None:
        """Wait until something is due, or for as long as the doors count as open, and make copies ahead meanwhile."""
        ahead = Preparing(services=rounds.services, archive=rounds.archive, place=rounds.place)

        def idle() -> bool:
            return not self.stop.is_set() and self.services.ticks() < until and not rounds.due()

        while not self.stop.wait(GLANCE) and idle():
            while ahead.some(1, self.stop.is_set) and idle():
                pass

    @contextmanager
    def _rounds(self) -> Iterator[Rounds]:
        """Give the rounds on the Orthanc that runs now.

        Raises:
            ArchiveError: none runs, or nothing may be sent.
            ConfigurationError: its modalities can't be called.
        """
        settings = self.services.settings
        place = settings.path(settings.orthanc.boot_secret)
        credentials = read_credentials(place, settings.orthanc.user)
        control = RemoteControl(settings.orthanc.url, credentials)
        archive = RemoteArchive(settings.orthanc.url, credentials)
        try:
            self._agree(control.policy())
            here = read_place(place).archive
            self._said = ""
            yield Rounds(
                services=self.services,
                archive=archive,
                ways=Ways(
                    policy=self.services.policy,
                    folder=settings.path(settings.policy.file).parent,
                    peers=peers_by_aet(read_network(place)),
                    heard=control.commitment,
                ),
                readers=self.readers,
                name=self.claims,
                chance=random.SystemRandom().random,
                stopping=self.stop.is_set,
                since=self._since,
                place=here,
                last=self._last,
                pace=self._pace,
            )
        finally:
            control.close()
            archive.close()

    def _agree(self, in_force: str) -> None:
        """Take up the policy that Orthanc runs on.

        Raises:
            NotReadyError: it is not that of the file.
        """
        if self.services.policy.sha256 == in_force:
            return
        fresh = self.built()
        if fresh.policy.sha256 != in_force:
            fresh.database.close()
            raise NotReadyError("Orthanc runs on another policy.toml than the one in the file.")
        self.services.database.close()
        self.services = fresh

    def _say(self, error: Exception) -> None:
        """Log why nothing is sent, once for each reason."""
        words = str(error) if isinstance(error, ConsentgateError) else type(error).__name__
        if words != self._said:
            self._said = words
            logger.warning("waiting: %s", words)
