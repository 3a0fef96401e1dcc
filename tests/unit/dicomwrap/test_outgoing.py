"""An object's pixel data are cleaned in every transfer syntax, or the object is refused and stays as it was."""

from __future__ import annotations

import struct

import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames

from dicomwrap.bitstream.clean import cleaned
from dicomwrap.bitstream.outgoing import begun, clean_stream
from dicomwrap.bitstream.rewrite import rewritten
from dicomwrap.bitstream.verify import contradictions
from dicomwrap.errors import DicomwrapError
from dicomwrap.hostile import UNREADABLE
from tests.unit.dicomwrap import films, photos
from tests.unit.dicomwrap.canaries import found, word
from tests.unit.dicomwrap.judged import ROOT, describe, encapsulated, jpeg_2000, reread, sound, uncompressed

PLAIN = cleaned(photos.jpeg())
CARRIED = photos.with_segments(PLAIN, photos.segment(0xE1, word("APP1")), photos.segment(0xFE, word("COM")))
START = b"\0\0\0\1"


def coded(syntax: str, *frames: bytes) -> Dataset:
    made = sound()
    describe(made, 48, 64, "YBR_FULL_422")
    encapsulated(made, list(frames), f"{ROOT}.{syntax}")
    if len(frames) > 1:
        made.NumberOfFrames = len(frames)
    return made


def lossless(*, tables: bytes = b"", carried: bytes = b"") -> bytes:
    """Return the bones of a lossless JPEG."""
    frame = photos.segment(0xC3, struct.pack(">BHHB", 8, 48, 64, 1) + b"\1\x11\0")
    codes = photos.segment(0xC4, b"\0" + bytes(8) + b"\1" + bytes(7) + b"\0")
    scan = photos.segment(0xDA, b"\1\1\0\1\0\0")
    return b"\xff\xd8" + carried + tables + frame + codes + scan + b"\x12\x34\xff\xd9"


def elementary(*units: bytes) -> bytes:
    return START + START.join(units)


SEQUENCE = b"\x67\x64\0\x1f\xac\xd9\x40\x50\x05\xbb\x01\x10\0\0\x03\0\x10\0\0\x03\x03\xc0\xf1\x83\x19\x60"
UNITS = (SEQUENCE, b"\x68\xeb\xe3\xcb\x22\xc0", b"\x65\x88\x84\0\x33\xff")
WORDS = films.sei((5, bytes(16) + word("SEI")))

CARRIERS = {
    "JPEG baseline": coded("4.50", CARRIED + word("trailer")),
    "JPEG baseline, words before the end": coded("4.50", PLAIN[:-2] + word("slack") + b"\xff\xd9"),
    "JPEG extended": coded("4.51", CARRIED),
    "JPEG lossless": coded("4.70", lossless(carried=photos.segment(0xFE, word("COM"))) + word("trailer")),
    "JPEG-LS": coded(
        "4.80", b"\xff\xd8" + photos.segment(0xFE, word("COM")) + photos.segment(0xF7, b"\x08\0\x30\0\x40\1\1\x11\0")
        + photos.segment(0xDA, b"\1\1\0\0\0\0") + b"\x12\x34\xff\xd9" + word("trailer"),
    ),
    "JPEG 2000": coded("4.90", jpeg_2000() + word("trailer")),
    "JPEG XL": coded("4.110", b"\0\0\0\x0cJXL \r\n\x87\n" + films.box(b"Exif", word("Exif"))
                     + films.box(b"jxlc", b"\xff\x0a" + bytes(40))),
    "RLE": coded("5", struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\0" * 24 + word("slack")),
    "H.264": coded("4.102", elementary(UNITS[0], WORDS, *UNITS[1:], b"\x0c" + word("filler"))),
    "frames": coded("4.50", CARRIED, CARRIED, PLAIN + word("trailer")),
}  # fmt: skip


@pytest.mark.parametrize("made", CARRIERS.values(), ids=CARRIERS)
def test_nothing_but_the_picture_is_left(made: Dataset) -> None:
    assert found(made.PixelData)
    clean_stream(made)
    assert found(made.PixelData) == []
    again = reread(made)
    assert again.PixelData == made.PixelData
    clean_stream(again)
    assert len(again.PixelData) == len(made.PixelData)


def test_a_baseline_picture_is_written_anew_with_every_pixel_and_agrees_with_its_header() -> None:
    made = coded("4.50", CARRIED, PLAIN)
    clean_stream(made)
    assert contradictions(made) == ()
    for frame in generate_frames(made.PixelData, number_of_frames=2):
        assert photos.pixels(frame) == photos.pixels(PLAIN)


def test_offset_tables_are_those_of_the_clean_frames() -> None:
    made = coded("4.50", CARRIED, CARRIED)
    streams = [CARRIED + b"\0" * (len(CARRIED) % 2)] * 2
    made["PixelData"].value, made.ExtendedOffsetTable, made.ExtendedOffsetTableLengths = encapsulate_extended(streams)
    clean_stream(made)
    assert "ExtendedOffsetTable" not in made
    assert "ExtendedOffsetTableLengths" not in made
    assert len(list(generate_frames(made.PixelData, number_of_frames=2))) == 2


def test_uncompressed_pixels_stay() -> None:
    made = uncompressed(photos.picture())
    before = made.PixelData
    clean_stream(made)
    assert made.PixelData == before


def damaged(value: bytes) -> Dataset:
    made = coded("4.50", PLAIN)
    made["PixelData"].value = value
    return made


REFUSED = {
    "progressive as baseline": coded("4.50", cleaned(photos.jpeg(progressive=True))),
    "baseline as lossless": coded("4.70", PLAIN),
    "12 bits": coded("4.51", photos.patched(PLAIN, PLAIN.index(b"\xff\xc0") + 4, b"\x0c")),
    "a lossless JPEG with tables": coded("4.70", lossless(tables=photos.segment(0xDB, b"\0" + bytes([1] * 64)))),
    "retired": coded("4.55", cleaned(photos.jpeg(progressive=True))),
    "unknown": coded("4.999", PLAIN),
    "no JPEG": coded("4.50", b"no JPEG!"),
    "cut short": coded("4.50", PLAIN[:-300] + b"\xff\xd9"),
    "a second frame cut short": coded("4.50", PLAIN, PLAIN[:-300] + b"\xff\xd9"),
    "a rebuilt JPEG in JPEG XL": coded("4.111", b"\0\0\0\x0cJXL \r\n\x87\n" + films.box(b"jbrd", b"")),
    "a transport stream": coded("4.102", (b"\x47" + bytes(187)) * 4),
    "HEVC": coded("4.107", START + b"\x40\1\x0c\1"),
    "MPEG-2": coded("4.100", b"\0\0\1\xb3" + bytes(40)),
    "no film": coded("4.102", b"no film!"),
    "an MP4 with a place": coded("4.102", films.camera_film()),
    "no fragments": damaged(encapsulate([PLAIN])[:8]),
    "bytes after the last fragment": damaged(encapsulate([PLAIN]) + b"\xfe\xff\xdd\xe0\0\0\0\0" + word("trailer")),
    "a fragment that runs out": damaged(encapsulate([PLAIN])[:-20]),
    "no value": damaged(b""),
}  # fmt: skip


@pytest.mark.parametrize("made", REFUSED.values(), ids=REFUSED)
def test_what_can_t_be_proven_clean_is_refused_and_stays_as_it_was(made: Dataset) -> None:
    before = made.PixelData
    with pytest.raises((DicomwrapError, *UNREADABLE)):
        clean_stream(made)
    assert made.PixelData == before


BEGUN = {
    "one JPEG": lambda: coded("4.50", CARRIED),
    "two frames": lambda: coded("4.50", CARRIED, PLAIN),
    "lossless": lambda: coded("4.70", lossless()),
    "JPEG 2000": lambda: coded("4.90", jpeg_2000()),
    "no stream": lambda: uncompressed(photos.picture()),
}


@pytest.mark.parametrize("kind", BEGUN)
def test_what_was_begun_beside_other_work_ends_as_it_would_have_otherwise(kind: str) -> None:
    beside, alone = BEGUN[kind](), BEGUN[kind]()
    with begun(beside) as rewrite:
        clean_stream(beside, rewrite)
    clean_stream(alone)
    assert beside == alone


def test_a_stream_that_was_not_begun_with_is_written_anew_by_itself() -> None:
    other = cleaned(photos.jpeg(quality=40))
    with begun(coded("4.50", CARRIED)) as rewrite:
        assert (rewrite(other), rewrite(CARRIED)) == (rewritten(other), rewritten(CARRIED))
