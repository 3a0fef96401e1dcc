"""Which policy.toml is in force, and how another takes its place: one person proposes it, another activates it.

Knows that before any was activated the file counts as it is, and from then on only what was activated does. Must not
know what a policy says, nor what it changes for pictures (``redeciding`` does).

Sources: requirements T-11 (a change of the rules takes two people, and a look at what it moves).
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.config.policyfile import Policy, read_policy
from orthanc_plugin.errors import IllegalTransitionError, ReleaseRefusedError
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.registry import policyversions
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.policyversions import Version
from orthanc_plugin.registry.stopping import ACTIVATED
from orthanc_plugin.registry.trail import append

logger = logging.getLogger(__name__)

NAME: Final = "the policy in force"
OTHERWISE: Final = (
    "policy.toml is not the policy in force, which goes on; put it in force with 'consentgate policy propose' and, by"
    " somebody else, 'consentgate policy activate'"
)


class OldPolicyError(ReleaseRefusedError):
    """Another policy was activated since this process started."""

    remedy = "Restart Orthanc, and whatever else of Consentgate runs, so that the policy in force is taken up."


def in_force(database: Database, written: Policy) -> Policy:
    """Return the policy that was activated; ``written``, the file's, while none ever was.

    Raises:
        ConfigurationError: what was activated can't be used by this version of Consentgate.
    """
    with database.reading() as connection:
        digest = policyversions.in_force(connection)
        if digest in (None, written.sha256):
            return written
        body = policyversions.get(connection, digest).body
    logger.warning(OTHERWISE)
    return read_policy(body, NAME)


def require_in_force(connection: Connection, policy: Policy) -> None:
    """Refuse a release under a policy that is not in force any more.

    Raises:
        OldPolicyError: it isn't.
    """
    if policyversions.in_force(connection) not in (None, policy.sha256):
        raise OldPolicyError("Another policy.toml was activated, and this process still has the one before.")


def propose(connection: Connection, act: Act, text: str) -> Policy:
    """File a version with the policy that it would replace; it counts for nothing until somebody else activates it.

    Raises:
        ConfigurationError: it can't be used; all faults are named.
        UnnamedPersonError: the policy in force doesn't know whoever acts, so nobody could tell them from the second.
        IllegalTransitionError: it is in force already.
    """
    act.require_named()
    new = read_policy(text, "policy.toml")
    standing = policyversions.in_force(connection)
    if standing == new.sha256:
        raise IllegalTransitionError("This policy is in force already.", remedy="Nothing is to be done.")
    policyversions.propose(connection, new.sha256, body=text, replaces=standing or "", by=act.by, at=act.at)
    _tell(connection, act, "POLICY_PROPOSED", new.sha256)
    return new


def pending(connection: Connection, act: Act, digest: str) -> Policy:
    """Return a version that whoever acts may put in force.

    Raises:
        UnknownRecordError: nobody has proposed it.
        UnnamedPersonError: the policy in force doesn't know whoever acts.
        IllegalTransitionError: it is or was in force, the same person proposed it, or another came between.
    """
    known, standing = policyversions.get(connection, digest), policyversions.in_force(connection)
    new = read_policy(known.body, "policy.toml")
    if not known.pending:
        raise IllegalTransitionError(
            "This version was activated before.", remedy="Propose it anew to put it in force again."
        )
    if any(each.one_person(known.proposed_by, act.by) for each in (act.policy, new)):
        raise IllegalTransitionError(
            "Whoever proposed a policy can't activate it.", remedy="Have somebody else look at what it changes."
        )
    act.require_named()
    if known.replaces != (standing or ""):
        raise IllegalTransitionError(
            "Another policy was put in force since this one was proposed.", remedy="Propose it anew, and look again."
        )
    _must_be_later(policyversions.get(connection, standing) if standing else None, act)
    return new


def _must_be_later(standing: Version | None, act: Act) -> None:
    """Refuse an act that a clock dates before the policy in force: the newest is the one in force."""
    if standing is not None and act.at <= datetime.fromisoformat(standing.activated_at or ""):
        raise IllegalTransitionError(
            "The policy in force was activated later than now.", remedy="Check this machine's clock, then try again."
        )


def activate(connection: Connection, act: Act, digest: str) -> Policy:
    """Put a proposed version in force, under the conditions of ``pending``.

    Raises:
        ConsentgateError: as ``pending`` does.
    """
    new = pending(connection, act, digest)
    policyversions.activate(connection, digest, by=act.by, at=act.at)
    _tell(connection, act, ACTIVATED, digest)
    return new


def _tell(connection: Connection, act: Act, effect: str, digest: str) -> None:
    seal = policyversions.seal(connection, digest)
    append(connection, [act.event(EventType.APPLICATION_ACTIVITY, effect, subject=digest, detail=seal)])
