"""A profile that is broken, hostile or of no use to a camera's picture gives none, soon and without a fuss."""

from __future__ import annotations

import struct
import time

import pytest

from dicomwrap.icc import MOST_BYTES, colour_profile
from tests.unit.dicomwrap import photos, profiles

GOOD = profiles.profile(profiles.shaped())
STAGED = profiles.staged(tone=profiles.curve(0, 0xFFFF, 0xFFFF))
LONG = profiles.staged(tone=profiles.curve(*range(65_536)), stages="BC", grid=85)
SHARED = LONG[:20] + LONG[12:16] + LONG[24:28] + LONG[12:16] + LONG[32:]  # one set of curves for three stages


@pytest.mark.parametrize("samples", [0, 1, 2, 4])
def test_pictures_without_three_samples_have_no_profile(samples: int) -> None:
    assert colour_profile(profiles.lcms_srgb(), samples=samples) is None


def without(*names: bytes) -> bytes:
    return profiles.profile({name: each for name, each in profiles.shaped().items() if name not in names})


def with_element(signature: bytes, element: bytes) -> bytes:
    return profiles.profile({**profiles.shaped(), signature: element})


@pytest.mark.parametrize(
    "icc",
    {
        "nothing": b"",
        "a header": GOOD[:128],
        "a header and a count": GOOD[:132],
        "half": GOOD[: len(GOOD) // 2],
        "a byte short": GOOD[:-9],
        "no magic": GOOD.replace(b"acsp", b"acsq"),
        "a size of nothing": bytes(4) + GOOD[4:],
        "version 3": profiles.profile(profiles.shaped(), version=(3, 0)),
        "version 5": profiles.profile(profiles.shaped(), version=(5, 0)),
        "version 4.9": profiles.profile(profiles.shaped(), version=(4, 9)),
        "a grey profile": profiles.profile(profiles.shaped(), space=b"GRAY"),
        "a CMYK profile": profiles.profile(profiles.shaped(), space=b"CMYK"),
        "a device link": profiles.profile(profiles.shaped(), device=b"link"),
        "an abstract profile": profiles.profile(profiles.shaped(), device=b"abst"),
        "an unknown connection space": profiles.profile({b"A2B0": profiles.lut8()}, connection=b"Luv "),
        "primaries without a table into Lab": profiles.profile(profiles.shaped(), connection=b"Lab "),
        "no red": without(b"rXYZ"),
        "no curve for blue": without(b"bTRC"),
        "the wrong table only": profiles.profile({b"A2B1": profiles.lut8()}),
        "a curve twice": profiles.profile({**profiles.shaped(), b"xTRC": b"curv" + bytes(8)}).replace(b"xTRC", b"rTRC"),
        "101 elements": profiles.profile({struct.pack(">I", n): b"" for n in range(94)} | profiles.shaped()),
        "an element beyond the profile's own length": struct.pack(">I", len(GOOD) - 20) + GOOD[4:],
        "a curve of another type": with_element(b"rTRC", profiles.xyz(1, 1, 1)),
        "an unknown type of table": with_element(b"A2B0", b"mpet" + bytes(99)),
        "an unknown formula": with_element(b"rTRC", profiles.formula(5, *(1,) * 7)),
        "half a formula": with_element(b"rTRC", profiles.formula(4, 1, 1)),
        "text for a curve": with_element(b"rTRC", b"curv" + bytes(7) + b"\x10" + b"a Letter From me".ljust(32)),
        "text for numbers": with_element(b"rXYZ", b"XYZ " + bytes(4) + b"Dr Prying Ey"),
        "text for an adaptation": with_element(b"chad", b"sf32" + bytes(4) + b"Dr Prying Eyes".ljust(36)),
        "a grid of one point": with_element(b"A2B0", photos.patched(profiles.lut8(), 10, b"\1")),
        "a table for CMYK": with_element(b"A2B0", photos.patched(profiles.lut8(), 8, b"\4")),
        "a table with no entries": with_element(b"A2B0", photos.patched(profiles.lut16(), 48, bytes(4))),
        "a table that ends early": with_element(b"A2B0", profiles.lut16()[:-1]),
        "stages for CMYK": with_element(b"A2B0", photos.patched(STAGED, 8, b"\4")),
        "no B curves": with_element(b"A2B0", profiles.staged(stages="TMCA")),
        "curves inside the head": with_element(b"A2B0", photos.patched(STAGED, 12, b"\0\0\0\x10")),
        "stages that end early": with_element(b"A2B0", STAGED[:-3]),
        "no curves where they should be": with_element(b"A2B0", photos.patched(STAGED, 12, b"\0\0\0\x24")),
        "a stage grid of one point": with_element(b"A2B0", photos.patched(STAGED, 32 + 60 + 48 + 60, b"\1")),
        "a stage grid of numbers of no size": with_element(
            b"A2B0", photos.patched(STAGED, 32 + 60 + 48 + 60 + 16, b"\0")
        ),
        "a curve that is too long": with_element(b"rTRC", profiles.curve(*range(65_536), 0xFFFF)),
        "one that would grow beyond the limit": profiles.profile({b"A2B0": SHARED}),
        "larger than the limit": GOOD + bytes(MOST_BYTES),
    }.items(),
    ids=lambda item: item[0],
)
def test_an_unfit_profile_gives_none(icc: tuple[str, bytes]) -> None:
    assert colour_profile(icc[1], samples=3) is None


@pytest.mark.parametrize(
    "icc",
    [
        photos.patched(GOOD, 128, b"\xff\xff\xff\xff"),
        with_element(b"rTRC", b"curv" + bytes(4) + b"\x80\0\0\0" + bytes(2_000_000)),
        with_element(b"rTRC", profiles.curve(*range(65_536)) + bytes(3_000_000)),
        with_element(b"A2B0", photos.patched(profiles.lut16(), 10, b"\xff")),
        with_element(b"A2B0", photos.patched(STAGED, 200, b"\xff\xff\xff")),
        with_element(b"A2B0", STAGED[:12] + b"\xff" * 20 + STAGED[32:]),
        profiles.profile({bytes((n, n, n, n)): b"" for n in range(101)} | profiles.shaped()),
    ],
    ids=["2^32 tags", "2^31 entries", "huge curve", "huge grid", "huge stage grid", "far stages", "many tags"],
)
def test_hostile_counts_cost_no_time(icc: bytes) -> None:
    start = time.perf_counter()
    colour_profile(icc, samples=3)
    assert time.perf_counter() - start < 2
