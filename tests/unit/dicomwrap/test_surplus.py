"""Room for words in a stream that decodes all the same: such a stream is written anew, without that room."""

from __future__ import annotations

import pytest

from dicomwrap.bitstream.clean import kept
from dicomwrap.bitstream.markers import parse
from dicomwrap.bitstream.surplus import has_surplus
from dicomwrap.source.readers import read_photographs
from tests.unit.dicomwrap import photos

WORDS = b"patient Doe, Jane, seen by Dr Prying Eyes in the clinic on Monday"[:64]
GREY = photos.jpeg(photos.picture(mode="L"))
SPARE_QUANTISERS = photos.segment(0xDB, b"\x03" + WORDS)
SPARE_CODES = photos.segment(0xC4, b"\x13" + bytes([0, 4]) + bytes(14) + bytes(range(1, 5)))
ODD_ADOBE = photos.segment(0xEE, b"Adobe" + b"Jane D" + b"\1")
KINDS = {
    "a quantisation table that no component uses": photos.with_segments(photos.jpeg(), SPARE_QUANTISERS),
    "a quantisation table defined twice": photos.with_segments(GREY, photos.segment(0xDB, b"\0" + WORDS)),
    "codes that no scan uses": photos.with_segments(GREY, SPARE_CODES),
    "words in Adobe's segment": photos.with_segments(photos.jpeg(), ODD_ADOBE),
}


@pytest.mark.parametrize("photo", KINDS.values(), ids=KINDS)
def test_a_stream_with_room_for_words_is_written_anew_without_loss(photo: bytes) -> None:
    assert has_surplus(kept(parse(photo)))
    (photograph,) = read_photographs(photo)
    assert not photograph.untouched
    assert not photograph.added_loss
    assert not has_surplus(parse(photograph.stream))
    assert not any(words in photograph.stream for words in (WORDS, b"Jane"))
    assert photos.pixels(photograph.stream) == photos.pixels(photo)


@pytest.mark.parametrize(
    "photo",
    [photos.jpeg(), GREY, photos.jpeg(optimize=True), photos.jpeg(subsampling=0), photos.jpeg(restart_marker_blocks=2)],
    ids=["colour", "grey", "optimised", "4:4:4", "restarts"],
)
def test_what_encoders_write_has_no_such_room(photo: bytes) -> None:
    assert not has_surplus(kept(parse(photo)))
    assert read_photographs(photo)[0].untouched


def test_restart_markers_where_none_belong_are_refused() -> None:
    from dicomwrap.errors import DamagedPhotographError

    plain = photos.jpeg()
    with pytest.raises(DamagedPhotographError):
        read_photographs(plain[:-2] + b"\xff\xd0secret text\xff\xd9")
