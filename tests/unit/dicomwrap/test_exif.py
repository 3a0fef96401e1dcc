"""What a camera's EXIF block says: what is told, what is left out, and what is never read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, get_args

import pytest
from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword

from dicomwrap.exif import EXIF_HEADER, EXPOSURE_KEYWORDS, OLDEST_YEAR, PIXEL_COORDINATES, capture_facts
from dicomwrap.photograph import CaptureFacts, Device, ExposureValue
from tests.unit.dicomwrap import exifblocks as blocks
from tests.unit.dicomwrap.exifblocks import (
    Field,
    Order,
    ascii_,
    byte,
    double,
    long,
    rational,
    short,
    single,
    slong,
    srational,
    sshort,
    undefined,
)

ARABIC_HOUR: Final = "+\u0660\u0661:00"
ARABIC_VERSION: Final = "\u0660\u0662\u0663\u0662"
ORDERS: Final[tuple[Order, ...]] = get_args(Order)
WRITTEN: Final[dict[int, tuple[Field, str, ExposureValue]]] = {
    0x829A: (rational((1, 125)), "ExposureTimeInSeconds", 0.008),
    0x829D: (rational((28, 10)), "FNumber", 2.8),
    0x8822: (short(8), "ExposureProgram", 8),
    0x8827: (short(400), "PhotographicSensitivity", 400),
    0x882B: (short(10), "SelfTimerMode", 10),
    0x8830: (short(7), "SensitivityType", 7),
    0x8831: (long(102400), "StandardOutputSensitivity", 102400),
    0x8832: (long(2**31 - 1), "RecommendedExposureIndex", 2**31 - 1),
    0x8833: (long(100), "ISOSpeed", 100),
    0x8834: (long(80), "ISOSpeedLatitudeyyy", 80),
    0x8835: (long(120), "ISOSpeedLatitudezzz", 120),
    0x9000: (undefined(b"0232"), "EXIFVersion", "0232"),
    0x9201: (srational((-3, 2)), "ShutterSpeedValue", -1.5),
    0x9202: (rational((297, 100)), "ApertureValue", 2.97),
    0x9203: (srational((-5, 2)), "BrightnessValue", -2.5),
    0x9204: (srational((-1, 4)), "ExposureBiasValue", -0.25),
    0x9205: (rational((0, 1)), "MaxApertureValue", 0.0),
    0x9206: (rational((3, 10)), "SubjectDistance", 0.3),
    0x9207: (short(255), "MeteringMode", 255),
    0x9208: (short(24), "LightSource", 24),
    0x920A: (rational((50, 1)), "FocalLength", 50.0),
    0x9214: (short(1, 2, 3, 65535), "SubjectArea", (1, 2, 3, 65535)),
    0x9400: (srational((-50, 10)), "Temperature", -5.0),
    0x9401: (rational((65, 1)), "Humidity", 65.0),
    0x9402: (rational((101325, 100)), "Pressure", 1013.25),
    0x9403: (srational((-3, 1)), "WaterDepth", -3.0),
    0x9404: (rational((980665, 1)), "Acceleration", 980665.0),
    0x9405: (srational((-90, 1)), "CameraElevationAngle", -90.0),
    0xA20B: (rational((1800, 1)), "FlashEnergy", (1800.0,)),
    0xA214: (short(640, 480), "SubjectLocation", (640, 480)),
    0xA215: (rational((200, 1)), "PhotographicExposureIndex", 200.0),
    0xA217: (short(2), "SensingMethod", 2),
    0xA300: (undefined(b"\3"), "FileSource", 3),
    0xA301: (undefined(b"\1"), "SceneType", 1),
    0xA401: (short(1), "CustomRendered", 1),
    0xA402: (short(2), "ExposureMode", 2),
    0xA403: (short(0), "WhiteBalance", 0),
    0xA404: (rational((0, 1)), "DigitalZoomRatio", 0.0),
    0xA405: (short(75), "FocalLengthIn35mmFilm", 75),
    0xA406: (short(3), "SceneCaptureType", 3),
    0xA407: (short(4), "GainControl", 4),
    0xA408: (short(1), "Contrast", 1),
    0xA409: (short(2), "Saturation", 2),
    0xA40A: (short(0), "Sharpness", 0),
    0xA40C: (short(3), "SubjectDistanceRange", 3),
    0xA432: (rational((24, 1), (70, 1), (28, 10), (4, 1)), "LensSpecification", (24.0, 70.0, 2.8, 4.0)),
    0xA433: (ascii_("Acme Optics"), "LensMake", "Acme Optics"),
    0xA434: (ascii_("24-70 mm ƒ/2.8"), "LensModel", "24-70 mm ƒ/2.8"),
    0xA435: (ascii_("L-0042"), "LensSerialNumber", "L-0042"),
}  # fmt: skip
FLASH: Final = {
    "FlashFiringStatus": 1, "FlashReturnStatus": 3, "FlashMode": 3, "FlashFunctionPresent": 0, "FlashRedEyeMode": 1,
}  # fmt: skip
MAIN: Final = {0x010F: ascii_("Acme"), 0x0110: ascii_("Cam 1"), 0x0131: ascii_("fw 1"), 0x0112: short(6)}
TAKEN: Final = {0x9003: ascii_("2025:03:01 10:15:30")}
DIGITIZED: Final = {0x9004: ascii_("2025:03:02 08:00:00"), 0x9292: ascii_("5")}


def exposure(detail: blocks.Fields, order: Order = "<") -> dict[str, ExposureValue]:
    return dict(capture_facts(blocks.block({}, detail, order=order)).exposure)


def facts(detail: blocks.Fields, main: blocks.Fields | None = None) -> CaptureFacts:
    return capture_facts(blocks.block(main or {}, detail))


@pytest.mark.parametrize("order", ORDERS, ids=["little", "big"])
@pytest.mark.parametrize("tag", WRITTEN, ids=lambda tag: WRITTEN[tag][1])
def test_a_field_becomes_the_element_of_group_0016(tag: int, order: Order) -> None:
    field, keyword, value = WRITTEN[tag]
    assert exposure({tag: field}, order) == {keyword: value}
    assert type(exposure({tag: field}, order)[keyword]) is type(value)


def test_the_table_above_and_flash_are_all_that_is_ever_told() -> None:
    assert {keyword for _, keyword, _ in WRITTEN.values()} | set(FLASH) == EXPOSURE_KEYWORDS
    assert PIXEL_COORDINATES < EXPOSURE_KEYWORDS
    assert EXPOSURE_KEYWORDS.isdisjoint({"BatteryLevel", "MakerNote", "DeviceSettingDescription", "CameraOwnerName"})
    assert [name for name in EXPOSURE_KEYWORDS if name.startswith("GPS")] == []


@pytest.mark.parametrize("keyword", sorted(EXPOSURE_KEYWORDS))
def test_each_value_fits_its_element(keyword: str) -> None:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    assert 0x00160001 <= tag <= 0x00160051
    value = exposure({tag: field for tag, (field, _, _) in WRITTEN.items()} | {0x9209: short(0x5F)})[keyword]
    values = value if isinstance(value, tuple) else (value,)
    kinds = {"DS": float, "IS": int, "US": int, "UT": str}
    assert {type(each) for each in values} == {kinds[dictionary_VR(tag)]}
    assert isinstance(value, tuple) == (dictionary_VM(tag) != "1")


@pytest.mark.parametrize(
    ("tag", "field"),
    [
        pytest.param(0x829A, rational((0, 1)), id="exposure time 0 is unknown"),
        pytest.param(0x829A, rational((1, 0)), id="x/0"),
        pytest.param(0x829A, rational((0, 0)), id="0/0"),
        pytest.param(0x829D, srational((-28, 10)), id="negative f-number"),
        pytest.param(0x829D, ascii_("2.8"), id="number as text"),
        pytest.param(0x829D, undefined(b"\2\0\0\0\1\0\0\0"), id="number as bytes"),
        pytest.param(0x8822, short(9), id="program that EXIF doesn't define"),
        pytest.param(0x8827, short(0), id="sensitivity 0"),
        pytest.param(0x8831, long(2**31), id="too great for IS"),
        pytest.param(0x882B, slong(-1), id="negative self-timer"),
        pytest.param(0x8830, short(8), id="reserved sensitivity type"),
        pytest.param(0x9000, undefined(b"02.3"), id="version with a point"),
        pytest.param(0x9000, undefined(ARABIC_VERSION.encode()), id="version in other digits"),
        pytest.param(0x9000, undefined(b"02320"), id="version of five digits"),
        pytest.param(0x9203, srational((-1, 100)), id="brightness unknown"),
        pytest.param(0x9204, double(float("nan")), id="not a number"),
        pytest.param(0x9205, single(float("inf")), id="infinite"),
        pytest.param(0x9206, rational((0xFFFFFFFF, 1)), id="infinite distance"),
        pytest.param(0x9206, rational((0, 1)), id="unknown distance"),
        pytest.param(0x9207, short(7), id="reserved metering"),
        pytest.param(0x9208, short(5), id="reserved light source"),
        pytest.param(0x9208, short(25), id="light source past the table"),
        pytest.param(0x9209, short(0x80), id="reserved bit of Flash"),
        pytest.param(0x9209, ascii_("9"), id="flash as text"),
        pytest.param(0x920A, rational((0, 1)), id="focal length 0"),
        pytest.param(0x9214, short(1), id="area of one number"),
        pytest.param(0x9214, short(1, 2, 3, 4, 5), id="area of five numbers"),
        pytest.param(0x9214, sshort(1, -2), id="area outside the picture"),
        pytest.param(0x9400, srational((20, -1)), id="temperature unknown"),
        pytest.param(0x9401, rational((20, 0xFFFFFFFF)), id="humidity unknown"),
        pytest.param(0xA20B, rational((1, 1), (2, 1), (3, 1)), id="three flash energies"),
        pytest.param(0xA20B, rational((1, 1), (2, 0)), id="one flash energy unknown"),
        pytest.param(0xA214, short(640), id="half a location"),
        pytest.param(0xA217, short(6), id="reserved sensing method"),
        pytest.param(0xA300, undefined(b"\4"), id="reserved file source"),
        pytest.param(0xA301, undefined(b"\0"), id="scene that wasn't photographed"),
        pytest.param(0xA402, single(1.5), id="one and a half is no term"),
        pytest.param(0xA403, short(65535), id="white balance past the table"),
        pytest.param(0xA405, short(0), id="equivalent focal length 0"),
        pytest.param(0xA407, short(256), id="gain control past the table"),
        pytest.param(0xA432, rational((85, 1), (85, 1), (0, 0), (0, 0)), id="lens with unknown f-number"),
        pytest.param(0xA432, rational((0, 1), (0, 1), (0, 1), (0, 1)), id="lens of zeros"),
        pytest.param(0xA432, rational((85, 1), (85, 1)), id="half a lens"),
        pytest.param(0xA434, ascii_(" \t\0 "), id="blank lens"),
        pytest.param(0xA434, byte(65, 66), id="text as numbers"),
    ],
)  # fmt: skip
def test_what_is_unknown_or_undefined_is_left_out(tag: int, field: Field) -> None:
    assert exposure({tag: field}) == {}


@pytest.mark.parametrize(
    ("flash", "told"),
    [
        (0x00, {"FlashFiringStatus": 0, "FlashReturnStatus": 0, "FlashMode": 0, "FlashFunctionPresent": 0}),
        (0x09, {"FlashFiringStatus": 1, "FlashReturnStatus": 0, "FlashMode": 1, "FlashFunctionPresent": 0}),
        (0x20, {"FlashFiringStatus": 0, "FlashReturnStatus": 0, "FlashMode": 0, "FlashFunctionPresent": 1}),
        (0x0D, {"FlashFiringStatus": 1, "FlashReturnStatus": 2, "FlashMode": 1, "FlashFunctionPresent": 0}),
        (0x03, {"FlashFiringStatus": 1, "FlashMode": 0, "FlashFunctionPresent": 0}),
    ],
    ids=["not fired", "fired", "no flash function", "return not seen", "reserved return status"],
)
def test_flash_is_taken_apart(flash: int, told: dict[str, int]) -> None:
    assert exposure({0x9209: short(flash)}) == told | {"FlashRedEyeMode": 0}
    assert exposure({0x9209: short(0x5F)}) == FLASH


def test_of_several_sensitivities_the_first_counts() -> None:
    assert exposure({0x8827: short(200, 400)}) == {"PhotographicSensitivity": 200}


def test_the_device_is_named_as_it_names_itself() -> None:
    told = facts({0xA431: ascii_("SN-1")}, MAIN)
    assert told.device == Device(manufacturer="Acme", model="Cam 1", software="fw 1", serial_number="SN-1")
    assert told.orientation == 6


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Zürich", "Zürich"),
        (b"Z\xfcrich", "Zürich"),
        (b"Acme\0left over in memory", "Acme"),
        (" Acme \n\x1b[2J\\ Cam  ", "Acme [2J Cam"),
        ("x" * 63 + " yz", "x" * 63),
        ("\u202eemcA", "emcA"),
        ("A\\B", "A B"),
        (b"", ""),
    ],
    ids=["UTF-8", "Latin-1", "after NUL", "control characters", "long", "right to left", "backslash", "empty"],
)
def test_text_is_one_clean_line(written: str | bytes, read: str) -> None:
    assert facts({}, {0x010F: ascii_(written)}).device.manufacturer == read


def test_text_that_claims_to_be_bytes_is_text() -> None:
    assert exposure({0xA433: undefined(b"Acme\0left over")}) == {"LensMake": "Acme"}


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_is_none_is_unknown(orientation: int) -> None:
    assert facts({}, {0x0112: short(orientation)}).orientation is None


@pytest.mark.parametrize(
    ("fraction", "microsecond"), [("25", 250_000), ("1234567", 123_456), (" 5 ", 500_000), ("", 0), ("x", 0)]
)
def test_the_fraction_of_a_second_is_read(fraction: str, microsecond: int) -> None:
    taken = datetime(2025, 3, 1, 10, 15, 30, microsecond)  # noqa: DTZ001 - a camera's clock has no zone
    assert facts({**TAKEN, 0x9291: ascii_(fraction)}).taken_at == taken


@pytest.mark.parametrize("original", ["    :  :     :  :  ", "0000:00:00 00:00:00", "1899:12:31 23:59:59", "yesterday"])
def test_without_an_original_time_the_digitized_one_counts_with_its_own_offset(original: str) -> None:
    zones = {0x9011: ascii_("+09:00"), 0x9012: ascii_("-03:30"), 0x882A: sshort(9)}
    told = facts({0x9003: ascii_(original), **DIGITIZED, **zones})
    assert told.taken_at == datetime.fromisoformat("2025-03-02T08:00:00.500")
    assert told.offset == timedelta(hours=-3, minutes=-30)
    assert OLDEST_YEAR == 1900


def test_the_original_time_goes_before_the_digitized_one() -> None:
    told = facts({**TAKEN, **DIGITIZED, 0x9012: ascii_("-03:30")})
    assert (told.taken_at, told.offset) == (facts(TAKEN).taken_at, None)


def test_the_time_of_the_file_is_never_the_time_of_the_picture() -> None:
    assert facts({}, {0x0132: ascii_("2025:03:01 10:15:30")}).taken_at is None


@pytest.mark.parametrize(
    ("said", "hours"),
    [
        ("+01:00", 1),
        ("-12:00", -12),
        ("+14:00", 14),
        ("-12:30", None),
        ("+14:01", None),
        (ARABIC_HOUR, None),
        ("", None),
    ],
)
def test_an_offset_is_one_that_dicom_has(said: str, hours: int | None) -> None:
    assert facts({**TAKEN, 0x9011: ascii_(said)}).offset == (None if hours is None else timedelta(hours=hours))


@pytest.mark.parametrize("place", ["IFD0", "Exif IFD"])
@pytest.mark.parametrize(("zone", "hours"), [(sshort(-5), -5), (sshort(2, 3), 2), (sshort(0), 0), (sshort(15), None)])
def test_the_time_zone_of_tiff_ep_stands_in_for_a_missing_offset(place: str, zone: Field, hours: int | None) -> None:
    main, detail = ({0x882A: zone}, {}) if place == "IFD0" else ({}, {0x882A: zone})
    assert facts({**TAKEN, **detail}, main).offset == (None if hours is None else timedelta(hours=hours))
    assert facts({**TAKEN, **detail, 0x9011: ascii_("+00:00")}, main).offset == timedelta(0)


def test_the_self_timer_may_stand_in_ifd0_as_tiff_ep_has_it() -> None:
    assert facts({}, {0x882B: short(2)}).exposure == {"SelfTimerMode": 2}


WHOLE: Final = blocks.tiff(MAIN, TAKEN)


@pytest.mark.parametrize(
    "payload",
    [
        WHOLE,
        EXIF_HEADER + b"\0" + WHOLE,
        EXIF_HEADER + b"\xff" + WHOLE,
        (EXIF_HEADER + b"\0") * 2 + WHOLE,
        bytes(4) + WHOLE,
        b"\0\0\0\6Exif\0\0" + WHOLE,
        b"\0\0\0\0Exif\0\0" + WHOLE,
        b"\0\0\0\3abc" + WHOLE,
    ],
    ids=["PNG, WebP", "APP1", "odd padding", "header twice", "HEIF", "HEIF with header", "wrong offset", "filler"],
)
def test_a_block_may_begin_in_several_ways(payload: bytes) -> None:
    assert capture_facts(payload) == capture_facts(blocks.HEADER + WHOLE)
    assert capture_facts(payload).device.model == "Cam 1"


CANARY: Final = "CANARY-7f3a"
FREE_TEXT: Final = {tag: ascii_(CANARY) for tag in (0x010E, 0x013B, 0x013C, 0x8298, 0x828F, 0x02BC, 0x83BB, 0xC62F)}
XP: Final = {tag: (1, 22, lambda _: CANARY.encode("utf-16le")) for tag in range(0x9C9B, 0x9CA0)}
PRIVATE: Final = {tag: undefined(CANARY.encode()) for tag in (0x927C, 0x9286, 0xA40B, 0x8828, 0xA20C, 0xA302)}
PERSONAL: Final = {tag: ascii_(CANARY) for tag in (0x8824, 0xA420, 0xA430, 0xA436, 0xA437, 0xA438, 0xA439, 0xA460)}


@pytest.mark.parametrize("order", ORDERS, ids=["little", "big"])
def test_nobody_no_place_and_no_note_is_ever_read(order: Order) -> None:
    gps = {0x01: ascii_("N"), 0x02: rational((51, 1), (30, 1), (777, 10)), 0x12: ascii_(CANARY), 0x1B: undefined(b"x")}
    known = {tag: field for tag, (field, _, _) in WRITTEN.items()}
    secrets = {**FREE_TEXT, **XP, **PRIVATE, **PERSONAL}
    clean = capture_facts(blocks.block(MAIN, {**known, **TAKEN}, order=order))
    nosy = capture_facts(blocks.block({**secrets, **MAIN}, {**secrets, **known, **TAKEN}, gps=gps, order=order))
    assert nosy == clean
    assert not [secret for secret in (CANARY, "THUMBNAIL-SECRET", "77.7", "C\\x00A") if secret in repr(nosy)]
