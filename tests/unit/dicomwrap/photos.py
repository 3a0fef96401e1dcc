"""Photographs made on the spot, with everything a camera may hide in them."""

from __future__ import annotations

import io
import struct
import subprocess

from PIL import Image, ImageCms, ImageOps
from PIL.ExifTags import GPS, IFD, Base
from PIL.JpegImagePlugin import JpegImageFile

SERIAL = "SN-4711-XYZ"
OWNER = "Dr Prying Eyes"
SECRETS = (b"Prying Eyes", b"WGS-84-SECRET", b"51.5007", b"secret comment", b"Exif\0", b"ns.adobe.com", b"MPF\0")
EXIF_MAKE, EXIF_MODEL = "Acme", "Lens-o-Matic 3"


def picture(width: int = 64, height: int = 48, mode: str = "RGB") -> Image.Image:
    """Return a picture with some detail everywhere."""
    seed = bytes((x * 7 + y * 13 + (x * y) % 31) % 256 for y in range(height) for x in range(width))
    grey = Image.frombytes("L", (width, height), seed)
    return grey if mode == "L" else Image.merge("RGB", (grey, grey.rotate(180), grey)).convert(mode)


def exif(*, orientation: int = 1, taken: str = "2025:03:01 10:15:30", offset: str = "+01:00") -> bytes:
    """Return an EXIF block with a place, an owner, a serial number and a thumbnail's worth of names."""
    block = Image.Exif()
    block[Base.Make] = EXIF_MAKE
    block[Base.Model] = EXIF_MODEL
    block[Base.Software] = "fw 1.2"
    block[Base.Orientation] = orientation
    block[Base.Artist] = OWNER
    block[Base.Copyright] = OWNER
    block[Base.ImageDescription] = f"lesion of {OWNER}"
    detail = block.get_ifd(IFD.Exif)
    detail[Base.DateTimeOriginal] = taken
    detail[Base.SubsecTimeOriginal] = "25"
    detail[Base.OffsetTimeOriginal] = offset
    detail[Base.BodySerialNumber] = SERIAL
    detail[Base.CameraOwnerName] = OWNER
    detail[Base.UserComment] = b"ASCII\0\0\0secret comment"
    detail[Base.ExposureTime] = 1 / 125
    detail[Base.FNumber] = 2.8
    detail[Base.ISOSpeedRatings] = 400
    detail[Base.FocalLength] = 50.0
    detail[Base.FocalLengthIn35mmFilm] = 75
    detail[Base.Flash] = 9
    detail[Base.LensModel] = "50 mm"
    place = block.get_ifd(IFD.GPSInfo)
    place[GPS.GPSLatitudeRef] = "N"
    place[GPS.GPSLatitude] = (51.0, 30.0, 2.5)
    place[GPS.GPSMapDatum] = "WGS-84-SECRET"
    return block.tobytes()


def jpeg(image: Image.Image | None = None, **options: object) -> bytes:
    """Return a baseline JPEG as Pillow writes it."""
    buffer = io.BytesIO()
    (image or picture()).save(buffer, "JPEG", **{"quality": 90, **options})
    return buffer.getvalue()


def pixels(stream: bytes) -> bytes:
    """Return the decoded pixels of a JPEG's first picture."""
    with JpegImageFile(io.BytesIO(stream)) as image:
        return image.tobytes()


def shown(data: bytes, mode: str = "RGB") -> Image.Image:
    """Return a picture as a viewer that heeds the EXIF orientation shows it."""
    with Image.open(io.BytesIO(data)) as image:
        return ImageOps.exif_transpose(image).convert(mode)


def jpegtran(stream: bytes, *options: str) -> bytes:
    """Return a JPEG written anew with the same coefficients, such as with ``-arithmetic``."""
    return subprocess.run(["jpegtran", *options], input=stream, capture_output=True, check=True).stdout


def oriented(orientation: int, size: tuple[int, int] = (64, 48), mode: str = "RGB", **options: object) -> bytes:
    """Return a JPEG that looks different in each of the eight ways to turn it, with an EXIF orientation."""
    return jpeg(picture(*size, mode=mode), **{"exif": exif(orientation=orientation), "subsampling": "4:2:0", **options})


def segment(marker: int, body: bytes) -> bytes:
    """Return one marker segment."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segments(stream: bytes, *segments: bytes) -> bytes:
    """Return the stream with segments put after its start."""
    return stream[:2] + b"".join(segments) + stream[2:]


def camera_photo(*, orientation: int = 1, **exif_options: str) -> bytes:
    """Return what a nosy camera writes: EXIF, XMP, MPF, IPTC, comment, and a second picture after the end."""
    stream = jpeg(exif=exif(orientation=orientation, **exif_options))
    carriers = (
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x>51.5007</x>"),
        segment(0xE2, b"MPF\0" + bytes(40)),
        segment(0xED, b"Photoshop 3.0\0" + OWNER.encode()),
        segment(0xFE, b"secret comment"),
    )
    return with_segments(stream, *carriers) + jpeg(picture(16, 16)) + b"ftypmp4 51.5007"


def with_colour_profile() -> bytes:
    """Return a JPEG with an ICC profile."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return jpeg(icc_profile=profile)


def frame_header(stream: bytes) -> int:
    """Return the offset of the baseline frame header's marker."""
    return stream.index(b"\xff\xc0")


def patched(stream: bytes, offset: int, replacement: bytes) -> bytes:
    """Return the stream with bytes replaced."""
    return stream[:offset] + replacement + stream[offset + len(replacement) :]
