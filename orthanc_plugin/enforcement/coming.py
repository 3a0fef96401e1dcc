"""An object on its way in, and what becomes of it.

Knows what intake has found out of an object. Must not decide.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from dicomwrap.consentstamp import ConsentStamp
from orthanc_plugin.enforcement.taking import Taking
from orthanc_plugin.registry.images import ImageRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of an object: ``content`` is what Orthanc stores, or None when it stores nothing.

    ``refused``: it is kept in quarantine, and the sender is told that it was not taken. ``before``: what was on record
    of an accepted instance. ``name``: what the archive will call a picture that is on record for the first time; ''
    for everything else. ``lost``: under which AE titles, as the register compares them, devices send that were reported
    lost by then.
    """

    content: bytes | None
    changed: bool = False
    reasons: tuple[str, ...] = ()
    refused: bool = False
    before: ImageRow | None = None
    name: str = ""
    lost: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """An object on its way in: the digest of ``content``, what it would be filed as, who sends it ('' when unknown)."""

    content: bytes
    arrived: str
    dataset: Dataset
    stamp: ConsentStamp | None
    row: ImageRow
    taking: Taking
    origin: str
    account: str = ""
