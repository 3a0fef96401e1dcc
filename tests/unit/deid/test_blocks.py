"""Every block outside a blanked region is the camera's, and every one inside is blank: another reader says so."""

from __future__ import annotations

import pytest

from dicomwrap.bitstream.clean import cleaned
from dicomwrap.bitstream.verify import frames
from dicomwrap.bitstream.wipe import Rectangle, wiped
from orthanc_plugin.deid.regions import Region, redacted
from tests.unit.deid.blocks import Blocks, Box, compared
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.judged import sound

SIZE = (333, 251)
BOXES: list[Box] = [(3, 5, 90, 61), (160, 140, 40, 100), (300, 240, 33, 11), (201, 7, 1, 1)]
KINDS: dict[str, dict[str, object]] = {
    "4:2:0": {"subsampling": 2},
    "4:2:2": {"subsampling": 1},
    "4:4:4": {"subsampling": 0},
    "grey": {"mode": "L"},
    "with restart markers": {"subsampling": 2, "restart_marker_rows": 1},
    "with its own codes": {"subsampling": 2, "optimize": True},
    "coarse": {"subsampling": 2, "quality": 12},
}


def streams(kind: str) -> tuple[bytes, bytes]:
    """Return a photograph's stream before and after its regions were blanked."""
    options = dict(KINDS[kind])
    image = photos.picture(*SIZE, mode=str(options.pop("mode", "RGB")))
    dataset = sound(cleaned(photos.jpeg(image, **options)))
    (before,) = frames(dataset)
    redacted(dataset, [Region.rectangle(*box) for box in BOXES])
    return before, frames(dataset)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_no_block_outside_a_region_changed_and_all_inside_are_blank(kind: str) -> None:
    before, after = streams(kind)
    found = compared(before, after, BOXES)
    assert (found.changed, found.drawn) == (0, 0)
    assert found.inside > 100
    assert found.outside > 1000


def test_the_reader_sees_a_block_that_was_blanked_beside_the_region() -> None:
    before, _ = streams("4:2:0")
    after = wiped(before, [Rectangle(0, 0, 112, 80)])
    assert compared(before, after, [(3, 5, 90, 61)]).changed > 0
    assert compared(before, before, [(3, 5, 90, 61)]) == Blocks(
        outside=compared(before, after, [(3, 5, 90, 61)]).outside, changed=0, inside=180, drawn=180
    )
