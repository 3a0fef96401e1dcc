"""Photographs with a canary in every place where a file can hide something that isn't the picture."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator, Mapping

from PIL import Image, PngImagePlugin, TiffImagePlugin

from tests.unit.dicomwrap import exifblocks as ex
from tests.unit.dicomwrap import photos, profiles
from tests.unit.dicomwrap.rasterfiles import chunk, heic, saved

MARK = b"zKanaRie"
LATITUDE = (51_734_211, 1_000_003)  # a place as a fraction that nothing else has by chance
_ASCII = {
    0x010D: "DocumentName", 0x010E: "ImageDescription", 0x013B: "Artist", 0x013C: "HostComputer", 0x8298: "Copyright",
    0x0132: "DateTime", 0x4746: "Rating", 0xC614: "UniqueCameraModel", 0xC62F: "CameraSerialNumber", 0xFDE8: "Owner",
}  # fmt: skip
_DETAIL_ASCII = {
    0xA430: "CameraOwnerName", 0xA420: "ImageUniqueID", 0xA436: "ImageTitle", 0xA437: "Photographer",
    0xA438: "ImageEditor", 0xA439: "CameraFirmware", 0xA43A: "RAWSoftware", 0xA43B: "EditingSoftware",
    0xA43C: "MetadataSoftware", 0x8824: "SpectralSensitivity", 0xA004: "RelatedSoundFile", 0xEA1C: "Padding",
    # fields that are carried over, with a text where a number belongs
    0x829D: "FNumber", 0x8822: "ExposureProgram", 0x9209: "Flash", 0x9214: "SubjectArea", 0xA432: "LensSpecification",
    0x9291: "SubSecTimeOriginal", 0x9011: "OffsetTimeOriginal", 0x9003: "DateTimeOriginal", 0x9400: "Temperature",
}  # fmt: skip
_DETAIL_UNDEFINED = {
    0x927C: "MakerNote", 0x9286: "UserComment", 0xA40B: "DeviceSettingDescription", 0x8828: "OECF",
    0xA302: "CFAPattern", 0x9000: "ExifVersion", 0xA000: "FlashpixVersion", 0xA300: "FileSource", 0xA301: "SceneType",
    0xA20C: "SpatialFrequencyResponse",
}  # fmt: skip


def word(place: str) -> bytes:
    """Return the canary of a place."""
    return MARK + b"-" + place.encode()


def found(data: bytes) -> list[bytes]:
    """Return the canaries in some bytes, whatever letters they are written in, and the place on the map."""
    mark = MARK.decode()
    forms = [MARK, mark.encode("utf-16-le"), mark.encode("utf-16-be"), MARK.hex().encode(), MARK.hex().upper().encode()]
    forms += [base64.b64encode(bytes(shift) + MARK)[4 if shift else 0 : -4] for shift in range(3)]
    forms += [struct.pack(f"{order}II", *LATITUDE) for order in "<>"]
    return [data[at : at + 40] for form in forms if (at := data.find(form)) >= 0]


def exif() -> bytes:
    """Return an EXIF block (without its header) full of canaries: IFD0, Exif, Interop, GPS, thumbnail."""
    main = {tag: ex.ascii_(word(name)) for tag, name in _ASCII.items()}
    main |= {tag: (1, 40, lambda _, tag=tag: _wide(f"XP{tag:04X}")) for tag in range(0x9C9B, 0x9CA0)}
    main |= {0x02BC: ex.undefined(word("XMP in IFD0")), 0x83BB: ex.undefined(word("IPTC in IFD0"))}
    main |= {0x8649: ex.undefined(word("Photoshop in IFD0")), 0x010F: ex.ascii_("Acme"), 0x0112: ex.short(1)}
    detail = {tag: ex.ascii_(word(name)) for tag, name in _DETAIL_ASCII.items()}
    detail |= {tag: ex.undefined(word(name)) for tag, name in _DETAIL_UNDEFINED.items()}
    gps = {
        1: ex.ascii_("N"), 2: ex.rational(LATITUDE, LATITUDE, LATITUDE), 0x12: ex.ascii_(word("GPSMapDatum")),
        0x1B: ex.undefined(word("GPSProcessingMethod")), 0x1C: ex.undefined(word("GPSAreaInformation")),
    }  # fmt: skip
    block = ex.tiff(main, detail, gps=gps)
    return block + _unreferenced()


def _wide(name: str) -> bytes:
    return word(name).decode().encode("utf-16-le")[:40].ljust(40, b"\0")


def _unreferenced() -> bytes:
    """Return bytes that no entry points at: a thumbnail with a comment, and an Interop directory."""
    thumbnail = photos.jpeg(photos.picture(16, 16), comment=word("thumbnail"))
    return thumbnail + ex.directory({1: ex.ascii_(word("Interop"))}, 0, "<")


def exif_with_thumbnail() -> bytes:
    """Return an EXIF block whose thumbnail is a JPEG with a comment and whose Interop directory is pointed at."""
    block = Image.Exif()
    block.load(b"Exif\0\0" + ex.tiff({0x010E: ex.ascii_(word("ImageDescription"))}, {0xA430: ex.ascii_(word("Owner"))}))
    interop = block.get_ifd(0x8769).setdefault(0xA005, {})
    interop[1] = word("Interop").decode()
    return block.tobytes()


def xmp(place: str = "XMP") -> bytes:
    """Return an XMP packet."""
    return (
        b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        b'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:creator><rdf:Seq><rdf:li>'
        + word(place)
        + b'</rdf:li></rdf:Seq></dc:creator></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )


def photoshop() -> bytes:
    """Return Photoshop image resources with IPTC in them."""
    iptc = b"\x1c\2\x50" + struct.pack(">H", len(word("IPTC"))) + word("IPTC")
    padded = iptc + bytes(len(iptc) % 2)
    return b"Photoshop 3.0\0" + b"8BIM\4\4\0\0" + struct.pack(">I", len(iptc)) + padded


def icc() -> bytes:
    """Return an sRGB profile with canaries in its texts and in an element of its own."""
    text = b"text" + bytes(4) + word("ICC copyright") + b"\0"
    description = b"desc" + bytes(4) + struct.pack(">I", 40) + word("ICC description").ljust(40, b"\0") + bytes(78)
    elements = {**profiles.shaped(), b"cprt": text, b"desc": description, b"zAnY": word("ICC private")}
    return profiles.profile(elements, free=word("free"), gap=word("ICC gap"), after=word("ICC tail"))


def segments() -> dict[str, bytes]:
    """Return the marker segments of a JPEG that can hide something, by what they are."""
    jumbf = struct.pack(">I4s", 60, b"jumb") + struct.pack(">I4s", 52, b"jumd") + word("C2PA").ljust(44, b"\0")
    mpf = b"MPF\0II*\0\x08\0\0\0\1\0\0\xb0\7\0\4\0\0\x000100\0\0\0\0" + word("MPF")
    extended = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32 + struct.pack(">II", 40, 0) + word("extended XMP")
    others = {f"APP{n}": photos.segment(0xE0 + n, word(f"APP{n}")) for n in range(3, 16)}
    return {
        "JFXX thumbnail": photos.segment(0xE0, b"JFXX\0\x10" + photos.jpeg(photos.picture(8, 8), comment=word("JFXX"))),
        "EXIF": photos.segment(0xE1, b"Exif\0\0" + exif()),
        "EXIF, again": photos.segment(0xE1, exif_with_thumbnail()),
        "XMP": photos.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp()),
        "extended XMP": photos.segment(0xE1, extended),
        "ICC": photos.segment(0xE2, b"ICC_PROFILE\0\1\1" + icc()),
        "MPF": photos.segment(0xE2, mpf),
        **others,
        "C2PA": photos.segment(0xEB, b"JP\0\1\0\0\0\1" + jumbf),
        "IPTC": photos.segment(0xED, photoshop()),
        "long Adobe": photos.segment(0xEE, b"Adobe\0\x64\0\0\0\0\1" + word("APP14")),
        "comment": photos.segment(0xFE, word("COM")),
    }


def behind_the_end() -> bytes:
    """Return a second picture as MPO and Motion Photo have it, with its own metadata, and a film's beginning."""
    second = photos.jpeg(photos.picture(16, 16), comment=word("second picture"), exif=b"Exif\0\0" + exif())
    return second + b"\0\0\0\x18ftypmp42" + word("trailer")


def jpeg(stream: bytes) -> bytes:
    """Return a JPEG with a canary before it, in every segment, between its scans' tables and behind its end."""
    dressed = photos.with_segments(stream, *segments().values())
    at = dressed.rindex(b"\xff\xda")
    between = photos.segment(0xFE, word("before the scan")) + photos.segment(0xE5, word("APP5, before the scan"))
    return word("before SOI") + dressed[:at] + between + dressed[at:] + behind_the_end()


def png() -> bytes:
    """Return a PNG with canaries in its texts, in EXIF, in the profile, in chunks nobody knows and behind its end."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", word("tEXt").decode())
    text.add_text("Comment", word("zTXt").decode(), zip=True)
    text.add_itxt("XML:com.adobe.xmp", xmp().decode(), "", "")
    text.add_itxt("Title", word("iTXt").decode(), "en", "", zip=True)
    data = saved(photos.picture(33, 21), "PNG", pnginfo=text, exif=b"Exif\0\0" + exif(), icc_profile=icc())
    private = chunk(b"caNb", word("private chunk")) + chunk(b"tIME", word("tIME"))
    profile = chunk(b"sPLT", word("sPLT") + b"\0\x08")
    end = data.rindex(b"IEND") - 4
    return data[:33] + profile + data[33:end] + private + data[end:] + word("behind IEND")


def tiff() -> bytes:
    """Return a TIFF with canaries in the texts, EXIF, GPS, XMP, IPTC, Photoshop and fields that nobody knows."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, name in _ASCII.items():
        tags[tag], tags.tagtype[tag] = word(name).decode(), 2
    for tag, value in {700: xmp(), 33723: photoshop(), 34377: photoshop(), 65_000: word("private")}.items():
        tags[tag], tags.tagtype[tag] = value, 7
    exif_ifd = {0x9286: word("UserComment"), 0x927C: word("MakerNote"), 0xA430: word("Owner").decode()}
    tags[0x8769], tags.tagtype[0x8769] = exif_ifd, 4
    tags[0x8825], tags.tagtype[0x8825] = {0x12: word("GPSMapDatum").decode()}, 4
    return saved(photos.picture(33, 21), "TIFF", tiffinfo=tags, icc_profile=icc()) + word("unreferenced")


def webp(**options: object) -> bytes:
    """Return a WebP with canaries in EXIF, XMP, the profile, a chunk nobody knows and behind its end."""
    given = {"exif": b"Exif\0\0" + exif(), "xmp": xmp(), "icc_profile": icc(), **options}
    data = saved(photos.picture(33, 21), "WebP", **given)
    private = b"caNa" + struct.pack("<I", 40) + word("private chunk").ljust(40, b"\0")
    data += private
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:] + word("behind the end")


def boxed(form: str) -> bytes:
    """Return a HEIC or AVIF with canaries in EXIF, XMP, the profile and in boxes behind the picture."""
    given = {"exif": b"Exif\0\0" + exif(), "xmp": xmp(), "icc_profile": icc()}
    data = heic(photos.picture(64, 48), **given) if form == "HEIC" else saved(photos.picture(64, 48), form, **given)
    free = struct.pack(">I4s", 48, b"free") + word("free").ljust(40, b"\0")
    uuid = struct.pack(">I4s", 64, b"uuid") + bytes(16) + word("uuid").ljust(40, b"\0")
    return data + free + uuid


def bmp() -> bytes:
    """Return a BMP with a canary between its header and its pixels and behind its end."""
    data = saved(photos.picture(33, 21), "BMP")
    offset = int.from_bytes(data[10:14], "little")
    gap = word("gap")
    return data[:10] + struct.pack("<I", offset + len(gap)) + data[14:offset] + gap + data[offset:] + word("end")


def packed(data: bytes) -> Iterator[bytes]:
    """Give the contents of a PNG's compressed chunks, where a search for bytes finds nothing."""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if name in (b"zTXt", b"iTXt", b"iCCP"):
            start = body.find(b"\x78")
            while start >= 0:
                try:
                    yield zlib.decompressobj().decompress(body[start:])
                    break
                except zlib.error:
                    start = body.find(b"\x78", start + 1)
        at += 12 + length


def sources() -> Mapping[str, bytes]:
    """Return the photographs with canaries, by the way that they take through the wrapper."""
    plain = photos.picture(64, 48)
    return {
        "JPEG, untouched": jpeg(photos.jpeg(plain)),
        "JPEG, grey": jpeg(photos.jpeg(photos.picture(mode="L"))),
        "JPEG, progressive": jpeg(photos.jpeg(plain, progressive=True)),
        "JPEG, CMYK": jpeg(photos.jpeg(photos.picture(mode="CMYK"))),
        "JPEG, odd size": jpeg(photos.jpeg(photos.picture(60, 43))),
        "MPO": jpeg(saved(plain, "MPO", save_all=True, append_images=[photos.picture(16, 16)])),
        "PNG": png(),
        "TIFF": tiff(),
        "WebP": webp(),
        "WebP, lossless": webp(lossless=True),
        "HEIC": boxed("HEIC"),
        "AVIF": boxed("AVIF"),
        "BMP": bmp(),
    }
