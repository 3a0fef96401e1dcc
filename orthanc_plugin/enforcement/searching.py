"""Search the archive for those who may list it: the core finds, the gate decides, and only what is visible is told.

Knows what can be asked and Orthanc's ``/tools/find``. Must not know how an answer is written. The core is always asked
for instances, so that a study is found only by a picture that may be told of, and never by a hidden one beside it.

Sources: PS3.4 C.2.2.2 (matching), C.4.1; PS3.18 10.6.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.archive.port import CoreApi
from orthanc_plugin.enforcement.attributes import MAIN, Item, Level, keyword_of
from orthanc_plugin.enforcement.visible import MOST, QueryRefusedError, Viewer, too_many, visible
from orthanc_plugin.registry.images import Subject
from orthanc_plugin.registry.listed import Listed, listed
from orthanc_plugin.services import Services

MATCHING: Final = frozenset(keyword for keywords in MAIN.values() for keyword in keywords)
MOST_TOLD: Final = 1000  # resources described in one answer, for each of which a file is opened
CLASSES: Final = ("SOPClassUID", "SOPClassesInStudy")
MODALITIES: Final = "ModalitiesInStudy"
UNIVERSAL: Final = ("", "*")  # match everything
UIDS: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
# Keys that say nothing of a person, or can't be made up. By any other an answer says who was photographed here, and so
# would the time that it takes.
NAMELESS: Final = frozenset(
    {
        *UIDS,
        *("StudyDate", "StudyTime", "SeriesDate", "SeriesTime", "InstanceCreationDate", "InstanceCreationTime"),
        *("Modality", "Manufacturer", "StationName", "InstitutionName", "BodyPartExamined", "ProtocolName"),
        *("SeriesNumber", "InstanceNumber", "AcquisitionNumber", "NumberOfFrames"),
    }
)
SEVERAL: Final = frozenset("*?\\")  # in a value that more than one number can match


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked.

    Attributes:
        level: of what.
        keys: matching keys by keyword, as the core takes them.
        classes: SOP classes, one of which a picture must have; empty for any.
        within: resources in which it must be.
        case_sensitive: whether case counts in names.
    """

    level: Level
    keys: Mapping[str, str]
    classes: frozenset[str] = frozenset()
    within: tuple[tuple[Subject, str], ...] = ()
    case_sensitive: bool = False

    @property
    def telling(self) -> bool:
        """Tell whether the time that the answer takes would say who was photographed here."""
        return not NAMELESS.issuperset(self.keys) or any(subject is Subject.PATIENT for subject, _ in self.within)

    @property
    def guessed(self) -> bool:
        """Tell whether it asks about a single patient, by what can be made up from their number."""
        number = self.keys.get("PatientID", "*")
        return SEVERAL.isdisjoint(number) or any(subject is Subject.PATIENT for subject, _ in self.within)

    def admits(self, picture: Listed) -> bool:
        """Tell whether a picture that the core has found is meant."""
        inside = all(picture.of(subject) == name for subject, name in self.within)
        return inside and (not self.classes or picture.sop_class_uid in self.classes)


@dataclass(frozen=True, slots=True)
class Reading:
    """Matching keys as they were read: those that are served, and the names of those that are not."""

    keys: Mapping[str, str]
    classes: frozenset[str]
    unserved: tuple[str, ...]


def read_keys(level: Level, given: Mapping[str, str]) -> Reading:
    """Return the matching keys in ``given``, by keyword or tag number; a universal value matches everything."""
    keys: dict[str, str] = {}
    classes: set[str] = set()
    unserved: list[str] = []
    for name, value in given.items():
        keyword = keyword_of(name)
        if keyword == MODALITIES and level in (Level.PATIENT, Level.STUDY):
            keyword = "Modality"
        if keyword not in MATCHING and keyword not in CLASSES:
            unserved.append(name)
        elif value.strip() in UNIVERSAL:
            continue
        elif keyword in CLASSES:
            classes.update(value.split("\\"))
        else:
            keys[keyword] = value.strip()
    return Reading(keys, frozenset(classes), tuple(unserved))


def search(services: Services, core: CoreApi, viewer: Viewer, question: Question) -> tuple[Item, ...]:
    """Return what matches and may be told, in the core's order.

    Raises:
        QueryRefusedError: the query is too wide, or nothing can be told now.
        RegistryError: no decision could be taken or recorded.
        ArchiveError: the core refused the query.
    """
    found = {name: place for place, name in enumerate(_found(core, question))}
    if len(found) > MOST and not question.guessed:
        raise too_many(services, viewer)

    def pictures(connection: Connection) -> Iterable[Listed]:
        meant = [each for each in listed(connection, Subject.INSTANCE, found, MOST) if question.admits(each)]
        return whole(connection, question.level, meant)

    shown = visible(services, viewer, pictures, guessed=question.guessed)
    hits = [each for each in shown if each.orthanc_instance in found and question.admits(each)]
    hits.sort(key=lambda each: found[each.orthanc_instance])
    return tuple(items(question.level, shown, (each.of(question.level.subject) for each in hits)))


def whole(connection: Connection, level: Level, pictures: Iterable[Listed]) -> Iterable[Listed]:
    """Return every picture of the patients, studies or series that ``pictures`` are of."""
    if level is Level.INSTANCE:
        return pictures
    return listed(connection, level.subject, {each.of(level.subject) for each in pictures}, MOST)


def items(level: Level, shown: Iterable[Listed], names: Iterable[str]) -> Iterator[Item]:
    """Give each resource in ``names`` once, with its visible pictures; one that has none is left out."""
    parts: dict[str, list[Listed]] = {}
    for picture in shown:
        parts.setdefault(picture.of(level.subject), []).append(picture)
    for name in dict.fromkeys(names):
        if name in parts:
            yield Item(level, name, tuple(parts[name]))


def _found(core: CoreApi, question: Question) -> list[str]:
    asked = {
        "Level": Level.INSTANCE,
        "Query": dict(question.keys),
        "CaseSensitive": question.case_sensitive,
        "Limit": MOST + 1,
    }
    answer = json.loads(core.ask("POST", "/tools/find", json.dumps(asked).encode()))
    if not isinstance(answer, list) or not all(isinstance(each, str) for each in answer):
        raise QueryRefusedError("The archive's answer can't be read.", status=502)
    return answer
