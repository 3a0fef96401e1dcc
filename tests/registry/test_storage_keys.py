"""Data keys and site keys are kept whole on both databases; what is destroyed stays so."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

import pytest

from orthanc_plugin.cli.audit import RECORDS
from orthanc_plugin.errors import ConfigurationError, RegistryError
from orthanc_plugin.lifecycle import sitekeys
from orthanc_plugin.lifecycle.act import UnnamedPersonError
from orthanc_plugin.lifecycle.datakeys import (
    KEPT_SECONDS,
    SAME_PICTURE_SECONDS,
    DataKeys,
    DestroyedKeyError,
    LostKeyError,
)
from orthanc_plugin.lifecycle.sitekeys import RotationError
from orthanc_plugin.registry import storagekeys
from orthanc_plugin.registry.storagekeys import Kind, SiteKey, SiteKeyRecord, StorageKeyError
from orthanc_plugin.registry.trail import details
from tests.fakes.vaulted import FILE, FIRST, SECOND, begun, data_keys
from tests.fakes.world import World

STUDY = "2.25.1"


def used(world: World, key: str) -> None:
    """Encrypt something with a key, and open it."""
    keys = data_keys(world)
    name, cipher = keys.for_writing(Kind.STUDY, key)
    assert keys.for_reading(name).decrypt(b"n" * 12, cipher.encrypt(b"n" * 12, b"pixels", b""), b"") == b"pixels"


def destroyed(world: World, subject: str = STUDY, kind: Kind = Kind.STUDY) -> str | None:
    with world.services.database.writing() as connection:
        return storagekeys.destroy(connection, kind, subject, world.clock().isoformat())


def propose(world: World, key: SiteKey = SECOND, by: str = "derm") -> SiteKeyRecord:
    with world.services.database.writing() as connection:
        return sitekeys.propose(connection, world.services.act(by, "test"), key)


def approve(world: World, name: str = "2027", by: str = "admin", *keys: SiteKey) -> SiteKeyRecord:
    with world.services.database.writing() as connection:
        return sitekeys.approve(connection, world.services.act(by, "test"), name, keys or (FIRST, SECOND))


def test_a_study_has_one_key_and_another_study_another(world: World) -> None:
    begun(world)
    keys = data_keys(world)
    first, _ = keys.for_writing(Kind.STUDY, STUDY)
    assert keys.for_writing(Kind.STUDY, STUDY)[0] == data_keys(world).for_writing(Kind.STUDY, STUDY)[0] == first
    assert keys.for_writing(Kind.STUDY, "2.25.2")[0] != first
    assert keys.for_writing(Kind.FILE, STUDY)[0] != first
    used(world, STUDY)


def test_no_key_is_in_the_registry_in_clear(world: World) -> None:
    begun(world)
    data_keys(world).for_writing(Kind.STUDY, STUDY)
    with world.services.database.reading() as connection:
        row = storagekeys.live(connection, Kind.STUDY, STUDY)
    assert row is not None
    clear = storagekeys.unwrapped(row, FIRST)
    assert clear.hex() not in str(world.sql("SELECT * FROM storage_keys"))
    assert "wrapped" not in repr(row)
    assert "value" not in repr(FIRST)


@pytest.mark.parametrize("change", ["wrapped = '00'", "subject = '2.25.9'", "kind = 'FILE'", "wrapped = 'zz'"])
def test_a_row_that_was_changed_opens_nothing(change: str, world: World) -> None:
    begun(world)
    name, _ = data_keys(world).for_writing(Kind.STUDY, STUDY)
    world.sql(f"UPDATE storage_keys SET {change}")  # noqa: S608 - our own words
    with pytest.raises(LostKeyError):
        data_keys(world).for_reading(name)


def test_a_destroyed_key_is_gone_from_its_row_and_from_memory_within_a_minute(world: World) -> None:
    begun(world)
    keys = data_keys(world)
    name, _ = keys.for_writing(Kind.STUDY, STUDY)
    assert destroyed(world) == name
    assert destroyed(world) is None
    assert world.sql("SELECT subject, wrapped FROM storage_keys") == [(None, None)]
    world.ticks.seconds += KEPT_SECONDS
    with pytest.raises(DestroyedKeyError):
        keys.for_reading(name)


def test_what_comes_after_the_destruction_is_written_with_a_new_key_at_once(world: World) -> None:
    begun(world)
    keys = data_keys(world)
    before, _ = keys.for_writing(Kind.STUDY, STUDY)
    destroyed(world)
    assert keys.for_writing(Kind.STUDY, STUDY)[0] != before


def test_a_lost_key_and_a_lost_registry_give_nothing(world: World) -> None:
    begun(world)
    keys = data_keys(world)
    name, _ = keys.for_writing(Kind.STUDY, STUDY)
    with pytest.raises(LostKeyError):
        keys.for_reading("00" * 16)
    world.lose_the_database()
    keys.for_reading(name)  # for a minute
    world.ticks.seconds += KEPT_SECONDS
    for ask in (lambda: keys.for_reading(name), lambda: keys.for_writing(Kind.FILE, FILE)):
        with pytest.raises(RegistryError):
            ask()


def test_the_two_files_of_a_picture_need_the_registry_once_and_any_other_file_each_time(world: World) -> None:
    begun(world)
    keys = data_keys(world)
    first = keys.for_writing(Kind.STUDY, STUDY, "2.25.7")
    keys.for_writing(Kind.STUDY, STUDY, "2.25.8")
    world.lose_the_database()
    assert keys.for_writing(Kind.STUDY, STUDY, "2.25.7") == first
    for picture in ("2.25.7", "2.25.9", ""):
        with pytest.raises(RegistryError):
            keys.for_writing(Kind.STUDY, STUDY, picture)
    world.ticks.seconds += SAME_PICTURE_SECONDS
    with pytest.raises(RegistryError):
        keys.for_writing(Kind.STUDY, STUDY, "2.25.8")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ((replace(FIRST, value=b"x" * 32),), "not the one that is known"),
        ((SECOND,), "'2026', which pictures are encrypted with, is missing"),
        ((), "is missing"),
    ],
    ids=["another", "gone", "none"],
)
def test_a_start_without_the_site_key_is_refused_and_writes_nothing(
    keys: tuple[SiteKey, ...], words: str, world: World
) -> None:
    begun(world)
    before = world.sql("SELECT * FROM storage_site_keys")
    with pytest.raises(ConfigurationError, match=words), world.services.database.writing() as connection:
        sitekeys.begin(connection, world.services.act("consentgate", "storage"), keys)
    assert world.sql("SELECT * FROM storage_site_keys") == before


def test_the_first_key_is_one(world: World) -> None:
    with pytest.raises(ConfigurationError, match="2 site keys"):
        begun(world, FIRST, SECOND)
    begun(world)
    begun(world)
    assert [each["effect"] for each in world.trail()] == ["STORAGE_KEY_FIRST_USED"]


def test_a_rotation_takes_two_people_and_wraps_every_key_anew(world: World) -> None:
    begun(world)
    names = [data_keys(world).for_writing(Kind.STUDY, f"2.25.{number}")[0] for number in range(5)]
    destroyed(world, "2.25.4")
    propose(world)
    with pytest.raises(RotationError, match="Nobody approves"):
        approve(world, by="derm")
    record = approve(world)
    assert approve(world) == record
    both = data_keys(world, FIRST, SECOND)
    assert sum(sitekeys.rewrap(both, world.services.act("admin", "test"), record)) == 4
    new = data_keys(world, SECOND)
    for name in names[:4]:
        new.for_reading(name)
    with world.services.database.reading() as connection:
        assert [each.name for each in storagekeys.in_use(connection)] == ["2027"]
    with pytest.raises(StorageKeyError, match="None of the site keys"):  # whoever has the old one alone makes no more
        data_keys(world).for_writing(Kind.STUDY, "2.25.99")
    begun(world, SECOND)


def test_a_rotation_that_was_cut_off_is_taken_up(world: World) -> None:
    begun(world)
    for number in range(sitekeys.AT_ONCE + 1):
        data_keys(world).for_writing(Kind.STUDY, f"2.25.{number}")
    propose(world)
    record, act = approve(world), world.services.act("admin", "test")
    both = data_keys(world, FIRST, SECOND)
    assert next(sitekeys.rewrap(both, act, record)) == sitekeys.AT_ONCE
    begun(world, FIRST, SECOND)  # until it has ended, both are needed
    with pytest.raises(ConfigurationError):
        begun(world, SECOND)
    assert list(sitekeys.rewrap(both, act, record)) == [1]
    assert list(sitekeys.rewrap(both, act, record)) == []


def test_nobody_rotates_back_alone(world: World) -> None:
    begun(world)
    propose(world)
    record = approve(world)
    with pytest.raises(RotationError, match="another took over"):
        approve(world, "2026")
    assert approve(world) == record


def test_no_key_stays_in_memory_once_its_minute_is_over(world: World) -> None:
    begun(world)
    keys = data_keys(world)
    name, _ = keys.for_writing(Kind.STUDY, STUDY, "2.25.7")
    world.ticks.seconds += KEPT_SECONDS
    keys.for_writing(Kind.STUDY, "2.25.2")
    kept = [each for each in vars(keys).values() if isinstance(each, OrderedDict)]
    assert kept
    assert not [each for each in kept if name in each or (STUDY, "2.25.7") in each]


@pytest.mark.parametrize("key", [FIRST, replace(SECOND, name="2026"), replace(FIRST, name="new")])
def test_a_key_that_is_known_is_not_proposed(key: SiteKey, world: World) -> None:
    begun(world)
    with pytest.raises(RotationError):
        propose(world, key)


def test_nobody_whom_the_policy_doesn_t_know_rotates(world: World) -> None:
    begun(world)
    with pytest.raises(UnnamedPersonError):
        propose(world, by="somebody")
    propose(world)
    with pytest.raises(UnnamedPersonError):
        approve(world, by="somebody")


@pytest.mark.parametrize(
    ("name", "keys"),
    [("2028", (FIRST, SECOND)), ("2027", (FIRST,)), ("2027", (FIRST, replace(SECOND, value=b"3" * 32)))],
)
def test_only_the_key_that_was_proposed_takes_over(name: str, keys: tuple[SiteKey, ...], world: World) -> None:
    begun(world)
    propose(world)
    with pytest.raises(RotationError):
        approve(world, name, "admin", *keys)


def test_the_trail_notices_a_changed_site_key(world: World) -> None:
    begun(world)
    propose(world)
    approve(world)
    begins, seals = RECORDS["storage site key"]

    def is_sealed() -> bool:
        with world.services.database.reading() as connection:
            told = {detail for detail, _ in details(connection) if detail.startswith(begins)}
            return set(seals(connection)) <= told

    assert is_sealed()
    world.sql("UPDATE storage_site_keys SET approved_by = 'derm' WHERE name = '2027'")
    assert not is_sealed()


def test_keys_are_counted_by_what_wraps_them(world: World) -> None:
    begun(world)
    keys: DataKeys = data_keys(world)
    for subject in ("2.25.1", "2.25.2"):
        keys.for_writing(Kind.STUDY, subject)
    destroyed(world)
    with world.services.database.reading() as connection:
        assert storagekeys.counted(connection) == {(FIRST.mark, True): 1, (FIRST.mark, False): 1}
