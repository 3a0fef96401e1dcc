"""What tells that nothing was committed, on each database: it differs whoever commits, and else is equal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import pytest
from sqlalchemy import Connection

from orthanc_plugin.registry import marks
from orthanc_plugin.registry.engine import Database, open_database
from orthanc_plugin.registry.fence import Passing
from orthanc_plugin.registry.prepared import Driver, driver
from orthanc_plugin.registry.standstill import Seen, seen
from tests.fakes.queued import AT
from tests.fakes.world import World


def nothing(_database: Database) -> None:
    """Do nothing."""


def read(database: Database) -> None:
    """Read, as others do all the time."""
    with database.reading() as connection:
        marks.marked(connection, marks.STABLE)


def write(database: Database) -> None:
    """Commit something."""
    with database.writing() as connection:
        marks.mark(connection, marks.STABLE, AT)


def write_elsewhere(database: Database) -> None:
    """Commit something by another process's connection."""
    other = open_database(database.engine.url.render_as_string(hide_password=False))
    write(other)
    other.close()


CASES: Final[dict[str, tuple[Callable[[Database], None], bool]]] = {
    "nothing": (nothing, True),
    "others read": (read, True),
    "somebody here commits": (write, False),
    "somebody elsewhere commits": (write_elsewhere, False),
}


@pytest.mark.parametrize(("happens", "equal"), CASES.values(), ids=CASES)
def test_it_is_equal_as_long_as_nothing_was_committed(
    happens: Callable[[Database], None], equal: bool, world: World
) -> None:
    database = world.services.database
    with database.leaving() as passing:
        before = looked(database, passing)
    happens(database)
    with database.leaving() as passing:
        assert (looked(database, passing) == before) is equal


def looked(database: Database, passing: Passing) -> Seen:
    """Return what a sender within the fence sees."""
    with database.reading(passing) as connection:
        return seen(connection)


def test_what_two_connections_see_is_never_taken_for_the_same_where_each_counts_for_itself(world: World) -> None:
    database = world.services.database
    with database.reading() as first, database.reading() as second:
        equal = seen(first) == seen(second)
    assert equal is (database.engine.dialect.name == "postgresql")


def test_a_connection_that_was_given_back_and_then_wrote_sees_that_too(world: World) -> None:
    database = world.services.database
    with database.engine.connect() as connection, connection.begin():
        before, mine = seen(connection), driver(connection)
    with again(database, mine) as connection, connection.begin():
        marks.mark(connection, marks.STABLE, AT)
    with again(database, mine) as connection, connection.begin():
        assert seen(connection) != before


@contextmanager
def again(database: Database, mine: Driver) -> Iterator[Connection]:
    """Give a connection once more that the pool has by now."""
    with ExitStack() as had:
        while driver(found := had.enter_context(database.engine.connect())) is not mine:
            pass
        yield found
