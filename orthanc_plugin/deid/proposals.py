"""Propose what a picture may be recognised by: drafts of regions for a person to judge, never a redaction.

Knows what is looked at, and what becomes of an answer: larger regions of whole MCUs within the picture. Must not know
who reviews, nor blank anything: no proposal is nothing found automatically, which is not the same as nothing there.
Source: PS3.15 E.3.1 and E.3.2 ask for a person's judgement; what was measured is told in docs/detectors.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum, unique
from io import BytesIO
from math import ceil
from typing import Final

import pydicom

from dicomwrap.bitstream.markers import parse
from dicomwrap.bitstream.verify import frames
from dicomwrap.bitstream.wipe import Rectangle, unit
from dicomwrap.errors import DicomwrapError
from dicomwrap.hostile import UNREADABLE
from orthanc_plugin.deid.detectors import DETECTORS, Detector, NotCheckedError, look, version_of
from orthanc_plugin.deid.regions import MOST_REGIONS, Region

MOST_PIXELS: Final = 150_000_000  # of a frame
MOST_FRAMES: Final = 5
MOST_COMPARED: Final = 1000
GROWTH: Final = 0.15
_JPEG: Final = b"\xff\xd8"


@unique
class Outcome(StrEnum):
    """What came of asking a detector."""

    FOUND = "FOUND"
    NOTHING_FOUND = "NOTHING_FOUND"
    NOT_CHECKED = "NOT_CHECKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one detector says of one picture.

    Attributes:
        detector: its name.
        version: its packages' versions and its models' digests; empty when it isn't installed.
        outcome: whether it found something, found nothing, or could not be asked.
        regions: what it proposes, in pixels of the stored picture, of every frame alike.
        reason: why it wasn't checked, or what of the picture was looked at; may be empty.
    """

    detector: str
    version: str
    outcome: Outcome
    regions: tuple[Region, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """What is looked at.

    Attributes:
        size: columns and rows.
        cell: width and height of what can be blanked at once.
        number: how many frames there are.
    """

    size: tuple[int, int]
    cell: tuple[int, int]
    number: int

    @property
    def sample(self) -> tuple[int, ...]:
        """The frames that are looked at, from 0: the first, the last, and some between."""
        last = self.number - 1
        steps = min(self.number, MOST_FRAMES) - 1
        return tuple(dict.fromkeys(step * last // max(steps, 1) for step in range(steps + 1)))

    @property
    def note(self) -> str:
        """What wasn't looked at."""
        if len(self.sample) == self.number:
            return ""
        looked = ", ".join(str(frame + 1) for frame in self.sample)
        return f"Of {self.number} frames only {looked} were looked at."


def propose(content: bytes, detectors: tuple[str, ...]) -> tuple[Finding, ...]:
    """Return what each detector says of an object, in the order asked; a fault of any kind is "not checked"."""
    return tuple(_finding(content, name) for name in detectors)


def _finding(content: bytes, name: str) -> Finding:
    if name not in DETECTORS:
        known = ", ".join(DETECTORS)
        return _not_checked(name, "", f"There is no detector of this name; there are: {known}.")
    return asked(DETECTORS[name], content)


def asked(detector: Detector, content: bytes) -> Finding:
    """Return what one detector says of an object."""
    version = ""
    try:
        version = version_of(detector)
        picture = _opened(content)
        seen = look(detector, content, picture.sample)
    except NotCheckedError as error:
        return _not_checked(detector.name, version, str(error))
    regions = regions_of(seen, picture.cell, picture.size)
    return Finding(
        detector=detector.name,
        version=version,
        outcome=Outcome.FOUND if regions else Outcome.NOTHING_FOUND,
        regions=regions,
        reason=picture.note,
    )


def _not_checked(name: str, version: str, reason: str) -> Finding:
    return Finding(detector=name, version=version, outcome=Outcome.NOT_CHECKED, reason=reason)


def _opened(content: bytes) -> _Picture:
    """Return what of the object is looked at.

    Raises:
        NotCheckedError: it is no picture that can be looked at.
    """
    try:
        dataset = pydicom.dcmread(BytesIO(content))
        size = int(dataset.Columns), int(dataset.Rows)
        number = int(dataset.get("NumberOfFrames") or 1)
        stream = frames(dataset)[0] if dataset.file_meta.TransferSyntaxUID.is_compressed else b""
    except (DicomwrapError, *UNREADABLE) as error:
        raise NotCheckedError("It is no picture that can be looked at.") from error
    if not 0 < size[0] * size[1] <= MOST_PIXELS or number < 1:
        raise NotCheckedError(f"The picture has no pixels, or more than {MOST_PIXELS // 1_000_000} million.")
    return _Picture(size=size, cell=_cell(stream), number=number)


def _cell(stream: bytes) -> tuple[int, int]:
    try:
        return unit(parse(stream).frame) if stream.startswith(_JPEG) else (1, 1)
    except DicomwrapError:
        return 1, 1


def regions_of(seen: Iterable[Rectangle], cell: tuple[int, int], size: tuple[int, int]) -> tuple[Region, ...]:
    """Return regions for what was seen: each larger than that, of whole cells, within the picture, and none twice."""
    grown = (_grown(each, cell, size) for each in seen)
    found = [each for each in grown if each.width > 0 and each.height > 0]
    if len(found) <= MOST_COMPARED:  # each with every other, in Orthanc's own process
        found = _merged(found)
    if len(found) > MOST_REGIONS:
        found = [_around(found)]
    return tuple(Region.rectangle(*each) for each in sorted(found, key=lambda each: (each.top, each.left)))


def _grown(seen: Rectangle, cell: tuple[int, int], size: tuple[int, int]) -> Rectangle:
    more = ceil(seen.width * GROWTH), ceil(seen.height * GROWTH)
    left = max(seen.left - more[0], 0) // cell[0] * cell[0]
    top = max(seen.top - more[1], 0) // cell[1] * cell[1]
    right = min(-(-(seen.right + more[0]) // cell[0]) * cell[0], size[0])
    bottom = min(-(-(seen.bottom + more[1]) // cell[1]) * cell[1], size[1])
    return Rectangle(left, top, right - left, bottom - top)


def _merged(rectangles: Iterable[Rectangle]) -> list[Rectangle]:
    """Join what overlaps by more than half of the smaller one: the same thing, seen more than once."""
    found: list[Rectangle] = []
    waiting = list(rectangles)
    while waiting:
        mine = waiting.pop()
        same = next((each for each in found if _is_same(each, mine)), None)
        if same is None:
            found.append(mine)
        else:
            found.remove(same)
            waiting.append(_around((same, mine)))
    return found


def _is_same(one: Rectangle, other: Rectangle) -> bool:
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    smaller = min(one.width * one.height, other.width * other.height)
    return width > 0 and height > 0 and 2 * width * height > smaller


def _around(rectangles: Iterable[Rectangle]) -> Rectangle:
    each = tuple(rectangles)
    left, top = min(one.left for one in each), min(one.top for one in each)
    right, bottom = max(one.right for one in each), max(one.bottom for one in each)
    return Rectangle(left, top, right - left, bottom - top)
