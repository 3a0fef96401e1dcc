"""What was found out before, for as long as nothing that it rests on has changed, whoever changed it.

Knows the version of the facts: a random word that the database itself replaces whenever a row of ``WATCHED`` is written
(triggers of migration 0014), whatever process writes it. The version is read in the very transaction that would go by
what was found out, so a withdrawal counts from its commit. A new picture changes nothing that is known of others. Must
not know what is found out. Source: requirements 2.6 (R6, a withdrawal counts at once); docs/adr/0041.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Final, Generic, TypeVar

from sqlalchemy import Column, Connection, Integer, String, Table, column, select
from sqlalchemy import table as named_table

from orthanc_plugin.registry.prepared import Row, driver, prepared
from orthanc_plugin.registry.tables import metadata

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
L = TypeVar("L", bound=Hashable)
W = TypeVar("W")
Version = tuple[Row, int]

fact_versions = Table(
    "fact_versions",
    metadata,
    Column("one", Integer, primary_key=True),
    Column("token", String(36), nullable=False),
)

WATCHED: Final = ("authorities", "consents", "images", "patients", "reviews")
SQLITE_TRIGGERS: Final = tuple(f"{name}_{verb}_facts" for name in WATCHED for verb in ("insert", "update", "delete"))
POSTGRESQL_TRIGGERS: Final = (*(f"{name}_facts" for name in WATCHED), "images_insert_facts")
MOST: Final = 4096  # answers that are kept at once

_schema = named_table("alembic_version", column("version_num"))
LOOK: Final = prepared(select(fact_versions.c.token, select(_schema.c.version_num).scalar_subquery()))


def _named(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)


# How many of the triggers are there. A change of the schema could have lost one, and then no version tells anything.
_IN_SQLITE: Final = f"SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name IN ({_named(SQLITE_TRIGGERS)})"  # noqa: S608 - our own names
_IN_POSTGRESQL: Final = (
    "SELECT count(*) FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"  # noqa: S608 - our own names
    " WHERE pg_table_is_visible(pg_class.oid) AND tgenabled IN ('O', 'A')"
    f" AND tgname IN ({_named(POSTGRESQL_TRIGGERS)})"
)
PRESENT: Final[Mapping[str, tuple[str, int]]] = {
    "sqlite": (_IN_SQLITE, len(SQLITE_TRIGGERS)),
    "postgresql": (_IN_POSTGRESQL, len(POSTGRESQL_TRIGGERS)),
}


class Shelf(Generic[K, V]):
    """What was found out under one version of the facts; under None nothing that anybody goes by later."""

    def __init__(self, version: Version | None, most: int) -> None:
        self.version = version
        self._most = most
        self._known: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """Return what was found out, None when nothing was."""
        return self._known.get(key)

    def keep(self, key: K, found: V) -> None:
        """Keep what was found out in a transaction that sees this version; a full shelf is emptied first."""
        if len(self._known) >= self._most:
            self._known.clear()
        self._known[key] = found


class Remembered(Generic[K, V]):
    """What was found out under the version of the facts that counts.

    Args:
        undone: tells how many transactions of this process were undone so far: a new picture changes no version, so
            what such a transaction found out of one that it added wouldn't go with the version.
        most: how much is kept.
    """

    def __init__(self, undone: Callable[[], int], most: int = MOST) -> None:
        self._undone = undone
        self._most = most
        self._shelf: Shelf[K, V] = Shelf(None, most)

    @property
    def newest(self) -> Shelf[K, V]:
        """Return what counted when somebody looked last: no more than a guess, to be made sure of when it is used."""
        return self._shelf

    def shelf(self, connection: Connection) -> Shelf[K, V]:
        """Return what counts in the transaction of ``connection``; look before any of the facts is read there.

        What an undone transaction found out counts no more.
        """
        looked = next(iter(LOOK.rows(connection)), None)
        version = None if looked is None else (looked, self._undone())
        if version != self._shelf.version and not _watched(connection):
            version = None
        return self._under(version)

    def beside(self, other: Shelf[L, W]) -> Shelf[K, V]:
        """Return what counts where ``other`` does, which was looked for in the same transaction."""
        return self._under(other.version)

    def _under(self, version: Version | None) -> Shelf[K, V]:
        shelf = self._shelf
        if version is None or version != shelf.version:
            shelf = Shelf(version, self._most)
            if version is not None:
                self._shelf = shelf
        return shelf


def _watched(connection: Connection) -> bool:
    """Tell whether every trigger is in its place; otherwise nothing is remembered."""
    text, wanted = PRESENT[connection.dialect.name]
    return driver(connection).execute(text, ()).fetchall() == [(wanted,)]
