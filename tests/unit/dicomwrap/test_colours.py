"""The colour profile on its way from the photograph into the object."""

from __future__ import annotations

import pytest

from dicomwrap.source.readers import read_photographs
from dicomwrap.wrap import encoded
from tests.unit.dicomwrap import photos, profiles
from tests.unit.dicomwrap.objects import built, wrapped
from tests.unit.dicomwrap.rasterfiles import saved

SRGB = profiles.lcms_srgb()
WAYS = {
    "JPEG": photos.jpeg(icc_profile=SRGB),
    "JPEG, turned": photos.oriented(6, icc_profile=SRGB),
    "JPEG, turned at a price": photos.oriented(6, (60, 43), icc_profile=SRGB),
    "JPEG, progressive": photos.jpeg(progressive=True, icc_profile=SRGB),
    "PNG": saved(photos.picture(), "PNG", icc_profile=SRGB),
    "TIFF": saved(photos.picture(), "TIFF", icc_profile=SRGB),
    "WebP": saved(photos.picture(), "WebP", icc_profile=SRGB),
}
EVERY = [pytest.param(data, id=name) for name, data in WAYS.items()]


@pytest.mark.parametrize("data", EVERY)
def test_a_profile_of_the_display_class_becomes_one_of_the_input_class(data: bytes) -> None:
    dataset = wrapped(data)
    assert dataset.ICCProfile[12:16] == b"scnr"
    assert dataset.ColorSpace == "SRGB"


@pytest.mark.parametrize("data", EVERY)
def test_the_profile_shows_the_same_colours(data: bytes) -> None:
    assert profiles.furthest(profiles.colours(wrapped(data).ICCProfile), profiles.colours(SRGB)) <= 1


@pytest.mark.parametrize("data", EVERY)
def test_nothing_of_the_profile_is_in_the_frame(data: bytes) -> None:
    made = built(data)
    frame = b"".join(made.frame)
    assert b"ICC_PROFILE" not in frame
    assert b"acsp" not in frame
    assert encoded(made).count(b"acsp") == 1


def test_a_profile_in_several_segments_in_disorder_is_put_together() -> None:
    half = len(SRGB) // 2
    chunks = [b"ICC_PROFILE\0\1\2" + SRGB[:half], b"ICC_PROFILE\0\2\2" + SRGB[half:]]
    data = photos.with_segments(photos.jpeg(), *(photos.segment(0xE2, chunk) for chunk in reversed(chunks)))
    assert wrapped(data).ICCProfile == wrapped(WAYS["JPEG"]).ICCProfile


@pytest.mark.parametrize(
    ("primaries", "color_space"), [(profiles.SRGB, "SRGB"), (profiles.DISPLAY_P3, "DISPLAYP3")], ids=["sRGB", "P3"]
)
def test_known_colours_have_a_name(primaries: tuple[float, ...], color_space: str) -> None:
    dataset = wrapped(photos.jpeg(icc_profile=profiles.profile(profiles.shaped(primaries))))
    assert (dataset.ICCProfile[12:16], dataset.ColorSpace) == (b"scnr", color_space)


def test_a_profile_whose_colours_have_no_name_is_carried_without_one() -> None:
    odd = tuple(value * 0.9 for value in profiles.SRGB)
    dataset = wrapped(photos.jpeg(icc_profile=profiles.profile(profiles.shaped(odd))))
    assert dataset.ICCProfile[12:16] == b"scnr"
    assert "ColorSpace" not in dataset


LOST = {
    "broken": photos.jpeg(icc_profile=SRGB[:200]),
    "of a grey picture": photos.jpeg(photos.picture(mode="L"), icc_profile=SRGB),
    "half of it": photos.with_segments(photos.jpeg(), photos.segment(0xE2, b"ICC_PROFILE\0\1\2" + SRGB)),
}


@pytest.mark.parametrize("data", LOST.values(), ids=LOST)
def test_a_profile_that_cannot_be_carried_over_is_told(data: bytes) -> None:
    (photograph,) = read_photographs(data)
    assert any("colour profile" in warning for warning in photograph.warnings)
    assert "ICCProfile" not in wrapped(data)


def test_a_photograph_without_a_profile_has_none() -> None:
    dataset = wrapped(photos.jpeg())
    assert ("ICCProfile" in dataset, "ColorSpace" in dataset) == (False, False)


def test_a_profile_of_cmyk_does_not_describe_the_picture_made_of_it() -> None:
    dataset = wrapped(photos.jpeg(photos.picture(mode="CMYK"), icc_profile=SRGB))
    assert "ICCProfile" not in dataset
