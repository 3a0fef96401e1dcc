"""What must hold of colour profiles for any bytes at all: our own numbers or none, and never a word."""

from __future__ import annotations

import io
import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageCms

from dicomwrap.icc import colour_profile, from_app2, to_app2
from dicomwrap.iccparts import BrokenProfileError, rewritten
from tests.unit.dicomwrap import profiles

PLACES = (
    "desc",
    "cprt",
    "dmnd",
    "dmdd",
    "targ",
    "meta",
    "vcgt",
    "Own!",
    "gap",
    "after",
    "header",
    "curve",
    "xyz",
    "lut",
)
CANARIES = tuple(map(profiles.canary, PLACES))
SECRET = dict(zip(PLACES, CANARIES, strict=True))
SPOKEN = {place.encode(): b"text" + bytes(4) + SECRET[place] for place in PLACES[:8]}


def dressed(elements: profiles.Elements, version: int) -> bytes:
    """Return a profile with a canary in every place that has room for one."""
    slack = {b"rTRC": SECRET["curve"], b"gTRC": SECRET["curve"], b"rXYZ": SECRET["xyz"], b"A2B0": SECRET["lut"]}
    full = {signature: element + slack.get(signature, b"") for signature, element in elements.items()}
    return profiles.profile(
        {**SPOKEN, **full},
        version=(version, 0),
        free=SECRET["header"],
        gap=SECRET["gap"],
        after=SECRET["after"],
    )


PROFILES = (
    dressed(profiles.shaped(), 4),
    dressed(profiles.shaped(profiles.ADOBE_RGB, profiles.curve(0x0233)), 2),
    dressed(profiles.shaped(tone=profiles.sampled(2.2, 20)), 2),
    dressed({b"A2B0": profiles.lut16(grid=2, entries=2)}, 2),
    dressed({b"A2B0": profiles.staged(grid=2, tone=profiles.sampled(1.5, 5))}, 4),
)

words = st.one_of(st.binary(max_size=4), st.sampled_from([b"A2B0", b"rTRC", b"chad", b"curv", b"mft2", b"\0\0\0\x10"]))
Edits = list[tuple[int, bytes]]
edits: st.SearchStrategy[Edits] = st.lists(st.tuples(st.integers(0, 1500), words), max_size=6)


def edited(data: bytes, changes: Edits, *, insert: bool) -> bytes:
    for place, change in changes:
        at = place % (len(data) + 1)
        data = data[:at] + change + data[at if insert else at + len(change) :]
    return data


def assert_sound(icc: bytes) -> None:
    """Assert that the answer to a profile is none or one that says nothing."""
    found = colour_profile(icc, samples=3)
    if found is not None:
        assert [secret for secret in CANARIES if secret in found.icc] == []
        assert len(found.icc) % 2 == 0
        assert int.from_bytes(found.icc[:4]) == len(found.icc)
        assert colour_profile(found.icc, samples=3) == found
        ImageCms.ImageCmsProfile(io.BytesIO(found.icc))


@given(st.sampled_from(PROFILES))
def test_the_dressed_profiles_are_fit_and_come_out_bare(icc: bytes) -> None:
    assert colour_profile(icc, samples=3) is not None
    assert all(secret in icc for secret in CANARIES[:11])
    assert_sound(icc)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PROFILES), edits, st.booleans())
def test_no_canary_survives_whatever_was_done_to_the_profile(icc: bytes, changes: Edits, insert: bool) -> None:
    assert_sound(edited(icc, changes, insert=insert))


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(PROFILES), st.integers(0, 30), st.integers(0, 2), st.integers(0, 2**32 - 1) | st.integers(0, 1500)
)
def test_no_place_in_the_table_brings_a_canary_in(icc: bytes, row: int, field: int, value: int) -> None:
    at = 132 + 12 * row + 4 * field
    assert_sound(icc[:at] + struct.pack(">I", value) + icc[at + 4 :])


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PROFILES), st.integers(0, 2000))
def test_a_profile_cut_anywhere_is_sound_or_none(icc: bytes, length: int) -> None:
    assert_sound(icc[:length])


@given(st.binary(max_size=300), st.integers(-1, 4))
def test_arbitrary_bytes_give_a_profile_or_none(data: bytes, samples: int) -> None:
    assert colour_profile(data, samples=samples) is None


@settings(deadline=None)
@given(st.sampled_from([b"XYZ ", b"sf32", b"curv", b"para", b"mft1", b"mft2", b"mAB "]), st.binary(max_size=400))
def test_an_element_is_written_the_same_way_twice_or_refused(kind: bytes, data: bytes) -> None:
    try:
        once = rewritten(kind + data)
    except BrokenProfileError:
        return
    assert rewritten(once) == once
    assert rewritten(once + b"slack") == once


@given(st.lists(st.binary(max_size=20) | st.binary(max_size=4).map(b"ICC_PROFILE\0".__add__), max_size=6))
def test_arbitrary_segments_give_what_some_of_them_hold_or_none(bodies: list[bytes]) -> None:
    found = from_app2(bodies)
    assert found is None or len(found) < sum(len(body) for body in bodies)


@given(st.data(), st.binary(min_size=1, max_size=500), st.integers(2, 90))
def test_chunks_of_any_size_and_order_give_the_profile(data: st.DataObject, icc: bytes, size: int) -> None:
    pieces = [icc[start : start + size] for start in range(0, len(icc), size)]
    bodies = [b"ICC_PROFILE\0" + bytes((number, len(pieces))) + piece for number, piece in enumerate(pieces, 1)]
    assert from_app2(data.draw(st.permutations(bodies))) == icc
    assert from_app2(segment[4:] for segment in to_app2(icc)) == icc


tones = st.one_of(
    st.builds(profiles.formula, st.just(0), st.floats(0.3, 4)),
    st.builds(profiles.sampled, st.floats(0.3, 4), st.integers(2, 40)),
    st.just(profiles.srgb_formula()),
    st.just(profiles.curve()),
    st.builds(profiles.curve, st.integers(0x80, 0x300)),
)
luts = st.one_of(
    st.builds(profiles.lut8, st.integers(2, 4)),
    st.builds(profiles.lut16, st.integers(2, 4), st.integers(2, 20)),
    st.builds(
        profiles.staged,
        tone=tones,
        grid=st.integers(2, 4),
        precision=st.sampled_from((1, 2)),
        stages=st.sampled_from(("B", "BTM", "BCA", "BTMCA")),
    ),
)
transforms = st.one_of(
    st.builds(profiles.shaped, st.lists(st.floats(0.01, 1), min_size=9, max_size=9), tones),
    luts.map(lambda lut: {b"A2B0": lut}),
)


@settings(max_examples=150, deadline=None)
@given(transforms, st.sampled_from((2, 4)), st.sampled_from((b"mntr", b"scnr")), st.sampled_from(profiles.INTENTS))
def test_littlecms_sees_the_same_colours_in_any_profile(
    elements: dict[bytes, bytes], version: int, device: bytes, intent: ImageCms.Intent
) -> None:
    white = {b"wtpt": profiles.xyz(*profiles.D65)}
    icc = profiles.profile({**elements, **white}, version=(version, 0), device=device)
    found = colour_profile(icc, samples=3)
    assert found is not None
    assert profiles.furthest(profiles.colours(icc, intent), profiles.colours(found.icc, intent)) <= 1
