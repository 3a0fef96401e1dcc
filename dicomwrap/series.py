"""Which series and number a photograph gets.

Knows that one device makes one series (PS3.3 section A.1.2.3: a series has one equipment). Must not know files or
objects. A series is known by device, so photographs can be placed one at a time, as they come.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from typing import Final, Protocol

from dicomwrap.photograph import Device
from dicomwrap.uids import UidSource, derived_uid

_SERIES_NUMBERS: Final = 900
_PAGE_STEP: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a photograph stands within its study."""

    series_instance_uid: str
    series_number: int
    instance_number: int


class Places(Protocol):
    """Gives each photograph of a study its place."""

    def place_for(self, device: Device) -> Place:
        """Return the place of the next photograph that this device took."""


@dataclass(slots=True, kw_only=True)
class SeriesBook:
    """The series of one study so far, one for each device."""

    new_uid: UidSource
    _latest: dict[Device, Place] = field(default_factory=dict)

    def place_for(self, device: Device) -> Place:
        """Return the next place in the device's series, which begins when the device is new."""
        last = self._latest.get(device)
        place = Place(
            series_instance_uid=self.new_uid() if last is None else last.series_instance_uid,
            series_number=len(self._latest) + 1 if last is None else last.series_number,
            instance_number=1 if last is None else last.instance_number + 1,
        )
        self._latest[device] = place
        return place


@dataclass(slots=True, kw_only=True)
class DerivedPlace:
    """The place that a photograph has by its own number: the same however often the work is begun again.

    The further pages of a file follow in steps beyond the numbers of most visits' photographs.
    """

    study_instance_uid: str
    number: int
    _pages: int = 0

    def place_for(self, device: Device) -> Place:
        """Return the place; the series' UID and number are made of study and device."""
        number = self.number + _PAGE_STEP * self._pages
        self._pages += 1
        uid = derived_uid("series", self.study_instance_uid, *astuple(device))
        return Place(
            series_instance_uid=uid,
            series_number=int(uid.rpartition(".")[2]) % _SERIES_NUMBERS + 1,
            instance_number=number,
        )
