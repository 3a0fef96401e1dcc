"""What an object says of how it was taken; a stranger's object can say anything, and nothing of it is believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from PIL import Image
from PIL.ExifTags import Base
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.tag import Tag

from orthanc_plugin.clock import LONDON
from orthanc_plugin.enforcement.reading import streams
from orthanc_plugin.enforcement.taking import SHARING, Taking, taking
from tests.fakes.pictures import photograph
from tests.unit.dicomwrap import photos

XMP = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><xmp:CreatorTool>Instagram</xmp:CreatorTool></x:xmpmeta>"


def segment(marker: int, body: bytes) -> bytes:
    stream = photos.jpeg()
    return stream[:2] + bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body + stream[2:]


def with_exif(tag: int, value: str | bytes) -> bytes:
    block = Image.Exif()
    block[tag] = value
    return photos.jpeg(exif=block.tobytes())


def framed(*frames: bytes) -> Dataset:
    many = {} if len(frames) == 1 else {"NumberOfFrames": len(frames)}
    return photograph(PixelData=encapsulate([*frames]), **many)


def equipment(**values: str) -> list[Dataset]:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return [item]


def said(dataset: Dataset) -> Taking:
    return taking(dataset, streams(dataset))


@pytest.mark.parametrize("word", SHARING)
def test_every_program_on_the_list_is_seen(word: str) -> None:
    assert said(photograph(SoftwareVersions=f"{word.upper()} 1.2")).through
    assert said(framed(segment(0xFE, f"made by {word.title()}".encode()))).through


@pytest.mark.parametrize(
    ("dataset", "through"),
    [
        (photograph(), ""),
        (photograph(SoftwareVersions="Adobe Photoshop Lightroom Classic 13.1"), ""),
        (photograph(SoftwareVersions=["1.0", "Snapchat"]), "snapchat"),
        (photograph(ContributingEquipmentSequence=equipment(ManufacturerModelName="Dropbox")), "dropbox"),
        (framed(with_exif(Base.Software, "WhatsApp")), "whatsapp"),
        (framed(with_exif(Base.XPComment, "Telegram".encode("utf-16-le"))), "telegram"),
        (framed(segment(0xE1, XMP)), "instagram"),
        (framed(segment(0xED, b"Photoshop 3.0\0 8BIM FBMD01000a9b")), "fbmd0"),
        (framed(photos.jpeg(), segment(0xFE, b"iCloud")), "icloud"),
        (framed(photos.jpeg()), ""),
        (framed(b"no JPEG at all: WhatsApp"), ""),
        (photograph(PixelData=b"WhatsApp"), ""),
    ],
)
def test_a_program_gives_itself_away_in_the_elements_or_in_the_stream(dataset: Dataset, through: str) -> None:
    assert said(dataset).through == through


@pytest.mark.parametrize(
    ("elements", "acquired"),
    [
        ({"AcquisitionDateTime": "20261122093000+0100"}, datetime(2026, 11, 22, 8, 30, tzinfo=UTC)),
        (
            {"AcquisitionDateTime": "20261122093000.5", "TimezoneOffsetFromUTC": "-0500"},
            datetime(2026, 11, 22, 9, 30, 0, 500_000, tzinfo=timezone(timedelta(hours=-5))),
        ),
        (
            {"AcquisitionDateTime": "20260722093000", "TimezoneOffsetFromUTC": None},
            datetime(2026, 7, 22, 9, 30, tzinfo=LONDON),
        ),
        (
            {"AcquisitionDateTime": "20260722093000", "TimezoneOffsetFromUTC": "noon"},
            datetime(2026, 7, 22, 9, 30, tzinfo=LONDON),
        ),
        (
            {"AcquisitionDateTime": None, "AcquisitionDate": "20261122", "AcquisitionTime": "093000"},
            datetime(2026, 11, 22, 9, 30, tzinfo=timezone(timedelta(hours=1))),
        ),
        ({"AcquisitionDateTime": "yesterday"}, None),
        ({"AcquisitionDateTime": None}, None),
        ({"AcquisitionDateTime": None, "AcquisitionDate": "20261122"}, None),
        ({"AcquisitionDateTime": ""}, None),
    ],
)
def test_the_moment_is_by_the_object_s_own_clock_or_the_hospital_s(
    elements: dict[str, object], acquired: datetime | None
) -> None:
    known = {"TimezoneOffsetFromUTC": "+0100", **elements}
    assert said(photograph(**known)).acquired == acquired


@pytest.mark.parametrize("tag", [0x00081010, 0x00081070, 0x00081072, 0x00181000, 0x0018A001, 0x0008002A, 0x00080201])
@pytest.mark.parametrize("value", [b"", b"\0", b"\xff" * 70, b"\\", b"\\\\x"])
def test_a_broken_element_says_nothing_and_stops_nothing(tag: int, value: bytes) -> None:
    dataset = photograph()
    vr = "SQ" if tag in (0x00081072, 0x0018A001) else "LO"
    dataset[tag] = RawDataElement(Tag(tag), vr, len(value), value, 0, is_implicit_VR=False, is_little_endian=True)
    found = said(dataset)
    assert isinstance(found, Taking)
    assert len(found.serial) <= 64
    assert "\0" not in found.serial + found.station
