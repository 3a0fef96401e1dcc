"""Statements of the decision's hot path: written with SQLAlchemy Core, compiled once, run on the driver itself.

Knows dialects and the driver's connection. Must not know tables. SQLAlchemy takes several times as long for one
execution as SQLite takes for the answer (docs/performance.md); everything that isn't asked at every access uses
SQLAlchemy as usual.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, cast

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

# Both with parameters by position, in the way the driver writes them.
DIALECTS: Final[Mapping[str, Dialect]] = {
    "sqlite": SQLiteDialect_pysqlite(paramstyle="qmark"),
    "postgresql": PGDialect_psycopg(paramstyle="format"),  # type: ignore[no-untyped-call]
}

Row = tuple[object, ...]
Statement = Select[tuple[object, ...]] | Insert | Update | Delete


class Cursor(Protocol):
    """A statement that was executed."""

    @property
    def rowcount(self) -> int:
        """Return how many rows it wrote."""

    def fetchall(self) -> list[Row]:
        """Return the rows that are left."""

    def executemany(self, text: str, values: Iterable[Sequence[object]], /) -> object:
        """Execute a statement once with each of many values."""

    def close(self) -> None:
        """Let go of it."""


class Driver(Protocol):
    """The connection of sqlite3, and that of psycopg."""

    def execute(self, text: str, values: Sequence[object], /) -> Cursor:
        """Execute a statement."""

    def cursor(self) -> Cursor:
        """Return what executes statements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A statement for each dialect: its text, the names of its parameters in order, and values they have already."""

    texts: Mapping[str, tuple[str, tuple[str, ...], Mapping[str, object]]]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of its parameters in order, which is every dialect's."""
        (names,) = {names for _, names, _ in self.texts.values()}
        return names

    def rows(self, connection: Connection, **values: object) -> list[Row]:
        """Return the rows, read in the transaction of ``connection`` (which must have begun)."""
        return self._executed(connection, values).fetchall()

    def run(self, connection: Connection, **values: object) -> None:
        """Do what gives no rows, in the transaction of ``connection`` (which must have begun)."""
        self._executed(connection, values).close()

    def run_many(self, connection: Connection, rows: Iterable[Sequence[object]]) -> None:
        """Do what gives no rows once with each of these values, which are in the order of the parameters."""
        cursor = driver(connection).cursor()
        cursor.executemany(self.texts[connection.dialect.name][0], rows)
        cursor.close()

    def run_each(self, connection: Connection, rows: Iterable[Mapping[str, object]]) -> None:
        """Do what gives no rows once with each of these values, which are named."""
        _, names, fixed = self.texts[connection.dialect.name]
        told = ({**fixed, **row} for row in rows)
        self.run_many(connection, [[each[name] for name in names] for each in told])

    def _executed(self, connection: Connection, values: Mapping[str, object]) -> Cursor:
        """Execute on the driver's own connection; both drivers have this shortcut, and close what nobody holds."""
        text, names, fixed = self.texts[connection.dialect.name]
        told = {**fixed, **values} if fixed else values
        return driver(connection).execute(text, [told[name] for name in names])


def driver(connection: Connection) -> Driver:
    """Return the driver's own connection under SQLAlchemy's."""
    return cast("Driver", connection.connection.driver_connection)


def prepared(query: Statement, *, postgresql: Statement | None = None) -> Prepared:
    """Return ``query``, whose parameters are all ``bindparam`` or columns, compiled for each dialect.

    ``postgresql`` is the same for PostgreSQL, where SQLAlchemy needs it written otherwise.
    """
    queries = {"sqlite": query, "postgresql": query if postgresql is None else postgresql}
    return Prepared(texts={name: _compiled(queries[name], dialect) for name, dialect in DIALECTS.items()})


def _compiled(query: Statement, dialect: Dialect) -> tuple[str, tuple[str, ...], Mapping[str, object]]:
    compiled = query.compile(dialect=dialect)
    fixed = {name: value for name, value in compiled.params.items() if value is not None}
    return str(compiled), tuple(compiled.positiontup or ()), fixed
