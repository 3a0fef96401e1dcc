"""Disposition of encrypted records: the key goes with the last picture, is certified, and doesn't come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

import pytest

from orthanc_plugin.cli.audit import RECORDS
from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.enforcement.vault import Vault
from orthanc_plugin.lifecycle import holding
from orthanc_plugin.registry import holdings, storagekeys
from orthanc_plugin.registry.disposals import State
from orthanc_plugin.registry.storagekeys import Kind
from orthanc_plugin.registry.trail import details
from orthanc_plugin.retention import erasing
from orthanc_plugin.retention.certificate import verify
from orthanc_plugin.retention.reconciling import reconcile
from tests.fakes.disposing import DISPOSING, Office, office
from tests.fakes.pictures import CARE, UID, photograph
from tests.fakes.vaulted import FILE, OTHER, vaulted
from tests.fakes.world import World

STUDY = str(photograph().StudyInstanceUID)
SECOND = f"{UID}.2"


@pytest.fixture
def bureau(world: World) -> Office:
    """Give the office of a world with two pictures of one study that fell due long ago."""
    policy = world.folder / "policy.toml"
    policy.write_text(DISPOSING)
    world.services = replace(world.services, policy=load_policy(policy))
    world.file(CARE)
    world.file(CARE, uid=SECOND)
    return office(world)


@pytest.fixture
def files(bureau: Office) -> Vault:
    """Give the vault in which the study has its key."""
    made = vaulted(bureau.world)
    made.keys.for_writing(Kind.STUDY, STUDY)
    return made


def key_of(world: World) -> str | None:
    with world.services.database.reading() as connection:
        row = storagekeys.live(connection, Kind.STUDY, STUDY)
    return None if row is None else row.key_id


def destroyed(world: World) -> list[object]:
    return [entry["subject"] for entry in world.trail() if entry["effect"] == "DATA_KEY_DESTROYED"]


def test_the_key_is_destroyed_with_the_record_and_the_certificate_names_it(bureau: Office, files: Vault) -> None:
    key = key_of(bureau.world)
    outcomes, certificate = bureau.execute(bureau.approved())
    assert [each.state for each in outcomes] == [State.DESTROYED]
    assert key_of(bureau.world) is None
    assert destroyed(bureau.world) == [key]
    said = verify(certificate.text.encode(), bureau.world.services.heads.key.public_key())
    (record,) = cast("list[dict[str, object]]", said["records"])
    assert str(record["method"]).endswith(f"; data key destroyed, id {key}")


def is_sealed(world: World) -> bool:
    begins, seals = RECORDS["destroyed data key"]
    with world.services.database.reading() as connection:
        said = {line for detail, _ in details(connection) for line in detail.splitlines() if line.startswith(begins)}
        return set(seals(connection)) == said


@pytest.mark.parametrize("change", ["wrapped = '00', destroyed_at = NULL", "destroyed_at = '2020-01-01'"])
def test_the_trail_notices_a_key_that_is_back(change: str, bureau: Office, files: Vault) -> None:
    bureau.execute(bureau.approved())
    assert is_sealed(bureau.world)
    bureau.world.sql(f"UPDATE storage_keys SET {change}")  # noqa: S608 - our own words
    assert not is_sealed(bureau.world)


def test_the_trail_notices_a_key_that_nobody_destroyed_on_record(bureau: Office, files: Vault) -> None:
    assert is_sealed(bureau.world)
    bureau.world.sql("UPDATE storage_keys SET wrapped = NULL, destroyed_at = '2020-01-01'")
    assert not is_sealed(bureau.world)


def test_while_a_picture_of_the_study_is_left_so_is_its_key(bureau: Office, files: Vault) -> None:
    bureau.archive.refuses.add(bureau.world.row(SECOND).orthanc_instance)
    outcomes, _ = bureau.execute(bureau.approved())
    assert [each.state for each in outcomes] == [State.PARTLY]
    assert key_of(bureau.world) is not None
    assert destroyed(bureau.world) == []


def test_without_encryption_the_stub_says_nothing_of_keys(bureau: Office) -> None:
    _, certificate = bureau.execute(bureau.approved())
    assert "data key" not in certificate.text
    assert destroyed(bureau.world) == []


def reconciled(bureau: Office) -> None:
    services = bureau.world.services
    shredder, key = bureau.execution().shredder, services.heads.key.public_key()
    reconcile(services.database, shredder, bureau.act, bureau.certificates, key)


def restored(world: World, before: Mapping[str, Sequence[Sequence[object]]]) -> None:
    """Put back what tables had."""
    for table, rows in before.items():
        world.sql(f"DELETE FROM {table}")  # noqa: S608 - our own names
        for row in rows:
            values = ", ".join("NULL" if each is None else f"'{each}'" for each in row)
            world.sql(f"INSERT INTO {table} VALUES ({values})")  # noqa: S608


def test_a_key_that_came_back_with_a_backup_of_the_registry_is_destroyed_again(bureau: Office, files: Vault) -> None:
    world, plan = bureau.world, bureau.approved()
    tables = (
        "images",
        "storage_keys",
        *(f"disposition_{name}" for name in ("stubs", "outcomes", "batches")),
        "disposed_objects",
    )
    before = {table: world.sql(f"SELECT * FROM {table}") for table in tables}  # noqa: S608 - our own names
    key = key_of(world)
    bureau.execute(plan)
    restored(world, before)
    assert key_of(world) == key
    reconciled(bureau)
    assert key_of(world) is None
    assert destroyed(world) == [key, key]


def test_the_keys_of_single_files_that_are_gone_go_too_and_no_others(bureau: Office, files: Vault) -> None:
    files.create(FILE, b"{}")
    files.keys.for_writing(Kind.FILE, OTHER)
    reconciled(bureau)
    assert own_keys(files) == [FILE, OTHER]  # it may be on its way to the disk
    bureau.world.clock.advance(hours=2)
    reconciled(bureau)
    assert own_keys(files) == [FILE]


def own_keys(files: Vault) -> list[str]:
    with files.keys.database.reading() as connection:
        return sorted(name for name, _ in storagekeys.files(connection))


def elsewhere(bureau: Office) -> None:
    """Have another node's archive hold something."""
    with bureau.world.services.database.writing() as connection:
        holdings.keep(connection, "the other node's", ("another picture",))


def unmounted(bureau: Office) -> None:
    for file in bureau.archive.storage.rglob("*"):
        if file.is_file():
            file.unlink()


def lost(bureau: Office) -> None:
    del bureau.world.archive.objects[bureau.world.row(SECOND).orthanc_instance]


@pytest.mark.parametrize("happens", [elsewhere, unmounted, lost])
def test_no_key_of_a_file_is_destroyed_where_nobody_knows_that_the_file_is_gone(
    happens: Callable[[Office], None], bureau: Office, files: Vault
) -> None:
    files.keys.for_writing(Kind.FILE, OTHER)
    bureau.world.clock.advance(hours=2)
    happens(bureau)
    reconciled(bureau)
    assert own_keys(files) == [OTHER]


def test_what_a_hold_keeps_after_a_restore_can_be_read_until_it_is_lifted(bureau: Office, files: Vault) -> None:
    """The registry's rows are those of before the destruction, its stubs are those of after it."""
    world, plan = bureau.world, bureau.approved()
    backup = dict(world.archive.objects)
    tables = ("images", "storage_keys")
    before = {table: world.sql(f"SELECT * FROM {table}") for table in tables}  # noqa: S608 - our own names
    bureau.execute(plan)
    restored(world, before)
    world.archive.objects.update(backup)
    bureau.archive.fill()
    key, hold = key_of(world), bureau.hold()
    reconciled(bureau)
    assert world.archive.objects == backup
    assert key is not None
    assert key_of(world) == key
    with world.services.database.writing() as connection:
        holding.lift(connection, bureau.act("guardian"), hold, "the court", "settled")
    reconciled(bureau)
    assert world.archive.objects == {}
    assert key_of(world) is None


@pytest.mark.parametrize("count", [0, 1, 3, 40])
def test_a_stub_has_room_for_the_words(count: int) -> None:
    keys = tuple(f"{number:032x}" for number in range(count))
    words = erasing.in_words("deleted", keys)
    assert len(words) <= erasing.LONGEST
    told = words.count("id ")
    assert words.endswith(f"besides: {count - told}") or told == count
