"""Anonymised copies that were made and proven, kept sealed until they go again, so that none need be made twice.

Knows rows and files. A file is sealed (AES-256-GCM) with a key of its own, which is in the copy's row, sealed in turn
with a key that isn't in the database; so when the row goes, nobody can open the file, nor a backup of it. A row's name
is a keyed digest of everything that the copy came of: what differs in anything finds no row. What isn't as it was
written counts as none. Must not know profiles nor pictures, nor who may have one. Rows and files are a memory and no
record: any may be deleted at any time. Source: ADR 59; NIST SP 800-38D; NIST SP 800-88 (cryptographic erase).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, bindparam, delete, func, select

from orthanc_plugin.clock import Clock
from orthanc_plugin.errors import RegistryError, SpoolError
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry.bulk import among
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.keptcopytables import kept_copies
from orthanc_plugin.registry.keptfolder import FOLDER, PART, KeptFolder
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.tables import images

logger = logging.getLogger(__name__)

LARGEST: Final = 32 << 20  # bytes of a copy; a longer one is a film
MEGABYTE: Final = 1 << 20
NONCE_BYTES: Final = 12
KEY_BYTES: Final = 32
DIGEST_BYTES: Final = 32
LONGEST_FILE: Final = LARGEST + NONCE_BYTES + 16  # with the tag
_LABEL: Final = b"consentgate kept copies "
_UNUSED: Final = "a kept copy isn't as it was written and is not used; it is made anew"

_rows = kept_copies.c
Still = Callable[[Connection], bool]
_BY_NAME: Final = prepared(select(_rows.file, _rows.sealed, _rows.made_at).where(_rows.name == bindparam("name")))
FORGET: Final = prepared(delete(kept_copies).where(_rows.sop_instance_uid == bindparam("uid")))
FILES: Final = prepared(select(_rows.file).where(_rows.sop_instance_uid == bindparam("uid")))
_STORED: Final = prepared(select(images.c.status, images.c.sha256).where(images.c.sop_instance_uid == bindparam("uid")))


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Which copy is meant.

    Attributes:
        picture: the original's SOP Instance UID.
        original: SHA-256 of the stored object.
        profile: the name of the profile.
        parts: everything else that the copy comes of, in words.
    """

    picture: str
    original: str
    profile: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A finished copy: its bytes, their SHA-256, and its own SOP Instance UID."""

    content: bytes = field(repr=False)
    sha256: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is kept here, and for how long; nothing at all where ``megabytes`` is 0."""

    megabytes: int
    days: int

    @property
    def none(self) -> bool:
        """Tell whether nothing is kept."""
        return self.megabytes <= 0 or self.days <= 0


def always(_connection: Connection) -> bool:
    """Tell that nothing has ended a copy since it was made, where nobody needs to ask."""
    return True


def forget(connection: Connection, pictures: Collection[str]) -> None:
    """Forget every copy of these pictures: once it is committed nobody can open one, whoever has the file."""
    if pictures:
        connection.execute(delete(kept_copies).where(among(connection, _rows.sop_instance_uid, pictures)))


def forget_one(connection: Connection, picture: str) -> None:
    """Do so for one picture."""
    FORGET.run(connection, uid=picture)


def forget_all(connection: Connection) -> None:
    """Forget every copy of every picture, as after a backup was restored: nobody knows what came between."""
    connection.execute(delete(kept_copies))


def files_of(connection: Connection, picture: str) -> list[str]:
    """Return the names of the files with copies of a picture, in the spool's folder."""
    return [f"{FOLDER}/{file}" for (file,) in FILES.rows(connection, uid=picture)]


def tidy(database: Database, spool: Path) -> int:
    """Delete files that no row can open any more, and rows without a file; return how many files.

    What is written meanwhile has its row first, so a file without one is nobody's. A row whose file isn't there yet is
    no loss: whoever writes that file sees that its row is gone.

    Raises:
        RegistryError: nobody can tell which they are.
        SpoolError: the folder can't be looked into, or a file not deleted.
    """
    try:
        return _tidied(database, spool)
    except OSError as error:
        raise SpoolError(f"The folder of kept copies can't be tidied ({error.strerror}).") from error


def _tidied(database: Database, spool: Path) -> int:
    folder = KeptFolder(spool)
    with database.reading() as connection:
        before = set(connection.execute(select(_rows.file).where(_rows.place == folder.name())).scalars())
    there = folder.files()
    with database.reading() as connection:
        known = set(connection.execute(select(_rows.file)).scalars())
    if lost := before - there:
        database.write(lambda connection: _unrecord(connection, lost))
    gone = {each for each in there if each.removesuffix(PART) not in known}
    folder.drop(gone)
    return len(gone)


def _unrecord(connection: Connection, files: Collection[str]) -> None:
    connection.execute(delete(kept_copies).where(among(connection, _rows.file, files)))


class KeptCopies:
    """The copies that are kept in this folder.

    Args:
        database: where their rows are.
        spool: the spool's folder, in which theirs is.
        secret: 32 bytes that aren't in the database. Nodes with other secrets don't see one another's.
        clock: tells how old one is.
        limits: how much is kept.
    """

    def __init__(self, database: Database, spool: Path, secret: bytes, clock: Clock, limits: Limits) -> None:
        self.database = database
        self.folder = KeptFolder(spool)
        self.clock = clock
        self.limits = limits
        self._naming = _key(secret, b"name")
        self._cipher = AESGCM(_key(secret, b"seal"))
        self._here = ""

    def of(self, about: About) -> Kept | None:
        """Return the copy, exactly as it was proven; None when there is none, or none that can be believed or had."""
        if self.limits.none or not self._found():
            return None
        name = self.name(about)
        try:
            with self.database.reading() as connection:
                rows = _BY_NAME.rows(connection, name=name)
        except RegistryError:  # what is recorded of the release needs the database too, and says so
            return None
        return next((self._opened(name, *map(str, row)) for row in rows), None)

    def name(self, about: About) -> str:
        """Return the name of the copy's row, which tells nobody whose or what it is."""
        parts = json.dumps((self._here, about.picture, about.original, about.profile, *about.parts))
        return hmac.new(self._naming, parts.encode(), hashlib.sha256).hexdigest()

    def keep(self, about: About, copy: Kept, still: Still = always) -> bool:
        """Keep a copy in place of an earlier one; tell whether it is kept. One that isn't is made anew when it goes.

        ``still`` is asked in the transaction that keeps it: what ended the copy since it was made has had its turn.
        """
        too_much = len(copy.content) > min(LARGEST, self.limits.megabytes * MEGABYTE)
        too_much |= self.folder.is_crowded(len(copy.content))
        if self.limits.none or too_much or hashlib.sha256(copy.content).hexdigest() != copy.sha256:
            return False
        try:
            self._here = self.folder.named()
            key, file = os.urandom(KEY_BYTES), os.urandom(16).hex()
            row = self._row(about, copy, key, file)
            replaced = self.database.write(lambda connection: self._filed(connection, about, row, still))
            if replaced is None:
                return False
            self.folder.drop(replaced)
            self.folder.write(file, _sealed(AESGCM(key), copy, file))
            return self._is_ours(file)
        except (RegistryError, OSError) as error:
            logger.warning("a copy could not be kept (%s)", type(error).__name__)
            return False

    def rows(self, connection: Connection, after: int, most: int) -> list[tuple[int, str, str, str]]:
        """Return number, name, picture and profile of some copies that are kept here, in the order of their keeping."""
        query = select(_rows.number, _rows.name, _rows.sop_instance_uid, _rows.profile)
        here = (_rows.place == self._here, _rows.number > after)
        found = connection.execute(query.where(*here).order_by(_rows.number).limit(most))
        return [(int(number), str(name), str(uid), str(profile)) for number, name, uid, profile in found]

    def unkeep(self, numbers: Collection[int]) -> None:
        """Forget single copies, by the numbers of their rows.

        Raises:
            RegistryError: they are still known.
        """
        if numbers:
            gone = delete(kept_copies).where(_rows.number.in_(tuple(numbers)))
            self.database.write(lambda connection: connection.execute(gone))

    def expire(self) -> int:
        """Forget what is too old, wherever its file is or was, and the oldest that are too many here; return how many.

        All here are too many where photographs need the room.

        Raises:
            RegistryError: they are still known.
        """
        old = _rows.made_at <= (self.clock() - timedelta(days=self.limits.days)).isoformat()
        self._found()
        with self.database.reading() as connection:
            found = {str(each) for each in connection.execute(select(_rows.file).where(old)).scalars()}
            all_of_it = self.limits.megabytes * MEGABYTE if self.folder.is_crowded() else 0
            found.update(self._pushed_out(connection, "", all_of_it))
        if found:
            self.database.write(lambda connection: _unrecord(connection, found))
        return len(found)

    def _too_old(self, made_at: str) -> bool:
        return datetime.fromisoformat(made_at) + timedelta(days=self.limits.days) <= self.clock()

    def held(self) -> tuple[int, int]:
        """Return how many copies are kept here, and of how many bytes.

        Raises:
            RegistryError: nobody can tell.
        """
        query = select(func.count(), func.coalesce(func.sum(_rows.size), 0))
        with self.database.reading() as connection:
            number, size = connection.execute(query.where(_rows.place == (self._found() or "?"))).one()
        return int(number), int(size)

    def _found(self) -> str:
        """Return the folder's own name, '' as long as nothing is kept in it."""
        self._here = self._here or self.folder.name()
        return self._here

    def _row(self, about: About, copy: Kept, key: bytes, file: str) -> dict[str, object]:
        name, nonce = self.name(about), os.urandom(NONCE_BYTES)
        plain = key + bytes.fromhex(copy.sha256) + copy.sop_instance_uid.encode()
        return {
            "file": file,
            "name": name,
            "place": self._here,
            "sop_instance_uid": about.picture,
            "profile": about.profile,
            "sealed": (nonce + self._cipher.encrypt(nonce, plain, _tied(name, file))).hex(),
            "size": len(copy.content),
            "made_at": self.clock().isoformat(),
        }

    def _filed(
        self, connection: Connection, about: About, row: dict[str, object], still: Still
    ) -> tuple[str, ...] | None:
        """Add the row; return the files of those that it pushes out, None where the picture is no longer as it was."""
        stored = next(iter(_STORED.rows(connection, uid=about.picture)), None)
        if stored != (ImageStatus.ACTIVE.value, about.original) or not still(connection):
            return None
        out = [str(each) for each in connection.execute(select(_rows.file).where(_rows.name == row["name"])).scalars()]
        out += self._pushed_out(connection, str(row["name"]), int(str(row["size"])))
        if out:
            _unrecord(connection, out)
        connection.execute(kept_copies.insert().values(row))
        return tuple(out)

    def _pushed_out(self, connection: Connection, name: str, size: int) -> list[str]:
        """Return the oldest files, as many as must go for one of this name and size."""
        others = (_rows.place == self._here, _rows.name != name)
        held = int(connection.execute(select(func.coalesce(func.sum(_rows.size), 0)).where(*others)).scalar_one())
        too_much, out = held + size - self.limits.megabytes * MEGABYTE, []
        if too_much > 0:
            oldest = select(_rows.file, _rows.size).where(*others).order_by(_rows.number)
            for file, its_size in connection.execute(oldest):
                out.append(str(file))
                too_much -= int(its_size)
                if too_much <= 0:
                    break
        return out

    def _is_ours(self, file: str) -> bool:
        """Tell whether the row is still there; a file whose row went meanwhile goes after it."""
        with self.database.reading() as connection:
            ours = connection.execute(select(_rows.number).where(_rows.file == file)).first() is not None
        if not ours:
            self.folder.drop((file,))
        return ours

    def _opened(self, name: str, file: str, sealed: str, made_at: str) -> Kept | None:
        if self._too_old(made_at):
            return None
        try:
            whole = bytes.fromhex(sealed)
            plain = self._cipher.decrypt(whole[:NONCE_BYTES], whole[NONCE_BYTES:], _tied(name, file))
            key, digest, uid = plain[:KEY_BYTES], plain[KEY_BYTES : KEY_BYTES + DIGEST_BYTES], plain[64:]
            stored = self.folder.read(file, LONGEST_FILE)
            tied = _tied(file, digest.hex())
            content = AESGCM(key).decrypt(stored[:NONCE_BYTES], memoryview(stored)[NONCE_BYTES:], tied)
        except FileNotFoundError:
            return None
        except (InvalidTag, ValueError, OSError):
            logger.warning(_UNUSED)
            return None
        return Kept(content=content, sha256=digest.hex(), sop_instance_uid=uid.decode())


def _key(secret: bytes, use: bytes) -> bytes:
    return hmac.new(secret, _LABEL + use, hashlib.sha256).digest()


def _tied(*names: str) -> bytes:
    return " ".join(names).encode()


def _sealed(cipher: AESGCM, copy: Kept, file: str) -> bytes:
    """Return what is written of a copy: its tag holds for these bytes with this digest, and for no others."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, copy.content, _tied(file, copy.sha256))
