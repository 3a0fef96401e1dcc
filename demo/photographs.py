"""Generated photographs as a camera would write them: skin with a mole, EXIF with place, serial number and thumbnail.

Knows pictures and EXIF. No picture of a person is used.
"""

from __future__ import annotations

import io
import math
import struct
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFilter
from PIL.ExifTags import GPS, IFD, Base
from pydicom import dcmread
from pydicom.uid import UID

from dicomwrap.uids import fresh_uid

WIDTH: Final = 1600
HEIGHT: Final = 1200
THUMBNAIL: Final = (160, 120)
SERIAL: Final = "032021004711"
LATITUDE: Final = (51.0, 30.0, 26.4)
# Byte strings of a generated photograph that must be in no object that is made from it.
TRACES: Final = (SERIAL.encode(), b"St Elsewhere", b"WGS-84", b"Exif\0\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What tells one generated photograph from another."""

    name: str
    skin: tuple[int, int, int]
    mole: tuple[int, int, int]
    taken: str  # time of day


SUBJECTS: Final = (
    Subject(name="a-forearm", skin=(224, 172, 140), mole=(96, 56, 40), taken="09:15:02"),
    Subject(name="b-back", skin=(141, 85, 54), mole=(58, 32, 22), taken="10:41:37"),
    Subject(name="c-shin", skin=(198, 134, 96), mole=(120, 48, 52), taken="11:03:55"),
)


def picture(subject: Subject) -> Image.Image:
    """Return skin with pores, a shaded side and one irregular mole."""
    noise = Image.effect_noise((WIDTH, HEIGHT), 22).convert("L")
    pores = Image.merge("RGB", (noise, noise, noise)).filter(ImageFilter.GaussianBlur(1.2))
    shade = Image.linear_gradient("L").rotate(90).resize((WIDTH, HEIGHT))
    skin = Image.blend(Image.new("RGB", (WIDTH, HEIGHT), subject.skin), pores, 0.12)
    skin = Image.composite(skin, Image.blend(skin, Image.new("RGB", skin.size), 0.18), shade)
    mask = Image.new("L", skin.size, 0)
    outline = [
        (
            WIDTH / 2 + (210 + 26 * math.sin(5 * angle)) * math.cos(angle),
            HEIGHT / 2 + (160 + 18 * math.cos(3 * angle)) * math.sin(angle),
        )
        for angle in (step * math.tau / 180 for step in range(180))
    ]
    ImageDraw.Draw(mask).polygon(outline, fill=235)
    mole = Image.blend(Image.new("RGB", skin.size, subject.mole), pores, 0.10)
    return Image.composite(mole, skin, mask.filter(ImageFilter.GaussianBlur(6)))


def _exif(subject: Subject, day: date) -> bytes:
    taken = f"{day:%Y:%m:%d} {subject.taken}"
    block = Image.Exif()
    block[Base.Make], block[Base.Model] = "Example Optics", "Clinic 5D"
    block[Base.Software] = "Firmware 1.4.2"
    block[Base.Orientation] = 1
    block[Base.DateTime] = taken
    block[Base.Artist] = "Medical Illustration, St Elsewhere"
    detail = block.get_ifd(IFD.Exif)
    detail[Base.DateTimeOriginal] = taken
    detail[Base.OffsetTimeOriginal] = "+00:00"
    detail[Base.BodySerialNumber] = SERIAL
    detail[Base.CameraOwnerName] = "St Elsewhere"
    detail[Base.ExposureTime], detail[Base.FNumber] = 1 / 125, 11.0
    detail[Base.ISOSpeedRatings], detail[Base.FocalLength] = 100, 100.0
    detail[Base.LensModel] = "EX 100 mm F2.8 Macro"
    place = block.get_ifd(IFD.GPSInfo)
    place[GPS.GPSLatitudeRef], place[GPS.GPSLatitude] = "N", LATITUDE
    place[GPS.GPSLongitudeRef], place[GPS.GPSLongitude] = "W", (0.0, 7.0, 39.9)
    place[GPS.GPSMapDatum] = "WGS-84"
    return block.tobytes()


def _with_thumbnail(exif: bytes, thumbnail: bytes) -> bytes:
    """Return the EXIF block with a second IFD that holds the thumbnail (EXIF 2.32, section 4.6.2)."""
    header, tiff = exif[:6], bytearray(exif[6:])
    order = "<" if tiff[:2] == b"II" else ">"
    first = struct.unpack_from(f"{order}I", tiff, 4)[0]
    count = struct.unpack_from(f"{order}H", tiff, first)[0]
    tiff += b"\0" * (len(tiff) % 2)
    entries = ((0x0103, 3, 6), (0x0201, 4, len(tiff) + 2 + 3 * 12 + 4), (0x0202, 4, len(thumbnail)))
    struct.pack_into(f"{order}I", tiff, first + 2 + 12 * count, len(tiff))
    tiff += struct.pack(f"{order}H", len(entries))
    for tag, kind, value in entries:
        tiff += struct.pack(f"{order}HHI", tag, kind, 1)
        tiff += struct.pack(f"{order}HH", value, 0) if kind == 3 else struct.pack(f"{order}I", value)
    return header + bytes(tiff) + struct.pack(f"{order}I", 0) + thumbnail


def photograph(subject: Subject, day: date) -> bytes:
    """Return a baseline JPEG, taken on ``day``, with everything a camera hides in it."""
    image = picture(subject)
    small = io.BytesIO()
    image.resize(THUMBNAIL).save(small, "JPEG", quality=80)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92, exif=_with_thumbnail(_exif(subject, day), small.getvalue()))
    return buffer.getvalue()


def another(file: Path) -> Path:
    """Write the same photograph as another instance, beside ``file``; return the new file."""
    dataset = dcmread(file)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(fresh_uid())
    beside = file.with_stem(f"{file.stem}-again")
    dataset.save_as(beside, enforce_file_format=True)
    return beside
