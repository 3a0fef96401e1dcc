"""What of an original must not be in a copy: names in parts, numbers, dates, UIDs, addresses, serial numbers.

Knows which attributes identify by their value representation and their keyword. Must not know the table of PS3.15, nor
use anything that made the copy: what the engine forgets must not be forgotten here too.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, unique
from functools import lru_cache
from typing import Final
from uuid import UUID

from pydicom.datadict import dictionary_has_tag, dictionary_keyword
from pydicom.dataelem import DataElement

from orthanc_plugin.errors import DeidentificationError

SHORTEST: Final = 4  # of a part of a name, or of a number, that is looked for within other text
SHORTEST_WHOLE: Final = 2  # of what is a find only where it is all there is; an initial is none
STRONG: Final = 6  # of what is looked for among a picture's bits, where shorter ones come about by chance
MOST: Final = 50_000  # forms of names, numbers and UIDs; a photograph has a few hundred
_STANDARD_UID: Final = "1.2.840.10008."
_DATES: Final = frozenset({"DA", "DT", "TM"})
_NEVER_KEPT: Final = frozenset({"PatientBirthDate", "PatientBirthTime", "PatientDeathDateInAlternativeCalendar"})
_FIRST_PRIVATE: Final = 0x1000  # below are the names of private blocks
_TEXTS: Final = frozenset({"LO", "SH", "ST", "LT", "UT", "UC", "UR", "AE"})
_NUMBERS: Final = re.compile(
    r"(?:IDs?|Identifiers?|Numbers?|Address|AETitle|StationName|DepartmentName|Location|Artist)$"
    r"|^IssuerOf|Institution\w*(?:Name|Residence)|RegionOfResidence|Telephone|Phone|Contact|Serial|Insurance|Owner"
    r"|OrderNumber|Telecom|Barcode|AlternativeCalendar"
)
_NO_NUMBERS: Final = re.compile(
    r"^CodingScheme|(?:Class|Scheme|Syntax|Context|Resource|Creator|Version\w*)(?:UID|Name)$"
)
_DEVICE: Final = re.compile(r"Serial|Station|Device|Detector|Gantry|Plate|Cassette|Lens|Camera")
_INSTITUTION: Final = re.compile(r"^Institution|DepartmentName$")
# Of hospitals' names, and of those of certificates' issuers: none of these tells where.
_COMMON_WORDS: Final = frozenset(
    re.findall(
        r"[a-z]+",
        "hospital hospitals infirmary clinic clinics surgery university teaching general royal national "
        "regional district community city county north south east west central centre center saint health "
        "healthcare care medical medicine department unit service services trust foundation board group "
        "network school college institute institution children women mental kingdom united england scotland "
        "wales ireland britain great certificate certification authority issuing issuer root intermediate "
        "public internal private custodian custodians records record officer office caldicott guardian "
        "information governance data protection security limited company",
    )
)
_PRIVATE_NUMBER: Final = re.compile(r"(?:.*[0-9]){4}", re.DOTALL)
_SHORTEST_PRIVATE: Final = 8
_SEPARATORS: Final = re.compile(r"[^0-9A-Za-z]+")
_BREAKS: Final = re.compile(r"[,;\r\n^]+")
# What copies of ours say in place of a name or a number: it says nothing of a patient, though one be called so.
_OURS: Final = re.compile(r"(?:ANON[\^ ,_.-]*)+", re.IGNORECASE)
_NO_DIGITS: Final = re.compile(r"[^0-9]+")
LONG_IN_GROUPS: Final = 8  # characters: seven digits and a sign between two of them
_FEWEST_IN_GROUPS: Final = 9  # digits: eight of them can be a day
_IN_GROUPS: Final = re.compile(r"(?<![0-9A-Za-z])[0-9](?:[ ()/\u2010\u2013-]{0,2}[0-9]){6,}(?![0-9A-Za-z])")
_TELEPHONE: Final = re.compile(r"Telephone|Phone|Telecom|Contact")
_CALLED: Final = re.compile(r"[0-9](?:[ ()./-]{0,3}[0-9]){6,}")
_SUBSCRIBER: Final = 9  # the last digits of a telephone number, which are the same from at home and from abroad
_POSTBOX: Final = re.compile(r"(?<![^\s<>:;,^])[^\s<>:;,^]+@[^\s<>:;,^]+")
_ADDRESS: Final = re.compile(r"Address$|Residence$")
_HOUSE: Final = re.compile(r"\b[0-9]+[A-Za-z]? +[^\W\d_]+\.? +[^\W\d_]+")
_SHORTEST_HOUSE: Final = 8
_POSTCODE: Final = re.compile(r"\b([A-Z]{1,2}[0-9][0-9A-Z]?) ?([0-9][A-Z]{2})\b", re.IGNORECASE)

# How names are written where there are no such letters, as on machine-readable cards (ICAO 9303 part 3, section 6).
_TWO_LETTERS: Final = str.maketrans({
    "ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "æ": "ae", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue",
    "Å": "Aa", "Ø": "Oe", "Æ": "Ae", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "þ": "th", "Þ": "Th", "ð": "d", "Ð": "D",
})  # fmt: skip

# Of names that are written in one, or with another sign between their parts, in a copy.
_APOSTROPHES: Final = dict.fromkeys(map(ord, "\u2019\u2018\u02bc\u00b4`\u2032\uff07"), "'")
_APART: Final = re.compile(r"[\s,.'-]+")
_WORDS: Final = re.compile(r"\b[^\W\d_]+(?:[\s.'-]+[^\W\d_]+)+")
_SECOND_LETTER: Final = re.compile(r"(?<=[aou])e(?=[^\W\d_]{2})", re.IGNORECASE)  # Mueller's, and not Michael's

# CID 7050: what a copy says was kept on purpose.
KEEPS_DATES: Final = "113106"
KEEPS_DEVICE: Final = "113109"
KEEPS_UIDS: Final = "113110"
KEEPS_INSTITUTION: Final = "113112"


@unique
class Kind(Enum):
    """How a secret is told from its surroundings."""

    NAME = "a name: no letter before or after"
    NUMBER = "an identifier: no digit before or after one of digits"
    UID = "a UID: not part of a longer one"
    TELEPHONE = "the last digits of a telephone number: no digit after"
    DATE = "a day"


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that must not be in a copy, and the attribute of the original that it came from."""

    attribute: str
    text: str
    kind: Kind


def secrets(original: Iterable[DataElement], kept: frozenset[str]) -> frozenset[Secret]:
    """Return what of an original's elements must not be in a copy that says, in codes of CID 7050, what it kept.

    A study's number that is its day, or a station called like its institution, is no secret where the other is kept.

    Raises:
        DeidentificationError: there are more than can be looked for.
    """
    found: set[Secret] = set()
    told: set[str] = set()
    for element in original:
        name, is_kept = keyword_of(element) or str(element.tag), _is_kept(element, kept)
        for text in texts(element):
            if is_kept:
                told.add(text.lower())
            else:
                found.update(Secret(name, said, kind) for said, kind in _said(element, text))
            if len(found) > MOST:
                raise DeidentificationError("The object has more names and numbers than can be looked for in a copy.")
    in_order = sorted(told)
    return frozenset(
        each
        for each in found
        if each.text and not _OURS.fullmatch(each.text) and not _is_told(each.text.lower(), in_order)
    )


def _is_told(text: str, told: list[str]) -> bool:
    """Tell whether a text is among those in order, or is the beginning, in digits, of one."""
    at = bisect_left(told, text)
    return at < len(told) and (told[at] == text or (text.isdigit() and told[at].startswith(text)))


def places_of(original: Iterable[DataElement], kept: frozenset[str]) -> dict[str, str]:
    """Return each word by which an institution of the original is known, and the attribute that has it."""
    found = (each for each in original if _INSTITUTION.search(keyword_of(each)) and not _is_kept(each, kept))
    return {word: keyword_of(each) for each in found for text in texts(each) for word in proper_words(text)}


def proper_words(text: str) -> frozenset[str]:
    """Return the words of a name, without those that many such names have."""
    words = re.findall(r"\w+", plainly(text).casefold())
    return frozenset(word for word in words if len(word) >= SHORTEST and word not in _COMMON_WORDS)


def texts(element: DataElement) -> Iterator[str]:
    """Yield the values of an element as text; nothing for sequences and bytes."""
    if element.VR == "SQ" or isinstance(element.value, bytes) or element.value is None:
        return
    values = element.value if element.VM > 1 else (element.value,)
    yield from (str(value).strip(" \0") for value in values)


def plainly(text: str) -> str:
    """Return a text without accents and signs that don't show, in the letters that its own stand for."""
    letters = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES))
    return "".join(sign for sign in letters if not unicodedata.combining(sign) and unicodedata.category(sign) != "Cf")


def spelt_out(text: str) -> str:
    """Return a text plainly, with two letters for each that is so written where there is none."""
    return plainly(unicodedata.normalize("NFC", text).translate(_TWO_LETTERS))


def in_one(text: str) -> Iterator[str]:
    """Yield the digits of each long number of a text that is written in groups."""
    plain = text if text.isascii() else plainly(text)
    yield from (_NO_DIGITS.sub("", each) for each in _IN_GROUPS.findall(plain) if not each.isdigit())


def _said(element: DataElement, text: str) -> Iterable[tuple[str, Kind]]:
    representation = element.VR
    if element.tag.is_private and element.tag.element < _FIRST_PRIVATE:
        return ()
    if representation == "PN":
        return ((part, Kind.NAME) for part in _names(text))
    if representation == "UI":
        standard = text.startswith(_STANDARD_UID) or _NO_NUMBERS.search(keyword_of(element))
        return () if standard else ((form, Kind.UID) for form in _uids(text))
    if representation in _DATES:
        return _moment(text)
    if representation in _TEXTS and _identifies(element, text):
        return _identifiers(keyword_of(element), text)
    return ()


def keyword_of(element: DataElement) -> str:
    """Return the keyword of an element's attribute, "" where it has none."""
    return _keyword(int(element.tag))


@lru_cache(8192)
def _keyword(tag: int) -> str:
    return dictionary_keyword(tag) if dictionary_has_tag(tag) else ""


def _is_kept(element: DataElement, kept: frozenset[str]) -> bool:
    device = KEEPS_DEVICE in kept and _DEVICE.search(keyword_of(element))
    institution = KEEPS_INSTITUTION in kept and _INSTITUTION.search(keyword_of(element))
    uid = KEEPS_UIDS in kept and element.VR == "UI"
    date = KEEPS_DATES in kept and element.VR in _DATES and keyword_of(element) not in _NEVER_KEPT
    return bool(device or institution or uid or date)


def _identifies(element: DataElement, text: str) -> bool:
    if element.tag.is_private:
        return len(text) >= _SHORTEST_PRIVATE and bool(_PRIVATE_NUMBER.match(text))
    return bool(_NUMBERS.search(keyword_of(element))) and not _NO_NUMBERS.search(keyword_of(element))


def _names(text: str) -> Iterator[str]:
    """Yield a name in the orders in which people write it, and its parts; with and without its accents."""
    plain = (text,) if text.isascii() else (plainly(text), spelt_out(text))
    written = (text, *(spelling for each in plain for spelling in _spellings(each)))
    yield from (form for each in dict.fromkeys(written) for form in _in_orders(each))


def _spellings(text: str) -> Iterator[str]:
    """Yield a name as it is, without its apostrophes, in one word, and with one letter for two that stand for it."""
    plain = text.translate(_APOSTROPHES)
    yield from (text, plain, plain.replace("'", ""), _WORDS.sub(_joined, plain), _SECOND_LETTER.sub("", plain))


def _joined(words: re.Match[str]) -> str:
    """Return words in one; short ones as they are, for what they make could be any word."""
    made = _APART.sub("", words[0])
    return made if len(made) >= STRONG else words[0]


def _in_orders(text: str) -> Iterator[str]:
    for group in text.split("="):
        parts = [part.strip() for part in group.split("^") if part.strip()]
        if len(parts) > 1:
            family, given = parts[0], parts[1]
            for first, second in ((family, given), (given, family)):
                yield from (f"{first}{between}{second}" for between in ("^", " ", ", ", ",", "", "_", ".", "-"))
        for part in parts:
            yield part
            yield from _APART.split(part)


def _uids(text: str) -> Iterator[str]:
    yield text
    if text.startswith("2.25.") and text[5:].isdigit() and int(text[5:]) < 1 << 128:
        made = UUID(int=int(text[5:]))
        if made.int >> 64:  # a small number's zeros are everywhere
            yield from (str(made), made.hex)


def _moment(text: str) -> Iterator[tuple[str, Kind]]:
    if len(text) >= 8 and text[:8].isdigit():
        yield text[:8], Kind.DATE
    if text[:12].isdigit() and len(text) > 12:
        yield text, Kind.NUMBER


def _identifiers(keyword: str, text: str) -> Iterator[tuple[str, Kind]]:
    yield from ((form, Kind.NUMBER) for form in _numbers(text))
    if _TELEPHONE.search(keyword):
        yield from ((form, Kind.NUMBER) for form in _POSTBOX.findall(text))
        yield from _telephones(text)
    if _ADDRESS.search(keyword):
        yield from ((form, Kind.NUMBER) for form in _dwellings(text))


def _telephones(text: str) -> Iterator[tuple[str, Kind]]:
    for each in _CALLED.findall(text):
        digits = _NO_DIGITS.sub("", each)
        yield digits, Kind.NUMBER
        if len(digits) >= _SUBSCRIBER:
            yield digits[-_SUBSCRIBER:], Kind.TELEPHONE


def _dwellings(text: str) -> Iterator[str]:
    """Yield the houses and the postcodes of an address, which may be written in one line."""
    yield from (house for house in _HOUSE.findall(text) if len(house) >= _SHORTEST_HOUSE)
    for district, rest in _POSTCODE.findall(text):
        yield from (f"{district} {rest}", f"{district}{rest}")


def _numbers(text: str) -> Iterator[str]:
    yield text
    if not text.isascii():
        yield plainly(text)
    if text.isdigit() and len(stripped := text.lstrip("0")) >= STRONG:
        yield stripped  # a UID has no leading zeros
    pieces = [piece.strip() for piece in _BREAKS.split(text)]
    yield from (piece for piece in pieces if len(piece) >= STRONG)
    yield from (form for between in ("", " ") if len(form := _SEPARATORS.sub(between, text)) >= STRONG)
    yield from (digits for digits in in_one(text) if len(digits) >= _FEWEST_IN_GROUPS)
