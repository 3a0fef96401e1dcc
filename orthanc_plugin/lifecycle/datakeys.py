"""The keys that Orthanc's files are written and read with, as a running process has them.

Knows which site keys this process has, and when to ask the registry. A file is written only with a key that the
registry has at that moment, so that nothing is ever encrypted with a key that was destroyed a moment ago; for reading,
a key is kept in memory for a minute at most. Must not know files. Source: NIST SP 800-57 part 1, 8.3.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.clock import Ticks
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.registry import storagekeys
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.storagekeys import DataKey, Kind, SiteKey, StorageKeyError
from orthanc_plugin.registry.trail import append

KEPT_SECONDS: Final = 60.0
MOST_KEPT: Final = 256
SAME_PICTURE_SECONDS: Final = 2.0
RESTART: Final = "Name the one in use under [storage.site_keys] in settings.toml, and restart Orthanc."


class Said(NamedTuple):
    """What the registry said of a study's key when the first file of a picture was written."""

    key_id: str
    cipher: AESGCM
    at: float


class LostKeyError(StorageKeyError):
    """The data key of a file is on no record, or its row isn't as it was written."""


class DestroyedKeyError(StorageKeyError):
    """The data key of a file was destroyed; the file is one that has come back."""

    remedy = "Run 'consentgate retention reconcile': what was destroyed has come back with a backup."


class DataKeys:
    """Gives ciphers for files.

    Args:
        database: the registry.
        site_keys: those that this process has.
        acting: who makes and destroys keys now, as the trail has it.
        ticks: how long one is kept.
    """

    def __init__(
        self, database: Database, site_keys: Iterable[SiteKey], acting: Callable[[], Act], ticks: Ticks
    ) -> None:
        self.database = database
        self.site_keys = {each.mark: each for each in site_keys}
        self.acting = acting
        self.ticks = ticks
        self._mutex = Lock()
        self._kept: OrderedDict[str, tuple[AESGCM, float]] = OrderedDict()
        self._last: OrderedDict[tuple[str, str], Said] = OrderedDict()

    def for_writing(self, kind: Kind, subject: str, picture: str = "") -> tuple[str, AESGCM]:
        """Return the data key's name and the cipher for a new file of a study, or one by itself.

        Orthanc writes two files of a ``picture``, its header the second, before it knows the picture; so long nobody
        can have destroyed the study, and the registry need not be asked twice.

        Raises:
            StorageKeyError: there is no site key to make one with.
            RegistryError: the registry can't be asked.
        """
        with self._mutex:
            self._drop_old()
            said = self._last.pop((subject, picture), None)
        if picture and said is not None and self.ticks() - said.at < SAME_PICTURE_SECONDS:
            return said.key_id, said.cipher
        with self.database.reading() as connection:
            row = storagekeys.live(connection, kind, subject)
        if row is None:
            row = self.database.write(lambda connection: self._made(connection, kind, subject))
        cipher = self._cipher(row)
        if picture:
            with self._mutex:
                self._last[subject, picture] = Said(row.key_id, cipher, self.ticks())
                while len(self._last) > MOST_KEPT:
                    self._last.popitem(last=False)
        return row.key_id, cipher

    def _made(self, connection: Connection, kind: Kind, subject: str) -> DataKey:
        """Make the data key, unless somebody has meanwhile."""
        row = storagekeys.live(connection, kind, subject)
        if row is None:
            row, _ = storagekeys.fresh(kind, subject, self.newest(connection))
            act = self.acting()
            seal = storagekeys.add(connection, row, act.at.isoformat())
            made = act.event(EventType.APPLICATION_ACTIVITY, "DATA_KEY_MADE", subject=row.key_id, detail=seal)
            append(connection, [made])
        return row

    def newest(self, connection: Connection) -> SiteKey:
        """Return the newest site key in use that this process has.

        Raises:
            StorageKeyError: it has none of them.
        """
        for each in reversed(storagekeys.in_use(connection)):
            if each.mark in self.site_keys:
                return self.site_keys[each.mark]
        raise StorageKeyError(
            "None of the site keys in use is in this process.",
            remedy=RESTART,
        )

    def destroy(self, connection: Connection, kind: Kind, subject: str) -> None:
        """Destroy the data key of a study or a file, with its entry; where there is none nothing is done."""
        act = self.acting()
        key = storagekeys.destroy(connection, kind, subject, act.at.isoformat())
        if key is not None:
            seal = storagekeys.key_seal(connection, key)
            append(connection, [act.event(EventType.STUDY_DELETED, "DATA_KEY_DESTROYED", subject=key, detail=seal)])

    def for_reading(self, key_id: str) -> AESGCM:
        """Return the cipher of a file.

        Raises:
            LostKeyError: nobody has its key any more.
            DestroyedKeyError: its key was destroyed.
            RegistryError: the registry can't be asked, so the file can't be read now.
        """
        with self._mutex:
            self._drop_old()
            cipher, _ = self._kept.get(key_id, (None, 0.0))
        if cipher is not None:
            return cipher
        with self.database.reading() as connection:
            row = storagekeys.named(connection, key_id)
        if row is None:
            raise LostKeyError("The data key of a stored file is on no record.")
        if row.wrapped is None:
            raise DestroyedKeyError("The data key of a stored file was destroyed.")
        return self._cipher(row)

    def clear(self, row: DataKey) -> bytes:
        """Return a data key in clear.

        Raises:
            StorageKeyError: this process hasn't the site key that wraps it.
            LostKeyError: it is not as it was written.
        """
        site = self.site_keys.get(row.site_key)
        if site is None:
            raise StorageKeyError("The site key that wraps a data key is not in this process.", remedy=RESTART)
        try:
            return storagekeys.unwrapped(row, site)
        except StorageKeyError as error:
            raise LostKeyError(str(error.args[0]), remedy=error.remedy) from error

    def _cipher(self, row: DataKey) -> AESGCM:
        """Return a data key's cipher, and keep it for a while; the registry has just told of it."""
        with self._mutex:
            cipher, _ = self._kept.pop(row.key_id, (None, 0.0))
            if cipher is None:
                cipher = AESGCM(self.clear(row))
            self._kept[row.key_id] = (cipher, self.ticks())
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return cipher

    def _drop_old(self) -> None:
        """Drop what was kept for its time, the oldest first; a destroyed key mustn't stay until others push it out."""
        now = self.ticks()
        while self._kept and now - next(iter(self._kept.values()))[1] >= KEPT_SECONDS:
            self._kept.popitem(last=False)
        while self._last and now - next(iter(self._last.values())).at >= SAME_PICTURE_SECONDS:
            self._last.popitem(last=False)
