"""Search bytes for secrets, in every writing of each.

Knows how a secret is told from its surroundings: a name "Lee" is in "sleep", a number "1" in too much, and any three
bytes come about by chance among a picture's bits. Must not know DICOM.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from orthanc_plugin.deid.leaksecrets import SHORTEST, SHORTEST_WHOLE, STRONG, Kind, Secret

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY: Final = re.compile(
    rb"(?<![0-9])(?:"
    rb"(?P<y>[12][0-9]{3})(?P<s>[-:./ ]?)(?P<m>[0-9]{2})(?P=s)(?P<d>[0-9]{2})(?=[^0-9]|\Z|[0-2][0-9][0-5][0-9])"
    rb"|(?P<a>[0-9]{1,2})(?P<t>[-:./ ])(?P<b>[0-9]{1,2})(?P=t)(?P<z>[12][0-9]{3})(?![0-9])"
    rb"|(?P<e>[0-9]{2})(?P<f>[0-9]{2})(?P<g>(?:19|20)[0-9]{2})(?![0-9])"
    rb"|(?P<h>[0-9]{1,2})(?:st|nd|rd|th)?[-. ]{0,2}(?P<i>" + "|".join(_MONTHS).encode() + rb")[a-z]{0,6}"
    rb"[-., ]{0,2}(?P<j>[12][0-9]{3})(?![0-9])"
    rb")|(?<![a-z])(?P<k>" + "|".join(_MONTHS).encode() + rb")[a-z]{0,6}[-. ]{0,2}(?P<l>[0-9]{1,2})(?:st|nd|rd|th)?"
    rb"[-., ]{1,2}(?P<n>[12][0-9]{3})(?![0-9])"
)
_BOUNDS: Final = {
    Kind.NAME: (re.compile(rb"[a-z]\Z"), re.compile(rb"[a-z]")),
    Kind.UID: (re.compile(rb"[0-9.]\Z"), re.compile(rb"\.?[0-9]")),
}
_DIGIT: Final = (re.compile(rb"[0-9]\Z"), re.compile(rb"[0-9]"))
_WORD: Final = (re.compile(rb"[0-9a-z]\Z"), re.compile(rb"[0-9a-z]"))
_FEWEST_CHARACTERS: Final = 3  # different ones: a plain grey area may read as "000000"
_LONG: Final = 10  # characters: samples lie close together, and many of them are those of letters
_CODINGS: Final = ("utf-8", "latin-1", "utf-16-le", "utf-16-be", "shift_jis", "euc_jp", "iso2022_jp", "gb18030",
    "euc_kr", "iso2022_kr", "iso8859_2", "iso8859_5", "iso8859_7", "iso8859_9", "cp1251")  # fmt: skip
_Bounds = tuple[re.Pattern[bytes], re.Pattern[bytes]] | None


@dataclass(frozen=True, slots=True)
class _Needle:
    """One writing of one secret, in small letters."""

    attribute: str
    bounds: _Bounds


class Needles:
    """All writings of some secrets."""

    def __init__(self, found: Iterable[Secret]) -> None:
        self._within: dict[bytes, list[_Needle]] = defaultdict(list)
        self._whole: dict[str, set[str]] = defaultdict(set)
        self._weak: dict[str, set[str]] = defaultdict(set)
        self._days: dict[str, set[str]] = defaultdict(set)
        for secret in found:
            self._add(secret)
        self._strong = {needle: said for needle, said in self._within.items() if _is_strong(needle)}
        self._long = {needle: said for needle, said in self._strong.items() if len(needle) >= _LONG}

    def _add(self, secret: Secret) -> None:
        if secret.kind is Kind.DATE:
            self._days[secret.text].add(secret.attribute)
            return
        if len(secret.text) < SHORTEST:
            if len(secret.text) >= SHORTEST_WHOLE and not secret.text.isdigit():
                self._whole[secret.text.lower()].add(secret.attribute)
            return
        if secret.text.isdigit() and len(secret.text) < STRONG:
            self._weak[secret.text].add(secret.attribute)
            return
        needle = _Needle(secret.attribute, _bounds(secret))
        for writing in {writing for each in _cases(secret.text) for writing in _encoded(each)}:
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

    def in_bytes(self, data: bytes) -> frozenset[str]:
        """Return the attributes of which something stands in bytes that are no picture."""
        lowered = data.lower()
        return frozenset((*_found(lowered, self._within), *self._dated(lowered)))

    def in_bits(self, data: bytes) -> frozenset[str]:
        """Return the attributes of which so much stands among a picture's bits that it isn't by chance."""
        lowered = data.lower()
        loose = (said.attribute for needle, each in self._strong.items() if needle in lowered for said in each)
        return frozenset((*loose, *self._dated(lowered)))

    def in_samples(self, data: bytes) -> frozenset[str]:
        """Return the attributes of which something long stands among samples that are stored one by one."""
        lowered = data.lower()
        return frozenset(said.attribute for needle, each in self._long.items() if needle in lowered for said in each)

    def _dated(self, data: bytes) -> Iterator[str]:
        if not any(day[:4].encode() in data for day in self._days):
            return
        for found in _DAY.finditer(data):
            for day in _days({name: text.decode() for name, text in found.groupdict().items() if text is not None}):
                yield from self._days.get(day, ())


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
    return frozenset((text,)) if text.isascii() else frozenset((text, text.lower(), text.upper(), text.title()))


def _encoded(text: str) -> Iterator[bytes]:
    for coding in ("utf-8",) if text.isascii() else _CODINGS:
        try:
            found = text.encode(coding)
        except UnicodeError:
            continue
        if len(found) >= SHORTEST:
            yield found


def _found(data: bytes, needles: dict[bytes, list[_Needle]]) -> Iterator[str]:
    for needle, said in needles.items():
        if needle in data:
            for each in said:
                if _stands(data, needle, each.bounds):
                    yield each.attribute


def _stands(data: bytes, needle: bytes, bounds: _Bounds) -> bool:
    if bounds is None:
        return True
    before, after = bounds
    at = data.find(needle)
    while at >= 0:
        end = at + len(needle)
        if not before.match(data, max(at - 1, 0), at) and not after.match(data, end):
            return True
        at = data.find(needle, at + 1)
    return False


def _days(said: dict[str, str]) -> Iterator[str]:
    """Yield the days that a date could be, year first."""
    if "y" in said:
        first, second, third, fourth = said["y"][:2], said["y"][2:], said["m"], said["d"]
        yield first + second + third + fourth
        if not said["s"]:
            yield from (third + fourth + second + first, third + fourth + first + second)
    elif "z" in said:
        first, second = said["a"].zfill(2), said["b"].zfill(2)
        yield from (said["z"] + first + second, said["z"] + second + first)
    elif "g" in said:
        yield from (said["g"] + said["e"] + said["f"], said["g"] + said["f"] + said["e"])
    else:
        year, month, day = (said["j"], said["i"], said["h"]) if "j" in said else (said["n"], said["k"], said["l"])
        yield f"{year}{_MONTHS.index(month) + 1:02}{day.zfill(2)}"
