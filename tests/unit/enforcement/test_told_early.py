"""Of what Orthanc hears before it is on record, and of what it doesn't."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from orthanc_plugin.enforcement import underway
from orthanc_plugin.enforcement.coming import Coming, Verdict
from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.registry.quarantine import Held
from tests.fakes.pictures import CARE, consent, ct, encoded, photograph, photograph_bytes
from tests.fakes.world import World


def early(world: World, content: bytes) -> list[Verdict]:
    """Return what intake tells of an object before it is on record."""
    told: list[Verdict] = []
    verdict = Intake(world.services).examine(content, "REST_API", "uploader", (), told.append)
    assert told in ([], [verdict])
    return told


def test_a_new_photograph_is_told_of_as_it_will_be_filed(world: World) -> None:
    world.record(consent())
    (verdict,) = early(world, photograph_bytes())
    assert (verdict.name, verdict.content) == (world.row().orthanc_instance, photograph_bytes())


def known(world: World) -> bytes:
    world.file(CARE)
    return photograph_bytes()


def once_held(world: World) -> bytes:
    world.receive()
    world.record(consent())
    return photograph_bytes()


def no_photograph(world: World) -> bytes:
    world.record(consent())
    return encoded(ct())


@pytest.mark.parametrize("coming", [known, once_held, no_photograph])
def test_whatever_is_not_plainly_a_new_photograph_is_on_record_first(
    coming: Callable[[World], bytes], world: World
) -> None:
    content = coming(world)
    assert early(world, content) == []
    assert len(world.rows()) == 1


def test_what_is_held_is_in_the_spool_before_anybody_is_told(world: World) -> None:
    assert early(world, photograph_bytes()) == []
    (held,) = world.held()
    assert held.sha256 == hashlib.sha256(photograph_bytes()).hexdigest()
    assert world.services.spool.get(held.spool_name) == photograph_bytes()


@pytest.mark.parametrize(
    ("column", "text", "plain"),
    [
        ("accession_number", "A1", True),
        ("accession_number", "\0", False),
        ("device_serial", "S" * 65, False),
        ("device_station", "a\u0007b", False),
        ("device_station", None, True),
        ("account", "u" * 64, True),
    ],
)
def test_what_a_database_could_refuse_to_hold_is_on_record_first(
    column: str, text: str | None, plain: bool, world: World
) -> None:
    row = world.file(CARE)
    assert underway.is_plain(replace(row, **{column: text})) is plain  # type: ignore[arg-type]


class Seeing(Intake):
    """Intake that notes whether an object is digested when the write lock is taken."""

    digested = False

    def _still_wanted(self, connection: Connection, coming: Coming, *, new: bool = False) -> Held | None:
        self.digested = bool(coming.arrived)
        return super()._still_wanted(connection, coming, new=new)


@pytest.mark.parametrize("large", [True, False])
def test_a_large_object_is_not_digested_under_the_write_lock(large: bool, world: World) -> None:
    world.record(consent())
    content = encoded(photograph(EncapsulatedDocument=bytes(underway.LARGE if large else 16)))
    intake, told = Seeing(world.services), list[Verdict]()
    intake.examine(content, "REST_API", "uploader", (), told.append)
    assert (intake.digested, len(told)) == (large, 1)
    assert world.row().sha256 == hashlib.sha256(content).hexdigest()
