"""What is destroyed has no anonymised copy that stays: no row, no file, and none that comes back with a backup."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.registry import keptcopies, wantedcopies
from orthanc_plugin.registry.disposals import State
from orthanc_plugin.registry.keptcopies import About, Kept, KeptCopies, Limits
from orthanc_plugin.retention import certifying, reconciling
from tests.fakes.disposing import DISPOSING, Office, office
from tests.fakes.pictures import CARE, UID
from tests.fakes.world import World

COPY = Kept(content=b"a copy", sha256=hashlib.sha256(b"a copy").hexdigest(), sop_instance_uid="2.25.7")
SECRET = b"s" * 32


@pytest.fixture
def bureau(world: World) -> Iterator[Office]:
    """Give the office of a world with a picture that fell due long ago, and a kept copy of it."""
    policy = world.folder / "policy.toml"
    policy.write_text(DISPOSING)
    world.services = replace(world.services, policy=load_policy(policy))
    world.file(CARE)
    assert copies(world).keep(about(world), COPY)
    with world.services.database.writing() as connection:
        wantedcopies.want(connection, UID, ("teaching",), world.clock())
    return office(world)


def copies(world: World) -> KeptCopies:
    limits = Limits(megabytes=1, days=366)
    return KeptCopies(world.services.database, world.services.spool.folder, SECRET, world.clock, limits)


def about(world: World) -> About:
    return About(picture=UID, original=world.row().sha256, profile="teaching", parts=())


def folder(world: World) -> Path:
    return world.services.spool.folder / ".copies"


def files(world: World) -> list[Path]:
    return [each for each in folder(world).iterdir() if each.name != ".place"]


def counted(world: World) -> list[object]:
    return [world.sql(f"SELECT count(*) FROM {table}")[0][0] for table in ("kept_copies", "wanted_copies")]  # noqa: S608


def test_its_copies_go_with_it(bureau: Office) -> None:
    meant = about(bureau.world)
    outcomes, _ = bureau.execute(bureau.approved())
    assert [each.state for each in outcomes] == [State.DESTROYED]
    assert (counted(bureau.world), files(bureau.world)) == ([0, 0], [])
    assert copies(bureau.world).of(meant) is None
    assert not copies(bureau.world).keep(meant, COPY)  # whoever was at it has come too late


def test_its_copies_stay_while_a_hold_keeps_it(bureau: Office) -> None:
    plan = bureau.approved()
    bureau.hold()
    bureau.execute(plan)
    assert (counted(bureau.world), len(files(bureau.world))) == ([1, 1], 1)


def test_a_copy_that_comes_back_with_backups_of_everything_is_forgotten_again(bureau: Office, tmp_path: Path) -> None:
    world = bureau.world
    meant, row = about(world), world.row()
    shutil.copytree(folder(world), tmp_path / "backup")
    before = world.sql("SELECT file, name, place, sop_instance_uid, profile, sealed, size, made_at FROM kept_copies")
    _, certificate = bureau.execute(bureau.approved())
    certifying.write_files(bureau.certificates, json.loads(certificate.text)["number"], certificate.text)
    shutil.rmtree(folder(world))
    shutil.copytree(tmp_path / "backup", folder(world))
    values = ", ".join(f"'{each}'" for each in before[0])
    columns = "file, name, place, sop_instance_uid, profile, sealed, size, made_at"
    world.sql(f"INSERT INTO kept_copies ({columns}) VALUES ({values})")  # noqa: S608 - ours
    world.sql(f"UPDATE images SET status = 'ACTIVE', sha256 = '{row.sha256}', patient_id = '{row.patient_id}'")  # noqa: S608
    assert copies(world).of(meant) == COPY
    key = world.services.heads.key.public_key()
    shredder = bureau.execution().shredder
    reconciling.reconcile(world.services.database, shredder, lambda: bureau.act("clerk"), bureau.certificates, key)
    assert (counted(world), files(world)) == ([0, 0], [])
    assert copies(world).of(meant) is None


def test_another_nodes_file_can_be_opened_by_nobody_once_the_record_is_destroyed(
    bureau: Office, tmp_path: Path
) -> None:
    world = bureau.world
    limits = Limits(megabytes=1, days=366)
    theirs, meant = KeptCopies(world.services.database, tmp_path, SECRET, world.clock, limits), about(world)
    assert theirs.keep(meant, COPY)
    assert theirs.of(meant) == COPY
    bureau.execute(bureau.approved())
    assert theirs.of(meant) is None
    assert keptcopies.tidy(world.services.database, tmp_path) == 1
