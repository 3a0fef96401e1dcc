"""How streams came out is remembered for whoever has the secret; a row that nobody here wrote is never followed."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable

import pytest
from sqlalchemy import func, select, text, update

from dicomwrap.bitstream.recipes import EDITION, Recipe
from orthanc_plugin.registry.streamrecipes import StreamRecipes, stream_recipes
from tests.fakes.world import World

SECRET = b"s" * 32
ONE, OTHER = (hashlib.sha256(each).hexdigest() for each in (b"one", b"other"))
RECIPE = Recipe(head=b"\xff\xd8" + bytes(range(256)), start=623, end=570_001)


def recipes(world: World, secret: bytes = SECRET, most: int = 10) -> StreamRecipes:
    return StreamRecipes(world.services.database, secret, most)


def test_a_recipe_is_given_back_as_it_was_kept(world: World) -> None:
    known = recipes(world)
    assert known.of(ONE) is None
    known.keep(ONE, RECIPE)
    assert (known.of(ONE), recipes(world).of(ONE), known.of(OTHER)) == (RECIPE, RECIPE, None)


def test_a_recipe_of_another_edition_is_not_followed(world: World) -> None:
    recipes(world).keep(ONE, RECIPE)
    later = StreamRecipes(world.services.database, SECRET, edition=EDITION + 1)
    assert later.of(ONE) is None
    later.keep(ONE, RECIPE._replace(start=700))
    assert (later.of(ONE), recipes(world).of(ONE)) == (RECIPE._replace(start=700), RECIPE)


def test_the_last_one_counts_and_there_is_one_row(world: World) -> None:
    known, later = recipes(world), RECIPE._replace(start=700)
    known.keep(ONE, RECIPE)
    known.keep(ONE, later)
    assert known.of(ONE) == later
    assert rows(world) == 1


def test_the_oldest_go_when_there_are_too_many(world: World) -> None:
    known = recipes(world, most=3)
    names = [hashlib.sha256(bytes([number])).hexdigest() for number in range(5)]
    for name in names:
        known.keep(name, RECIPE)
    assert [known.of(name) is not None for name in names] == [False, False, True, True, True]
    assert rows(world) == 3


def rows(world: World) -> int:
    with world.services.database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(stream_recipes)).scalar_one())


def _sealed_by_another(world: World) -> None:
    """Replace the row by one under the same name that another secret has sealed."""
    forger = recipes(world, b"f" * 32)
    forger.keep(ONE, RECIPE._replace(head=b"\xff\xd8Jane Doe"))
    with world.services.database.writing() as connection:
        every = connection.execute(select(stream_recipes).order_by(stream_recipes.c.number)).all()
        connection.execute(update(stream_recipes).values(sealed=every[1].sealed))


def _moved(world: World) -> None:
    """Give the row what is sealed for another stream."""
    recipes(world).keep(OTHER, RECIPE)
    with world.services.database.writing() as connection:
        every = connection.execute(select(stream_recipes).order_by(stream_recipes.c.number)).all()
        connection.execute(update(stream_recipes).values(sealed=every[1].sealed))


def _written(sealed: str) -> Callable[[World], None]:
    def change(world: World) -> None:
        with world.services.database.writing() as connection:
            connection.execute(text("UPDATE stream_recipes SET sealed = :sealed"), {"sealed": sealed})

    return change


def _last_bit(world: World) -> None:
    with world.services.database.writing() as connection:
        before = str(connection.execute(select(stream_recipes.c.sealed)).scalar_one())
        connection.execute(update(stream_recipes).values(sealed=before[:-1] + ("0" if before[-1] != "0" else "1")))


FORGERIES = {
    "sealed by another secret": _sealed_by_another,
    "sealed for another stream": _moved,
    "in clear": _written((bytes(12) + b"\xff\xd8Jane Doe").hex()),
    "no hexadecimal digits": _written("zz"),
    "nothing": _written(""),
    "one bit": _last_bit,
}


@pytest.mark.parametrize("forged", FORGERIES.values(), ids=FORGERIES)
def test_a_row_that_is_not_as_it_was_written_counts_as_none(
    forged: Callable[[World], None], world: World, caplog: pytest.LogCaptureFixture
) -> None:
    known = recipes(world)
    known.keep(ONE, RECIPE)
    forged(world)
    with caplog.at_level(logging.WARNING):
        assert known.of(ONE) is None
    assert [each.levelname for each in caplog.records] == ["WARNING"]
    known.keep(ONE, RECIPE)
    assert known.of(ONE) == RECIPE


def test_rows_tell_neither_the_stream_nor_how_it_came_out(world: World) -> None:
    recipes(world).keep(ONE, RECIPE)
    with world.services.database.reading() as connection:
        said = str(connection.execute(select(stream_recipes)).all())
    assert ONE not in said
    assert RECIPE.head.hex()[:32] not in said


def test_a_registry_that_is_away_costs_nothing_but_a_second_writing(world: World) -> None:
    known = recipes(world)
    known.keep(ONE, RECIPE)
    world.lose_the_database()
    known.keep(OTHER, RECIPE)
    assert known.of(ONE) is None
