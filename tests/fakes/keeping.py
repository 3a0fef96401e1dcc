"""A world in which copies are kept: somebody asked, somebody else has looked; and everything that can end a copy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from orthanc_plugin.deid.keys import make_key
from orthanc_plugin.lifecycle import consenting, withdrawal
from orthanc_plugin.retention import unplanned
from orthanc_plugin.sending.packing import Packed, Packer, Refusal
from orthanc_plugin.sending.preparing import Preparing
from orthanc_plugin.services import build
from tests.fakes.looking import LOOKING, confirmed, opened, redacted
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, consent
from tests.fakes.world import SETTINGS, World, counted_ids, make_world

REGION = (16, 16, 16, 16)
HERE = "the first archive"
MORE = '[keys.more]\n"2027" = "keys/2027.key"\n'
MOVED = '[pseudonym_keys]\nteaching = "2027"\n'


@contextmanager
def keeping(folder: Path) -> Iterator[World]:
    """Give a world with a picture that may leave for teaching: somebody asked, and somebody else has looked."""
    make_key(folder / "keys" / "2027.key")
    made = make_world(folder, policy=LOOKING, settings=SETTINGS + MORE)
    made.file(CARE, TEACHING)
    made.services.gate.authorize(made.request("teacher"))
    opened(made)
    confirmed(made)
    yield made
    made.close()


def pack(world: World, by: str = "teacher") -> Packed | Refusal:
    return Packer(world.services, world.archive).pack(world.requester(by), world.row(), world.binding(by), "test")


def sent(world: World, by: str = "teacher") -> Packed:
    found = pack(world, by)
    assert isinstance(found, Packed), found
    return found


def is_kept(world: World, by: str = "teacher") -> bool:
    """Tell whether a copy could leave that isn't made: the archive is away, and so is every program."""
    gone, world.archive.objects = world.archive.objects, {}
    try:
        return isinstance(pack(world, by), Packed)
    finally:
        world.archive.objects = gone


def rows(world: World) -> int:
    ((number,),) = world.sql("SELECT count(*) FROM kept_copies")
    return int(str(number))


def files(world: World) -> list[Path]:
    folder = world.services.spool.folder / ".copies"
    return [each for each in folder.glob("*") if each.name != ".place"]


def under(world: World, policy: str, settings: str = SETTINGS + MORE) -> World:
    """Return the same world under other files."""
    (world.folder / "policy.toml").write_text(policy)
    (world.folder / "settings.toml").write_text(settings)
    ids = counted_ids(f"of {len(world.trail())}")
    return replace(world, services=build(world.folder / "settings.toml", {}, world.clock, ids, world.ticks))


def preparing(world: World, patience: timedelta = timedelta(0)) -> Preparing:
    return Preparing(services=world.services, archive=world.archive, place=HERE, patience=patience)


def withdrawn(world: World) -> None:
    with world.services.database.writing() as connection:
        act, note = world.services.act("nurse", "test"), withdrawal.Withdrawal()
        withdrawal.withdraw(connection, act, CONSENT_ID, (), on=world.clock().date(), note=note)


def refused(world: World) -> None:
    said = consent(TEACHING, id="urn:x:no", level="PATIENT", state="REFUSED", decided_on="2026-11-22")
    with world.services.database.writing() as connection:
        consenting.record(connection, world.services.act("nurse", "test"), said)


def lost(world: World) -> None:
    with world.services.database.writing() as connection:
        unplanned.tell(connection, world.services.act("consentgate", "test"), (world.row().orthanc_instance,))


def looked_at_again(world: World) -> None:
    opened(world, "second-looker")
    redacted(world, REGION, by="second-looker")
    confirmed(world, "second-looker")
