"""What can be said of the devices that take pictures: their class, their safeguards, where they stand.

Knows words and what must be true of a device before it may be on the register. Must not know rows; no clock, no I/O.

Sources: requirements 001-16a (classes), 002-46 and 004-25 (password, encryption, automatic lock), 000-31 and 004-24 (no
automatic upload), 002-48 (remote wipe), 001-10a (lost), 002-44b (what may be taken on which class).
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Final


@unique
class DeviceClass(StrEnum):
    """A clinical camera, an organisation's phone or tablet under its management, or somebody's own."""

    DEDICATED = "DEDICATED"
    MANAGED = "MANAGED"
    PERSONAL = "PERSONAL"


@unique
class DeviceStatus(StrEnum):
    """Where a device stands."""

    IN_USE = "IN_USE"
    LOST = "LOST"
    RETIRED = "RETIRED"


@unique
class Safeguard(StrEnum):
    """What every device must have unless somebody answers for its lack (requirements 002-46)."""

    PASSWORD = "password"  # noqa: S105 - a word of the register
    ENCRYPTED = "encrypted"
    AUTO_LOCK = "auto_lock"


@unique
class ImageClass(StrEnum):
    """What a picture is to the rule of 002-44b: its kind, and what makes it sensitive. One picture can be several."""

    PHOTOGRAPH = "PHOTOGRAPH"
    DERMOSCOPY = "DERMOSCOPY"
    VIDEO = "VIDEO"
    RECOGNISABLE = "RECOGNISABLE"
    INTIMATE = "INTIMATE"


@unique
class DeviceTask(StrEnum):
    """What somebody must look into because of a device."""

    DEVICE_LOST = "DEVICE_LOST"
    LATE_TRANSFER = "LATE_TRANSFER"
    ENCRYPTION_WARNING = "ENCRYPTION_WARNING"
    AUTO_UPLOAD_SUSPECTED = "AUTO_UPLOAD_SUSPECTED"


DOCUMENTS: Final = frozenset(
    {"1.2.840.10008.5.1.4.1.1.104.1"}
)  # encapsulated PDF: a consent form was taken by no camera
NEVER: Final = frozenset({(DeviceClass.PERSONAL, ImageClass.INTIMATE)})
