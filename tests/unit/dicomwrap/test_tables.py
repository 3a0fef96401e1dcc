"""The small segments of a JPEG, held against their own layout: nothing besides a table can stand in them."""

from __future__ import annotations

import pytest

from dicomwrap.bitstream.clean import cleaned
from dicomwrap.bitstream.markers import SOS, parse
from dicomwrap.bitstream.tables import check_baseline_scan, check_table
from dicomwrap.errors import DamagedPhotographError, DicomwrapError
from dicomwrap.source.readers import read_photographs
from tests.unit.dicomwrap import canaries, photos

DHT, DAC, DQT, DRI = 0xC4, 0xCC, 0xDB, 0xDD
PLAIN = photos.jpeg(restart_marker_blocks=2)
SECRET = canaries.word("table")
ONE_CODE = b"\x00" + b"\1" + bytes(15) + b"\5"  # one code of one bit
QUANTISERS = bytes(range(1, 65))


def with_longer(marker: int, extra: bytes) -> bytes:
    """Return a JPEG whose first segment with this marker has more in it than belongs there."""
    piece = next(piece for piece in parse(PLAIN).pieces if piece.marker == marker)
    return PLAIN[: piece.start] + photos.segment(marker, PLAIN[piece.body : piece.end] + extra) + PLAIN[piece.end :]


@pytest.mark.parametrize("marker", [DHT, DQT, DRI, SOS, 0xC0], ids=["DHT", "DQT", "DRI", "SOS", "SOF0"])
@pytest.mark.parametrize("extra", [SECRET, b"\0", bytes(64)], ids=["words", "a byte", "zeros"])
def test_a_segment_that_holds_more_than_its_table_is_refused(marker: int, extra: bytes) -> None:
    with pytest.raises(DicomwrapError):
        cleaned(with_longer(marker, extra))
    with pytest.raises(DamagedPhotographError):
        read_photographs(with_longer(marker, extra))


@pytest.mark.parametrize("marker", [DHT, DQT, DRI])
def test_a_segment_that_is_no_table_at_all_is_refused(marker: int) -> None:
    with pytest.raises(DamagedPhotographError):
        read_photographs(photos.with_segments(PLAIN, photos.segment(marker, SECRET)))


GOOD = {
    "one quantisation table": (DQT, b"\0" + QUANTISERS),
    "four of them": (DQT, b"".join(bytes([number]) + QUANTISERS for number in range(4))),
    "one of 16 bits": (DQT, b"\x10" + QUANTISERS * 2),
    "one Huffman table": (DHT, ONE_CODE),
    "two of them": (DHT, ONE_CODE + b"\x11" + ONE_CODE[1:]),
    "a full tree": (DHT, b"\x13" + bytes([0, 4]) + bytes(14) + bytes(range(1, 5))),
    "a restart interval": (DRI, b"\0\x08"),
    "arithmetic conditions": (DAC, b"\0\x10\x11\5"),
}
BAD = {
    "no quantisation table": (DQT, b""),
    "half of one": (DQT, b"\0" + QUANTISERS[:-1]),
    "one and a byte": (DQT, b"\0" + QUANTISERS + b"\0"),
    "table number four": (DQT, b"\4" + QUANTISERS),
    "32 bits": (DQT, b"\x20" + QUANTISERS * 3),
    "no Huffman table": (DHT, b""),
    "half a head": (DHT, ONE_CODE[:9]),
    "no value for its code": (DHT, ONE_CODE[:-1]),
    "a value without a code": (DHT, ONE_CODE + b"\0"),
    "neither DC nor AC": (DHT, b"\x20" + ONE_CODE[1:]),
    "number four": (DHT, b"\4" + ONE_CODE[1:]),
    "three codes of one bit": (DHT, b"\0\3" + bytes(15) + bytes(3)),
    "more than 256 codes": (DHT, b"\0" + bytes(14) + b"\xff\xff" + bytes(510)),
    "a long restart interval": (DRI, b"\0\0\0\x08"),
    "no restart interval": (DRI, b""),
    "half a condition": (DAC, b"\0"),
    "many conditions": (DAC, bytes(66)),
}


@pytest.mark.parametrize(("marker", "body"), GOOD.values(), ids=GOOD)
def test_a_table_that_fits_its_layout_passes(marker: int, body: bytes) -> None:
    check_table(marker, body)


@pytest.mark.parametrize(("marker", "body"), BAD.values(), ids=BAD)
def test_a_table_that_does_not_fit_its_layout_is_refused(marker: int, body: bytes) -> None:
    with pytest.raises(DamagedPhotographError, match=f"FF{marker:02X}"):
        check_table(marker, body)


@pytest.mark.parametrize("end", [b"\0\x3e\0", b"\1\x3f\0", b"\0\x3f\1", b"\x11\x22\x33"])
def test_the_last_bytes_of_a_baseline_scan_header_hold_nothing_else(end: bytes) -> None:
    with pytest.raises(DamagedPhotographError):
        check_baseline_scan(b"\1\1\0" + end)
    at = PLAIN.index(b"\0\x3f\0", PLAIN.index(b"\xff\xda"))
    with pytest.raises(DamagedPhotographError):
        read_photographs(photos.patched(PLAIN, at, end))


def test_a_second_scan_of_the_same_component_is_refused() -> None:
    again = PLAIN[PLAIN.index(b"\xff\xda") :]
    with pytest.raises(DamagedPhotographError, match="two scans"):
        read_photographs(PLAIN[:-2] + again)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}, {"keep_rgb": True}], ids=str)
def test_what_encoders_write_passes(options: dict[str, object]) -> None:
    assert parse(photos.jpeg(**options)).frame.rows == 48
    assert parse(photos.jpegtran(photos.jpeg(**options), "-arithmetic")).frame.rows == 48


def test_symbols_that_stand_twice_or_are_no_sizes_are_no_table() -> None:
    for symbols in (b"\1\1\2\3", b"\x0f\1\2\3"):
        with pytest.raises(DamagedPhotographError):
            check_table(DHT, b"\x13" + bytes([0, 4]) + bytes(14) + symbols)
