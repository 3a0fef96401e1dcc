"""A kept copy is given back as it was proven, or not at all; when its row goes nobody can open its file."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from orthanc_plugin.errors import SpoolError
from orthanc_plugin.registry import keptcopies, keptlist, wantedcopies
from orthanc_plugin.registry.keptcopies import LARGEST, MEGABYTE, About, Kept, KeptCopies, Limits
from tests.fakes.pictures import CARE, UID
from tests.fakes.world import World

SECRET = b"s" * 32
SECOND = f"{UID}.2"


def copy_of(content: bytes) -> Kept:
    return Kept(content=content, sha256=hashlib.sha256(content).hexdigest(), sop_instance_uid="2.25.7")


COPY = copy_of(b"pixels of nobody " * 1000)


def about(world: World, uid: str = UID, *parts: str) -> About:
    return About(picture=uid, original=world.row(uid).sha256, profile="teaching", parts=parts or ("edition", "1"))


def copies(world: World, secret: bytes = SECRET, megabytes: int = 10, days: int = 30) -> KeptCopies:
    limits = Limits(megabytes=megabytes, days=days)
    return KeptCopies(world.services.database, world.services.spool.folder, secret, world.clock, limits)


def files(world: World) -> list[Path]:
    folder = world.services.spool.folder / ".copies"
    return sorted(each for each in folder.iterdir() if each.name != ".place") if folder.is_dir() else []


@pytest.fixture
def filed(world: World) -> World:
    """Give a world with two pictures."""
    world.file(CARE)
    world.file(CARE, uid=SECOND)
    return world


def forget(world: World, *uids: str) -> None:
    with world.services.database.writing() as connection:
        keptcopies.forget(connection, uids)


def test_a_copy_is_given_back_as_it_was_kept_by_whoever_has_the_secret(filed: World) -> None:
    assert copies(filed).of(about(filed)) is None
    assert copies(filed).keep(about(filed), COPY)
    assert (copies(filed).of(about(filed)), copies(filed).held()) == (COPY, (1, len(COPY.content)))
    assert copies(filed, b"o" * 32).of(about(filed)) is None


@pytest.mark.parametrize(
    "change",
    [{"picture": SECOND}, {"original": "0" * 64}, {"profile": "atlas"}, {"parts": ("edition", "2")}, {"parts": ()}],
    ids=["picture", "original", "profile", "anything else", "nothing else"],
)
def test_a_copy_that_came_of_anything_else_is_another_one(change: dict[str, object], filed: World) -> None:
    copies(filed).keep(about(filed), COPY)
    assert copies(filed).of(replace(about(filed), **change)) is None  # type: ignore[arg-type]


def test_neither_rows_nor_files_say_what_a_copy_shows(filed: World) -> None:
    copies(filed).keep(about(filed), COPY)
    (file,) = files(filed)
    assert b"nobody" not in file.read_bytes()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    (row,) = filed.sql("SELECT name, sealed FROM kept_copies")
    assert COPY.sha256 not in str(row)


def test_the_spool_has_no_kept_copy_among_what_it_holds(filed: World) -> None:
    before = filed.services.spool.names()
    copies(filed).keep(about(filed), COPY)
    assert filed.services.spool.names() == before


def test_whoever_has_a_backup_of_the_files_can_open_none_whose_row_is_gone(filed: World) -> None:
    copies(filed).keep(about(filed), COPY)
    (file,) = files(filed)
    backup = file.read_bytes()
    forget(filed, UID)
    copies(filed).keep(about(filed), COPY)  # the same copy under the same name, by a new key
    (again,) = [each for each in files(filed) if each != file]
    again.write_bytes(backup)
    assert copies(filed).of(about(filed)) is None


def test_each_file_has_a_key_of_its_own(filed: World) -> None:
    copies(filed).keep(about(filed), COPY)
    (file,) = files(filed)
    sealed = file.read_bytes()
    for secret in (SECRET, filed.services.heads.key.private_bytes_raw()):
        with pytest.raises(InvalidTag):
            AESGCM(secret).decrypt(sealed[:12], sealed[12:], file.name.encode())


def test_bytes_that_are_not_those_of_their_digest_are_not_kept(filed: World) -> None:
    assert not copies(filed).keep(about(filed), replace(COPY, content=COPY.content + b"!"))
    assert files(filed) == []


def test_forgetting_a_picture_leaves_the_others(filed: World) -> None:
    copies(filed).keep(about(filed), COPY)
    copies(filed).keep(about(filed, SECOND), COPY)
    forget(filed, UID)
    assert (copies(filed).of(about(filed)), copies(filed).of(about(filed, SECOND))) == (None, COPY)
    assert len(files(filed)) == 2
    assert keptcopies.tidy(filed.services.database, filed.services.spool.folder) == 1
    assert len(files(filed)) == 1


def test_what_a_process_that_died_left_behind_goes(filed: World) -> None:
    copies(filed).keep(about(filed), COPY)
    (file,) = files(filed)
    for name in ("0" * 32, f"{'1' * 32}.part"):
        (file.parent / name).write_bytes(b"half")
    assert keptcopies.tidy(filed.services.database, filed.services.spool.folder) == 2
    assert files(filed) == [file]
    file.unlink()
    assert keptcopies.tidy(filed.services.database, filed.services.spool.folder) == 0
    assert filed.sql("SELECT count(*) FROM kept_copies") == [(0,)]


def test_another_nodes_copies_are_left_to_it(filed: World, tmp_path: Path) -> None:
    other = KeptCopies(filed.services.database, tmp_path, SECRET, filed.clock, Limits(megabytes=1, days=1))
    assert copies(filed).keep(about(filed), COPY)
    assert other.of(about(filed)) is None
    assert other.keep(about(filed), COPY)
    keptcopies.tidy(filed.services.database, filed.services.spool.folder)
    assert (copies(filed).of(about(filed)), other.of(about(filed))) == (COPY, COPY)
    forget(filed, UID)
    assert (copies(filed).of(about(filed)), other.of(about(filed))) == (None, None)


def test_the_oldest_go_when_there_is_no_more_room(filed: World) -> None:
    big = copy_of(os.urandom(700_000))
    known = copies(filed, megabytes=2)
    for number in ("1", "2", "3"):
        assert known.keep(about(filed, UID, number), big)
    assert [known.of(about(filed, UID, each)) is not None for each in ("1", "2", "3")] == [False, True, True]
    assert len(files(filed)) == 2


@pytest.mark.parametrize(
    ("limits", "size"), [((0, 30), 10), ((10, 0), 10), ((1, 30), MEGABYTE + 1), ((1000, 30), LARGEST + 1)]
)
def test_what_is_too_much_is_not_kept(limits: tuple[int, int], size: int, filed: World) -> None:
    assert not copies(filed, SECRET, *limits).keep(about(filed), copy_of(bytes(size)))
    assert files(filed) == []


def test_a_copy_is_given_back_until_it_is_too_old(filed: World) -> None:
    copies(filed, days=3).keep(about(filed), COPY)
    filed.clock.advance(days=3, seconds=-1)
    assert copies(filed, days=3).of(about(filed)) == COPY
    filed.clock.advance(seconds=1)
    assert copies(filed, days=3).of(about(filed)) is None


@pytest.mark.parametrize(
    "change", ["status = 'RESTRICTED'", "status = 'QUARANTINED'", "status = 'DISPOSED'", f"sha256 = '{'0' * 64}'"]
)
def test_nothing_is_kept_of_a_picture_that_is_not_as_it_was(change: str, filed: World) -> None:
    meant = about(filed)
    filed.sql(f"UPDATE images SET {change}")  # noqa: S608 - ours
    assert not copies(filed).keep(meant, COPY)
    assert (files(filed), filed.sql("SELECT count(*) FROM kept_copies")) == ([], [(0,)])


def _file_of(change: Callable[[bytes], bytes]) -> Callable[[World], None]:
    def changed(world: World) -> None:
        for file in files(world):
            file.write_bytes(change(file.read_bytes()))

    return changed


def _swapped(world: World) -> None:
    """Give the picture the file of another one, as a whole."""
    copies(world).keep(about(world, SECOND), copy_of(b"another picture"))
    one, other = (file.read_bytes() for file in files(world))
    for file, content in zip(files(world), (other, one), strict=True):
        file.write_bytes(content)


def _row_of(column: str, value: str) -> Callable[[World], None]:
    return lambda world: world.sql(f"UPDATE kept_copies SET {column} = '{value}'") and None  # noqa: S608 - ours


def _sealed_by_another(world: World) -> None:
    """Put a row that another secret has sealed, with its file, in the place of ours."""
    (ours,) = world.sql("SELECT name FROM kept_copies")
    forget(world, UID)
    copies(world, b"f" * 32).keep(about(world), copy_of(b"Jane Doe"))
    world.sql(f"UPDATE kept_copies SET name = '{ours[0]}'")  # noqa: S608 - ours


FORGERIES = {
    "a bit of the file": _file_of(lambda content: content[:-1] + bytes([content[-1] ^ 1])),
    "half a file": _file_of(lambda content: content[: len(content) // 2]),
    "an empty file": _file_of(lambda _: b""),
    "in clear": _file_of(lambda _: COPY.content),
    "another picture's file": _swapped,
    "no hexadecimal digits": _row_of("sealed", "zz"),
    "nothing sealed": _row_of("sealed", ""),
    "sealed by another secret": _sealed_by_another,
}


@pytest.mark.parametrize("forged", FORGERIES.values(), ids=FORGERIES)
def test_what_is_not_as_it_was_written_counts_as_none_and_is_told(
    forged: Callable[[World], None], filed: World, caplog: pytest.LogCaptureFixture
) -> None:
    assert copies(filed).keep(about(filed), COPY)
    forged(filed)
    with caplog.at_level(logging.WARNING):
        assert copies(filed).of(about(filed)) is None
    assert [each.levelname for each in caplog.records] == ["WARNING"]
    assert copies(filed).keep(about(filed), COPY)
    assert copies(filed).of(about(filed)) == COPY


def test_a_registry_or_a_folder_that_is_away_costs_nothing_but_the_making(filed: World) -> None:
    meant, known = about(filed), copies(filed)
    known.keep(meant, COPY)
    (file,) = files(filed)
    file.unlink()
    assert known.of(meant) is None
    filed.lose_the_database()
    assert (known.of(meant), known.keep(meant, COPY)) == (None, False)


def test_a_folder_that_can_not_be_had_keeps_nothing_and_is_told(filed: World) -> None:
    folder = filed.services.spool.folder
    folder.mkdir(exist_ok=True)
    (folder / ".copies").write_text("in the way")
    assert not copies(filed).keep(about(filed), COPY)
    assert keptcopies.tidy(filed.services.database, folder) == 0


def test_a_file_that_can_not_be_deleted_is_told_with_a_remedy_and_every_other_one_goes(filed: World) -> None:
    copies(filed).keep(about(filed), COPY)
    (file,) = files(filed)
    stuck = file.parent / ("f" * 32)
    stuck.mkdir()
    for number in range(20):
        (file.parent / f"{number:032x}").write_bytes(b"nobody's")
    with pytest.raises(SpoolError, match="can't be tidied"):
        keptcopies.tidy(filed.services.database, filed.services.spool.folder)
    assert files(filed) == sorted((file, stuck))


@pytest.mark.parametrize(
    "left", [b"", b"half a na", b"\xff\xfe\x00", b"x" * 32], ids=["nothing", "half", "noise", "words"]
)
def test_a_folder_whose_name_was_lost_gets_another_and_keeps_copies_again(left: bytes, filed: World) -> None:
    copies(filed).keep(about(filed), COPY)
    place = filed.services.spool.folder / ".copies" / ".place"
    place.write_bytes(left)  # as a power cut may leave a file that was never synced
    assert (copies(filed).of(about(filed)), copies(filed).held()) == (None, (0, 0))
    assert copies(filed).keep(about(filed), COPY)
    assert (copies(filed).of(about(filed)), copies(filed).held()) == (COPY, (1, len(COPY.content)))
    assert sorted(each.name for each in place.parent.iterdir() if each.name.startswith(".")) == [".place"]


def test_of_what_lies_in_a_file_s_place_no_more_is_read_than_a_copy_has(filed: World) -> None:
    copies(filed).keep(about(filed), COPY)
    (file,) = files(filed)
    with file.open("wb") as endless:
        endless.truncate(1 << 40)  # a hole: as long as no memory is
    assert copies(filed).of(about(filed)) is None


def test_each_folder_in_which_copies_are_kept_is_listed(filed: World, tmp_path: Path) -> None:
    other = KeptCopies(filed.services.database, tmp_path, SECRET, filed.clock, Limits(megabytes=1, days=1))
    since = filed.clock().isoformat()
    assert copies(filed).keep(about(filed), COPY)
    filed.clock.advance(minutes=1)
    assert copies(filed).keep(about(filed, SECOND), COPY)
    assert other.keep(about(filed), COPY)
    with filed.services.database.reading() as connection:
        found = {(each.copies, each.size, each.oldest) for each in keptlist.places(connection)}
    size = len(COPY.content)
    assert found == {(2, 2 * size, since), (1, size, filed.clock().isoformat())}


def test_what_is_wanted_is_taken_by_one_at_a_time_and_by_whose_archive_has_it(filed: World) -> None:
    instance, at = filed.row(SECOND).orthanc_instance, filed.clock()
    filed.sql(f"INSERT INTO archive_holdings VALUES ('{instance}', 'there')")  # noqa: S608 - ours
    with filed.services.database.writing() as connection:
        for uid in (UID, SECOND):
            wantedcopies.want(connection, uid, ("teaching", "atlas"), at)
        wantedcopies.want(connection, UID, ("teaching",), at)  # once is enough
        here = wantedcopies.take(connection, at, 10, "here")
        assert sorted((each.picture, each.profile) for each in here) == [(UID, "atlas"), (UID, "teaching")]
        assert not wantedcopies.waits(connection, at, "here")
        assert len(wantedcopies.take(connection, at, 1, "there")) == 1
        wantedcopies.made(connection, here[0])
        later = at + wantedcopies.LEASE
        assert len(wantedcopies.take(connection, later, 10, "here")) == 1
        wantedcopies.forget(connection, UID)
        assert not wantedcopies.waits(connection, later + wantedcopies.LEASE, "here")
        assert wantedcopies.waits(connection, later, "there")
