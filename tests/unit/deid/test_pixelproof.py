"""The second reader believes nobody: what isn't blank, or is different elsewhere, is not proven."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from PIL import Image

from dicomwrap.bitstream.clean import cleaned
from dicomwrap.bitstream.rewrite import rewritten
from dicomwrap.bitstream.wipe import Rectangle, wiped
from orthanc_plugin.deid.pixelchild import STRIP, Request, proven
from orthanc_plugin.deid.pixelproof import Claim, inner, interpreter, proof
from orthanc_plugin.errors import DeidentificationError
from tests.unit.dicomwrap import photos

BEFORE = cleaned(photos.jpeg(photos.picture(96, 64), subsampling="4:2:0"))
AREA = Rectangle(16, 16, 32, 16)
AFTER = wiped(BEFORE, (AREA,))
BOX = (16, 16, 48, 32)
CLAIM = Claim(size=(96, 64), mode="YCbCr", fill=128, boxes=(BOX,), blank=inner((AREA,), (96, 64), 1), rim=1)


def test_what_was_done_is_proven() -> None:
    with proof(BEFORE, CLAIM) as prove:
        prove(AFTER)


UNPROVEN = {
    "nothing was blanked": (BEFORE, CLAIM),
    "another place was blanked": (wiped(BEFORE, (Rectangle(48, 16, 32, 16),)), CLAIM),
    "a part was blanked": (wiped(BEFORE, (AREA._replace(width=16),)), CLAIM),
    "more was blanked": (wiped(BEFORE, (AREA, Rectangle(64, 48, 16, 16))), CLAIM),
    "the neighbour was blanked too": (wiped(BEFORE, (AREA._replace(width=48),)), CLAIM),
    "all was coded anew": (cleaned(photos.jpeg(photos.picture(96, 64), subsampling="4:2:0", quality=70)), CLAIM),
    "another size": (AFTER, replace(CLAIM, size=(95, 64))),
    "another mode": (AFTER, replace(CLAIM, mode="L")),
    "another fill": (AFTER, replace(CLAIM, fill=0)),
    "no box": (BEFORE, replace(CLAIM, boxes=(), blank=())),
    "broken": (AFTER[:200], CLAIM),
    "nothing": (b"", CLAIM),
    "no picture": (b"Jane Doe" * 100, CLAIM),
}


@pytest.mark.parametrize(("after", "claim"), UNPROVEN.values(), ids=UNPROVEN)
def test_what_was_not_done_is_not_proven(after: bytes, claim: Claim) -> None:
    with pytest.raises(DeidentificationError, match="second reader"), proof(BEFORE, claim) as prove:
        prove(after)


def test_a_child_is_gone_when_the_blanking_fails() -> None:
    with pytest.raises(ValueError, match="broke"), proof(BEFORE, CLAIM):
        raise ValueError("broke")


@pytest.mark.parametrize("running", ["/usr/sbin/Orthanc", "", sys.executable])
def test_the_second_reader_is_a_python_even_where_orthanc_runs(running: str) -> None:
    """Within Orthanc, ``sys.executable`` is Orthanc."""
    said = subprocess.run(
        [interpreter(running), "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, check=True
    )
    assert said.stdout.split() == [str(number).encode() for number in sys.version_info[:2]]


def test_at_the_edge_of_the_picture_no_neighbour_is_drawn_in() -> None:
    assert inner((Rectangle(0, 0, 96, 16),), (96, 64), 1) == ((0, 0, 96, 15),)
    assert inner((Rectangle(16, 16, 2, 16),), (96, 64), 1) == ()


CUT = rewritten(BEFORE, "-crop", "32x32+16+16")
KEPT = Claim(size=(96, 64), mode="YCbCr", fill=0, rim=1, kept=(16, 16, 48, 48))


def test_what_was_cut_off_is_proven() -> None:
    with proof(BEFORE, KEPT) as prove:
        prove(CUT)


NOT_CUT = {
    "nothing was cut off": (BEFORE, KEPT),
    "another part was kept": (rewritten(BEFORE, "-crop", "32x32+32+16"), KEPT),
    "more was kept": (rewritten(BEFORE, "-crop", "48x32+16+16"), KEPT),
    "less was kept": (rewritten(BEFORE, "-crop", "32x16+16+16"), KEPT),
    "a part of it was blanked": (wiped(CUT, (Rectangle(0, 0, 16, 16),)), KEPT),
    "more than there is": (CUT, replace(KEPT, kept=(80, 48, 112, 80))),
    "another size": (CUT, replace(KEPT, size=(95, 64))),
    "broken": (CUT[:200], KEPT),
}


@pytest.mark.parametrize(("after", "claim"), NOT_CUT.values(), ids=NOT_CUT)
def test_what_was_not_cut_off_is_not_proven(after: bytes, claim: Claim) -> None:
    with pytest.raises(DeidentificationError, match="second reader"), proof(BEFORE, claim) as prove:
        prove(after)


TALL = (40, 2 * STRIP + 20)
ACROSS = (8, STRIP - 16, 24, STRIP + 16)  # from one strip that is compared into the next


@pytest.mark.parametrize("mode", ["L", "YCbCr"])
@pytest.mark.parametrize(
    ("place", "is_proven"),
    [
        ((8, STRIP), True), ((23, STRIP + 15), True), ((7, STRIP), False), ((24, STRIP - 1), False),
        ((12, STRIP + 16), False), ((0, STRIP - 1), False), ((0, STRIP), False), ((39, 2 * STRIP - 1), False),
        ((39, 2 * STRIP + 19), False),
    ],
)  # fmt: skip
def test_a_single_sample_that_differs_is_found_in_every_strip(
    mode: str, place: tuple[int, int], is_proven: bool
) -> None:
    before = Image.new(mode, TALL, 128 if mode == "L" else (128, 128, 128))
    after = before.copy()
    before.putpixel(place, 129 if mode == "L" else (129, 128, 128))
    for rim in (0, 1):
        request: Request = {
            "size": [*TALL], "mode": mode, "fill": 128, "boxes": [[*ACROSS]], "blank": [[*ACROSS]], "rim": rim,
            "kept": [],
        }  # fmt: skip
        assert proven(before, after, request) is is_proven


@pytest.mark.parametrize(("row", "is_proven"), [(STRIP + 16, True), (STRIP + 17, False)])
def test_chroma_may_differ_in_the_rim_and_nowhere_else(row: int, is_proven: bool) -> None:
    before = Image.new("YCbCr", TALL, (128, 128, 128))
    after = before.copy()
    before.putpixel((12, row), (128, 129, 128))
    request: Request = {
        "size": [*TALL], "mode": "YCbCr", "fill": 128, "boxes": [[*ACROSS]], "blank": [[*ACROSS]], "rim": 1, "kept": [],
    }  # fmt: skip
    assert proven(before, after, request) is is_proven
