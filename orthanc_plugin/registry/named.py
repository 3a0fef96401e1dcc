"""Prepared statements that each database has written in its own way: of many names at once, and in a row's place.

Many names are one parameter, an array on PostgreSQL and JSON on SQLite; ``bulk`` has the same for statements that
SQLAlchemy executes. Must not know tables.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TypeVar

from sqlalchemy import Column, Connection, Select, Table, any_, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY

from orthanc_plugin.registry.prepared import Prepared, prepared

T = TypeVar("T")


def of_those(query: Select[tuple[object, ...]], column: Column[T]) -> Prepared:
    """Return ``query``, prepared, of the rows in which ``column`` is one of the parameter ``those``."""
    listed = func.json_each(bindparam("those")).table_valued("value")
    array = bindparam("those", type_=ARRAY(type(column.type)))
    return prepared(query.where(column.in_(select(listed.c.value))), postgresql=query.where(column == any_(array)))


def those(connection: Connection, names: Collection[T]) -> object:
    """Return names, or numbers, as the database takes that parameter.

    What has a NUL names nothing: PostgreSQL takes none, and SQLite would take what stands before it for the name.
    """
    told = [each for each in names if not (isinstance(each, str) and "\0" in each)]
    return told if connection.dialect.name == "postgresql" else json.dumps(told)


def in_place(table: Table) -> Prepared:
    """Return what inserts a row, in place of the one that has the same primary key, if there is one."""
    keys = [column.name for column in table.primary_key]
    inserts = sqlite.insert(table), postgresql.insert(table)
    lite, server = (
        each.on_conflict_do_update(
            index_elements=keys,
            set_={column.name: each.excluded[column.name] for column in table.c if column.name not in keys},
        )
        for each in inserts
    )
    return prepared(lite, postgresql=server)
