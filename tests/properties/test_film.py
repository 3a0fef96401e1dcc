"""What must hold of films for any bytes at all."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomwrap.bitstream.boxes import boxes
from dicomwrap.bitstream.h264 import cleaned, configuration, kept, units
from dicomwrap.bitstream.h264sequence import sequence
from dicomwrap.bitstream.mp4 import hidden
from dicomwrap.errors import DicomwrapError
from dicomwrap.source.film import read_film
from dicomwrap.source.filmfacts import capture_facts
from dicomwrap.source.isobmff import read_movie
from tests.unit.dicomwrap import films

FILMS = (
    films.camera_film(),
    films.encoded(options={"preset": "medium", "bf": "3"}),
    films.encoded(layout={"movflags": "frag_keyframe+empty_moov+default_base_moof"}),
    films.encoded(sound=True),
)
STREAM = read_film(FILMS[0], drop_audio=False).stream
RECORD = read_movie(STREAM).tracks[0].configuration
APPLE = "com.apple.quicktime"
TOLD = (0, 1, 2, 6, 7, 47, 137, 144, 147)
CHILD = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])  # a process each

Edits = list[tuple[int, bytes]]


def edits() -> st.SearchStrategy[Edits]:
    interesting = st.sampled_from([b"\0\0\0\0", b"\xff\xff\xff\xff", b"moov", b"trak", b"\0\0\0\1", b"avc1", b"free"])
    return st.lists(st.tuples(st.integers(0, 2**16), st.one_of(st.binary(max_size=4), interesting)), max_size=6)


def edited(data: bytes, changes: Edits) -> bytes:
    for place, change in changes:
        at = place % (len(data) + 1)
        data = data[:at] + change + data[at + len(change) :]
    return data


def sample(found: list[bytes]) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in found)


@CHILD
@given(st.sampled_from(FILMS), edits())
def test_a_damaged_film_gives_a_clean_film_or_our_own_error(data: bytes, changes: Edits) -> None:
    try:
        film = read_film(edited(data, changes), drop_audio=True)
    except DicomwrapError:
        return
    assert hidden(film.stream) == ()
    assert len(film.stream) % 2 == 0
    assert film.frames > 0
    assert film.frame_time_ms > 0


@CHILD
@given(st.sampled_from(FILMS), st.integers(0, 2**16))
def test_a_film_cut_anywhere_is_refused_or_whole(data: bytes, place: int) -> None:
    cut = place % len(data)
    try:
        film = read_film(data[:cut], drop_audio=True)
    except DicomwrapError:
        return
    assert hidden(film.stream) == ()
    slices = films.slices(data)
    assert films.slices(film.stream) == slices[: len(films.slices(film.stream))]


@settings(deadline=None)
@given(edits())
def test_whatever_is_changed_in_a_clean_film_is_named_or_numbers(changes: Edits) -> None:
    data = edited(STREAM, changes)
    try:
        names = hidden(data)
    except DicomwrapError:
        return
    assert all(isinstance(name, str) and name for name in names)


@settings(deadline=None)
@given(st.binary(min_size=9, max_size=40), st.sampled_from([b"free", b"udta", b"uuid", b"meta", b"\xa9xyz", b"skip"]))
def test_a_box_of_words_is_named_wherever_it_is(words: bytes, kind: bytes) -> None:
    extra = films.box(kind, words + b"!")
    assert hidden(STREAM + extra)[-1:] == (kind.decode("ascii", "replace"),)
    index = next(box for box in boxes(STREAM) if box.kind == b"moov")
    grown = (index.end - index.start + len(extra)).to_bytes(4, "big")
    inner = STREAM[: index.start] + grown + STREAM[index.start + 4 : index.end] + extra + STREAM[index.end :]
    assert kind.decode("ascii", "replace") in hidden(inner)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_give_an_index_or_our_own_error(data: bytes) -> None:
    for head in (b"", films.box(b"ftyp", b"isom") + films.box(b"moov", data), STREAM[:48]):
        try:
            read_movie(head + data)
        except DicomwrapError:
            continue


messages = st.lists(st.tuples(st.integers(0, 254), st.binary(max_size=70)), min_size=1, max_size=5)


@settings(deadline=None)
@given(messages)
def test_of_supplemental_messages_those_for_the_decoder_stay_in_their_order(found: list[tuple[int, bytes]]) -> None:
    left = [(kind, body) for kind, body in found if kind in TOLD and len(body) <= 62]
    assert kept(escaped(found)) == (escaped(left) if left else None)


def escaped(found: list[tuple[int, bytes]]) -> bytes:
    """Return an SEI unit, bit by bit as section 7.4.1 has it."""
    unit, zeros = bytearray(b"\x06"), 0
    for octet in b"".join(bytes((kind, len(body))) + body for kind, body in found) + b"\x80":
        if zeros == 2 and octet <= 3:
            unit.append(3)
            zeros = 0
        unit.append(octet)
        zeros = zeros + 1 if octet == 0 else 0
    return bytes(unit)


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=8))
def test_cleaning_twice_is_cleaning_once(found: list[bytes]) -> None:
    try:
        once = cleaned(sample(found), 4)
    except DicomwrapError:
        return
    assert cleaned(once, 4) is once
    slices = [unit for unit in found if unit[0] & 0x1F in (1, 5)]
    assert [bytes(unit) for unit in units(once, 4) if unit[0] & 0x1F in (1, 5)] == slices


@settings(deadline=None)
@given(st.binary(max_size=60), st.sampled_from([1, 2, 4]))
def test_arbitrary_bytes_are_a_sample_or_our_own_error(data: bytes, prefix: int) -> None:
    try:
        cleaned(data, prefix)
    except DicomwrapError:
        return


@settings(deadline=None)
@given(st.binary(max_size=40), edits())
def test_arbitrary_parameter_sets_are_read_or_refused(data: bytes, changes: Edits) -> None:
    for unit in (b"\x67" + data, edited(configuration(RECORD).sequences[0], changes)):
        try:
            sequence(unit)
        except DicomwrapError:
            continue
    try:
        again = configuration(edited(RECORD, changes)).record()
    except DicomwrapError:
        return
    assert configuration(again).record() == again


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["creation_time", "date", f"{APPLE}.creationdate", "make", f"{APPLE}.model"]),
        st.one_of(st.text(max_size=80), st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat())),
    )
)
def test_facts_are_clean_lines_and_times_on_earth(said: dict[str, str]) -> None:
    facts = capture_facts(said)
    for text in (facts.device.manufacturer, facts.device.model, facts.device.software):
        assert text.isprintable()
        assert "\\" not in text
        assert len(text) <= 64
    assert facts.taken_at is None or (facts.taken_at.tzinfo is None and facts.taken_at.year >= 2002)
