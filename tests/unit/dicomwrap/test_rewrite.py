"""Streams written anew by jpegtran: the same coefficients, and nothing that no decoder reads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dicomwrap.bitstream.clean import cleaned, hidden
from dicomwrap.bitstream.markers import SOF0, parse
from dicomwrap.bitstream.rewrite import TURNS, proven, rewritten, turned
from dicomwrap.errors import DamagedPhotographError, TruncatedPhotographError
from dicomwrap.photograph import Reading
from dicomwrap.source.readers import read_photographs
from tests.unit.dicomwrap import canaries, photos

ROOT = Path(__file__).resolve().parents[3]
PLAIN = cleaned(photos.jpeg(subsampling="4:2:0"))
EXTRANEOUS = PLAIN[:-2] + canaries.word("behind the last block") + b"\xff\xd9"
CUT_SHORT = PLAIN[:-150] + b"\xff\xd9"


@pytest.mark.parametrize("stream", [PLAIN, EXTRANEOUS], ids=["plain", "with bytes behind the last block"])
def test_a_stream_written_anew_has_the_same_pixels_and_no_canary(stream: bytes) -> None:
    written = rewritten(stream)
    assert photos.pixels(written) == photos.pixels(PLAIN)
    assert (canaries.found(written), hidden(written)) == ([], ())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_stream_is_baseline_and_clean(orientation: int) -> None:
    for stream in (PLAIN, EXTRANEOUS, photos.jpeg(progressive=True, subsampling="4:2:0")):
        written = turned(stream, orientation)
        assert written is not None
        assert (parse(written).frame.marker, hidden(written), canaries.found(written)) == (SOF0, (), [])


@pytest.mark.parametrize("orientation", TURNS)
def test_a_turn_of_incomplete_blocks_is_never_done_halfway(orientation: int) -> None:
    odd = photos.jpeg(photos.picture(60, 43), subsampling="4:2:0")
    assert (turned(odd, orientation) is None) is (orientation != 5)


def test_a_whole_stream_is_proved_and_kept() -> None:
    assert proven(PLAIN) is PLAIN


def test_bytes_behind_the_last_block_are_found_by_the_proof_and_left_out() -> None:
    written = proven(EXTRANEOUS)
    assert canaries.found(written) == []
    (photograph,) = read_photographs(EXTRANEOUS, Reading(prove=True))
    assert canaries.found(photograph.stream) == []
    assert (photograph.untouched, photograph.added_loss) == (False, False)
    assert photos.pixels(photograph.stream) == photos.pixels(PLAIN)


@pytest.mark.parametrize("work", [rewritten, proven, lambda stream: turned(stream, 6)], ids=["anew", "proof", "turn"])
def test_a_scan_that_ends_early_is_told(work: object) -> None:
    with pytest.raises(TruncatedPhotographError, match="too early"):
        work(CUT_SHORT)  # type: ignore[operator]


@pytest.mark.parametrize("work", [rewritten, proven, lambda stream: turned(stream, 6)], ids=["anew", "proof", "turn"])
def test_a_stream_that_does_not_decode_is_told(work: object) -> None:
    at = PLAIN.index(b"\xff\xda") + 14
    broken = PLAIN[:at] + b"\xff\0" * 40 + PLAIN[at + 80 :]
    with pytest.raises(DamagedPhotographError):
        work(broken)  # type: ignore[operator]


def test_without_jpegtran_it_is_told_what_to_install(tmp_path: Path) -> None:
    for name in ("prlimit",):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    photo = tmp_path / "a.jpg"
    photo.write_bytes(photos.oriented(6))
    code = "from dicomwrap.cli.main import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", code, "wrap", photo, "--out", tmp_path / "out"],
        capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, "PATH": str(tmp_path)},
    )  # fmt: skip
    assert run.returncode == 1
    assert "libjpeg-turbo-progs" in run.stderr
    assert not (tmp_path / "out").exists()
