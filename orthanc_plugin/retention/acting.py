"""Who acts in disposition, and whether they may: one named person, in one of the roles of ``[disposition]``.

Knows duties and persons. Must not know plans. An act comes from outside (the command line makes it); an account that
policy.toml doesn't give to a person may do nothing.

Sources: requirements 4, step 4 (approver differs from proposer; shared accounts and programs' keys refused).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Protocol

from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.clock import Ids
from orthanc_plugin.config.disposition import Duty, Officer
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.errors import ConsentgateError


class NotAllowedError(ConsentgateError):
    """Whoever acts may not, or isn't somebody else than those who acted before."""

    remedy = "Have an officer with that duty do it, from an account of their own ([[disposition.officers]])."


class Act(Protocol):
    """One person's act, as the life cycle's is."""

    @property
    def by(self) -> str:
        """Return the account."""

    @property
    def at(self) -> datetime:
        """Return when."""

    @property
    def ids(self) -> Ids:
        """Return what gives fresh ids."""

    @property
    def policy(self) -> Policy:
        """Return policy.toml in force."""

    @property
    def day(self) -> date:
        """Return the day at the hospital."""

    def event(
        self,
        event: EventType,
        effect: str,
        *,
        subject: str,
        outcome: Outcome = ...,
        reasons: tuple[str, ...] = ...,
        consents: tuple[str, ...] = ...,
        detail: str = ...,
    ) -> AuditEvent:
        """Return the act's entry for the trail."""


def require(act: Act, duty: Duty | None = None) -> Officer:
    """Return the person who acts; without a ``duty`` any will do.

    Raises:
        NotAllowedError: the account is no one person's, or the person has another duty.
    """
    officer = act.policy.disposition.officer(act.by)
    if officer is None:
        raise NotAllowedError("This account is not a named person's in [[disposition.officers]] of policy.toml.")
    if duty is not None and duty not in officer.may:
        raise NotAllowedError(f"This person may not {duty} in disposition.")
    return officer


def require_still(act: Act, account: str, duty: Duty, *, what: str, remedy: str) -> Officer:
    """Return the person who did ``what`` from an account, if they might do so still by the policy in force now.

    Raises:
        NotAllowedError: the account is no one person's any more, or the person has another duty.
    """
    officer = act.policy.disposition.officer(account)
    if officer is None:
        raise NotAllowedError(
            f"Whoever {what} (account {account!r}) is no officer in [[disposition.officers]] of policy.toml any more.",
            remedy=remedy,
        )
    if duty not in officer.may:
        raise NotAllowedError(
            f"Whoever {what} (account {account!r}) may not {duty} in disposition any more.", remedy=remedy
        )
    return officer


def require_other(act: Act, officer: Officer, before: Iterable[str], what: str, *, remedy: str | None = None) -> None:
    """Refuse somebody who is one of those ``before``, from whatever account they acted.

    Raises:
        NotAllowedError: it is the same person.
    """
    for account in before:
        known = act.policy.disposition.officer(account)
        names = (account, *((known.person, *known.accounts) if known else ()))
        if any(act.policy.one_person(mine, theirs) for mine in (officer.person, *officer.accounts) for theirs in names):
            raise NotAllowedError(
                f"Whoever approves is somebody else than whoever {what}, from whatever account.", remedy=remedy
            )
