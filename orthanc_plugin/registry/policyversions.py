"""Versions of policy.toml that were proposed, and which of them is in force.

Knows rows. Must not know what a policy says, nor who may put one in force.

Sources: requirements T-11 (a change of the rules takes two people), issue of routes and recall (sweeps).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from sqlalchemy import Connection, select, update

from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.policytables import policy_versions
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.stored import sealed

SEAL: Final = "policy version "


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version. ``replaces``: the digest of the policy that it was compared with."""

    digest: str
    body: str
    replaces: str
    proposed_at: str
    proposed_by: str
    activated_at: str | None
    activated_by: str | None

    @property
    def pending(self) -> bool:
        """Tell whether it waits for somebody to activate it: it never was, or was proposed anew since."""
        return self.activated_at is None or self.activated_at < self.proposed_at


# Asked before every release.
NEWEST: Final = prepared(
    select(policy_versions.c.digest)
    .where(policy_versions.c.activated_at.is_not(None))
    .order_by(policy_versions.c.activated_at.desc())
)


def in_force(connection: Connection) -> str | None:
    """Return the digest of the version in force; None before any was activated."""
    return next((cast("str", digest) for (digest,) in NEWEST.rows(connection)), None)


def propose(connection: Connection, digest: str, *, body: str, replaces: str, by: str, at: datetime) -> None:
    """File a version, which counts for nothing until it is activated; when it was in force before stays written."""
    said = {"replaces": replaces, "proposed_at": at.isoformat(), "proposed_by": by}
    known = update(policy_versions).where(policy_versions.c.digest == digest).values(said)
    if not connection.execute(known).rowcount:
        connection.execute(policy_versions.insert().values(digest=digest, body=body, **said))


def activate(connection: Connection, digest: str, *, by: str, at: datetime) -> None:
    """Note that a version is in force from now on."""
    values = {"activated_at": at.isoformat(), "activated_by": by}
    connection.execute(update(policy_versions).where(policy_versions.c.digest == digest).values(values))


def get(connection: Connection, digest: str) -> Version:
    """Return a version.

    Raises:
        UnknownRecordError: nobody has proposed it.
    """
    row = connection.execute(select(policy_versions).where(policy_versions.c.digest == digest)).first()
    if row is None:
        raise UnknownRecordError(
            "No policy with this SHA-256 was proposed.", remedy="Propose it: 'consentgate policy propose'."
        )
    return Version(**row._mapping)


def listed(connection: Connection) -> tuple[Version, ...]:
    """Return every version, oldest proposal first."""
    query = select(policy_versions).order_by(policy_versions.c.proposed_at, policy_versions.c.digest)
    return tuple(Version(**row._mapping) for row in connection.execute(query))


def seal(connection: Connection, digest: str) -> str:
    """Return the words that tie a version as it stands to its entry in the trail."""
    row = connection.execute(select(policy_versions).where(policy_versions.c.digest == digest)).one()
    return sealed(SEAL, digest, dict(row._mapping))


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every version as it stands."""
    for row in connection.execute(select(policy_versions), execution_options=IN_PARTS):
        yield sealed(SEAL, row.digest, dict(row._mapping))
