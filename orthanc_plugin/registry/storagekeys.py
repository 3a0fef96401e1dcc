"""Data keys of Orthanc's files, wrapped by a site key, and which site keys there are.

Knows rows, and how a key is wrapped: AES-256-GCM, with the row's own name as associated data, so that no row's key can
be put into another row. Must not know files. A key that is destroyed is overwritten in its row; the row stays, so that
its name is never used again and a restored file that names it is known for what it is. Source: NIST SP 800-57 part 1,
8.3.4 (destruction); NIST SP 800-88 (cryptographic erase); requirements 4, step 7.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum, unique
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, bindparam, func, select, update

from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.storagetables import storage_keys, storage_site_keys
from orthanc_plugin.registry.stored import sealed

SEAL: Final = "storage site key record "
DESTROYED_SEAL: Final = "data key destroyed "
KEY_SEAL: Final = "storage key "
NONCE_BYTES: Final = 12
KEY_BYTES: Final = 32
_MARK: Final = b"consentgate storage site key mark"


class StorageKeyError(ConsentgateError):
    """A key that Orthanc's files are encrypted with can't be had."""

    remedy = "See 'consentgate storage status' and docs/storage.md; nothing was overwritten."


@unique
class Kind(StrEnum):
    """What a data key is of: a study, or one file of which nobody can tell the study, which it goes with."""

    STUDY = "STUDY"
    FILE = "FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteKey:
    """A key that wraps data keys, and the name it is known by."""

    name: str
    value: bytes = field(repr=False)

    @property
    def mark(self) -> str:
        """Return what tells this key from others, and from which it can't be found out."""
        return hmac.new(self.value, _MARK, hashlib.sha256).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteKeyRecord:
    """A site key on record: who proposed it and who put it in force, and when nothing was left that it wraps."""

    name: str
    mark: str
    proposed_by: str
    proposed_at: str
    approved_by: str | None = None
    approved_at: str | None = None
    retired_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKey:
    """A data key on record; one that is destroyed has no ``wrapped`` any more."""

    key_id: str
    kind: Kind
    subject: str | None
    wrapped: str | None = field(repr=False)
    site_key: str


_COLUMNS: Final = tuple(storage_keys.c[name] for name in ("key_id", "kind", "subject", "wrapped", "site_key"))
# Asked about every file that is written.
LIVE: Final = prepared(
    select(*_COLUMNS).where(storage_keys.c.kind == bindparam("kind"), storage_keys.c.subject == bindparam("subject"))
)
# Asked and written for every new study.
ADDED: Final = prepared(storage_keys.insert())
IN_USE: Final = prepared(
    select(storage_site_keys)
    .where(storage_site_keys.c.approved_at.is_not(None), storage_site_keys.c.retired_at.is_(None))
    .order_by(storage_site_keys.c.approved_at, storage_site_keys.c.proposed_at, storage_site_keys.c.name)
)


def fresh(kind: Kind, subject: str, site: SiteKey) -> tuple[DataKey, bytes]:
    """Return a new data key, wrapped and in clear."""
    key_id, key = os.urandom(16).hex(), os.urandom(KEY_BYTES)
    row = DataKey(key_id=key_id, kind=kind, subject=subject, wrapped=None, site_key=site.mark)
    return rewrapped(row, key, site), key


def rewrapped(row: DataKey, key: bytes, site: SiteKey) -> DataKey:
    """Return the row with its key wrapped by a site key."""
    nonce = os.urandom(NONCE_BYTES)
    wrapped = nonce + AESGCM(site.value).encrypt(nonce, key, _name(row))
    return DataKey(key_id=row.key_id, kind=row.kind, subject=row.subject, wrapped=wrapped.hex(), site_key=site.mark)


def unwrapped(row: DataKey, site: SiteKey) -> bytes:
    """Return the key in clear.

    Raises:
        StorageKeyError: it is destroyed, or the row isn't as it was written.
    """
    if row.wrapped is None:
        raise StorageKeyError("The data key was destroyed, so what it encrypts can't be read by anybody.")
    try:
        wrapped = bytes.fromhex(row.wrapped)
        return AESGCM(site.value).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _name(row))
    except (InvalidTag, ValueError) as error:
        raise StorageKeyError(
            "A data key's row isn't as it was written.", remedy="Compare the registry with a backup of it."
        ) from error


def _name(row: DataKey) -> bytes:
    return f"{row.key_id} {row.kind} {row.subject}".encode()


def live(connection: Connection, kind: Kind, subject: str) -> DataKey | None:
    """Return the data key of a study or a file, None when there is none, or none any more."""
    return next((_data_key(row) for row in LIVE.rows(connection, kind=kind.value, subject=subject)), None)


def named(connection: Connection, key_id: str) -> DataKey | None:
    """Return the data key of this name, destroyed or not."""
    row = connection.execute(select(*_COLUMNS).where(storage_keys.c.key_id == key_id)).first()
    return None if row is None else _data_key(tuple(row))


def _data_key(row: Sequence[object]) -> DataKey:
    key_id, kind, subject, wrapped, site_key = (None if each is None else str(each) for each in row)
    return DataKey(key_id=str(key_id), kind=Kind(str(kind)), subject=subject, wrapped=wrapped, site_key=str(site_key))


def add(connection: Connection, row: DataKey, at: str) -> str:
    """File a new data key; return the words that tie it to its entry in the trail."""
    columns = {**_columns(row), "created_at": at, "destroyed_at": None}
    ADDED.run(connection, **columns)
    return _key_seal(columns)


def _columns(row: DataKey) -> dict[str, object]:
    return {**asdict(row), "kind": row.kind.value}


def change(connection: Connection, row: DataKey) -> str | None:
    """Write a live data key as it is wrapped by now, and return its seal; None for one destroyed meanwhile."""
    known = (storage_keys.c.key_id == row.key_id, storage_keys.c.destroyed_at.is_(None))
    as_wrapped = update(storage_keys).where(*known).values(wrapped=row.wrapped, site_key=row.site_key)
    return key_seal(connection, row.key_id) if connection.execute(as_wrapped).rowcount else None


def key_seal(connection: Connection, key_id: str) -> str:
    """Return the words that tie a data key as it stands to its entry in the trail."""
    row = connection.execute(select(storage_keys).where(storage_keys.c.key_id == key_id)).one()
    return _key_seal(dict(row._mapping))


def _key_seal(columns: Mapping[str, object]) -> str:
    """Seal every column: of what is wrapped, nothing can be found out by the digest."""
    return sealed(KEY_SEAL, str(columns["key_id"]), dict(columns))


def key_seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every data key, live or destroyed."""
    for row in connection.execute(select(storage_keys), execution_options=IN_PARTS):
        yield _key_seal(dict(row._mapping))


def destroy(connection: Connection, kind: Kind, subject: str, at: str) -> str | None:
    """Destroy the data key of a study or a file; return its name, None when there was none."""
    row = live(connection, kind, subject)
    if row is None:
        return None
    gone = {"subject": None, "wrapped": None, "destroyed_at": at}
    connection.execute(update(storage_keys).where(storage_keys.c.key_id == row.key_id).values(gone))
    return row.key_id


def not_under(connection: Connection, mark: str, most: int) -> list[DataKey]:
    """Return some of the live data keys that another site key wraps."""
    query = select(*_COLUMNS).where(storage_keys.c.site_key != mark, storage_keys.c.destroyed_at.is_(None))
    return [_data_key(tuple(row)) for row in connection.execute(query.limit(most))]


def files(connection: Connection) -> Iterator[tuple[str, str]]:
    """Give the files that have a data key of their own, each with the moment at which it was made."""
    of_files = (storage_keys.c.kind == Kind.FILE.value, storage_keys.c.destroyed_at.is_(None))
    query = select(storage_keys.c.subject, storage_keys.c.created_at).where(*of_files)
    for subject, created_at in connection.execute(query, execution_options=IN_PARTS):
        yield str(subject), str(created_at)


def counted(connection: Connection) -> dict[tuple[str, bool], int]:
    """Return how many data keys there are by the site key's mark, and of these how many are live."""
    is_live = storage_keys.c.destroyed_at.is_(None)
    query = select(storage_keys.c.site_key, is_live, func.count()).group_by(storage_keys.c.site_key, is_live)
    return {(str(mark), bool(alive)): int(count) for mark, alive, count in connection.execute(query)}


def site_keys(connection: Connection) -> list[SiteKeyRecord]:
    """Return every site key on record, in the order in which they were proposed."""
    query = select(storage_site_keys).order_by(storage_site_keys.c.proposed_at, storage_site_keys.c.name)
    return [SiteKeyRecord(**row._mapping) for row in connection.execute(query)]


def in_use(connection: Connection) -> list[SiteKeyRecord]:
    """Return the site keys that wrap data keys, or may: in force, and not retired; the newest is the last."""
    return [_site_key(row) for row in IN_USE.rows(connection)]


def _site_key(row: Sequence[object]) -> SiteKeyRecord:
    name, mark, proposed_by, proposed_at, *later = (None if each is None else str(each) for each in row)
    approved_by, approved_at, retired_at = later
    return SiteKeyRecord(
        name=str(name),
        mark=str(mark),
        proposed_by=str(proposed_by),
        proposed_at=str(proposed_at),
        approved_by=approved_by,
        approved_at=approved_at,
        retired_at=retired_at,
    )


def put(connection: Connection, record: SiteKeyRecord) -> str:
    """Write a site key as it stands; return the words that tie it to its entry in the trail."""
    known = storage_site_keys.c.name == record.name
    if connection.execute(update(storage_site_keys).where(known).values(asdict(record))).rowcount == 0:
        connection.execute(storage_site_keys.insert().values(asdict(record)))
    return _seal(record)


def _seal(record: SiteKeyRecord) -> str:
    return sealed(SEAL, record.name, asdict(record))


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every site key as it stands."""
    for each in site_keys(connection):
        yield _seal(each)


def destroyed_seal(key_id: str, at: str) -> str:
    """Return the words that tie a study's key that is destroyed to its entry in the trail."""
    return sealed(DESTROYED_SEAL, key_id, {"destroyed_at": at})


def destroyed_seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every study's key that is destroyed; one that nobody destroyed on record would be a loss."""
    gone = (storage_keys.c.kind == Kind.STUDY.value, storage_keys.c.wrapped.is_(None))
    query = select(storage_keys.c.key_id, storage_keys.c.destroyed_at).where(*gone)
    for key_id, at in connection.execute(query, execution_options=IN_PARTS):
        yield destroyed_seal(str(key_id), str(at))
