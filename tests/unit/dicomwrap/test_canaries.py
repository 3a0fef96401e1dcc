"""Nothing that a file hides gets into the object: canaries in every place, looked for as bytes and by exiftool."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dicomwrap.bitstream.clean import hidden
from dicomwrap.bitstream.markers import APP14, parse
from dicomwrap.photograph import Orienting, Reading
from dicomwrap.wrap import encoded
from tests.unit.dicomwrap import canaries, photos
from tests.unit.dicomwrap.objects import built

SOURCES = canaries.sources()
JPEGS = [name for name in SOURCES if name.startswith(("JPEG", "MPO"))]
READINGS = {
    "as it is": Reading(),
    "proved": Reading(prove=True),
    "turned": Reading(orientation=6),
    "mirrored": Reading(orientation=5),
    "kept": Reading(orientation=6, orienting=Orienting.KEEP),
}
WAYS = [pytest.param(SOURCES[name], how, id=f"{name}, {way}") for name in SOURCES for way, how in READINGS.items()]


def read_by_exiftool(path: Path) -> str:
    """Return everything that exiftool can read in a file: unknown tags, embedded files, binary values too."""
    command = ["exiftool", "-a", "-u", "-U", "-G1", "-ee3", "-b", "-X", path]
    return subprocess.run(command, capture_output=True, check=False).stdout.decode("latin-1")


def seen(data: bytes) -> list[bytes]:
    return [*canaries.found(data), *(each for chunk in canaries.packed(data) for each in canaries.found(chunk))]


@pytest.mark.parametrize("name", SOURCES)
def test_the_canaries_are_where_they_were_planted(name: str) -> None:
    assert SOURCES[name].count(canaries.MARK) > (1 if name == "BMP" else 5)
    assert seen(SOURCES[name])


@pytest.mark.parametrize("place", canaries.segments())
def test_every_segment_is_a_place_of_its_own(place: str) -> None:
    data = photos.with_segments(photos.jpeg(), canaries.segments()[place])
    assert seen(data)
    assert seen(encoded(built(data))) == []


@pytest.mark.parametrize(("data", "reading"), WAYS)
def test_no_canary_is_anywhere_in_the_file(data: bytes, reading: Reading) -> None:
    made = built(data, reading=reading)
    assert seen(encoded(made)) == []
    assert made.frame


@pytest.mark.parametrize("data", SOURCES.values(), ids=SOURCES)
def test_no_canary_is_found_by_an_independent_reader(data: bytes, tmp_path: Path) -> None:
    made = built(data)
    whole, frame = tmp_path / "x.dcm", tmp_path / ("frame.jpg" if made.encapsulated else "frame.bin")
    whole.write_bytes(encoded(made))
    frame.write_bytes(b"".join(made.frame))
    said = read_by_exiftool(whole)
    assert "<DICOM:PatientName>Doe^Jane" in said
    for each in (said, read_by_exiftool(frame)):
        assert seen(each.encode("latin-1")) == []
        assert not [group for group in ("<GPS:", "<XMP", "<IPTC:", "<IFD1:", "<Photoshop:", "<MPF") if group in each]


def test_the_independent_reader_finds_the_canaries_in_the_source(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(photos.with_segments(photos.jpeg(), *canaries.segments().values()))
    said = read_by_exiftool(path)
    places = ("ImageDescription", "Artist", "GPSMapDatum", "XMP", "IPTC", "COM", "ICC copyright")
    assert [place for place in places if canaries.word(place).decode() not in said] == []


@pytest.mark.parametrize("name", SOURCES)
def test_a_frame_is_the_picture_and_nothing_else(name: str) -> None:
    made = built(SOURCES[name])
    frame = b"".join(made.frame)
    if not made.encapsulated:
        assert len(frame) == int(made.elements["Rows"]) * int(made.elements["Columns"]) * 3
        return
    assert hidden(frame) == ()
    assert [len(body) for body in parse(frame).bodies(APP14)] in ([], [12])
    assert parse(frame).trailer == b""


GENUINE = photos.segment(0xEE, b"Adobe\0\x64\0\0\0\0\1")


def test_of_adobe_s_segment_only_the_twelve_genuine_bytes_stay() -> None:
    long = photos.segment(0xEE, b"Adobe\0\x64\0\0\0\0\1" + canaries.word("APP14"))
    made = built(photos.with_segments(photos.jpeg(), long, GENUINE))
    stream = b"".join(made.frame)
    assert stream.count(b"Adobe") == 1
    assert GENUINE in stream


@pytest.mark.parametrize("name", JPEGS)
def test_the_place_on_the_map_is_in_no_element(name: str) -> None:
    data = encoded(built(SOURCES[name]))
    assert b"51.7340" not in data
    assert str(canaries.LATITUDE[0]).encode() not in data
