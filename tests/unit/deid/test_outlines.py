"""Outlines for reviewers: whole about what is hidden, broken about drafts; a stranger's picture is drawn on outside."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from orthanc_plugin.deid.crops import Crop
from orthanc_plugin.deid.outlines import outlined
from orthanc_plugin.deid.regions import Region
from orthanc_plugin.errors import DeidentificationError

SIZE = (800, 600)
SKIN = (205, 160, 140)


def jpeg(mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", SIZE, SKIN).convert(mode).save(buffer, "JPEG", quality=95, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0")
    return buffer.getvalue()


def bright(picture: Image.Image, y: int, left: int, right: int) -> float:
    """Return which share of a row is as bright a yellow as a line is."""
    pixels = [picture.getpixel((x, y)) for x in range(left, right)]
    return sum(blue < 90 and red > 170 for red, _, blue in pixels) / len(pixels)  # type: ignore[misc]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_what_is_blanked_has_a_whole_line_and_a_draft_a_broken_one(mode: str) -> None:
    whole, draft = Region.rectangle(100, 100, 200, 80), Region.polygon([(100, 300), (400, 300), (250, 500)])
    made = outlined(jpeg(mode), [whole], [draft], Crop(left=40, top=40, width=700, height=500))
    with Image.open(io.BytesIO(made)) as picture:
        drawn = picture.convert("RGB")
        assert (picture.size, picture.info.get("exif")) == (SIZE, None)
    assert bright(drawn, 100, 104, 296) > 0.9
    assert 0.3 < bright(drawn, 300, 104, 396) < 0.75
    assert bright(drawn, 40, 44, 736) > 0.9
    assert bright(drawn, 220, 60, 720) == 0


@pytest.mark.parametrize("data", [b"", b"no JPEG", jpeg()[:300]], ids=["nothing", "no JPEG", "cut off"])
def test_what_can_not_be_drawn_on_is_refused_with_what_to_do(data: bytes) -> None:
    with pytest.raises(DeidentificationError, match="No outline can be drawn") as refused:
        outlined(data, [Region.rectangle(0, 0, 8, 8)], [])
    assert refused.value.remedy
