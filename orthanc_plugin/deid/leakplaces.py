"""Where something can stand in a copy: its elements, the bytes about them, and its picture.

Knows DICOM's encoding as pydicom reads it, and how a JPEG's segments lie before its first scan (ITU-T T.81 B.1.1.4).
Must not know what is looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from ahocorasick_rs import BytesAhoCorasick, MatchKind
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID, RLELossless

from orthanc_plugin.deid.leakforms import APART, bare, der_texts, places_in, readings
from orthanc_plugin.deid.leaksecrets import LONG_IN_GROUPS, in_one, keyword_of, plainly, spelt_out, texts

_PIXELS: Final = 0x7FE00010
_LOCKED: Final = 0x04000520
_STANDARD_UIDS: Final = re.compile(rb"1\.2\.840\.10008[0-9.]*")
_NUMBERED: Final = frozenset({"CS", "DS", "IS", "UI", "AS", "DA", "TM", "DT"})
_CODES: Final = frozenset({"CodeValue", "LongCodeValue", "CodingSchemeDesignator", "CodingSchemeVersion"})
_SENTENCES: Final = frozenset({"ST", "LT", "UT"})
_SENTENCE: Final = ("Description", "Comment", "Comments", "Title")
_IMAGE_TYPES: Final = frozenset({"ORIGINAL", "DERIVED", "PRIMARY", "SECONDARY"})
_METHODS: Final = frozenset(
    f"Consentgate profile {name}"
    for name in ("minimum", "publication", "research-longitudinal", "second-opinion", "teaching")
)
_JPEG: Final = b"\xff\xd8\xff"
_ITEMS: Final = BytesAhoCorasick([b"\xfe\xff\x00\xe0"], matchkind=MatchKind.LeftmostFirst)
_ITEM_LENGTH: Final = 8
_SCAN: Final = 0xDA
_COMMENT: Final = 0xFE
_ADOBE: Final = re.compile(rb"Adobe.{7}", re.DOTALL)
_JFIF: Final = re.compile(rb"JFIF\0.{9}", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """A copy laid out to be searched.

    Attributes:
        elements: every element of its data set, at any depth, but the picture.
        values: each value of each element as text, and whether it is free text rather than a code or a number.
        sentences: the values among them that may be sentences.
        rest: the bytes of everything but the picture, what is packed in them, and for whom something is encrypted.
        pixels: the picture's bytes.
        coded: whether they are a coded stream rather than samples one by one.
        named: the texts of what is encrypted that are not: for whom it is, and who issued their certificates.
        locked: what is encrypted for custodians: it is noise, in which short words come about by chance.
        strange_segments: "PixelData" when a JPEG stream in it has segments that a decoder doesn't need.
    """

    elements: tuple[DataElement, ...]
    values: tuple[tuple[str, bool], ...]
    sentences: tuple[str, ...]
    rest: bytes
    pixels: bytes
    coded: bool
    named: tuple[str, ...]
    locked: bytes
    strange_segments: tuple[str, ...]


def places(copy: Dataset, encoded: bytes) -> Places:
    """Lay a copy out to be searched."""
    start, pixels = _pixels(copy, encoded)
    inner = tuple(element for element in walked(copy) if int(element.tag) != _PIXELS)
    every = [*getattr(copy, "file_meta", Dataset()), *inner]
    elements = [element for element in every if int(element.tag) != _LOCKED]
    locked = [bytes(element.value or b"") for element in every if int(element.tag) == _LOCKED]
    heads, strange = _heads(pixels)
    # Element by element, so that no byte of an element's own head can hide where a value begins or ends.
    said = [(element, tuple(texts(element)), _is_free(element)) for element in elements]
    apart = APART.join(_bytes(element, values, free=free) for element, values, free in said)
    named = tuple(text for each in locked for text in der_texts(each))
    raw = encoded[:start] + encoded[start + len(pixels) :]
    for each in locked:
        raw = raw.replace(each, b"\0") if each else raw
    plain = _STANDARD_UIDS.sub(b"\0", APART.join((apart, raw, *heads, *_encoded(named))))
    return Places(
        elements=inner,
        values=tuple((text, free) for _, values, free in said for text in values),
        sentences=tuple(
            text for element, values, free in said if free and _may_be_a_sentence(element) for text in values
        ),
        rest=readings(plain),
        pixels=pixels,
        coded=_is_coded(copy),
        named=named,
        locked=APART.join(locked),
        strange_segments=("PixelData",) if strange else (),
    )


def walked(dataset: Dataset) -> Iterator[DataElement]:
    """Yield every element of a data set, at any depth, by tag; pydicom compares tags one by one, which takes longer."""
    for tag, known in sorted(dataset.items(), key=lambda item: int(item[0])):
        element = dataset[tag] if isinstance(known, RawDataElement) else known
        yield element
        if element.VR == "SQ":
            for item in element.value:
                yield from walked(item)


def _encoded(said: Iterable[str]) -> Iterator[bytes]:
    return (text.encode("utf-8", "replace") for text in said)


def _pixels(copy: Dataset, encoded: bytes) -> tuple[int, bytes]:
    """Return where the picture's bytes begin, and them; the end when there is none."""
    if _PIXELS not in copy:
        return len(encoded), b""
    raw = copy.get_item(_PIXELS)
    value = bytes(raw.value or b"") if isinstance(raw, RawDataElement) else bytes(copy.PixelData)
    start = raw.value_tell if isinstance(raw, RawDataElement) else -1
    if start < 0 or not encoded.startswith(value, start):  # in a deflated data set it stands elsewhere
        start = len(encoded)
    return start, value


def _is_coded(copy: Dataset) -> bool:
    syntax = UID(str(copy.file_meta.get("TransferSyntaxUID") or ""))
    return _PIXELS in copy and copy["PixelData"].is_undefined_length and syntax != RLELossless


def _bytes(element: DataElement, said: tuple[str, ...], *, free: bool) -> bytes:
    if isinstance(element.value, bytes):
        return APART.join((element.value, bare(element.value)))
    return b"\0".join(_encoded(_writings(said, free=free)))


def _writings(said: tuple[str, ...], *, free: bool) -> Iterator[str]:
    """Yield each value, as it is and plainly, and the values of a text in one: a name could stand in parts."""
    yield from said
    yield from (form for text in said if not text.isascii() for form in {plainly(text), spelt_out(text)})
    if free:
        yield from (digits for text in said if len(text) >= LONG_IN_GROUPS for digits in in_one(text))
        if len(said) > 1:
            yield "".join(said)


def _is_free(element: DataElement) -> bool:
    return (
        element.VR not in _NUMBERED
        and keyword_of(element) not in _CODES
        and not isinstance(element.value, (int, float))
    )


def _may_be_a_sentence(element: DataElement) -> bool:
    return element.VR in _SENTENCES or keyword_of(element).endswith(_SENTENCE)


def coded_words(elements: Iterable[DataElement]) -> tuple[bytes, ...]:
    """Return the values and meanings of the copy's codes that are the standard's own words, the longest first.

    So are what kind of image it is, and what every copy of a profile of ours says of its making, each as a whole.
    """
    from pydicom.sr._concepts_dict import concepts  # large, and needed only when a find is to be judged

    table = cast("Mapping[str, Mapping[str, Mapping[str, tuple[str, object]]]]", concepts)
    known = {
        (scheme, value, meaning)
        for scheme, named in table.items()
        for codes in named.values()
        for value, (meaning, _) in codes.items()
    }
    found: set[bytes] = set()
    for element in elements:
        found |= _own_words(element)
        for item in _items(element):
            value, said = str(item.get("CodeValue") or ""), str(item.get("CodeMeaning") or "")
            if (str(item.get("CodingSchemeDesignator") or ""), value, said) in known:
                found |= {said.encode(), value.encode()}
    return tuple(sorted(found, key=len, reverse=True))


def _own_words(element: DataElement) -> frozenset[bytes]:
    said = tuple(texts(element))
    if keyword_of(element) == "ImageType" and len(said) > 1 and _IMAGE_TYPES.issuperset(said):
        return frozenset(between.join(said).encode() for between in ("\0", "\\"))
    if keyword_of(element) == "DeidentificationMethod":
        return frozenset(text.encode() for text in _METHODS.intersection(said))
    return frozenset()


def _items(element: DataElement) -> tuple[Dataset, ...]:
    return tuple(element.value) if element.VR == "SQ" else ()


def _heads(pixels: bytes) -> tuple[list[bytes], bool]:
    """Return what stands before the first scan of each JPEG stream, and whether a segment of it is strange."""
    starts = (at + _ITEM_LENGTH for _, at in places_in(_ITEMS, pixels))
    heads = [(start, *_head(pixels, start)) for start in starts if pixels.startswith(_JPEG, start)]
    return [pixels[start:end] for start, end, _ in heads], any(strange for _, _, strange in heads)


def _head(data: bytes, start: int) -> tuple[int, bool]:
    at, strange = start + 2, False
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data) and data[at + 1] != _SCAN:
        after = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        strange = strange or _is_strange(data[at + 1], data[at + 4 : after])
        at = after
    return min(at, len(data)), strange


def _is_strange(marker: int, body: bytes) -> bool:
    if marker == 0xEE:
        return _ADOBE.fullmatch(body) is None
    if marker == 0xE0:
        return _JFIF.fullmatch(body) is None
    return marker == _COMMENT or 0xE0 <= marker <= 0xEF
