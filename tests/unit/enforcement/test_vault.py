"""Which key a file gets, what comes back of it, and how a plain archive becomes an encrypted one."""

from __future__ import annotations

from collections import Counter
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from orthanc_plugin.archive.vault import ForgedFileError, PlainFileError, key_of
from orthanc_plugin.config.storage import PlainFiles
from orthanc_plugin.enforcement.migrating import State, migrate, verify
from orthanc_plugin.enforcement.vault import MOST_HEADERS, Headers, Vault, picture_of, uids_of
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.lifecycle.datakeys import DestroyedKeyError
from orthanc_plugin.registry import storagekeys
from orthanc_plugin.registry.storagekeys import Kind
from tests.fakes.pictures import CARE, UID, ct, encoded, photograph, photograph_bytes
from tests.fakes.vaulted import FILE, OTHER, plain, vaulted
from tests.fakes.world import World

STUDY = str(photograph().StudyInstanceUID)


def header_alone() -> bytes:
    """Return what Orthanc keeps beside a picture: everything before its pixels."""
    dataset = photograph()
    del dataset.PixelData
    return encoded(dataset)


def implicit(pixels: bytes = b"") -> bytes:
    dataset, buffer = ct(), BytesIO()
    if pixels:
        dataset.add_new("PixelData", "OW", pixels)
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset.StudyInstanceUID = "1.2.840.10008.1"
    dataset.save_as(buffer, enforce_file_format=True, implicit_vr=True, little_endian=True)
    return buffer.getvalue()


def big_endian() -> bytes:
    dataset, buffer = ct(), BytesIO()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dataset.save_as(buffer, enforce_file_format=True, implicit_vr=False, little_endian=False)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "study", "picture"),
    [
        (photograph_bytes(), STUDY, UID),
        (header_alone(), STUDY, ""),
        (implicit(), "1.2.840.10008.1", str(ct().SOPInstanceUID) if "PixelData" in ct() else ""),
        (big_endian(), "", ""),
        (photograph_bytes()[:400], "", ""),
        (b'{"a": 1}', "", ""),
        (b"", "", ""),
    ],
    ids=["a picture", "its header", "implicit", "big endian", "cut short", "metadata", "nothing"],
)
def test_the_study_is_told_where_it_can_be(content: bytes, study: str, picture: str) -> None:
    assert (uids_of(content)[0], picture_of(content)) == (study, picture)


@given(st.binary(max_size=300), st.integers(0, 3000), st.integers(0, 255))
def test_whatever_is_stored_has_a_study_or_none(rest: bytes, at: int, value: int) -> None:
    content = bytearray(photograph_bytes())
    content[at % len(content)] = value
    for each in (bytes(content), b"\0" * 128 + b"DICM" + rest):
        assert max(map(len, uids_of(each))) <= 64


def before_the_pixels(content: bytes) -> bytes:
    """Return what Orthanc hands in as a second file of a picture."""
    return content[: content.index(b"\xe0\x7f\x10\x00")]


@pytest.mark.parametrize("content", [photograph_bytes(), implicit(b"\0\1" * 8)], ids=["explicit", "implicit"])
def test_a_header_is_known_by_its_picture_once_and_to_the_byte(content: bytes) -> None:
    headers, header = Headers(), before_the_pixels(content)
    assert headers.uids_of(content) == uids_of(content) == uids_of(header)
    assert headers.known == 1
    other = header.replace(b"2.25", b"2.26").replace(b"1.2.840.10008.1", b"1.2.840.10008.2")
    assert headers.uids_of(other) == uids_of(other) != uids_of(header)
    assert headers.known == 1
    assert headers.uids_of(header) == uids_of(content)
    assert headers.known == 0
    assert headers.uids_of(header) == uids_of(content)


@pytest.mark.parametrize(
    "content", [photograph_bytes() + b"\0", big_endian(), b"{}", b""], ids=["more behind it", "big", "metadata", "none"]
)
def test_of_what_nobody_can_tell_the_study_no_header_is_known(content: bytes) -> None:
    headers = Headers()
    assert headers.uids_of(content) == ("", "")
    assert headers.known == 0


def test_so_many_headers_are_known_and_no_more() -> None:
    headers, dataset = Headers(), photograph()
    for number in range(MOST_HEADERS + 3):
        dataset.StudyInstanceUID = f"2.25.{number}"
        headers.uids_of(encoded(dataset))
    assert headers.known == MOST_HEADERS


@pytest.fixture
def files(world: World) -> Vault:
    return vaulted(world)


def test_the_files_of_a_study_share_a_key_and_any_other_has_its_own(files: Vault) -> None:
    for name, content in ((FILE, photograph_bytes()), (OTHER, header_alone()), (OTHER[:-1] + "3", b"{}")):
        files.create(name, content)
        assert files.read(name) == content
    first, second, third = (key_of(files.folder.read(name)) for name in files.folder.names())
    assert first == second != third


def test_the_key_of_a_single_file_goes_with_it_and_the_study_s_stays(files: Vault) -> None:
    files.create(FILE, b"{}")
    files.create(OTHER, photograph_bytes())
    before = files.folder.read(FILE)
    for name in (FILE, OTHER):
        files.remove(name)
        files.forget(name)
    with files.keys.database.reading() as connection:
        assert storagekeys.live(connection, Kind.FILE, FILE) is None
        assert storagekeys.live(connection, Kind.STUDY, STUDY) is not None
    plain(files.folder.folder, FILE, before)
    files.keys.ticks.seconds += 60  # type: ignore[attr-defined]
    with pytest.raises(DestroyedKeyError):
        files.read(FILE)


def test_a_file_in_another_s_place_or_plain_is_not_given_out(files: Vault) -> None:
    files.create(FILE, photograph_bytes())
    plain(files.folder.folder, OTHER, files.folder.read(FILE))
    with pytest.raises(ForgedFileError):
        files.read(OTHER)
    plain(files.folder.folder, OTHER, photograph_bytes())
    with pytest.raises(PlainFileError):
        files.read(OTHER)


def test_a_plain_archive_is_read_while_it_is_migrated_and_encrypted_in_the_end(world: World) -> None:
    row = world.file(CARE)
    files = vaulted(world, plain_files=PlainFiles.READ)
    content = world.archive.objects[row.orthanc_instance]
    plain(files.folder.folder, FILE, content)
    plain(files.folder.folder, OTHER, b"{}")
    assert files.read(FILE) == content
    assert Counter(state for _, state in verify(files)) == {State.PLAIN: 2}
    assert Counter(state for _, state in migrate(files)) == {State.MIGRATED: 2}
    assert Counter(state for _, state in migrate(files)) == {State.ENCRYPTED: 2}
    assert Counter(state for _, state in verify(files)) == {State.ENCRYPTED: 2}
    assert (files.read(FILE), files.read(OTHER)) == (content, b"{}")


def test_what_is_not_on_record_doesn_t_lose_its_key_with_the_study(world: World) -> None:
    files = vaulted(world)
    plain(files.folder.folder, FILE, photograph_bytes())
    plain(files.folder.folder, OTHER, header_alone())
    assert Counter(state for _, state in migrate(files)) == {State.MIGRATED: 2}
    with files.keys.database.reading() as connection:
        assert storagekeys.live(connection, Kind.STUDY, STUDY) is None
        assert sorted(name for name, _ in storagekeys.files(connection)) == [FILE, OTHER]


def test_a_picture_that_is_not_the_one_on_record_is_not_made_to_look_genuine(world: World) -> None:
    row = world.file(CARE)
    files = vaulted(world)
    content = world.archive.objects[row.orthanc_instance]
    changed = content[:-1] + bytes([content[-1] ^ 1])
    path = plain(files.folder.folder, FILE, changed)
    assert list(migrate(files)) == [(FILE, State.CHANGED)]
    assert path.read_bytes() == changed


def test_a_migration_that_fails_leaves_the_file_as_it_was(world: World) -> None:
    files = vaulted(world)
    path = plain(files.folder.folder, FILE, photograph_bytes())
    world.lose_the_database()
    with pytest.raises(ConsentgateError):
        list(migrate(files))
    assert path.read_bytes() == photograph_bytes()


def test_what_can_t_be_opened_is_told_by_what_is_wrong(world: World, files: Vault) -> None:
    files.create(FILE, photograph_bytes())
    files.create(OTHER, b"{}")
    world.sql("DELETE FROM storage_keys WHERE kind = 'FILE'")
    with files.keys.database.writing() as connection:
        storagekeys.destroy(connection, Kind.STUDY, STUDY, "2026-11-22")
    world.ticks.seconds += 60
    assert list(verify(files)) == [(FILE, State.KEY_DESTROYED), (OTHER, State.UNREADABLE)]
    assert list(verify(files, every=2)) == [(FILE, State.KEY_DESTROYED)]
