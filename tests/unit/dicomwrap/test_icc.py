"""The colour profile comes out of a JPEG whole, and into the object with its colours and nothing else."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from PIL import Image, ImageCms, UnidentifiedImageError

from dicomwrap.bitstream.markers import APP2, parse
from dicomwrap.errors import OutputError
from dicomwrap.icc import colour_profile, from_app2, to_app2
from dicomwrap.iccspaces import response
from dicomwrap.photograph import ColourProfile
from tests.unit.dicomwrap import photos, profiles

PHOTOS = Path(__file__).resolve().parents[4] / "shared" / "photos"
GAMMA_22 = profiles.curve(round(2.19921875 * 256))
ROMM_FORMULA = profiles.formula(3, 1.8, 1.0, 0.0, 1 / 16, 1 / 32)
SRGB_TABLE = profiles.curve(
    *(round(0xFFFF * (n / 1023 / 12.92 if n < 42 else ((n / 1023 + 0.055) / 1.055) ** 2.4)) for n in range(1024))
)


def chunk(number: int, count: int, content: bytes = b"data") -> bytes:
    return b"ICC_PROFILE\0" + bytes((number, count)) + content


def made(icc: bytes) -> ColourProfile:
    found = colour_profile(icc, samples=3)
    assert found is not None
    return found


def table_of(icc: bytes) -> dict[bytes, bytes]:
    """Return the elements of a profile by signature."""
    entries = struct.iter_unpack(">4sII", icc[132 : 132 + 12 * int.from_bytes(icc[128:132])])
    return {signature: icc[start : start + length] for signature, start, length in entries}


def embedded() -> list[tuple[str, bytes]]:
    """Return the different profiles of the photographs beside the repository, when they are there."""
    found: dict[bytes, str] = {}
    for path in sorted(PHOTOS.rglob("*.*")):
        try:
            with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
                found.setdefault(image.info.get("icc_profile") or b"", path.name)
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            continue
    return [(name, icc) for icc, name in found.items() if len(icc) > 132]


# Out of segments and into them


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)], ids=["in order", "out of order"])
def test_chunks_are_put_together_by_their_numbers(order: tuple[int, ...]) -> None:
    bodies = [b"MPF\0other", *(chunk(number, 3, b"%d" % number * 4) for number in order)]
    assert from_app2(bodies) == b"111122223333"


@pytest.mark.parametrize(
    "bodies",
    [
        [],
        [b"MPF\0"],
        [b"ICC_PROFILE\0"],
        [b"ICC_PROFILE\0\1"],
        [chunk(1, 1, b"")],
        [chunk(1, 2)],
        [chunk(2, 2)],
        [chunk(1, 2), chunk(1, 2)],
        [chunk(1, 2), chunk(2, 2), chunk(2, 2)],
        [chunk(1, 2), chunk(2, 3)],
        [chunk(1, 1), chunk(2, 1)],
        [chunk(0, 1)],
        [chunk(0, 0)],
        [chunk(0, 2), chunk(1, 2)],
    ],
)
def test_chunks_that_are_missing_doubled_or_contradictory_give_none(bodies: list[bytes]) -> None:
    assert from_app2(bodies) is None


@pytest.mark.parametrize("length", [1, 65_519, 65_520, 255 * 65_519])
def test_a_profile_put_into_segments_comes_out_again(length: int) -> None:
    icc = bytes(number % 251 for number in range(1000)) * (length // 1000 + 1)
    segments = to_app2(icc[:length])
    assert all(segment[:2] == b"\xff\xe2" and int.from_bytes(segment[2:4]) == len(segment) - 2 for segment in segments)
    assert from_app2(segment[4:] for segment in segments) == icc[:length]


def test_pillow_finds_the_profile_that_was_put_into_a_jpeg() -> None:
    icc = profiles.lcms_srgb() + bytes(70_000)
    stream = photos.with_segments(photos.jpeg(), *to_app2(icc))
    with Image.open(io.BytesIO(stream)) as image:
        assert image.info["icc_profile"] == icc
    assert from_app2(parse(photos.jpeg(icc_profile=icc)).bodies(APP2)) == icc


def test_a_profile_too_long_for_a_jpeg_is_refused() -> None:
    assert to_app2(b"") == ()
    with pytest.raises(OutputError, match="too long"):
        to_app2(bytes(255 * 65_519 + 1))


# The same colours


SAME_COLOURS = {
    "sRGB by LittleCMS": profiles.lcms_srgb(),
    "Adobe RGB, version 2": profiles.profile(profiles.shaped(profiles.ADOBE_RGB, GAMMA_22), version=(2, 1)),
    "Display P3": profiles.profile(profiles.shaped(profiles.DISPLAY_P3)),
    "a version 2 display with a D65 white": profiles.profile(
        {**profiles.shaped(tone=SRGB_TABLE), b"wtpt": profiles.xyz(*profiles.D65)}, version=(2, 1)
    ),
    "a version 2 camera with its own white": profiles.profile(
        {**profiles.shaped(), b"wtpt": profiles.xyz(*profiles.D65)}, version=(2, 4), device=b"scnr"
    ),
    "no white": profiles.profile({name: each for name, each in profiles.shaped().items() if name != b"wtpt"}),
    "an 8 bit table": profiles.profile({b"A2B0": profiles.lut8()}, version=(2, 1), connection=b"Lab "),
    "a 16 bit table": profiles.profile({b"A2B0": profiles.lut16()}, connection=b"Lab "),
    "tables for two intents": profiles.profile(
        {b"A2B0": profiles.lut16(), b"A2B1": profiles.lut16(grid=5, entries=17), **profiles.shaped()}, device=b"prtr"
    ),
    "all stages": profiles.profile({b"A2B0": profiles.staged(tone=profiles.sampled(1.1, 63))}, device=b"scnr"),
    "an 8 bit grid": profiles.profile({b"A2B0": profiles.staged(stages="BCA", precision=1)}, device=b"spac"),
    "B curves only": profiles.profile({b"A2B0": profiles.staged(stages="B")}),
    "curves and a matrix": profiles.profile({b"A2B0": profiles.staged(stages="BTM", tone=profiles.sampled(0.7, 16))}),
    "curves that fall": profiles.profile({b"A2B0": profiles.staged(tone=profiles.curve(60_000, 30_000, 0))}),
    "a curve with noise": profiles.profile(profiles.shaped(tone=profiles.curve(0, 300, 200, 30_000, 65_535, 65_300))),
    **dict(embedded()),
}


@pytest.mark.parametrize("icc", SAME_COLOURS.values(), ids=SAME_COLOURS.keys())
def test_littlecms_sees_the_same_colours(icc: bytes) -> None:
    ours = made(icc).icc
    for intent in profiles.INTENTS:
        assert profiles.furthest(profiles.colours(icc, intent), profiles.colours(ours, intent)) <= 1, intent


@pytest.mark.parametrize("icc", SAME_COLOURS.values(), ids=SAME_COLOURS.keys())
def test_the_profile_is_what_dicom_wants(icc: bytes) -> None:
    ours = made(icc).icc
    assert (ours[12:16], ours[16:20], ours[36:40]) == (b"scnr", b"RGB ", b"acsp")
    assert (ours[8], ours[9] & 0xF, ours[10:12]) == (icc[8], 0, bytes(2))
    assert len(ours) % 2 == 0
    assert int.from_bytes(ours[:4]) == len(ours)
    assert table_of(ours).keys() >= {b"desc", b"cprt", b"wtpt"}


@pytest.mark.parametrize("icc", SAME_COLOURS.values(), ids=SAME_COLOURS.keys())
def test_a_profile_of_ours_stays_as_it_is(icc: bytes) -> None:
    assert made(made(icc).icc) == made(icc)


def test_a_profile_is_made_once() -> None:
    icc = profiles.profile(profiles.shaped(tone=profiles.sampled(1.234)))
    assert made(icc) is made(bytes(bytearray(icc)))


@pytest.mark.parametrize(
    ("primaries", "tone", "color_space", "name"),
    [
        (profiles.SRGB, profiles.srgb_formula(), "SRGB", "sRGB"),
        (profiles.SRGB, SRGB_TABLE, "SRGB", "sRGB"),
        (profiles.SRGB, GAMMA_22, "", "Camera profile"),
        (profiles.SRGB, profiles.curve(), "", "Camera profile"),
        (profiles.SRGB, profiles.formula(4, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0, 0), "SRGB", "sRGB"),
        (profiles.SRGB, profiles.formula(1, 2.4, 1.0, -2.0), "", "Camera profile"),
        (profiles.SRGB, profiles.formula(0, -2.0), "", "Camera profile"),
        (profiles.SRGB, profiles.formula(1, 2.4, 0.0, 0.5), "", "Camera profile"),
        (profiles.DISPLAY_P3, profiles.srgb_formula(), "DISPLAYP3", "Display P3"),
        (profiles.ADOBE_RGB, GAMMA_22, "ADOBERGB", "Adobe RGB (1998)"),
        (profiles.ADOBE_RGB, profiles.formula(0, 2.2), "ADOBERGB", "Adobe RGB (1998)"),
        (profiles.ADOBE_RGB, profiles.formula(2, 2.2, 1.0, 0.0, 0.0), "ADOBERGB", "Adobe RGB (1998)"),
        (profiles.ADOBE_RGB, profiles.formula(2, 2.2, 1.0, 0.0, 0.02), "", "Camera profile"),
        (profiles.ADOBE_RGB, profiles.sampled(1.8), "", "Camera profile"),
        (profiles.ROMM_RGB, profiles.formula(0, 1.8), "ROMMRGB", "ROMM RGB"),
        (profiles.ROMM_RGB, ROMM_FORMULA, "ROMMRGB", "ROMM RGB"),
        ((*profiles.SRGB[:8], 0.72), profiles.srgb_formula(), "", "Camera profile"),
    ],
)
@pytest.mark.parametrize("version", [2, 4])
def test_a_colour_space_is_known_by_its_colours(
    primaries: tuple[float, ...], tone: bytes, color_space: str, name: str, version: int
) -> None:
    ours = made(profiles.profile(profiles.shaped(primaries, tone), version=(version, 0)))
    opened = ImageCms.ImageCmsProfile(io.BytesIO(ours.icc))
    assert ours.color_space == color_space
    assert ImageCms.getProfileDescription(opened).strip() == name
    assert ImageCms.getProfileCopyright(opened).strip() == "No copyright, use freely"


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        (profiles.curve(), {0.0: 0.0, 0.3: 0.3, 1.0: 1.0}),
        (profiles.curve(0x0200), {0.0: 0.0, 0.5: 0.25, 1.0: 1.0}),
        (profiles.curve(0, 0xFFFF), {0.0: 0.0, 0.25: 0.25, 1.0: 1.0}),
        (profiles.curve(0, 0, 0xFFFF), {0.5: 0.0, 0.75: 0.5, 1.0: 1.0}),
        (profiles.formula(0, 3.0), {0.0: 0.0, 0.5: 0.125}),
        (profiles.formula(0, -2.0), {0.0: 0.0, 0.5: 0.0}),
        (profiles.formula(1, 2.0, 2.0, -1.0), {0.25: 0.0, 0.5: 0.0, 0.75: 0.25}),
        (profiles.formula(1, -100.0, 1 / 65_536, 0.0), {0.1: 0.0}),
        (profiles.formula(2, 2.0, 1.0, -0.5, 0.25), {0.25: 0.25, 0.5: 0.25, 1.0: 0.5}),
        (profiles.formula(2, 2.0, 0.0, 0.5, 0.25), {0.25: 0.5}),
        (profiles.formula(3, 2.0, 1.0, 0.0, 0.5, 0.5), {0.25: 0.125, 0.5: 0.25, 1.0: 1.0}),
        (profiles.formula(3, 2.5, 1.0, -0.5, 0.5, 0.25), {0.3: 0.0}),
        (profiles.formula(4, 2.0, 1.0, 0.0, 0.5, 0.5, 0.25, 0.125), {0.25: 0.25, 0.5: 0.5, 1.0: 1.25}),
    ],
)
def test_a_tone_curve_is_followed(element: bytes, expected: dict[float, float]) -> None:
    curve = response(element)
    assert {x: pytest.approx(curve(x)) for x in expected} == expected


def test_one_strange_curve_makes_a_colour_space_unknown() -> None:
    assert made(profiles.profile({**profiles.shaped(), b"bTRC": GAMMA_22})).color_space == ""


def test_where_a_table_rules_the_primaries_name_no_colour_space() -> None:
    assert made(profiles.profile({**profiles.shaped(), b"A2B0": profiles.lut16()})).color_space == ""


# Nothing else


@pytest.mark.parametrize(("version", "desc", "cprt"), [(2, b"desc", b"text"), (4, b"mluc", b"mluc")])
def test_our_texts_have_the_type_of_their_version(version: int, desc: bytes, cprt: bytes) -> None:
    found = table_of(made(profiles.profile(profiles.shaped(), version=(version, 0))).icc)
    assert (found[b"desc"][:4], found[b"cprt"][:4]) == (desc, cprt)


def test_only_the_transform_and_our_own_texts_stay() -> None:
    secret = b"text" + bytes(4) + profiles.canary("anything")
    dropped = (
        b"dmnd",
        b"dmdd",
        b"targ",
        b"meta",
        b"vcgt",
        b"dscm",
        b"mmod",
        b"ndin",
        b"B2A0",
        b"kTRC",
        b"lumi",
        b"Own!",
    )
    said = {b"desc": secret, b"cprt": secret, **dict.fromkeys(dropped, secret)}
    kept = {**profiles.shaped(), b"bkpt": profiles.xyz(0, 0, 0), b"A2B2": profiles.lut8()}
    kept[b"chad"] = b"sf32" + bytes(4) + profiles.fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    ours = made(profiles.profile({**said, **kept})).icc
    assert table_of(ours).keys() == {b"desc", b"cprt", *kept}
    assert all(table_of(ours)[name] == element for name, element in kept.items())
    assert profiles.canary("anything") not in ours


def test_the_order_of_the_elements_does_not_survive() -> None:
    elements = profiles.shaped()
    backwards = dict(reversed(elements.items()))
    assert made(profiles.profile(backwards)).icc == made(profiles.profile(elements)).icc


@pytest.mark.parametrize("device", [b"mntr", b"scnr", b"prtr", b"spac"])
def test_the_header_holds_constants(device: bytes) -> None:
    dressed = profiles.profile(profiles.shaped(), device=device, free=profiles.canary("header"), intent=1)
    plain = profiles.profile(profiles.shaped(), device=b"scnr", intent=1)
    assert made(dressed).icc == made(plain).icc
    assert made(plain).icc[64:68] == b"\0\0\0\1"
    assert made(profiles.profile(profiles.shaped(), intent=0x41414141)).icc[64:68] == bytes(4)


SECRET = profiles.canary("slack")
CURVE, FORMULA, XYZ, LUT8, LUT16 = profiles.sampled(2.0, 16), profiles.srgb_formula(), *(
    profiles.xyz(*profiles.D50), profiles.lut8(), profiles.lut16()
)  # fmt: skip
STAGED = profiles.staged(tone=profiles.curve(0, 0xFFFF, 0xFFFF))


def patched(element: bytes, at: int, secret: bytes) -> bytes:
    assert not any(element[at : at + len(secret)])
    return photos.patched(element, at, secret)


@pytest.mark.parametrize(
    ("signature", "plain", "dressed"),
    [
        (b"rTRC", CURVE, CURVE + SECRET),
        (b"rTRC", CURVE, patched(CURVE, 4, SECRET[:4])),
        (b"rTRC", FORMULA, FORMULA + SECRET),
        (b"rTRC", FORMULA, patched(FORMULA, 10, SECRET[:2])),
        (b"wtpt", XYZ, XYZ + SECRET),
        (b"wtpt", XYZ, patched(XYZ, 4, SECRET[:4])),
        (b"A2B0", LUT8, LUT8 + SECRET),
        (b"A2B0", LUT8, patched(LUT8, 11, SECRET[:1])),
        (b"A2B0", LUT16, LUT16 + SECRET),
        (b"A2B0", LUT16, patched(LUT16, 4, SECRET[:4])),
        (b"A2B0", STAGED, STAGED + SECRET),
        (b"A2B0", STAGED, patched(STAGED, 10, SECRET[:2])),
        (b"A2B0", STAGED, patched(STAGED, 32 + 18, SECRET[:2])),
        (b"A2B0", STAGED, patched(STAGED, 32 + 60 + 48 + 60 + 3, SECRET[:13])),
        (b"A2B0", STAGED, patched(STAGED, 32 + 60 + 48 + 60 + 17, SECRET[:3])),
    ],
)
def test_slack_and_reserved_fields_of_an_element_do_not_survive(signature: bytes, plain: bytes, dressed: bytes) -> None:
    assert made(profiles.profile({**profiles.shaped(), signature: plain})) == made(
        profiles.profile({**profiles.shaped(), signature: dressed}, gap=SECRET, after=SECRET)
    )


def test_importing_it_loads_no_picture_library() -> None:
    probe = "import sys, dicomwrap.icc; sys.exit(bool({'PIL', 'pydicom', 'numpy'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0
