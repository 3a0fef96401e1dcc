"""Search bytes for secrets, in every writing of each.

Knows how a secret is told from its surroundings: a name "Lee" is in "sleep", a number "1" in too much, and any three
bytes come about by chance among a picture's bits. Must not know DICOM. All writings are looked for in one pass (Aho and
Corasick), so that an object with thousands of names takes no longer than its bytes do.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase
from typing import Final

from ahocorasick_rs import BytesAhoCorasick, Implementation

from orthanc_plugin.deid.leaksecrets import SHORTEST, SHORTEST_WHOLE, STRONG, Kind, Secret
from orthanc_plugin.errors import DeidentificationError

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY: Final = re.compile(
    rb"(?<![0-9])(?:"
    rb"(?P<y>[12][0-9]{3})(?P<s>[-:./ ]?)(?P<m>[0-9]{2})(?P=s)(?P<d>[0-9]{2})(?=[^0-9]|\Z|[0-2][0-9][0-5][0-9])"
    rb"|(?P<o>[12][0-9]{3})(?:(?P<u>[-/])| ?(?:" + "年|년".encode() + rb") ?)"
    rb"(?P<p>[0-9]{1,2})(?:(?P=u)| ?(?:" + "月|월".encode() + rb") ?)(?P<q>[0-9]{1,2})(?![0-9])"
    rb"|(?P<a>[0-9]{1,2})(?P<t>[-:./ ])(?P<b>[0-9]{1,2})(?P=t)(?P<z>[12][0-9]{3})(?![0-9])"
    rb"|(?P<e>[0-9]{2})(?P<f>[0-9]{2})(?P<g>(?:19|20)[0-9]{2})(?![0-9])"
    rb"|(?P<h>[0-9]{1,2})(?:st|nd|rd|th)?(?: day)?(?: of)?[-. ]{0,2}(?P<i>" + "|".join(_MONTHS).encode() + rb")"
    rb"[a-z]{0,6}[-., ]{0,2}(?P<j>[12][0-9]{3})(?![0-9])"
    rb")|(?<![a-z])(?P<k>" + "|".join(_MONTHS).encode() + rb")[a-z]{0,6}[-. ]{0,2}(?:the )?(?P<l>[0-9]{1,2})"
    rb"(?:st|nd|rd|th)?[-., ]{1,2}(?P<n>[12][0-9]{3})(?![0-9])"
)
_BOUNDS: Final = {
    Kind.NAME: (re.compile(rb"[a-z]\Z"), re.compile(rb"[a-z]")),
    Kind.TELEPHONE: (re.compile(rb"(?!)"), re.compile(rb"[0-9]")),
    Kind.UID: (re.compile(rb"[0-9.]\Z"), re.compile(rb"\.?[0-9]")),
}
_DIGIT: Final = (re.compile(rb"[0-9]\Z"), re.compile(rb"[0-9]"))
_WORD: Final = (re.compile(rb"[0-9a-z]\Z"), re.compile(rb"[0-9a-z]"))
_FEWEST_CHARACTERS: Final = 3  # different ones: a plain grey area may read as "000000"
# Three ideographs are a family's and a person's name, or a long one of either; three letters are any word.
_IDEOGRAPHS: Final = re.compile("[\u3005\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]{3}")
_SHORT_WORD: Final = re.compile(r"(?<![\w-])[^\W\d_]{3}(?![\w-])")
# Words that begin a sentence, and what pictures are of: none of these is looked for as a name within a text.
_COMMON_WORDS: Final = frozenset(
    re.findall(
        r"\w+",
        "Age Ago Aid Aim Air All And Any Are Arm Ask Bad Bag Bar Bed Big Bit Box Bus But Can Cap Car Cut Day Did Dry "
        "Due Ear Egg End Eye Far Fat Fed Few Fin Fit Fix For Fun Gap Gel Get Got Gum Gut Had Has Her Him Hip His Hot "
        "How Ice Ill Inn Its Jaw Job Key Lab Law Lay Leg Let Lid Lie Lip Lot Low Man Map Max May Men Mid Mix Net New "
        "Nil Nip Non Nor Not Now Nut Off Oil Old One Our Out Own Pad Pan Pat Pen Per Pit Pre Pro Pus Put Raw Ray Red "
        "Rib Row Run Saw Say Sea See Set She Sex Sin Six Sky Son Sun Tan Ten The Tie Tip Toe Ton Too Top Try Two Use "
        "Van Via Von War Was Way Wet Who Why Win Yes Yet You Jan Feb Mar Apr Jun Jul Aug Sep Oct Nov Dec Mon Tue Wed "
        "Thu Fri Sat Sun Das Del Den Der Des Die Dos Las Les Los Mit San Una Und Une Doc Mrs",
    )
)
_LONG: Final = 10  # characters: samples lie close together, and many of them are those of letters
_CODINGS: Final = ("utf-8", "latin-1", "utf-16-le", "utf-16-be", "shift_jis", "euc_jp", "iso2022_jp", "gb18030",
    "euc_kr", "iso2022_kr", "iso8859_2", "iso8859_5", "iso8859_7", "iso8859_9", "cp1251")  # fmt: skip
_SMALL: Final = str.maketrans(ascii_uppercase, ascii_lowercase)
_LONGEST: Final = 256  # characters: where so many of a text stand, the text does
_PIECE: Final = 4096
_MOST_MATCHES: Final = 1_000_000
_Bounds = tuple[re.Pattern[bytes], re.Pattern[bytes]] | None


@dataclass(frozen=True, slots=True)
class _Needle:
    """One writing of one secret, in small letters."""

    attribute: str
    bounds: _Bounds


class _Search:
    """Finds any number of needles in one pass over the bytes.

    Args:
        needles: the writings, in small letters, and of what each is one.
    """

    def __init__(self, needles: Mapping[bytes, Sequence[_Needle]]) -> None:
        self._said = tuple(needles.values())
        self._longest = max(map(len, needles), default=0)
        self._automaton = BytesAhoCorasick(list(needles), implementation=Implementation.ContiguousNFA)

    def attributes(self, lowered: bytes, *, bounded: bool) -> frozenset[str]:
        """Return the attributes of which a needle stands in the bytes, within its bounds or anywhere.

        Raises:
            DeidentificationError: there are more places to look at than can be looked at.
        """
        return frozenset(
            each.attribute
            for number, start, end in self._matches(lowered)
            for each in self._said[number]
            if not bounded or _stands(lowered, start, end, each.bounds)
        )

    def _matches(self, data: bytes) -> Iterator[tuple[int, int, int]]:
        view, seen = memoryview(data), 0
        for at in range(0, len(data) if self._said else 0, _PIECE):
            piece = view[at : at + _PIECE + self._longest - 1]
            found = self._automaton.find_matches_as_indexes(piece, overlapping=True)
            seen += len(found)
            if seen > _MOST_MATCHES:
                raise DeidentificationError(
                    "More stands in the copy that could be the patient's than can be looked at."
                )
            yield from ((number, at + start, at + end) for number, start, end in found)


class Needles:
    """All writings of some secrets."""

    def __init__(self, found: Iterable[Secret]) -> None:
        self._within: dict[bytes, list[_Needle]] = defaultdict(list)
        self._whole: dict[str, set[str]] = defaultdict(set)
        self._words: dict[str, set[str]] = defaultdict(set)
        self._weak: dict[str, set[str]] = defaultdict(set)
        self._days: dict[str, set[str]] = defaultdict(set)
        for secret in found:
            self._add(secret)
        self._search = _Search(self._within)
        self._years = frozenset(day[:4].encode() for day in self._days)

    def _add(self, secret: Secret) -> None:
        if secret.kind is Kind.DATE:
            self._days[secret.text].add(secret.attribute)
            return
        if secret.kind is Kind.NAME and len(secret.text) == SHORTEST - 1:
            for word in _as_a_name(secret.text):
                self._words[word].add(secret.attribute)
        if len(secret.text) < SHORTEST and not _is_told_by_signs(secret):
            if len(secret.text) >= SHORTEST_WHOLE and not secret.text.isdigit():
                self._whole[secret.text.lower()].add(secret.attribute)
            return
        if secret.text.isdigit() and len(secret.text) < STRONG:
            self._weak[secret.text].add(secret.attribute)
            return
        text = secret.text[:_LONGEST]
        needle = _Needle(secret.attribute, _bounds(secret) if text == secret.text else None)
        for writing in {writing for each in _cases(text) for writing in _encoded(each)}:
            self._within[writing.lower()].append(needle)

    def in_value(self, text: str, *, free: bool) -> Iterator[str]:
        """Yield the attributes whose short values are this one, or stand as a word in a free text.

        Args:
            text: one value of an element.
            free: whether the element isn't one of codes and numbers, in which an initial is no name.
        """
        if free:
            known = text.lower()
            yield from self._whole.get(known, ())
            for word in re.split(r"[^0-9A-Za-z]+", known):
                yield from self._weak.get(word, ())

    def in_sentences(self, text: str) -> Iterator[str]:
        """Yield the attributes that have a name of three letters which stands, in capitals as names do, in a text."""
        if self._words:
            for word in _SHORT_WORD.findall(text.title() if text.isupper() else text):
                yield from self._words.get(word, ())

    def in_bytes(self, data: bytes) -> frozenset[str]:
        """Return the attributes of which something stands in bytes that are no picture."""
        lowered = data.lower()
        return self._search.attributes(lowered, bounded=True) | frozenset(self._dated(lowered))

    def in_bits(self, data: bytes) -> frozenset[str]:
        """Return the attributes of which so much stands among a picture's bits that it isn't by chance."""
        lowered = data.lower()
        return self._anywhere(lowered, 0) | frozenset(self._dated(lowered))

    def in_samples(self, data: bytes) -> frozenset[str]:
        """Return the attributes of which something long stands among samples that are stored one by one."""
        return self._anywhere(data.lower(), _LONG)

    def _anywhere(self, lowered: bytes, shortest: int) -> frozenset[str]:
        if not lowered:
            return frozenset()
        strong = {
            needle: said for needle, said in self._within.items() if len(needle) >= shortest and _is_strong(needle)
        }
        return _Search(strong).attributes(lowered, bounded=False)

    def _dated(self, data: bytes) -> Iterator[str]:
        if not any(year in data for year in self._years):
            return
        for found in _DAY.finditer(data):
            for day in _days({name: text.decode() for name, text in found.groupdict().items() if text is not None}):
                yield from self._days.get(day, ())


def _is_told_by_signs(secret: Secret) -> bool:
    return secret.kind is Kind.NAME and _IDEOGRAPHS.fullmatch(secret.text) is not None


def _as_a_name(text: str) -> Iterator[str]:
    """Yield a short name as it stands in a sentence; nothing for "van" and "der", nor for what is any word too."""
    if text.isalpha() and not text.islower() and text.title() not in _COMMON_WORDS:
        yield from (text.title(), text) if text.isupper() else (text,)


def _is_strong(needle: bytes) -> bool:
    """Tell whether so much doesn't come about by chance; of letters either case counts, so one more is needed."""
    return len(needle) >= STRONG + (not needle.isdigit()) and len(set(needle)) >= _FEWEST_CHARACTERS


def _bounds(secret: Secret) -> _Bounds:
    if secret.kind in _BOUNDS:
        return _BOUNDS[secret.kind]
    if secret.text.isdigit():
        return _DIGIT
    return _WORD if len(secret.text) < STRONG else None


def _cases(text: str) -> frozenset[str]:
    """Return a text in the cases that it may stand in; of ASCII's letters all are small, as in what is searched."""
    written = (text,) if text.isascii() else (text, text.lower(), text.upper(), text.title())
    return frozenset(each.translate(_SMALL) for each in written)


def _encoded(text: str) -> Iterator[bytes]:
    for coding in ("utf-8",) if text.isascii() else _CODINGS:
        try:
            found = text.encode(coding)
        except UnicodeError:
            continue
        if len(found) >= SHORTEST:
            yield found


def _stands(data: bytes, start: int, end: int, bounds: _Bounds) -> bool:
    if bounds is None:
        return True
    before, after = bounds
    return not before.match(data, max(start - 1, 0), start) and not after.match(data, end)


def _days(said: dict[str, str]) -> Iterator[str]:
    """Yield the days that a date could be, year first."""
    if "y" in said:
        first, second, third, fourth = said["y"][:2], said["y"][2:], said["m"], said["d"]
        yield first + second + third + fourth
        if not said["s"]:
            yield from (third + fourth + second + first, third + fourth + first + second)
    elif "o" in said:
        yield said["o"] + said["p"].zfill(2) + said["q"].zfill(2)
    elif "z" in said:
        first, second = said["a"].zfill(2), said["b"].zfill(2)
        yield from (said["z"] + first + second, said["z"] + second + first)
    elif "g" in said:
        yield from (said["g"] + said["e"] + said["f"], said["g"] + said["f"] + said["e"])
    else:
        year, month, day = (said["j"], said["i"], said["h"]) if "j" in said else (said["n"], said["k"], said["l"])
        yield f"{year}{_MONTHS.index(month) + 1:02}{day.zfill(2)}"
