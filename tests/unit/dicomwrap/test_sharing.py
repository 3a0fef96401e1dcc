"""A photograph that went through a sharing program says so as an object too, though all that is hidden is left out."""

from __future__ import annotations

import io

import pytest
from PIL import Image, PngImagePlugin

from dicomwrap.photograph import Orienting, Reading
from dicomwrap.sharing import BEARS
from dicomwrap.source.readers import read_photographs
from orthanc_plugin.enforcement.taking import taking
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.objects import wrapped
from tests.unit.dicomwrap.rasterfiles import heic

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description xmp:CreatorTool="%s"/></x:xmpmeta>'
PICTURE = Image.effect_noise((64, 48), 60).convert("RGB")
APP1, APP13, COM = 0xE1, 0xED, 0xFE


def jpeg(marker: int, body: bytes) -> bytes:
    return photos.with_segments(photos.jpeg(), photos.segment(marker, body))


def saved(kind: str, word: bytes) -> bytes:
    buffer, packet = io.BytesIO(), XMP % word
    if kind == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", packet.decode())
        PICTURE.save(buffer, "PNG", pnginfo=text)
    elif kind == "TIFF":
        PICTURE.save(buffer, "TIFF", tiffinfo={700: packet})
    else:
        PICTURE.save(buffer, "WEBP", lossless=True, xmp=packet)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (jpeg(APP1, b"http://ns.adobe.com/xap/1.0/\0" + XMP % b"WhatsApp"), "whatsapp"),
        (jpeg(APP13, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0a\x1c\x02\x28\0\x05FBMD01000a9a"), "fbmd0"),
        (jpeg(COM, b"uploaded by Google Photos"), "google photos"),
        (jpeg(APP1, b"Exif\0\0II*\0" + "Picasa".encode("utf-16-le")), "picasa"),
        (saved("PNG", b"Instagram"), "instagram"),
        (saved("TIFF", b"Telegram"), "telegram"),
        (saved("WEBP", b"iCloud"), "icloud"),
        (jpeg(APP1, b"http://ns.adobe.com/xap/1.0/\0" + XMP % b"Lightroom"), ""),
        (jpeg(COM, b"seen by the ward"), ""),
        (saved("PNG", b"Lightroom"), ""),
        (heic(PICTURE), ""),
    ],
)
def test_intake_sees_the_mark_of_a_photograph_that_was_wrapped(data: bytes, word: str) -> None:
    (photograph,) = read_photographs(data)
    dataset = wrapped(data)
    (item,) = dataset.ContributingEquipmentSequence
    assert (photograph.through, taking(dataset, ()).through) == (word, word)
    assert (f"{BEARS} ({word})" in item.ContributionDescription) is bool(word)
    assert any(BEARS in each for each in photograph.warnings) is bool(word)


@pytest.mark.parametrize("orienting", [Orienting.KEEP, Orienting.REENCODE])
def test_it_stays_known_however_the_picture_is_turned(orienting: Orienting) -> None:
    turned = photos.with_segments(photos.oriented(6, size=(60, 44)), photos.segment(COM, b"sent by Viber"))
    (photograph,) = read_photographs(turned, Reading(orienting=orienting))
    assert photograph.through == "viber"


def test_words_in_the_picture_itself_are_no_mark() -> None:
    stream = photos.jpeg()
    (photograph,) = read_photographs(stream + b"\0" * 100 + b"whatsapp")
    assert photograph.through == ""
