"""Whether a name of policy.toml still means whoever got the copies.

Knows what a name is bound to now, and what it was bound to by the policy that was in force when a copy left, where one
was. Must not know how anybody is told. What was in force before any policy was activated nobody can say any more; then
the name is believed.

Sources: requirements 2.9 (recall), 001-8 (a destination's owner and purposes), 001-10b (the wrong recipient).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from dicomwrap.terms import Form, Purpose
from orthanc_plugin.config.bindings import Destination, DicomNode
from orthanc_plugin.config.policyfile import read_policy
from orthanc_plugin.config.recipients import Recipient
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.policy.recalling import CARE
from orthanc_plugin.registry import policyversions
from orthanc_plugin.registry.recallturns import Noticed

REBOUND: Final = "policy.toml binds this name to another use by now; find out who has the copies"
MOVED: Final = "policy.toml has another address for this name than when the copies left; find out who has them"
Place = tuple[str, ...]


def doubt(connection: Connection, destination: Destination, copies: Iterable[Noticed]) -> str:
    """Return why a machine must not be told at this name; '' when nothing speaks against it."""
    asked = tuple(copies)
    if any(_another_use(destination, each) for each in asked):
        return REBOUND
    places = _places(connection, destination.name, {each.left_at for each in asked})
    return MOVED if any(each != place_of(destination) for each in places) else ""


def _another_use(destination: Destination, copy: Noticed) -> bool:
    """Tell whether the name is for another use than the copy's, or for copies without identity alone."""
    purpose = Purpose(copy.purpose)
    same = purpose is destination.purpose or {purpose, destination.purpose} <= CARE
    return not same or (destination.form is Form.ANONYMISED and not copy.anonymised)


def _places(connection: Connection, name: str, moments: Iterable[str]) -> Iterator[Place]:
    """Give where a name was under each policy that was in force at one of these moments, as far as that is known."""
    versions = [each for each in policyversions.listed(connection) if each.activated_at is not None]
    bodies: set[str] = set()
    for moment in map(datetime.fromisoformat, moments):
        before = [each for each in versions if datetime.fromisoformat(each.activated_at or "") <= moment]
        bodies.update(each.body for each in sorted(before, key=_since)[-1:])
    for body in bodies:
        try:
            known = read_policy(body, "policy.toml").recipient(name)
        except ConfigurationError:  # of another version of Consentgate
            continue
        if known is not None:
            yield place_of(known)


def _since(version: policyversions.Version) -> datetime:
    return datetime.fromisoformat(version.activated_at or "")


def place_of(destination: Destination) -> Place:
    """Return where a destination is."""
    if isinstance(destination, DicomNode):
        return destination.aet, destination.host.lower()
    if isinstance(destination, Recipient):
        return destination.kind, destination.url.rstrip("/"), destination.folder
    return ()
