"""What somebody has agreed on while pictures are under way counts for those that haven't gone: their copies go anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from orthanc_plugin.config.routes import RouteChoice
from orthanc_plugin.gate import Answer
from orthanc_plugin.lifecycle import reviewing
from orthanc_plugin.sending.packing import Packed, Packer
from tests.fakes.hiding import FACE, hidden, is_grey
from tests.fakes.looking import LOOKING, NOTHING, matter
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.fakes.rounds import CARE_ROUTE, TEACHING_ROUTE, Ward, routed
from tests.fakes.world import World, make_world

UIDS: Final = tuple(f"2.25.{number}" for number in range(900, 908))
GONE: Final = 4  # so many have gone when it is committed; the next ones are made, and on record as begun
WIDER: Final = (0, 0, 48, 48)
INSIDE: Final = 40  # a pixel that the wider region covers and the face's doesn't


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path, policy=LOOKING)
    for uid in UIDS:
        made.file(CARE, TEACHING, uid=uid)
    yield made
    made.close()


def confirms(world: World, uid: str, *regions: tuple[int, int, int, int], by: str = "looker") -> None:
    """Have somebody confirm a picture for teaching, with these regions blanked."""
    act, on = world.services.act(by, "test"), matter(world, "teaching", uid)
    with world.services.database.writing() as connection:
        reviewing.open_(connection, act, on, "")
        if regions:
            reviewing.redact(connection, act, on, regions)
        reviewing.show(connection, act, on)
        reviewing.confirm(connection, act, on, NOTHING, "")


def hides(world: World, uid: str) -> None:
    hidden(world, FACE, uid=uid)


def hides_more(world: World, uid: str) -> None:
    hidden(world, WIDER, uid=uid)


def confirms_blanked(world: World, uid: str) -> None:
    confirms(world, uid, WIDER, by="second-looker")


Step = Callable[[World, str], None]
HAPPENINGS: dict[str, tuple[RouteChoice, Step, Step]] = {
    "more is hidden of others": (CARE_ROUTE, hides, hides_more),
    "others are hidden only now": (CARE_ROUTE, lambda _world, _uid: None, hides_more),
    "more is blanked of the patient": (TEACHING_ROUTE, confirms, confirms_blanked),
}


@pytest.mark.parametrize(("route", "before", "meanwhile"), HAPPENINGS.values(), ids=HAPPENINGS)
def test_no_copy_goes_as_it_was_agreed_on_before(
    route: RouteChoice, before: Step, meanwhile: Step, world: World
) -> None:
    for uid in UIDS:
        before(world, uid)
    ward = queued(world, route)

    def sees(_modality: str, _content: bytes) -> None:
        if len(world.archive.sent) == GONE - 1:
            for uid in UIDS:
                meanwhile(world, uid)

    world.archive.watcher = sees
    ward.turn()
    assert [is_grey(content, INSIDE, INSIDE) for _, content in world.archive.sent[:GONE]] == [False] * GONE
    for _ in range(2 * len(UIDS)):  # what had begun is tried again as anything that did not arrive
        world.clock.advance(hours=1)
        if set(ward.states().values()) == {"DELIVERED"}:
            break
        ward.turn()
    later = [is_grey(content, INSIDE, INSIDE) for _, content in world.archive.sent[GONE:]]
    assert later == [True] * (len(UIDS) - GONE)
    assert len(ward.states()) == len(UIDS)


def queued(world: World, route: RouteChoice) -> Ward:
    ward = routed(world, route)
    ward.queue(*UIDS, route=route)
    return ward


def test_a_picture_that_was_read_to_go_as_it_is_goes_as_a_copy_when_others_are_hidden_since(world: World) -> None:
    world.file(CARE, TEACHING)
    packer, binding = Packer(world.services, world.archive), world.binding("derm")
    asked = world.request("derm"), world.row()
    (foreseen,) = packer.foresee((asked,), binding)
    wanted = packer.wanted(asked, foreseen)
    assert wanted.stored is not None
    hidden(world, WIDER, uid=UID)
    (found,) = packer.begin((wanted,), binding)
    assert isinstance(found, Answer)
    assert world.disclosures() == []
    packed = packer.make(found, world.row(), binding)
    assert isinstance(packed, Packed)
    assert is_grey(packed.released.content, INSIDE, INSIDE)
