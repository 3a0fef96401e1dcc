"""An upgrade keeps every row of the version before, at its full width, on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from alembic import command
from sqlalchemy import Integer, MetaData, Table, select

from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.registry import reviews, schema
from orthanc_plugin.registry.engine import Database, open_database
from orthanc_plugin.registry.trail import append, details
from tests.fakes.world import START

Rows = list[dict[str, object]]
ROWS = 3
ENTRY = AuditEvent(
    id="first", at=START, event=EventType.APPLICATION_ACTIVITY, outcome=Outcome.SUCCESS, actor="looker", door="test"
)


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
    after = {table: contents(database, table)[: len(rows)] for table, rows in before.items()}  # a trail goes on
    assert {table.name: rows for table, rows in after.items()} == {table.name: rows for table, rows in before.items()}
    schema.require_current(database)
    database.close()


def test_an_upgrade_seals_the_reviews_that_had_no_seal_and_those_only(bare: str) -> None:
    database = open_database(bare)
    upgraded_to(database, "0004")
    (table,) = (each for each in tables(database) if each.name == "reviews")
    with database.writing() as connection:
        connection.execute(table.insert(), [row_of(table, number) for number in (1, 2)])
        named = f"review record {row_of(table, 1)['review_id']}"
        append(connection, [replace(ENTRY, detail=f"{named} sha256 of-another-row")])
    schema.upgrade(database)
    with database.reading() as connection:
        first, second = sorted(reviews.seals(connection))
        assert first.startswith(named)
        assert [said for said, _ in details(connection)] == [f"{named} sha256 of-another-row", second]
    database.close()


@pytest.mark.parametrize(("version", "sealed"), [("0001", 2), ("0002", 3), ("0003", 3)])  # entries of what had none
def test_the_columns_that_an_upgrade_adds_have_a_value_where_one_is_needed(
    version: str, sealed: int, bare: str
) -> None:
    database = open_database(bare)
    upgraded_to(database, version)
    old = {table.name: table for table in tables(database)}
    with database.writing() as connection:
        for table in old.values():
            connection.execute(table.insert(), row_of(table, 1))
    schema.upgrade(database)
    for table in tables(database):
        if table.name in old:
            row, *added = contents(database, table)
            assert len(added) == (sealed if table.name == "trail" else 0)
            assert [name for name, value in row.items() if value is None and not table.c[name].nullable] == []
    database.close()
