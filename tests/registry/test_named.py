"""Prepared statements that each database has in its own way: many names at once, and a row in another's place."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, select

from orthanc_plugin.registry import disposals, plans, stubs
from orthanc_plugin.registry.bulk import among
from orthanc_plugin.registry.disposals import Fate
from orthanc_plugin.registry.disposaltables import objects
from orthanc_plugin.registry.named import in_place, of_those, those
from orthanc_plugin.registry.prepared import Prepared, driver
from tests.fakes.world import World

ODD = ('say "it"', "O'Brien", "{a,b}", "back\\slash", "日本", "$[0]", "NULL", "")
LISTED = in_place(objects)
BY_DIGEST = of_those(select(objects.c.uid_sha256, objects.c.line), objects.c.uid_sha256)
BY_LINE = of_those(select(objects.c.uid_sha256, objects.c.line), objects.c.line)


def put(connection: Connection, digest: str, line: int, stub: str = "stub") -> None:
    told = {"orthanc_instance": "name", "plan_id": "plan", "stub_id": stub, "state": Fate.DESTROYED.value}
    LISTED.run(connection, uid_sha256=digest, line=line, files="[]", **told)


def test_rows_are_found_by_names_whatever_characters_are_in_them_by_numbers_and_by_none(either_world: World) -> None:
    with either_world.services.database.writing() as connection:
        for line, name in enumerate(ODD):
            put(connection, name, line)
        by_name = BY_DIGEST.rows(connection, those=those(connection, ODD))
        by_number = BY_LINE.rows(connection, those=those(connection, {2, 3, len(ODD)}))
        none = BY_LINE.rows(connection, those=those(connection, ()))
    assert (sorted(by_name), sorted(by_number), none) == (
        sorted((name, line) for line, name in enumerate(ODD)),
        sorted([(ODD[2], 2), (ODD[3], 3)]),
        [],
    )


def test_a_name_with_a_nul_in_it_is_nobodys(either_world: World) -> None:
    with either_world.services.database.writing() as connection:
        put(connection, "1.2", 1)
        found = BY_DIGEST.rows(connection, those=those(connection, ("1.2\0.3", "1.2\0")))
        listed = connection.execute(select(objects.c.line).where(among(connection, objects.c.uid_sha256, ("1.2\0",))))
        assert (found, listed.all()) == ([], [])


def test_a_row_takes_the_place_of_the_one_with_its_key_and_of_no_other(either_world: World) -> None:
    with either_world.services.database.writing() as connection:
        put(connection, "one", 1)
        put(connection, "two", 2)
        put(connection, "one", 3)
        found = BY_DIGEST.rows(connection, those=those(connection, ("one", "two")))
    assert sorted(found) == [("one", 3), ("two", 2)]


def test_what_a_stub_stands_for_is_given_in_order_beside_other_stubs(either_world: World) -> None:
    with either_world.services.database.writing() as connection:
        for digest, stub in (("b", "first"), ("a", "first"), ("c", "second"), ("d", "third")):
            put(connection, digest, 1, stub)
        found = disposals.object_rows(connection, ("first", "second", "unknown"))
    assert found == {"first": [("a", "name"), ("b", "name")], "second": [("c", "name")], "unknown": []}


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        (disposals.OBJECTS, "disposed_objects_by_stub"),
        (disposals.LEFT, "sqlite_autoindex_disposed_objects_1"),
        (disposals.OUTCOMES, "sqlite_autoindex_disposition_outcomes_1"),
        (plans.LINES, "sqlite_autoindex_disposition_lines_1"),
        (stubs.SOME, "sqlite_autoindex_disposition_stubs_1"),
    ],
)
def test_many_are_looked_for_by_an_index(asked: Prepared, index: str, world: World) -> None:
    with world.services.database.reading() as connection:
        if connection.dialect.name == "sqlite":
            text, names, _ = asked.texts["sqlite"]
            explained = driver(connection).execute(f"EXPLAIN QUERY PLAN {text}", ["[]"] * len(names)).fetchall()
            told = [str(row[-1]) for row in explained]
            assert any(f"USING INDEX {index}" in each for each in told), told
            assert not any(each.startswith("SCAN") and "json_each" not in each and "anon" not in each for each in told)
