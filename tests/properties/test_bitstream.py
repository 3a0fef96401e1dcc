"""What must hold of the bitstream tools for any bytes at all."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.encaps import encapsulate

from dicomwrap.bitstream.clean import cleaned, entropy_coded, hidden
from dicomwrap.bitstream.markers import SOF0, parse
from dicomwrap.bitstream.verify import contradictions
from dicomwrap.errors import DicomwrapError
from dicomwrap.hostile import UNREADABLE
from dicomwrap.source.readers import read_photographs
from dicomwrap.wrap import encoded
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.objects import built, wrapped

PHOTOS = (
    photos.camera_photo(),
    photos.jpeg(photos.picture(mode="L")),
    photos.jpeg(restart_marker_blocks=1),
    photos.jpeg(progressive=True),
    photos.jpeg(photos.picture(mode="CMYK")),
)
OBJECT = encoded(built())

Edits = list[tuple[int, bytes]]


def edits() -> st.SearchStrategy[Edits]:
    interesting = st.sampled_from([b"\xff", b"\xff\xd9", b"\xff\xda", b"\xff\xff", b"\0", b"\xff\xee", b"\xff\xc0"])
    return st.lists(st.tuples(st.integers(0, 2**16), st.one_of(st.binary(max_size=4), interesting)), max_size=6)


def edited(data: bytes, changes: Edits, *, insert: bool) -> bytes:
    for place, change in changes:
        at = place % (len(data) + 1)
        data = data[:at] + change + data[at if insert else at + len(change) :]
    return data


segments = st.builds(photos.segment, st.sampled_from([*range(0xE0, 0xF0), 0xFE]), st.binary(max_size=60)) | st.just(
    photos.segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01")
)


def answer(data: bytes) -> bytes | None:
    try:
        return cleaned(data)
    except DicomwrapError:
        return None


@given(st.binary(max_size=300), st.booleans())
def test_arbitrary_bytes_give_a_stream_or_our_own_error(data: bytes, begin: bool) -> None:
    answer(b"\xff\xd8" + data if begin else data)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PHOTOS), edits(), st.booleans())
def test_what_is_cleaned_once_is_clean(photo: bytes, changes: Edits, insert: bool) -> None:
    damaged = edited(photo, changes, insert=insert)
    once = answer(damaged)
    if once is not None:
        assert cleaned(once) == once
        assert hidden(once) == ()
        assert entropy_coded(once) == entropy_coded(damaged)


@given(st.sampled_from(PHOTOS), st.lists(segments, max_size=8), st.binary(max_size=50))
def test_no_metadata_changes_the_cleaned_picture(photo: bytes, extra: list[bytes], trailer: bytes) -> None:
    stream = cleaned(photo)
    dressed = cleaned(photos.with_segments(stream, *extra) + trailer)
    assert entropy_coded(dressed) == entropy_coded(photo)
    assert len(dressed) - len(stream) in (0, 16)  # an Adobe segment at most


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PHOTOS), edits(), st.booleans())
def test_a_damaged_photograph_is_read_or_refused_and_never_anything_else(
    photo: bytes, changes: Edits, insert: bool
) -> None:
    try:
        read = read_photographs(edited(photo, changes, insert=insert))
    except DicomwrapError:
        return
    for photograph in read:
        assert hidden(photograph.stream) == ()
        frame = parse(photograph.stream).frame
        assert (frame.marker, frame.rows, frame.columns) == (SOF0, photograph.rows, photograph.columns)


@settings(deadline=None)
@given(st.integers(1, 5000))
def test_a_photograph_cut_anywhere_is_refused(cut: int) -> None:
    photo = photos.jpeg()
    with pytest.raises(DicomwrapError):
        read_photographs(photo[: -(cut % len(photo)) or -1])


@settings(max_examples=200, deadline=None)
@given(edits(), st.booleans())
@pytest.mark.filterwarnings("ignore")
def test_checking_a_hostile_object_never_raises(changes: Edits, insert: bool) -> None:
    damaged = edited(OBJECT[132:], changes, insert=insert)
    try:
        dataset = dcmread(BytesIO(OBJECT[:132] + damaged), force=True)
    except UNREADABLE:
        return
    assert isinstance(contradictions(dataset), tuple)


@settings(deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_checking_hostile_pixel_data_never_raises(pixels: bytes, encapsulated: bool) -> None:
    dataset = wrapped()
    dataset.PixelData = encapsulate([pixels or b"\0"]) if encapsulated else pixels
    assert contradictions(dataset)
