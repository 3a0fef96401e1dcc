"""What the decoding child answers is believed only where it can be true."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest

from dicomwrap.errors import (
    DamagedPhotographError,
    DicomwrapError,
    NotAPhotographError,
    OutputError,
    TruncatedPhotographError,
    UnsupportedPhotographError,
)
from dicomwrap.photograph import LossyStep
from dicomwrap.source.answer import Decoded, packed, packed_refusal, unpacked
from dicomwrap.source.decoded import ALL_PAGES, understood
from tests.unit.dicomwrap import photos

PICTURE = Decoded(
    frame=bytes(range(12)), lossless=True, rows=2, columns=2, samples=3, exif=b"MM\0*", icc=b"profile",
    derivation=("Reduced",), warnings=("careful",), page=2, pages=3, added_loss=True,
)  # fmt: skip
JPEG = Decoded(
    frame=photos.jpeg(), lossless=False, rows=48, columns=64, samples=3,
    steps=(LossyStep(ratio=2.5, method=""), LossyStep(ratio=8.0, method="ISO_10918_1")),
)  # fmt: skip


def answers(*pictures: Decoded) -> io.BytesIO:
    return io.BytesIO(b"".join(b"".join(packed(picture)) for picture in pictures))


def altered(**changes: object) -> io.BytesIO:
    """Return an answer whose header was changed; ``...`` leaves a key out."""
    line, *blocks = packed(PICTURE)
    header = {**json.loads(line), **changes}
    kept = {key: value for key, value in header.items() if value is not ...}
    return io.BytesIO(json.dumps(kept).encode() + b"\n" + b"".join(blocks))


@pytest.mark.parametrize("picture", [PICTURE, JPEG], ids=["samples", "JPEG"])
def test_an_answer_is_read_as_it_was_written(picture: Decoded) -> None:
    assert unpacked(answers(picture)) == picture


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": 0},
        {"rows": 3},
        {"rows": 65_536},
        {"rows": True},
        {"rows": 2.0},
        {"rows": ...},
        {"columns": -2},
        {"samples": 2},
        {"samples": 4},
        {"page": 0},
        {"pages": 501},
        {"blocks": [12, 4]},
        {"blocks": [12, 4, 7, 1]},
        {"blocks": [12, 4, 8]},
        {"blocks": [-1, 4, 7]},
        {"blocks": [2**40, 4, 7]},
        {"blocks": 12},
        {"lossless": False},
        {"lossless": 1},
        {"untouched": None},
        {"added_loss": "yes"},
        {"steps": [[1.0, "ISO_10918_1"]]},
        {"steps": [[0.0, ""]], "lossless": False},
        {"steps": [[float("inf"), ""]], "lossless": False},
        {"steps": [[2.0, "ISO_MADE_UP"]], "lossless": False},
        {"steps": [[2.0, ""]] * 3, "lossless": False},
        {"steps": [[2.0]], "lossless": False},
        {"warnings": "careful"},
        {"warnings": [1]},
        {"warnings": ["x"] * 33},
        {"warnings": ["x" * 401]},
        {"warnings": ["\x1b[2J"]},
        {"derivation": ["two\nlines"]},
    ],
    ids=str,
)
def test_an_answer_that_cannot_be_true_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(DamagedPhotographError, match="makes no sense"):
        unpacked(altered(**changes))


@pytest.mark.parametrize(
    "said", [b"", b"\n", b"[]\n", b"null\n", b"{}\n", b"{" * 99_999, b"[" * 9_999 + b"\n", b"\xff\n"]
)
def test_what_is_no_answer_is_refused(said: bytes) -> None:
    with pytest.raises(DamagedPhotographError, match="makes no sense"):
        unpacked(io.BytesIO(said))


@pytest.mark.parametrize(
    "error",
    [
        NotAPhotographError("no picture", "try another"),
        TruncatedPhotographError("too short"),
        DamagedPhotographError("broken"),
        UnsupportedPhotographError("not read", "export it"),
    ],
)
def test_a_refusal_arrives_as_it_was_meant(error: DicomwrapError) -> None:
    with pytest.raises(type(error)) as caught:
        unpacked(io.BytesIO(packed_refusal(error)))
    assert str(caught.value) == str(error)


def test_a_refusal_of_another_kind_arrives_as_damage() -> None:
    with pytest.raises(DamagedPhotographError, match="disk"):
        unpacked(io.BytesIO(packed_refusal(OutputError("disk is full"))))


@pytest.mark.parametrize("reason", ["\x1b]0;owned\x07", "x" * 401, None, 7])
def test_a_refusal_that_would_play_with_a_terminal_is_not_shown(reason: object) -> None:
    line = json.dumps({"refused": "DamagedPhotographError", "reason": reason, "remedy": "none"}).encode() + b"\n"
    with pytest.raises(DamagedPhotographError, match="makes no sense"):
        unpacked(io.BytesIO(line))


def test_a_refusal_of_an_unknown_kind_is_no_answer() -> None:
    with pytest.raises(DamagedPhotographError, match="makes no sense"):
        unpacked(io.BytesIO(b'{"refused": "SystemExit", "reason": "x", "remedy": "x"}\n'))


@pytest.mark.parametrize("status", [1, -9, -11, 137])
def test_a_decoder_that_broke_down_is_told_whatever_it_said(status: int) -> None:
    with pytest.raises(DamagedPhotographError, match=r"PNG .* broke down or was stopped"):
        understood(status, answers(replace(PICTURE, page=1, pages=1)), "PNG", 1)


def test_pages_come_in_their_order_and_all_of_them() -> None:
    pages = [replace(PICTURE, page=number) for number in (1, 2, 3)]
    assert understood(0, answers(*pages), "TIFF", ALL_PAGES) == tuple(pages)
    for wrong in (pages[:2], [pages[0], pages[2], pages[1]], [pages[0], pages[1], replace(pages[2], pages=4)]):
        with pytest.raises(DamagedPhotographError):
            understood(0, answers(*wrong), "TIFF", ALL_PAGES)


def test_a_jpeg_comes_out_clean() -> None:
    dirty = replace(JPEG, frame=photos.with_segments(JPEG.frame, photos.segment(0xFE, b"secret")) + b"trailer")
    (picture,) = understood(0, answers(dirty), "WebP", 1)
    assert b"secret" not in picture.frame
    assert picture.frame.endswith(b"\xff\xd9")
    assert photos.pixels(picture.frame) == photos.pixels(JPEG.frame)


@pytest.mark.parametrize(
    "picture",
    [
        replace(JPEG, rows=64, columns=48),
        replace(JPEG, samples=1),
        replace(JPEG, frame=photos.jpeg(progressive=True)),
        replace(JPEG, frame=photos.jpeg(keep_rgb=True)),
        replace(JPEG, frame=photos.jpeg(photos.picture(mode="L"))),
        replace(JPEG, frame=photos.jpeg(photos.picture(mode="CMYK"))),
        replace(JPEG, frame=JPEG.frame[:-2]),
        replace(JPEG, frame=b"no JPEG"),
        replace(JPEG, frame=b""),
    ],
    ids=["size", "samples", "progressive", "RGB", "grey", "CMYK", "cut", "other", "empty"],
)
def test_a_stream_that_is_not_what_the_answer_says_is_refused(picture: Decoded) -> None:
    with pytest.raises(DicomwrapError):
        understood(0, answers(picture), "WebP", 1)
