"""Which of several archives has a picture: as each says, whoever said so last."""

from __future__ import annotations

from orthanc_plugin.registry import holdings
from tests.fakes.world import World

ONE, OTHER = "one", "other"


def keep(world: World, archive: str, *instances: str) -> None:
    with world.services.database.writing() as connection:
        holdings.keep(connection, archive, instances)


def elsewhere(world: World, archive: str) -> set[str]:
    with world.services.database.reading() as connection:
        return set(holdings.elsewhere(connection, archive))


def test_each_archive_has_what_it_says_and_the_last_word_counts(either_world: World) -> None:
    keep(either_world, ONE, "a", "b", "b")
    keep(either_world, OTHER, "c")
    keep(either_world, OTHER)
    assert (elsewhere(either_world, ONE), elsewhere(either_world, OTHER)) == ({"c"}, {"a", "b"})
    keep(either_world, OTHER, "b", "d")
    keep(either_world, ONE, "a")
    assert (elsewhere(either_world, ONE), elsewhere(either_world, OTHER)) == ({"b", "c", "d"}, {"a"})


def test_many_are_said_at_once(world: World) -> None:
    names = [f"picture-{number}" for number in range(2 * holdings.AT_ONCE + 1)]
    keep(world, ONE, *names)
    assert elsewhere(world, OTHER) == set(names)
