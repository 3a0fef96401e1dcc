"""What only a decoder sees in a picture: ``verify`` has one read it to its end."""

from __future__ import annotations

import pytest
from pydicom.encaps import encapsulate

from dicomwrap.bitstream.clean import cleaned
from dicomwrap.verify import judged
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.objects import wrapped
from tests.unit.dicomwrap.test_surplus import SPARE_QUANTISERS

WHOLE = cleaned(photos.jpeg(photos.picture(160, 120)))


def told(stream: bytes) -> dict[str, str]:
    """Return code and severity of what is found of an object with this stream, as far as its bits are concerned."""
    dataset = wrapped(photos.jpeg(photos.picture(160, 120)))
    dataset.PixelData = encapsulate([stream])
    codes = ("PICTURE_DATA", "TRAILING_DATA", "SURPLUS")
    return {each.code: str(each.severity) for each in judged(dataset) if each.code in codes}


def test_a_whole_picture_has_no_such_finding() -> None:
    assert told(WHOLE) == {}


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_picture_data_that_end_early_behind_a_whole_frame_are_an_error(part: float) -> None:
    assert told(WHOLE[: int(len(WHOLE) * part)].rstrip(b"\xff") + b"\xff\xd9") == {"PICTURE_DATA": "error"}


def test_words_behind_the_last_block_are_a_warning() -> None:
    assert told(WHOLE[:-2] + b"patient Doe, Jane" + WHOLE[-2:]) == {"TRAILING_DATA": "warning"}


def test_room_for_words_is_a_warning() -> None:
    assert told(photos.with_segments(WHOLE, SPARE_QUANTISERS)) == {"SURPLUS": "warning"}
