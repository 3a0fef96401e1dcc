from __future__ import annotations

import hashlib
import shutil
import struct
import subprocess
import sys
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from dicomwrap.bitstream.mp4 import hidden
from dicomwrap.errors import DamagedPhotographError, UnsupportedPhotographError
from dicomwrap.photograph import Device, Orienting
from dicomwrap.source.film import Film, read_film, recognises
from dicomwrap.source.limits import Limits, run_limited
from tests.unit.dicomwrap import films

SLOW = {"preset": "medium", "bf": "3"}
FAST = {"preset": "ultrafast"}
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


def read(data: bytes, *, drop_audio: bool = False, orienting: Orienting = Orienting.REENCODE) -> Film:
    return read_film(data, drop_audio=drop_audio, orienting=orienting)


@pytest.fixture(scope="module")
def phone() -> Film:
    return read(films.camera_film())


CODINGS = {
    "constrained baseline": {"options": {**FAST, "profile": "baseline"}},
    "main with B frames": {"options": {**SLOW, "profile": "main"}},
    "high with B frames": {"options": {**SLOW, "profile": "high"}},
    "high with scaling lists": {"options": {**SLOW, "x264-params": "cqm=jvt"}},
    "slices and delimiters": {"options": {**SLOW, "x264-params": "slices=3:aud=1"}},
    "timing and padding": {"options": {**FAST, "x264-params": "nal-hrd=cbr:vbv-maxrate=99:vbv-bufsize=99:bitrate=99"}},
    "QuickTime": {"container": "mov", "options": SLOW},
    "3GPP": {"container": "3gp"},
    "fragments": {"layout": FRAGMENTS, "options": {**SLOW, "g": "4"}},
    "index first": {"layout": {"moov_size": "4000"}, "options": SLOW},
    "negative composition offsets": {"layout": {"movflags": "negative_cts_offsets"}, "options": SLOW},
    "every frame whole": {"options": {**FAST, "g": "1"}},
    "one frame": {"frames": 1},
    "uneven times": {"times": lambda number: 100 * number + (60 if number % 3 else 0)},
}


@pytest.mark.parametrize("coding", CODINGS.values(), ids=CODINGS.keys())
def test_slices_parameter_sets_frames_and_times_are_the_cameras(coding: dict[str, object]) -> None:
    data = films.encoded(**coding)  # type: ignore[arg-type]
    stream = read(data).stream
    assert films.slices(stream) == films.slices(data)
    assert hidden(stream) == ()
    before, after = films.decoded(data), films.decoded(stream)
    assert [picture for _, picture in after] == [picture for _, picture in before]
    assert [moment - after[0][0] for moment, _ in after] == pytest.approx([when - before[0][0] for when, _ in before])
    assert after[0][0] == 0


def test_a_phones_film_keeps_slices_parameter_sets_and_frames(phone: Film) -> None:
    assert films.slices(phone.stream) == films.slices(films.camera_film())
    assert films.decoded(phone.stream) == films.decoded(films.camera_film())


@pytest.mark.parametrize("secret", films.SECRETS, ids=lambda secret: secret.decode())
def test_what_a_camera_hides_is_gone(phone: Film, secret: bytes) -> None:
    assert secret in films.camera_film()
    assert secret not in phone.stream


@pytest.mark.parametrize("name", films.OURS, ids=lambda name: name.decode())
def test_no_program_signs_the_film(phone: Film, name: bytes) -> None:
    assert name not in phone.stream
    assert name not in read(films.encoded()).stream


def test_exiftool_finds_nothing_but_the_shape(phone: Film, tmp_path: Path) -> None:
    exiftool = shutil.which("exiftool")
    if exiftool is None:
        pytest.skip("exiftool is not installed")
    told = []
    for name, data in (("before.mov", films.camera_film()), ("after.mp4", phone.stream)):
        (tmp_path / name).write_bytes(data)
        found = subprocess.run([exiftool, "-ee", "-a", "-G1", "-b", tmp_path / name], capture_output=True, check=False)
        told.append(found.stdout)
    assert any(secret in told[0] for secret in films.SECRETS)
    assert not any(secret in told[1] for secret in (*films.SECRETS, *films.OURS))
    assert not any(fact.encode() in told[1] for fact in (films.MAKE, films.MODEL, films.SOFTWARE, "2025"))


def test_the_new_container_has_only_what_a_player_needs(phone: Film) -> None:
    assert hidden(films.camera_film()) != ()
    assert hidden(phone.stream) == ()
    assert len(phone.stream) % 2 == 0  # PS3.5 section A.4 would pad it


def test_a_film_that_was_read_once_is_read_again_to_the_same_bytes(phone: Film) -> None:
    assert read(phone.stream).stream == phone.stream


def test_a_player_may_begin_where_the_container_said(phone: Film) -> None:
    assert films.sync_samples(phone.stream) == films.sync_samples(films.camera_film())


def test_the_same_film_gives_the_same_bytes() -> None:
    assert read(films.camera_film()).stream == read(films.camera_film()).stream


def test_the_shape_of_a_film_is_told(phone: Film) -> None:
    assert (phone.rows, phone.columns, phone.frames) == (films.HEIGHT, films.WIDTH, films.FRAMES)
    assert phone.frame_time_ms == pytest.approx(1000 / 30)
    assert phone.cine_rate == 30
    assert phone.duration == pytest.approx(films.FRAMES / 30)
    assert phone.sha256 == hashlib.sha256(films.camera_film()).hexdigest()
    assert phone.lossy[0].method == "ISO_14496_10"
    assert phone.lossy[0].ratio == films.WIDTH * films.HEIGHT * 3 * films.FRAMES / len(phone.stream)


def test_a_film_whose_sides_are_no_multiples_of_16_has_its_true_size() -> None:
    film = read(films.encoded(size=(66, 50)))
    assert (film.rows, film.columns) == (50, 66)


def test_a_phones_keys_tell_time_offset_and_device(phone: Film) -> None:
    assert phone.facts.taken_at == datetime(2025, 3, 1, 10, 15, 30)  # noqa: DTZ001 - a camera's clock
    assert phone.facts.offset == timedelta(hours=1)
    assert phone.facts.device == Device(manufacturer=films.MAKE, model=films.MODEL, software=films.SOFTWARE)
    assert phone.warnings == ()


def stamped(film: bytes, seconds: int) -> bytes:
    """Return a film whose movie header tells when it was made, in seconds since 1904."""
    at = film.rindex(b"mvhd") + 8
    return film[:at] + seconds.to_bytes(4, "big") + film[at + 4 :]


def test_a_movie_header_tells_the_time_in_utc_with_a_warning() -> None:
    film = read(stamped(films.encoded(), 3_823_665_330))
    assert film.facts.taken_at == datetime(2025, 3, 1, 9, 15, 30)  # noqa: DTZ001 - a camera's clock
    assert film.facts.offset == timedelta()
    assert any("UTC only" in warning for warning in film.warnings)


@pytest.mark.parametrize("seconds", [0, 1, 2_082_844_800, 3_029_529_600], ids=["none", "1904", "1970", "2000"])
def test_a_clock_that_was_never_set_tells_nothing(seconds: int) -> None:
    facts = read(stamped(films.encoded(), seconds)).facts
    assert (facts.taken_at, facts.offset) == (None, None)


@pytest.mark.parametrize(
    "said",
    ["yesterday", "2025-13-01T10:00:00+0100", "2025-03-01T10:00:00", "2025-03-01T10:00:00+2300", "", "9" * 400],
    ids=["words", "no month", "no offset", "no place on earth", "empty", "long"],
)
def test_a_time_that_makes_no_sense_is_not_told(said: str) -> None:
    facts = read(films.with_boxes(films.encoded(), index=films.keys(creationdate=said))).facts
    assert facts.taken_at is None


def test_a_device_is_told_in_clean_lines() -> None:
    name = "Film\\o\nMatic\x07 " + "x" * 300
    facts = read(films.with_boxes(films.encoded(), index=films.keys(model=name, make="Ácme"))).facts
    assert facts.device.model.startswith("Film o Matic xxx")
    assert len(facts.device.model) == 64
    assert facts.device.manufacturer == "Ácme"


def test_texts_that_are_no_utf_8_do_not_keep_a_film_out() -> None:
    user = films.box(b"udta", films.box(b"\xa9mod", struct.pack(">HH", 5, 0x15C7) + b"F\xfclm\xff"))
    facts = read(films.with_boxes(films.encoded(container="mov"), index=user)).facts
    assert facts.device.model.startswith("F")


def test_sound_is_left_out_when_asked_and_said_so() -> None:
    film = read(films.encoded(sound=True), drop_audio=True)
    assert film.warnings == ("the film's sound was left out, as asked",)
    assert b"soun" not in film.stream
    assert b"mp4a" not in film.stream


def test_uneven_times_are_averaged_and_said_so() -> None:
    film = read(films.encoded(times=lambda number: 100 * number + (60 if number % 3 else 0)))
    times = [moment for moment, _ in films.decoded(film.stream)]
    steps = [after - before for before, after in pairwise(times)]
    assert film.frame_time_ms == pytest.approx(1000 * sum(steps) / len(steps))
    assert any("from 13.33 to 53.33 ms" in warning for warning in film.warnings)


@pytest.mark.parametrize(
    ("options", "rate", "transfer_syntax"),
    [
        ({**FAST, "level": "3.0"}, 30, "1.2.840.10008.1.2.4.102"),
        ({**FAST, "level": "4.1"}, 30, "1.2.840.10008.1.2.4.102"),
        ({**FAST, "level": "4.2"}, 30, "1.2.840.10008.1.2.4.104"),
    ],
    ids=["3.0", "4.1", "4.2"],
)
def test_the_transfer_syntax_is_that_of_the_level(options: dict[str, str], rate: int, transfer_syntax: str) -> None:
    assert read(films.encoded(options=options, rate=rate)).transfer_syntax == transfer_syntax


def test_a_stream_that_needs_more_than_its_level_says_has_the_higher_transfer_syntax() -> None:
    data = films.encoded(options={**FAST, "level": "4.1"}, size=(1920, 1080), rate=60, frames=3)
    assert read(data).transfer_syntax == "1.2.840.10008.1.2.4.104"


@pytest.mark.parametrize(
    ("head", "known"),
    [
        (b"\0\0\0\x20ftypisom", True),
        (b"\0\0\0\x20ftypmp42", True),
        (b"\0\0\0\x20ftypavc1", True),
        (b"\0\0\0\x14ftypqt  ", True),
        (b"\0\0\0\x14ftypMSNV", True),
        (b"\0\0\0\x08wide\0\0\0\0", True),
        (b"\0\0\4\x00moov\0\0\0\0", True),
        (b"\0\0\4\x00mdat\0\0\0\0", True),
        (b"\0\0\0\x18ftypheic", False),
        (b"\0\0\0\x18ftyphevc", False),
        (b"\0\0\0\x18ftypmif1", False),
        (b"\0\0\0\x18ftypmsf1", False),
        (b"\0\0\0\x18ftypavif", False),
        (b"\0\0\0\x18ftypavis", False),
        (b"\0\0\0\x18ftypcrx ", False),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", False),
        (b"\0\0\0\x18ftyp", False),
        (b"", False),
    ],
)
def test_a_film_is_known_by_its_first_bytes(head: bytes, known: bool) -> None:
    assert recognises(head) is known


def test_without_pyav_a_film_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(films.encoded())
    script = (
        "import sys; sys.modules['av'] = None\n"
        "from pathlib import Path\n"
        "from dicomwrap.errors import DicomwrapError\n"
        "from dicomwrap.source.film import read_film\n"
        "try:\n    read_film(Path(sys.argv[1]).read_bytes(), drop_audio=False)\n"
        "except DicomwrapError as error:\n    print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    assert run.stdout == "Films need PyAV, which is not installed. Install consentgate[video].\n"


BROKEN = {
    "memory": "bytearray(1 << 30)",
    "writing": "import sys; sys.stdout.write('x' * 100_000)",
    "crash": "import os; os.abort()",
}


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN.keys())
def test_a_child_beyond_its_limits_is_stopped(script: str) -> None:
    limits = Limits(memory=1 << 28, seconds=2, answer=1 << 16)
    with run_limited((sys.executable, "-I", "-c", script), b"", limits) as (status, answer):
        assert status != 0
        assert len(answer.read()) <= 1 << 16


def test_a_child_that_computes_without_end_is_stopped() -> None:
    limits = Limits(memory=1 << 28, seconds=2, answer=1 << 16)
    try:
        with run_limited((sys.executable, "-I", "-c", "while True: pass"), b"", limits) as (status, _answer):
            stopped = status < 0
    except DamagedPhotographError:  # on a busy machine it computes so little that the other clock is up first
        stopped = True
    assert stopped


def test_a_child_that_sleeps_is_stopped_and_the_file_refused() -> None:
    limits = Limits(memory=1 << 28, seconds=1, answer=1 << 16)
    sleeper = (sys.executable, "-I", "-c", "import time; time.sleep(60)")
    with pytest.raises(DamagedPhotographError, match="2 seconds"), run_limited(sleeper, b"", limits):
        pass


def test_a_program_that_is_missing_is_an_answer_too() -> None:
    limits = Limits(memory=1 << 28, seconds=1, answer=1 << 16)
    with run_limited(("no-such-program",), b"", limits) as (status, answer):
        assert (status, answer.read()) == (127, b"")


def test_a_child_has_nothing_of_our_environment() -> None:
    limits = Limits(memory=1 << 30, seconds=5, answer=1 << 16)
    script = "import os, sys; sys.stdout.write(f'{sorted(os.environ)} {os.getcwd()} ' + sys.stdin.read())"
    with run_limited((sys.executable, "-I", "-c", script), b"given", limits) as (status, answer):
        assert (status, answer.read()) == (0, b"['LC_CTYPE'] / given")


def test_a_film_that_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(UnsupportedPhotographError, match="limit is 1024 MiB"):
        read(bytes((1 << 30) + 1))
