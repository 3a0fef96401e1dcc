"""Who does something to the records, through which door, when.

Knows how such an act is told in the trail. Must not know what the act is. Every step of the life cycle takes an ``Act``
and the connection of an open write transaction, and leaves its trail entry in that same transaction: no record, no act.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain

from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.clock import Ids, hospital_day
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.policy.persons import folded


class UnnamedPersonError(ConsentgateError):
    """Somebody acts whom policy.toml doesn't know, where a second person must."""

    remedy = "Have somebody of [[disposition.officers]] or [[users]] do it, under a name that policy.toml has."


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One person's (or job's) act.

    Attributes:
        by: account or name of whoever acts.
        door: the way in, such as ``consentgate consent`` or ``POST /consentgate/consents``.
        at: when, in UTC.
        ids: gives fresh ids.
        policy: policy.toml in force.
        address: network address, when known.
    """

    by: str
    door: str
    at: datetime
    ids: Ids
    policy: Policy
    address: str = ""

    @property
    def day(self) -> date:
        """Return the day it is at the hospital."""
        return hospital_day(self.at)

    def require_named(self) -> None:
        """Refuse whoever is neither an officer nor a user: a name that anybody may make up is no second person.

        Raises:
            UnnamedPersonError: policy.toml doesn't know the name.
        """
        if not self.knows(self.by):
            raise UnnamedPersonError("Whoever does this is not in policy.toml.")

    def knows(self, name: str) -> bool:
        """Tell whether policy.toml has an officer or a user of this name."""
        officers = self.policy.disposition.officers
        names = chain.from_iterable((each.person, *each.accounts) for each in officers)
        users = chain.from_iterable((each.name, each.person) for each in self.policy.users)
        return folded(name) in {folded(each) for each in (*names, *users) if each}

    def event(
        self,
        event: EventType,
        effect: str,
        *,
        subject: str,
        outcome: Outcome = Outcome.SUCCESS,
        reasons: tuple[str, ...] = (),
        consents: tuple[str, ...] = (),
        detail: str = "",
    ) -> AuditEvent:
        """Return the act's entry for the trail; ``subject`` is an id or UID, never a patient's number."""
        return AuditEvent(
            id=self.ids(),
            at=self.at,
            event=event,
            outcome=outcome,
            actor=self.by,
            address=self.address,
            door=self.door,
            subject=subject,
            effect=effect,
            reasons=reasons,
            consents=consents,
            policy=self.policy.sha256,
            detail=detail,
        )
