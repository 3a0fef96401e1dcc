"""Encrypted files: no byte can be changed, none put in another's place, none half written."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from threading import Thread

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from orthanc_plugin.archive.storagearea import StorageArea
from orthanc_plugin.archive.vault import HEADER_BYTES, ForgedFileError, VaultFolder, key_of, opened, sealed
from orthanc_plugin.errors import ArchiveError
from tests.fakes.vaulted import FILE, OTHER, plain

KEY_ID = "ab" * 16
CIPHER = AESGCM(b"k" * 32)
CONTENT = b"DOE^JANE" * 100


def whole(name: str = FILE) -> bytes:
    return b"".join(sealed(name, KEY_ID, CIPHER, CONTENT))


def test_what_was_put_in_comes_out_and_nothing_of_it_is_on_disk() -> None:
    assert opened(FILE, CIPHER, whole()) == CONTENT
    assert b"DOE" not in whole()
    assert whole() != whole()


@pytest.mark.parametrize("at", [*range(HEADER_BYTES), HEADER_BYTES, HEADER_BYTES + 400, -1])
def test_no_byte_of_a_file_can_be_changed(at: int) -> None:
    content = bytearray(whole())
    content[at] ^= 1
    with pytest.raises(ForgedFileError):
        opened(FILE, CIPHER, bytes(content))


@pytest.mark.parametrize(
    ("name", "cipher", "content"),
    [(OTHER, CIPHER, whole()), (FILE, AESGCM(b"o" * 32), whole()), (FILE, CIPHER, whole()[:-1])],
    ids=["another's place", "another key", "cut short"],
)
def test_a_file_is_opened_by_its_own_name_and_key_and_whole(name: str, cipher: AESGCM, content: bytes) -> None:
    with pytest.raises(ForgedFileError):
        opened(name, cipher, content)


@pytest.mark.parametrize("content", [b"", b"CGVAULT2" + b"x" * 100, b"\0" * 128 + b"DICM"])
def test_a_file_that_isn_t_encrypted_names_no_key(content: bytes) -> None:
    assert key_of(content) is None
    assert key_of(whole()) == KEY_ID


def test_files_lie_where_orthanc_s_own_do_and_are_looked_for_as_these(tmp_path: Path) -> None:
    folder, area = VaultFolder(tmp_path), StorageArea(tmp_path)
    folder.write(FILE, b"head", b"rest")
    assert folder.read(FILE) == b"headrest"
    assert area.sighted(FILE)
    assert (tmp_path / "0a" / "1b" / FILE).stat().st_mode & 0o777 == 0o600
    assert list(folder.names()) == [FILE]
    folder.remove(FILE)
    folder.remove(FILE)
    assert not area.holds(FILE)
    assert folder.beginning(FILE) == b""


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    folder = VaultFolder(tmp_path)
    folder.write(FILE, b"head", b"rest")
    with pytest.raises(ArchiveError, match="can't be stored"):
        folder.write(FILE, b"other", b"bytes")
    assert folder.read(FILE) == b"headrest"


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "0A1B2C3D-0000-4000-8000-000000000001", f"{FILE}/.."])
def test_a_name_that_is_none_of_orthanc_s_reaches_no_file(name: str, tmp_path: Path) -> None:
    for reach in (VaultFolder(tmp_path).read, VaultFolder(tmp_path).remove):
        with pytest.raises(ArchiveError):
            reach(name)


def test_what_is_not_written_whole_leaves_nothing(tmp_path: Path) -> None:
    folder = VaultFolder(tmp_path)
    plain(tmp_path, OTHER, b"x")
    os.chmod(tmp_path / "0a", 0o700)  # noqa: PTH101
    (tmp_path / "0a" / "1b").rename(tmp_path / "0a" / "kept")
    (tmp_path / "0a" / "1b").write_bytes(b"a file in a folder's place")
    with pytest.raises(ArchiveError, match="can't be stored"):
        folder.write(FILE, b"head", b"rest")
    assert [each.name for each in tmp_path.rglob("*") if each.name == FILE] == []


def test_a_replacement_is_whole_and_of_a_removed_file_there_is_none(tmp_path: Path) -> None:
    folder = VaultFolder(tmp_path)
    path = plain(tmp_path, FILE, b"plain")
    left = path.with_name(f".{FILE}.part")
    left.write_bytes(b"of a run that was cut off")
    assert folder.replace(FILE, b"head", b"rest")
    assert path.read_bytes() == b"headrest"
    folder.remove(FILE)
    assert not folder.replace(FILE, b"head", b"rest")
    assert list(path.parent.iterdir()) == []


def test_two_migrations_never_write_one_file_at_once(tmp_path: Path) -> None:
    folder = VaultFolder(tmp_path)
    path = plain(tmp_path, FILE, b"plain")
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)  # as the other one has it
    other = Thread(target=folder.replace, args=(FILE, b"head", b"rest"))
    other.start()
    other.join(0.2)
    assert [each.name for each in path.parent.iterdir()] == [FILE]
    assert path.read_bytes() == b"plain"
    os.close(descriptor)
    other.join()
    assert path.read_bytes() == b"headrest"


def test_a_link_is_not_replaced_for_its_bytes_would_stay_elsewhere(tmp_path: Path) -> None:
    folder, elsewhere = VaultFolder(tmp_path / "storage"), tmp_path / "elsewhere"
    path = plain(tmp_path / "storage", FILE, b"plain")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    with pytest.raises(ArchiveError, match="is a link"):
        folder.replace(FILE, b"head", b"rest")
    assert path.read_bytes() == b"plain"
    assert [each.name for each in path.parent.iterdir()] == [FILE]


@pytest.mark.parametrize("where", ["0a1b", "0a2c"], ids=["in the same new folder", "in another, of the same new one"])
def test_a_file_in_a_folder_of_a_moment_ago_is_stored_once_that_is_on_disk(where: str, tmp_path: Path) -> None:
    quicker, synced, above = [f"{where}{OTHER[4:]}"], list[Path](), {tmp_path, tmp_path / "0a"}

    def sync(place: Path) -> None:
        if quicker:  # whoever made the folders has come as far as this, and somebody else stores a file meanwhile
            folder.write(quicker.pop(), b"head", b"rest")
            assert set(synced) == above
        synced.append(place)

    folder = VaultFolder(tmp_path, sync)
    folder.write(FILE, b"head", b"rest")
    assert len(list(folder.names())) == 2
    del synced[:]
    folder.write(f"{FILE[:-1]}7", b"head", b"rest")
    assert synced == []


def test_a_folder_that_a_killed_process_had_just_made_is_brought_to_the_disk_by_the_next_start(tmp_path: Path) -> None:
    def killed(_: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        VaultFolder(tmp_path, sync=killed).write(FILE, b"head", b"rest")
    synced: list[Path] = []
    started = VaultFolder(tmp_path, sync=synced.append)
    started.write(OTHER, b"head", b"rest")
    assert synced == []  # the folder is there, and nobody knows that its name isn't on disk
    started.settle()
    assert synced == [tmp_path, tmp_path / "0a"]


def test_a_disk_that_can_t_be_waited_for_is_told_and_a_folder_that_isn_t_there_needs_none(tmp_path: Path) -> None:
    def broken(_: Path) -> None:
        raise OSError(5, "Input/output error")

    with pytest.raises(ArchiveError, match="can't be brought to the disk"):
        VaultFolder(tmp_path, sync=broken).settle()
    VaultFolder(tmp_path / "none yet", sync=broken).settle()
