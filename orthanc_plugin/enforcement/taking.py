"""What an object says of how it was taken: by which device, by whom, when, and through which program it went.

Knows the elements. Must not know the register, nor what becomes of the object. All of it is the sender's word: nothing
here is proof.

Sources: PS3.3 sections C.7.3.1, C.7.5.1, C.7.6.1; requirements 000-19b, 000-31, 004-24 (sharing and back-up), 001-17a.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.multival import MultiValue
from pydicom.uid import JPEGBaseline8Bit
from pydicom.valuerep import DT

from dicomwrap.bitstream.markers import APPLICATION_MARKERS, COM, Stream, parse_head
from dicomwrap.errors import DicomwrapError
from dicomwrap.hostile import UNREADABLE
from dicomwrap.plaintext import plain_texts
from dicomwrap.sharing import SHARING, mark
from orthanc_plugin.clock import LONDON
from orthanc_plugin.enforcement.alike import Alike
from orthanc_plugin.registry import devices, operators

__all__ = ["DESCRIBED", "LONGEST_KEY", "MEANS", "SHARING", "Taking", "taking"]

LONGEST_KEY: Final = 64  # characters, as the registry has room for
DESCRIBED: Final = ("Manufacturer", "ManufacturerModelName", "SoftwareVersions", "ContributionDescription")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """How an object says it was taken.

    Attributes:
        serial: its device's serial number, as the register compares it; "" when it says none.
        station: its station's name, likewise.
        names: who took it.
        numbers: their staff numbers.
        acquired: when it was taken.
        created: when its content was, which a program can say too.
        through: the sharing or back-up program that it went through; "" when none is seen.
    """

    serial: str = ""
    station: str = ""
    names: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    acquired: datetime | None = None
    created: datetime | None = None
    through: str = ""


class _Means(NamedTuple):
    """By whom and with what it was taken, as ``Taking`` has it, and what its elements say of the programs."""

    serial: str
    station: str
    names: tuple[str, ...]
    numbers: tuple[str, ...]
    described: str


def taking(dataset: Dataset, frames: tuple[Stream, ...]) -> Taking:
    """Return what the object says, and its ``frames`` before what is hidden in them is taken out."""
    means = MEANS.of(dataset)
    return Taking(
        serial=means.serial,
        station=means.station,
        names=means.names,
        numbers=means.numbers,
        acquired=_moment(dataset, _text(dataset, "AcquisitionDateTime")) or _split(dataset, "Acquisition"),
        created=_split(dataset, "Content"),
        through=_through(dataset, means.described, frames),
    )


def _means(dataset: Dataset) -> _Means:
    return _Means(
        serial=devices.keyed(_text(dataset, "DeviceSerialNumber"))[:LONGEST_KEY],
        station=devices.keyed(_text(dataset, "StationName"))[:LONGEST_KEY],
        names=tuple(operators.keyed(name) for name in _values(dataset, "OperatorsName")),
        numbers=tuple(operators.keyed(number) for number in _numbers(dataset)),
        described=" ".join(_described(dataset)).lower(),
    )


def _values(dataset: Dataset, keyword: str) -> list[str]:
    tag = tag_for_keyword(keyword)
    if tag is None:
        return []
    plain = plain_texts(dataset, tag)
    found = _converted(dataset, tag) if plain is None else plain
    return [text for each in found if each is not None and (text := str(each).strip())]


def _converted(dataset: Dataset, tag: int) -> Iterable[object]:
    try:
        value = dataset[tag].value if tag in dataset else ()
    except UNREADABLE:
        return ()
    return value if isinstance(value, MultiValue | list | tuple) else (value,)


def _text(dataset: Dataset, keyword: str) -> str:
    return " ".join(_values(dataset, keyword))


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    try:
        return [item for item in dataset.get(keyword) or [] if isinstance(item, Dataset)]
    except UNREADABLE:
        return []


def _numbers(dataset: Dataset) -> Iterator[str]:
    for person in _items(dataset, "OperatorIdentificationSequence"):
        for code in _items(person, "PersonIdentificationCodeSequence"):
            yield from _values(code, "CodeValue")


def _split(dataset: Dataset, what: str) -> datetime | None:
    day, time = _text(dataset, f"{what}Date"), _text(dataset, f"{what}Time")
    return _moment(dataset, f"{day}{time}") if day and time else None


def _moment(dataset: Dataset, text: str) -> datetime | None:
    """Return the moment, by the object's own distance from UTC or else by the hospital's clock."""
    return _read(text, _text(dataset, "TimezoneOffsetFromUTC")) if text else None


@lru_cache(256)
def _read(text: str, zone: str) -> datetime | None:
    for known in (f"{text}{zone}", text):
        try:
            found = DT(known)
        except UNREADABLE:
            continue
        if isinstance(found, datetime):
            return found if found.tzinfo is not None else found.replace(tzinfo=LONDON)
    return None


def _through(dataset: Dataset, told: str, frames: tuple[Stream, ...]) -> str:
    """Name the program that gives itself away in the object's elements, which say ``told``, or in its segments."""
    return mark(_segments(dataset, frames), told)


def _described(dataset: Dataset) -> Iterator[str]:
    for each in (dataset, *_items(dataset, "ContributingEquipmentSequence")):
        for keyword in DESCRIBED:
            yield _text(each, keyword)


def _segments(dataset: Dataset, frames: tuple[Stream, ...]) -> Iterator[bytes]:
    """Give the segments of JPEG frames that aren't the picture; a stream that can't be parsed is held for that."""
    for known in frames:
        yield from _beside_the_picture(known)
    if frames or dataset.file_meta.get("TransferSyntaxUID") != JPEGBaseline8Bit or "PixelData" not in dataset:
        return
    try:
        for frame in generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1)):
            yield from _beside_the_picture(parse_head(frame))
    except (DicomwrapError, *UNREADABLE):
        return


def _beside_the_picture(frame: Stream) -> Iterator[bytes]:
    return (frame.body(piece) for piece in frame.pieces if piece.marker == COM or piece.marker in APPLICATION_MARKERS)


MEANS: Final = Alike(
    _means,
    (
        *("DeviceSerialNumber", "StationName", "OperatorsName", "OperatorIdentificationSequence"),
        *(*DESCRIBED, "ContributingEquipmentSequence"),
    ),
)
