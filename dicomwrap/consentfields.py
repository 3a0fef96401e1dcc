"""Take values out of a JSON object one by one, remembering every fault with its place.

Knows JSON's types and the vocabulary's enumerations. Must not know what a consent is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final, TypeVar

from dicomwrap.subject import text_problem

Word = TypeVar("Word", bound=StrEnum)
LONGEST_NOTE: Final = 10_000
_ISO_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ISO_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})", re.ASCII)


class Fields:
    """A JSON object being read. Whatever is wrong goes to ``problems``; the value read is then a harmless one."""

    def __init__(self, mapping: object, place: str, problems: list[str]) -> None:
        self.place = place
        self.problems = problems
        self._values: dict[str, object] = {}
        self._known: set[str] = set()
        if isinstance(mapping, dict):
            self._values = mapping
        else:
            self.fault("", "must be an object")

    def fault(self, key: str, problem: str) -> None:
        """Remember what is wrong with ``key``."""
        where = "".join(sign if sign.isprintable() else "?" for sign in self.at(key))
        self.problems.append(f"{where}: {problem}" if where else problem)

    def at(self, key: str) -> str:
        """Return the place of a key within the whole file."""
        return ".".join(part for part in (self.place, key) if part)

    def has(self, key: str) -> bool:
        """Tell whether the key is there with a value other than null."""
        return self._values.get(key) is not None

    def take(self, key: str) -> object:
        """Return the raw value of a key, which is thereby known."""
        self._known.add(key)
        return self._values.get(key)

    def must_have(self, *keys: str) -> None:
        """Remember every key that is missing."""
        for key in keys:
            if not self.has(key):
                self.fault(key, "is missing")

    def refuse_unknown(self) -> None:
        """Remember every key that nobody took."""
        for key in self._values:
            if key not in self._known:
                self.fault(key, f"is not known here; the keys are {', '.join(sorted(self._known))}")

    def text(self, key: str, longest: int = 64) -> str | None:
        """Return one line of text that can stand in a DICOM element."""
        value = self.take(key)
        if value is None:
            return None
        problem = "must be text" if not isinstance(value, str) else text_problem(value, longest)
        if problem is None and not str(value).strip():
            problem = "must not be empty; leave it out or write null"
        if problem is not None:
            self.fault(key, problem)
            return None
        return str(value)

    def note(self, key: str, longest: int = LONGEST_NOTE) -> str | None:
        """Return free text, which may run over several lines."""
        value = self.take(key)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip() or len(value) > longest or not _encodable(value):
            self.fault(key, f"must be text of at most {longest} characters")
            return None
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of lines of text; null is an empty list."""
        value = self.take(key)
        items = self._list(key, value)
        inner = Fields({f"{key}[{number}]": item for number, item in enumerate(items)}, self.place, self.problems)
        inner.must_have(*inner._values)
        return tuple(text for name in inner._values if (text := inner.text(name)) is not None)

    def notes(self, key: str, *, most: int, longest: int) -> tuple[str, ...]:
        """Return a list of at most ``most`` free texts; null is an empty list."""
        items = self._list(key, self.take(key))
        if len(items) > most:
            self.fault(key, f"must list at most {most}")
            return ()
        inner = Fields({f"{key}[{number}]": item for number, item in enumerate(items)}, self.place, self.problems)
        inner.must_have(*inner._values)
        return tuple(text for name in inner._values if (text := inner.note(name, longest)) is not None)

    def day(self, key: str) -> date | None:
        """Return a date written as YYYY-MM-DD."""
        value = self.take(key)
        if value is None:
            return None
        try:
            if isinstance(value, str) and _ISO_DATE.fullmatch(value):
                return date.fromisoformat(value)
        except ValueError:
            pass
        self.fault(key, "must be a date that exists, as YYYY-MM-DD")
        return None

    def moment(self, key: str) -> datetime | None:
        """Return a moment written in ISO 8601 with its offset from UTC."""
        value = self.take(key)
        if value is None:
            return None
        try:
            if isinstance(value, str) and _ISO_MOMENT.fullmatch(value):
                found = datetime.fromisoformat(value)
                found.astimezone(UTC)  # the first and last day of the calendar have moments that UTC has not
                return found
        except (ValueError, OverflowError):
            pass
        self.fault(key, "must be a moment that exists with its offset from UTC, such as 2026-03-01T14:30:00+00:00")
        return None

    def flag(self, key: str) -> bool:
        """Return true or false; anything else is a fault."""
        value = self.take(key)
        if isinstance(value, bool):
            return value
        self.fault(key, "must be true or false")
        return False

    def number(self, key: str, default: int) -> int:
        """Return a whole number of at least 1."""
        value = self.take(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 2**31:
            self.fault(key, "must be a whole number of at least 1")
            return default
        return value

    def word(self, key: str, vocabulary: Iterable[Word]) -> Word | None:
        """Return a word of the vocabulary."""
        value = self.take(key)
        return None if value is None else self._word(key, value, vocabulary)

    def words(self, key: str, vocabulary: Iterable[Word]) -> tuple[Word, ...]:
        """Return a list of different words of the vocabulary; null is an empty list."""
        items = self._list(key, self.take(key))
        found = [self._word(f"{key}[{number}]", item, vocabulary) for number, item in enumerate(items)]
        words = tuple(word for word in found if word is not None)
        if len(set(words)) != len(words):
            self.fault(key, "names a word twice")
        return words

    def _list(self, key: str, value: object) -> list[object]:
        if value is None or isinstance(value, list):
            return value or []
        self.fault(key, "must be a list")
        return []

    def _word(self, key: str, value: object, vocabulary: Iterable[Word]) -> Word | None:
        allowed = {str(word): word for word in vocabulary}
        if isinstance(value, str) and value in allowed:
            return allowed[value]
        said = f"{value[:40]!r} is unknown" if isinstance(value, str) else "must be text"
        self.fault(key, f"{said}; allowed are {', '.join(allowed)}")
        return None


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
