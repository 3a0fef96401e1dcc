"""Every look-up of the decision and of the doors goes by an index, however large the registry grows."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, bindparam, select

from orthanc_plugin.registry import authorities, facts, images, tables
from orthanc_plugin.registry.images import Subject
from orthanc_plugin.registry.prepared import Prepared, prepared
from tests.fakes.pictures import CARE, UID
from tests.fakes.world import World


def plan(connection: Connection, text: str, values: tuple[object, ...]) -> list[str]:
    """Return the steps by which the database would answer."""
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)
        return [str(row.detail) for row in rows if not str(row.detail).startswith("USE TEMP B-TREE")]
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # a table of one row is read whole otherwise
    return [str(row[0]) for row in connection.exec_driver_sql(f"EXPLAIN {text}", values)]


def scanned(steps: list[str]) -> list[str]:
    """Return the steps that read a whole table."""
    return [step for step in steps if "SCAN" in step or "Seq Scan" in step]


@pytest.mark.parametrize("subject", Subject)
def test_pictures_are_found_by_an_index_whatever_names_them(subject: Subject, world: World) -> None:
    world.file(CARE)
    with world.services.database.reading() as connection:
        query = prepared(select(tables.images).where(tables.images.c[subject.value] == bindparam("name")))
        text, _names, _fixed = query.texts[connection.dialect.name]
        steps = plan(connection, text, ("2.25.1",))
    assert scanned(steps) == []
    assert any("INDEX" in step.upper() for step in steps)


@pytest.mark.parametrize(
    "query", [facts.IMAGE, facts.CONSENTS, authorities.FACTS], ids=["image", "consents", "authorities"]
)
def test_the_facts_of_a_decision_are_found_by_indexes(query: Prepared, world: World) -> None:
    world.file(CARE)
    with world.services.database.reading() as connection:
        text, names, fixed = query.texts[connection.dialect.name]
        steps = plan(connection, text, tuple(fixed.get(name, "x") for name in names))
    assert scanned(steps) == []
    assert any("INDEX" in step.upper() for step in steps)


@pytest.mark.parametrize("subject", Subject)
def test_a_picture_is_found_by_each_of_its_names(subject: Subject, world: World) -> None:
    row = world.file(CARE)
    with world.services.database.reading() as connection:
        assert images.find(connection, subject, (getattr(row, subject.value),)) == [row]
        assert images.find(connection, subject, ("something else",)) == []


def test_an_orthanc_id_names_one_picture(world: World) -> None:
    row = world.file(CARE)
    with world.services.database.reading() as connection:
        assert images.get(connection, UID) == row
        assert images.get(connection, row.orthanc_instance) is None
