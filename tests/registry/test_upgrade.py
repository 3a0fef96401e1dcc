"""An upgrade keeps every row of the version before, at its full width, on both databases."""

from __future__ import annotations

import pytest
from alembic import command
from sqlalchemy import Integer, MetaData, Table, select

from orthanc_plugin.registry import schema
from orthanc_plugin.registry.engine import Database, open_database

Rows = list[dict[str, object]]
ROWS = 3


def upgraded_to(database: Database, revision: str) -> None:
    config = schema.configuration()
    with database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def tables(database: Database) -> list[Table]:
    """Return the tables as the database has them."""
    found = MetaData()
    with database.reading() as connection:
        found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def row_of(table: Table, number: int) -> dict[str, object]:
    """Return a row with every column filled to its width."""
    return {
        column.name: number
        if isinstance(column.type, Integer)
        else f"{number}é".ljust(getattr(column.type, "length", None) or 5_000, "x")
        for column in table.columns
    }


def contents(database: Database, table: Table) -> Rows:
    with database.reading() as connection:
        found = connection.execute(select(table).order_by(*table.primary_key.columns))
        return [dict(row._mapping) for row in found]


@pytest.mark.parametrize("version", ["0001", "0002", "0003"])
def test_an_upgrade_from_an_earlier_version_loses_nothing(version: str, bare: str) -> None:
    database = open_database(bare)
    upgraded_to(database, version)
    before = {table: [row_of(table, number) for number in range(1, ROWS + 1)] for table in tables(database)}
    with database.writing() as connection:
        for table, rows in before.items():
            connection.execute(table.insert(), rows)
    assert len(before) >= 8
    schema.upgrade(database)
    assert {table.name: contents(database, table) for table in before} == {
        table.name: rows for table, rows in before.items()
    }
    schema.require_current(database)
    database.close()


@pytest.mark.parametrize("version", ["0001", "0002", "0003"])
def test_the_columns_that_an_upgrade_adds_have_a_value_where_one_is_needed(version: str, bare: str) -> None:
    database = open_database(bare)
    upgraded_to(database, version)
    old = {table.name: table for table in tables(database)}
    with database.writing() as connection:
        for table in old.values():
            connection.execute(table.insert(), row_of(table, 1))
    schema.upgrade(database)
    for table in tables(database):
        if table.name in old:
            (row,) = contents(database, table)
            assert [name for name, value in row.items() if value is None and not table.c[name].nullable] == []
    database.close()
