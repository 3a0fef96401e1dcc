from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from dicomwrap.errors import (
    DamagedFilmError,
    DicomwrapError,
    NotAPhotographError,
    TruncatedPhotographError,
    UnsupportedFilmError,
)
from dicomwrap.photograph import Orienting
from dicomwrap.source.film import read_film
from tests.unit.dicomwrap import films

FAST = {"preset": "ultrafast"}
MEDIUM = {"preset": "medium"}
HALF, WHOLE = 200, 400  # milliseconds of a film of 12 frames at 30 Hz; its time scale is 12000
QUARTER_CLOCKWISE, QUARTER_BACK, HALF_TURN = (0, 1, 0, -1, 0, 0), (0, -1, 0, 1, 0, 0), (-1, 0, 0, 0, -1, 0)
MIRRORED = (-1, 0, 0, 0, 1, 0)


def coding(codec: str, pixels: str = "yuv420p", container: str = "mov", **options: str) -> Callable[[], bytes]:
    return lambda: films.encoded(codec=codec, pixels=pixels, container=container, options=options or FAST)


def x264(pixels: str = "yuv420p", **options: str) -> Callable[[], bytes]:
    return coding("libx264", pixels, **{**MEDIUM, **options})


def units(*more: bytes) -> Callable[[], bytes]:
    return lambda: films.encoded(units=more)


REFUSED: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "sound": (lambda: films.encoded(sound=True), "has sound", "--drop-audio"),
    "HEVC": (coding("libx265", **{"x265-params": "log-level=none"}), "HEVC", "Most compatible"),
    "Motion JPEG": (coding("mjpeg", "yuvj420p"), "Motion JPEG", "MP4 with H.264"),
    "MPEG-4 part 2": (coding("mpeg4"), "MPEG-4 part 2", "MP4 with H.264"),
    "ProRes": (coding("prores_ks", "yuv422p10le"), "ProRes", "MP4 with H.264"),
    "VP9": (coding("libvpx-vp9", container="mp4", deadline="realtime"), "VP9", "MP4 with H.264"),
    "AV1": (lambda: films.coded_as(films.encoded(), b"av01"), "AV1", "MP4 with H.264"),
    "a coding that nobody knows": (lambda: films.coded_as(films.encoded(), b"\x1b[2J"), "doesn't know", "H.264"),
    "10 bits": (x264("yuv420p10le", qp="30"), "High 10", "High profile"),
    "4:2:2": (x264("yuv422p"), "High 4:2:2", "High profile"),
    "4:4:4": (x264("yuv444p"), "High 4:4:4", "High profile"),
    "grey": (x264("gray"), "4:2:0 with 8 bits", "High profile"),
    "interlaced": (x264(**{"x264-params": "interlaced=1"}), "interlaced", "deinterlaced"),
    "pixels of the stream": (x264(**{"x264-params": "sar=2/1"}), "aren't square", "H.264"),
    "level 5.1": (x264(level="5.1"), "level 5.1", "1080p"),
    "two pictures": (lambda: films.encoded(tracks=2), "2 picture tracks", "H.264"),
    "encrypted": (lambda: films.coded_as(films.encoded(), b"encv"), "encrypted", "without protection"),
    "turned": (lambda: films.rotated(films.encoded()), "turn or mirror", "--orientation keep"),
    "turned back": (lambda: films.rotated(films.encoded(), QUARTER_BACK), "turn or mirror", "upright"),
    "upside down": (lambda: films.rotated(films.encoded(), HALF_TURN), "turn or mirror", "upright"),
    "mirrored": (lambda: films.rotated(films.encoded(), MIRRORED), "turn or mirror", "upright"),
    "a cut beginning": (lambda: films.with_edits(films.encoded(), (HALF, 2400, 1)), "hides a part", "was cut is gone"),
    "a cut end": (lambda: films.with_edits(films.encoded(), (HALF, 0, 1)), "hides a part", "was cut is gone"),
    "slow motion": (lambda: films.with_edits(films.encoded(), (WHOLE, 0, 0.5)), "slows", "H.264"),
    "reordered": (lambda: films.with_edits(films.encoded(), (HALF, 2400, 1), (HALF, 0, 1)), "reorders", "H.264"),
    "data partitions": (units(b"\x02\x80\x80"), "partitions", "High profile"),
    "a second view": (units(b"\x74\x80\x80"), "views", "High profile"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "reason", "remedy"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_kept_is_refused_with_reason_and_remedy(
    make: Callable[[], bytes], reason: str, remedy: str
) -> None:
    with pytest.raises(UnsupportedFilmError) as caught:
        read_film(make(), drop_audio=False)
    assert reason in caught.value.reason
    assert remedy in caught.value.remedy
    assert str(caught.value).isprintable()


def test_a_cropped_picture_is_refused() -> None:
    film = films.encoded()
    clap = films.box(b"clap", struct.pack(">8I", 32, 1, 48, 1, 0, 1, 0, 1))
    with pytest.raises(UnsupportedFilmError, match="cuts a margin"):
        read_film(in_sample_description(film, clap), drop_audio=False)


def test_pixels_that_the_container_stretches_are_refused() -> None:
    pasp = films.box(b"pasp", struct.pack(">II", 4, 3))
    with pytest.raises(UnsupportedFilmError, match="aren't square"):
        read_film(in_sample_description(films.encoded(options={**FAST, "bf": "0"}), pasp), drop_audio=False)


def in_sample_description(film: bytes, new: bytes) -> bytes:
    """Return a film with a further box in its first sample description."""
    at = film.rindex(b"avcC") - 4
    film = film[:at] + new + film[at:]
    for kind in (b"avc1", b"stsd", b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        place = film.rindex(kind) - 4
        size = int.from_bytes(film[place : place + 4], "big") + len(new)
        film = film[:place] + struct.pack(">I", size) + film[place + 4 :]
    return film


def test_picture_data_in_another_file_are_refused() -> None:
    film = films.encoded()
    at = film.rindex(b"url ") + 4
    with pytest.raises(UnsupportedFilmError, match="another file"):
        read_film(film[:at] + bytes(4) + film[at + 4 :], drop_audio=False)


@pytest.mark.parametrize("matrix", [QUARTER_CLOCKWISE, QUARTER_BACK, HALF_TURN, MIRRORED])
def test_a_turned_film_is_kept_as_the_sensor_saw_it_when_that_is_asked(matrix: tuple[int, ...]) -> None:
    data = films.rotated(films.encoded(), matrix)
    film = read_film(data, drop_audio=False, orienting=Orienting.KEEP)
    assert film.stream == read_film(films.encoded(), drop_audio=False).stream
    assert any("stored unturned" in warning for warning in film.warnings)


@pytest.mark.parametrize(
    "edits",
    [((WHOLE, 0, 1),), ((40, -1, 1), (WHOLE, 0, 1)), ((WHOLE - 1, 0, 1),)],
    ids=["the whole", "after a wait", "rounded"],
)
def test_an_edit_list_that_shows_the_whole_film_is_harmless(edits: tuple[tuple[int, int, float], ...]) -> None:
    data = films.encoded()
    film = read_film(films.with_edits(data, *edits), drop_audio=False)
    assert films.slices(film.stream) == films.slices(data)
    assert film.stream == read_film(data, drop_audio=False).stream


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", NotAPhotographError),
        (b"\xff\xd8\xff\xe0", NotAPhotographError),
        (b"\0\0\0\x18ftypheic" + bytes(32), NotAPhotographError),
        (films.box(b"ftyp", b"isom"), TruncatedPhotographError),
        (films.box(b"ftyp", b"isom") + films.box(b"moov", b""), DamagedFilmError),
        (films.box(b"ftyp", b"isom") + films.box(b"moov", films.box(b"cmov", b"")), UnsupportedFilmError),
        (films.box(b"ftyp", b"isom") + b"\0\0\0\4moov", DamagedFilmError),
        (films.box(b"ftyp", b"isom") * 100_001, DamagedFilmError),
    ],
    ids=["nothing", "a JPEG", "HEIC", "no index", "an empty index", "a packed index", "a wrong size", "many boxes"],
)
def test_what_is_no_whole_film_is_refused(data: bytes, kind: type[DicomwrapError]) -> None:
    with pytest.raises(kind):
        read_film(data, drop_audio=False)


def test_a_film_without_pictures_is_refused() -> None:
    film = films.encoded()
    at = film.rindex(b"vide")
    with pytest.raises(NotAPhotographError, match="without pictures"):
        read_film(film[:at] + b"hint" + film[at + 4 :], drop_audio=False)


@pytest.mark.parametrize("cut", [12, 40, 1000, -1, -300])
def test_a_film_that_was_broken_off_is_refused(cut: int) -> None:
    with pytest.raises(TruncatedPhotographError):
        read_film(films.encoded()[:cut], drop_audio=False)


def test_a_film_whose_picture_data_were_broken_off_is_refused() -> None:
    film = films.encoded(layout={"moov_size": "4000"})
    at = film.index(b"mdat")
    shorter = film[: at + 600]
    size = struct.pack(">I", len(shorter) - at + 4)
    with pytest.raises(DicomwrapError):
        read_film(shorter[: at - 4] + size + shorter[at:], drop_audio=False)


def test_a_unit_of_a_wrong_length_is_refused() -> None:
    film = films.encoded()
    at = film.index(b"mdat") + 4
    with pytest.raises(DamagedFilmError, match="wrong length"):
        read_film(film[:at] + b"\xff" + film[at + 1 :], drop_audio=False)
