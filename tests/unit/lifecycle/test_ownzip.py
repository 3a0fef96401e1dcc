"""A patient's own copy in one encrypted file: whole or not there, and nothing in it to read without the passphrase."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import pyzipper

from orthanc_plugin.lifecycle.ownfolder import FolderError
from orthanc_plugin.lifecycle.ownzip import PassphraseError, own_zip

SAID = b"what the patient is told " * 40
PHRASE = "correct horse battery staple"


def opened(path: Path, phrase: str) -> bytes:
    with pyzipper.AESZipFile(path) as file:
        file.setpassword(phrase.encode())
        return bytes(file.read("README.txt"))


def filled(out: Path, *names: str, meanwhile: bytes = b"") -> None:
    with own_zip(out, PHRASE) as copy:
        for name in names:
            copy.put(name, SAID)
        if meanwhile:
            out.write_bytes(meanwhile)


def test_the_file_opens_with_its_passphrase_alone_and_hides_what_is_in_it(tmp_path: Path) -> None:
    out = tmp_path / "own.zip"
    filled(out, "README.txt")
    assert opened(out, PHRASE) == SAID
    with pytest.raises(RuntimeError, match="password"):
        opened(out, f"{PHRASE}r")
    assert SAID[:16] not in out.read_bytes()
    with pyzipper.AESZipFile(out) as file:
        assert {each.wz_aes_strength for each in file.infolist()} == {3}  # AES-256
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["own.zip"]


def test_a_file_that_is_not_finished_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="already"):
        filled(tmp_path / "own.zip", "README.txt", "README.txt")
    assert [*tmp_path.iterdir()] == []


def test_what_is_there_is_never_touched(tmp_path: Path) -> None:
    out = tmp_path / "own.zip"
    out.write_bytes(b"mine")
    with pytest.raises(FolderError, match="nothing is overwritten"), own_zip(out, PHRASE):
        pass
    assert out.read_bytes() == b"mine"


def test_what_came_to_its_place_meanwhile_stays(tmp_path: Path) -> None:
    out = tmp_path / "own.zip"
    with pytest.raises(FolderError, match="meanwhile"):
        filled(out, "README.txt", meanwhile=b"mine")
    assert out.read_bytes() == b"mine"


@pytest.mark.parametrize("phrase", ["", "fifteen letters"])
def test_a_short_passphrase_is_refused(phrase: str, tmp_path: Path) -> None:
    with pytest.raises(PassphraseError, match="too short"), own_zip(tmp_path / "own.zip", phrase):
        pass
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="can't be made"), own_zip(tmp_path / "no" / "own.zip", PHRASE):
        pass
