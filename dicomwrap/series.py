"""Which series and number a photograph of one call gets.

Knows that one device makes one series (PS3.3 section A.1.2.3: a series has one equipment). Must not know files or
objects. A series is known by device, so photographs can be placed one at a time, as they come.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dicomwrap.photograph import Device
from dicomwrap.uids import UidSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a photograph stands within its study."""

    series_instance_uid: str
    series_number: int
    instance_number: int


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
