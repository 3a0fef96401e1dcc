"""The quarantine spool: what is held is on disk, whole, unreadable to others; or nothing is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orthanc_plugin.errors import SpoolError
from orthanc_plugin.registry.spool import Spool

KEY, OTHER_KEY = bytes(range(32)), bytes(32)
CONTENT = b"DICM" * 1000 + b"a patient's name"
ROOT = Path(__file__).resolve().parents[2]
ON_A_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from orthanc_plugin.errors import SpoolError
from orthanc_plugin.registry.spool import Spool
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    Spool(Path(sys.argv[1])).put("a.dcm", bytes(5000))
except SpoolError as error:
    sys.exit(f"refused: {error}")
"""


@pytest.mark.parametrize("key", [None, KEY])
def test_what_was_put_comes_back(key: bytes | None, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "deep" / "spool", key)
    spool.put("a.dcm", CONTENT)
    assert spool.get("a.dcm") == CONTENT
    assert [path.name for path in spool.folder.iterdir()] == ["a.dcm"]
    spool.put("a.dcm", b"again")
    assert spool.get("a.dcm") == b"again"
    spool.drop("a.dcm")
    spool.drop("a.dcm")
    assert list(spool.folder.iterdir()) == []


def test_only_the_owner_can_look(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.put("a.dcm", CONTENT)
    assert spool.folder.stat().st_mode & 0o777 == 0o700
    assert (spool.folder / "a.dcm").stat().st_mode & 0o777 == 0o600


def test_with_a_key_nothing_can_be_read_from_the_disk(tmp_path: Path) -> None:
    spool = Spool(tmp_path, KEY)
    spool.put("a.dcm", CONTENT)
    spool.put("b.dcm", CONTENT)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.dcm", "b.dcm"))
    assert b"patient" not in first
    assert first[20:] != second[20:]


@pytest.mark.parametrize("key", [OTHER_KEY, None])
def test_with_another_key_or_none_nothing_comes_back(key: bytes | None, tmp_path: Path) -> None:
    Spool(tmp_path, KEY).put("a.dcm", CONTENT)
    with pytest.raises(SpoolError):
        Spool(tmp_path, key).get("a.dcm")


def test_a_changed_or_renamed_file_is_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path, KEY)
    spool.put("a.dcm", CONTENT)
    sealed = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "b.dcm").write_bytes(sealed)
    (tmp_path / "a.dcm").write_bytes(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    for name in ("a.dcm", "b.dcm"):
        with pytest.raises(SpoolError, match="changed on disk"):
            spool.get(name)


def test_what_isn_t_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SpoolError):
        Spool(tmp_path).get("a.dcm")


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_is_a_file_takes_nothing(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"kept")
    with pytest.raises(SpoolError, match="can't take an object"):
        Spool(tmp_path / place).put("a.dcm", CONTENT)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"kept")]


def test_a_full_disk_takes_nothing_and_keeps_no_half(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    run = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK, spool], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert run.stderr.startswith("refused: The quarantine spool can't take an object (File too large).")
    assert list(spool.iterdir()) == []


def test_a_name_that_is_taken_by_a_folder_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.dcm" / "x").mkdir(parents=True)
    with pytest.raises(SpoolError):
        Spool(tmp_path).put("a.dcm", CONTENT)
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]


@pytest.mark.parametrize("length", range(8, 36))
def test_a_file_that_was_cut_short_is_refused_wherever_it_ends(length: int, tmp_path: Path) -> None:
    spool = Spool(tmp_path, KEY)
    spool.put("a.dcm", CONTENT)
    (tmp_path / "a.dcm").write_bytes((tmp_path / "a.dcm").read_bytes()[:length])
    with pytest.raises(SpoolError, match="changed on disk"):
        spool.get("a.dcm")
