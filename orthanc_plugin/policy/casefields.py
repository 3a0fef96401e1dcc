"""Read the fields of a case: strictly, and every problem told at once with its place.

Knows types and words. Must not know what a case is about. What is faulty is noted and a stand-in returned, which the
error discards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from enum import StrEnum
from typing import Final, TypeVar

from dicomwrap.terms import Audience, Purpose, PurposeGroup

Word = TypeVar("Word", bound=StrEnum)
ISO_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)  # never a week, which Python reads as well
PURPOSE_NAMES: Final[dict[str, Purpose | PurposeGroup]] = {word.value: word for word in (*Purpose, *PurposeGroup)}
AUDIENCE_NAMES: Final[dict[str, Audience]] = {word.value: word for word in Audience}


class CaseError(ValueError):
    """A case can't be read; ``problems`` has every fault with its place."""

    remedy = "Correct the places that are named; requirements 2.8 describes the format."

    def __init__(self, problems: tuple[str, ...], *, remedy: str | None = None) -> None:
        super().__init__(f"The case can't be read: {'; '.join(problems)}.")
        self.problems = problems
        if remedy is not None:
            self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.args[0]} {self.remedy}"


class Fields:
    """One object's fields. A faulty one is noted with its place and a stand-in returned, which the error discards."""

    def __init__(self, value: object, place: str, problems: list[str]) -> None:
        self.place = place
        self.problems = problems
        self.present = isinstance(value, Mapping)
        self.fields: dict[str, object] = (
            {str(name): field for name, field in value.items()} if isinstance(value, Mapping) else {}
        )
        if not self.present:
            problems.append(f"{place}: expected an object")

    def get(self, name: str) -> object:
        """Return the field as it came; its absence is noted."""
        if self.present and name not in self.fields:
            self.problems.append(f"{self.place}.{name}: is missing")
        return self.fields.get(name)

    def fault(self, name: str, expected: str) -> None:
        """Note a fault, unless the field or the whole object is missing and that was noted already."""
        if name in self.fields:
            self.problems.append(f"{self.place}.{name}: expected {expected}")

    def none(self, name: str) -> bool:
        """Tell whether the field is there and null."""
        return name in self.fields and self.fields[name] is None

    def absent(self, name: str) -> bool:
        """Tell whether a field that not every case has is missing or null."""
        return self.fields.get(name) is None

    def text(self, name: str) -> str:
        """Return a text."""
        value = self.get(name)
        if isinstance(value, str):
            return value
        self.fault(name, "text")
        return ""

    def text_or_none(self, name: str) -> str | None:
        """Return a text, None when it is null."""
        return None if self.none(name) else self.text(name)

    def flag(self, name: str) -> bool:
        """Return a yes or no."""
        value = self.get(name)
        if isinstance(value, bool):
            return value
        self.fault(name, "true or false")
        return False

    def day(self, name: str) -> date:
        """Return a date."""
        value = self.get(name)
        if isinstance(value, str) and ISO_DATE.fullmatch(value):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        self.fault(name, "a date such as 2026-11-20")
        return date.min

    def day_or_none(self, name: str) -> date | None:
        """Return a date, None when it is null."""
        return None if self.none(name) else self.day(name)

    def word(self, name: str, kind: type[Word]) -> Word:
        """Return the word of ``kind`` that it is."""
        value = self.get(name)
        for word in kind:
            if value == word.value:
                return word
        self.fault(name, f"one of {', '.join(kind)}")
        return next(iter(kind))

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of text."""
        value = self.get(name)
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(value)
        self.fault(name, "a list of text")
        return ()

    def texts_or_none(self, name: str) -> tuple[str, ...] | None:
        """Return a list of text, None when it is null."""
        return None if self.none(name) else self.texts(name)

    def purposes(self, name: str) -> tuple[Purpose | PurposeGroup, ...]:
        """Return a list of purposes."""
        words = self.texts(name)
        unknown = [word for word in words if word not in PURPOSE_NAMES]
        if unknown:
            self.fault(name, f"purposes, not {', '.join(unknown)}")
        return tuple(PURPOSE_NAMES[word] for word in words if word in PURPOSE_NAMES)

    def purpose(self, name: str) -> Purpose | PurposeGroup:
        """Return a purpose."""
        word = self.text(name)
        if word not in PURPOSE_NAMES:
            self.fault(name, f"a purpose, not {word}")
        return PURPOSE_NAMES.get(word, PurposeGroup.ALL)

    def audience(self, name: str) -> tuple[Audience, ...]:
        """Return a list of audiences."""
        words = self.texts(name)
        unknown = [word for word in words if word not in AUDIENCE_NAMES]
        if unknown:
            self.fault(name, f"audiences, not {', '.join(unknown)}")
        return tuple(AUDIENCE_NAMES[word] for word in words if word in AUDIENCE_NAMES)

    def child(self, name: str) -> Fields:
        """Return the fields of an object."""
        value = self.get(name)
        if name in self.fields:
            return Fields(value, f"{self.place}.{name}", self.problems)
        return Fields(value, f"{self.place}.{name}", [])  # its absence is noted once, not field by field

    def child_or_none(self, name: str) -> Fields | None:
        """Return the fields of an object, None when it is null."""
        return None if self.none(name) else self.child(name)

    def children(self, name: str) -> Iterator[Fields]:
        """Give the fields of each object of a list."""
        value = self.get(name)
        if not isinstance(value, list):
            self.fault(name, "a list")
            return
        for number, each in enumerate(value):
            yield Fields(each, f"{self.place}.{name}[{number}]", self.problems)
