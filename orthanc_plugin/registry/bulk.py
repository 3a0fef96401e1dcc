"""Many things in few statements.

Knows how much goes into one statement: databases limit its parameters, and a statement for each is slow. Thousands of
names go as one parameter, an array on PostgreSQL and JSON on SQLite: the statement is as short as for one; ``named``
has the same for prepared statements. Must not know tables.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from sqlalchemy import ColumnElement, Connection, Table, Text, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from orthanc_plugin.registry.named import those

T = TypeVar("T")

PIECE: Final = 500


def pieces(items: Collection[T], size: int = PIECE) -> Iterator[tuple[T, ...]]:
    """Give the items, ``size`` of them at a time."""
    ordered = tuple(items)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def among(connection: Connection, column: ColumnElement[str], names: Collection[str]) -> ColumnElement[bool]:
    """Return what is true of rows in which ``column`` is one of ``names``, however many they are."""
    if _on_server(connection):
        return column == any_(literal(those(connection, names), ARRAY(Text)))
    listed = func.json_each(those(connection, names)).table_valued("value")
    return column.in_(select(listed.c.value))


def put(connection: Connection, table: Table, lists: Mapping[str, Sequence[str]], **same: object) -> None:
    """Insert a row for each place in ``lists``, which are columns of one length; ``same`` is alike in all rows."""
    if _on_server(connection):
        made = (
            func.unnest(*(literal(list(each), ARRAY(Text)) for each in lists.values()))
            .table_valued(*lists)
            .render_derived()
        )
        columns: list[ColumnElement[object]] = [made.c[name] for name in lists]
    else:
        rows = func.json_each(json.dumps(list(zip(*lists.values(), strict=True)))).table_valued("value")
        columns = [func.json_extract(rows.c.value, f"$[{place}]") for place in range(len(lists))]
    alike = [literal(value, table.c[name].type) for name, value in same.items()]
    connection.execute(table.insert().from_select([*lists, *same], select(*columns, *alike)))


def _on_server(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"
