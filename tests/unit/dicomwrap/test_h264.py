from __future__ import annotations

from collections.abc import Callable

import pytest

from dicomwrap.bitstream.h264 import cleaned, configuration, kept, units
from dicomwrap.bitstream.h264sequence import sequence
from dicomwrap.errors import DamagedFilmError, UnsupportedFilmError
from dicomwrap.source.isobmff import read_movie
from tests.unit.dicomwrap import films

SLICE = b"\x65\x88\x84\x21"
WORDS = films.sei((films.UNREGISTERED, b"0123456789abcdefwords"))
CAPTIONS = films.sei((films.REGISTERED, b"\xb5\x00\x31words"))
RECOVERY = films.sei((6, b"\x84\x40"))


def sample(*found: bytes, prefix: int = 4) -> bytes:
    return b"".join(len(unit).to_bytes(prefix, "big") + unit for unit in found)


def record(**options: str) -> bytes:
    data = films.encoded(options={"preset": "medium", **options}, frames=2)
    return read_movie(data).tracks[0].configuration


@pytest.mark.parametrize("prefix", [1, 2, 4])
def test_words_padding_and_private_units_are_taken_out(prefix: int) -> None:
    dirty = sample(b"\x09\xf0", WORDS, SLICE, b"\x0c\xff\xff\x80", b"\x18words", CAPTIONS, SLICE, prefix=prefix)
    assert cleaned(dirty, prefix) == sample(b"\x09\xf0", SLICE, SLICE, prefix=prefix)


def test_a_clean_sample_is_the_very_same() -> None:
    clean = sample(b"\x09\x10", RECOVERY, SLICE, b"\x0a", b"\x0b")
    assert cleaned(clean, 4) is clean


@pytest.mark.parametrize(
    ("unit", "left"),
    [
        (WORDS, None),
        (CAPTIONS, None),
        (RECOVERY, RECOVERY),
        (films.MIXED, RECOVERY),
        (films.sei((films.UNKNOWN, b"words")), None),
        (films.sei((3, b"\xff\xff")), None),
        (films.sei((6, b"w" * 65)), None),
        (b"\x06", None),
        (b"\x06\x80", None),
        (b"\x06\x06\x09\x84\x40\x80", None),
        (b"\x06\x05\xff\xff\xff", None),
        (b"\x06\x01\x04\0\0\3\1\1\x80", b"\x06\x01\x04\0\0\3\1\1\x80"),
        (b"\x06\x01\x04\0\0\3\1\1\x05\x01w\x80", b"\x06\x01\x04\0\0\3\1\1\x80"),
        (b"\x09\xf0", b"\x09\xf0"),
        (b"\x09\xf0words", None),
        (b"\x0bwords", None),
        (b"\x1fwords", None),
        (b"\x00words", None),
        (b"\x10words", None),
    ],
    ids=[
        "words", "captions", "recovery point", "mixed", "unknown kind", "padding", "too long", "empty", "no message",
        "length beyond the end", "endless length", "escaped", "escaped and words", "delimiter", "delimiter with words",
        "end with words", "unspecified", "type zero", "reserved",
    ],
)  # fmt: skip
def test_of_a_unit_only_what_the_decoder_needs_is_kept(unit: bytes, left: bytes | None) -> None:
    assert kept(unit) == left


@pytest.mark.parametrize("kind", [2, 3, 4, 13, 14, 15, 19, 20, 21])
def test_partitions_layers_and_views_are_refused(kind: int) -> None:
    with pytest.raises(UnsupportedFilmError):
        kept(bytes((kind, 0x80)))


@pytest.mark.parametrize(
    "broken",
    [b"\0\0\0\0", b"\0\0\0\5abcd", b"\0\0", sample(b"\xe5\x80"), sample(RECOVERY), b"", sample(b"\x67" + b"w" * 1024)],
    ids=["no length", "beyond the end", "half a length", "forbidden bit", "no slice", "nothing", "long parameters"],
)
def test_a_broken_sample_is_refused(broken: bytes) -> None:
    with pytest.raises(DamagedFilmError):
        cleaned(broken, 4)


def test_units_are_given_without_their_lengths() -> None:
    assert [bytes(unit) for unit in units(sample(SLICE, WORDS), 4)] == [SLICE, WORDS]


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"profile": "baseline", "level": "3.0"}, (66, True, 30, True, True)),
        ({"profile": "main", "level": "3.1"}, (77, True, 31, True, True)),
        ({"profile": "high", "level": "4.1"}, (100, False, 41, True, True)),
        ({"x264-params": "interlaced=1", "level": "4.0"}, (100, False, 40, False, True)),
        ({"x264-params": "sar=4/3", "level": "4.0"}, (100, False, 40, True, False)),
        ({"x264-params": "sar=7/5", "level": "4.0"}, (100, False, 40, True, False)),
        ({"x264-params": "sar=1/1", "level": "4.0"}, (100, False, 40, True, True)),
        ({"x264-params": "cqm=jvt", "level": "4.0"}, (100, False, 40, True, True)),
        ({"x264-params": "bframes=0", "level": "4.0"}, (100, False, 40, True, True)),
    ],
    ids=["baseline", "main", "high", "interlaced", "4:3 pixels", "7:5 pixels", "square", "scaling lists", "order 2"],
)
def test_the_sequence_parameter_set_tells_the_shape(
    options: dict[str, str], shape: tuple[int, bool, int, bool, bool]
) -> None:
    found = sequence(configuration(record(**options)).sequences[0])
    assert (found.profile, found.constrained, found.level, found.progressive, found.square) == shape
    assert (found.rows, found.columns) == (films.HEIGHT, films.WIDTH)
    assert found.macroblocks[1] == films.WIDTH // 16
    assert (found.chroma, found.depth) == (1, 8)


@pytest.mark.parametrize("options", [{"profile": "baseline"}, {"profile": "main"}, {"profile": "high"}], ids=str)
def test_a_decoder_configuration_is_written_as_it_was_read(options: dict[str, str]) -> None:
    assert configuration(record(**options)).record() == record(**options)


def test_words_behind_a_decoder_configuration_are_lost() -> None:
    assert configuration(record() + b"words").record() == record()


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: b"\2" + data[1:],
        lambda data: data[:4] + b"\xfe" + data[5:],
        lambda data: data[:5] + b"\xe0" + data[6:],
        lambda data: data[:-8],
        lambda data: data[:8],
        lambda data: data[:8] + b"\x41" + data[9:],
    ],
    ids=["empty", "version", "length of lengths", "no sequence", "cut", "cut sequence", "a slice in it"],
)
def test_a_broken_decoder_configuration_is_refused(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(DamagedFilmError):
        configuration(change(record(profile="main")))


@pytest.mark.parametrize("unit", [b"", b"\x67", b"\x65\x42\0\x1e\xff", b"\x67\x42\0\x1e", b"\x67\x64\0\x1e\0\0\1"])
def test_a_broken_sequence_parameter_set_is_refused(unit: bytes) -> None:
    with pytest.raises(DamagedFilmError):
        sequence(unit)
