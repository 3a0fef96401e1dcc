"""A stream that was written anew once is made again by its recipe, byte for byte, and no other stream is."""

from __future__ import annotations

import hashlib
from functools import cache

import pytest

from dicomwrap.bitstream.clean import cleaned
from dicomwrap.bitstream.markers import parse
from dicomwrap.bitstream.outgoing import begun, clean_stream
from dicomwrap.bitstream.recipes import LONGEST_HEAD, Recipe, recipe, way
from dicomwrap.bitstream.rewrite import rewritten
from dicomwrap.errors import DicomwrapError
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.canaries import word
from tests.unit.dicomwrap.judged import reread
from tests.unit.dicomwrap.test_outgoing import CARRIED, PLAIN, coded

OPTIMISED = rewritten(PLAIN, "-optimize")
GREY = cleaned(photos.jpeg(photos.picture(mode="L")))


class Memory:
    """Keeps recipes, and counts how often it is asked."""

    def __init__(self) -> None:
        self.kept: dict[str, Recipe] = {}
        self.asked = 0

    def of(self, sha256: str) -> Recipe | None:
        self.asked += 1
        return self.kept.get(sha256)

    def keep(self, sha256: str, recipe: Recipe) -> None:
        self.kept[sha256] = recipe


@cache
def progressive() -> bytes:
    return rewritten(PLAIN, "-progressive")


STREAMS = {
    "the standard's codes": PLAIN,
    "codes of its own": OPTIMISED,
    "grey": GREY,
    "EXIF and a comment": CARRIED,
    "a trailer": PLAIN + word("trailer"),
    "padding": PLAIN + b"\0",
}


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_a_recipe_makes_what_jpegtran_made(stream: bytes) -> None:
    made = rewritten(stream, *way(stream))
    found = recipe(stream, made)
    assert found is not None
    assert found.followed(stream) == made
    assert len(found.head) < LONGEST_HEAD
    assert word("COM") not in found.head


NONE = {
    "a scan that was written otherwise": (OPTIMISED, rewritten(OPTIMISED)),
    "several scans": (progressive(), rewritten(progressive())),
    "words before the end": (PLAIN[:-2] + word("slack") + b"\xff\xd9", PLAIN),
    "another picture": (PLAIN, cleaned(photos.jpeg(quality=40))),
    "a head without end": (PLAIN, photos.with_segments(PLAIN, photos.segment(0xFE, bytes(LONGEST_HEAD)))),
    "a trailer on what was made": (PLAIN, PLAIN + b"\0"),
}


@pytest.mark.parametrize(("stream", "made"), NONE.values(), ids=NONE)
def test_what_no_recipe_would_make_has_none(stream: bytes, made: bytes) -> None:
    assert recipe(stream, made) is None


def test_what_has_codes_of_its_own_is_written_with_codes_made_for_it() -> None:
    assert (way(PLAIN), way(GREY), way(OPTIMISED), way(b"no JPEG"), way(PLAIN[:40])) == ((), (), ("-optimize",), (), ())


@pytest.mark.parametrize("options", [("-progressive",), ("-optimize", "-restart", "1"), ("-arithmetic",)])
def test_codes_are_made_for_no_picture_whose_scan_would_come_out_otherwise_all_the_same(
    options: tuple[str, ...],
) -> None:
    stream = rewritten(PLAIN, *options)
    assert way(stream) == ()
    assert [recipe(stream, rewritten(stream, *each)) for each in ((), ("-optimize",))] == [None, None]


def test_a_restart_interval_of_nothing_is_none() -> None:
    assert way(photos.with_segments(OPTIMISED, photos.segment(0xDD, bytes(2)))) == ("-optimize",)


@pytest.mark.parametrize("stream", [CARRIED, OPTIMISED], ids=["carried", "optimised"])
def test_a_second_copy_needs_no_jpegtran_and_is_the_same(stream: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    memory, first, second = Memory(), coded("4.50", stream), coded("4.50", stream)
    with begun(first, memory) as rewrite:
        clean_stream(first, rewrite)
    padded = stream + b"\0" * (len(stream) % 2)
    assert list(memory.kept) == [hashlib.sha256(padded).hexdigest()]
    monkeypatch.setenv("PATH", "/nowhere")
    with begun(second, memory) as rewrite:
        clean_stream(second, rewrite)
    assert second == first
    assert memory.asked == 2
    assert parse(_only(reread(second).PixelData)).bodies(0xFE) == ()


def _only(value: bytes) -> bytes:
    return value[value.index(b"\xff\xd8\xff") :]


@pytest.mark.parametrize("at", [-3, len(CARRIED) // 2, 30])
def test_a_stream_of_which_one_byte_is_another_is_not_the_one_that_is_remembered(
    at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, known = Memory(), coded("4.50", CARRIED)
    with begun(known, memory) as rewrite:
        clean_stream(known, rewrite)
    changed = bytearray(CARRIED)
    changed[at] ^= 1
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(DicomwrapError, match="not installed"), begun(coded("4.50", bytes(changed)), memory) as rewrite:
        rewrite(bytes(changed))


def test_what_comes_out_otherwise_is_not_remembered() -> None:
    memory = Memory()
    slack = coded("4.50", PLAIN[:-2] + word("slack") + b"\xff\xd9")
    with begun(slack, memory) as rewrite:
        clean_stream(slack, rewrite)
    assert memory.kept == {}
    assert word("slack") not in slack.PixelData


def test_of_what_is_no_single_jpeg_nobody_is_asked() -> None:
    memory = Memory()
    for made in (coded("4.50", CARRIED, PLAIN), coded("4.90", b"\0\0")):
        with begun(made, memory):
            pass
    assert memory.asked == 0
