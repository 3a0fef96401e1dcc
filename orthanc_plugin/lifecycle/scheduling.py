"""Which retention schedule is in force, what another would move, and how one takes the other's place.

Knows that one person proposes and another activates, after a dry run over every record. Must not know how a date is
reckoned. A file that nobody activated counts for nothing, and without a schedule in force nothing is due.

Source: requirements T-11.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.config.schedulefile import read_schedule
from orthanc_plugin.errors import ConsentgateError, IllegalTransitionError
from orthanc_plugin.lifecycle import retaining
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.expirymodel import Due, Schedule
from orthanc_plugin.registry import retentionschedules
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.retentionschedules import Version
from orthanc_plugin.registry.trail import append

FILE: Final = "retention.toml"
DRY_RUN_COUNTS: Final = timedelta(days=14)


class NoScheduleError(ConsentgateError):
    """No retention schedule is in force, so nothing is due."""

    remedy = (
        "Have one person run 'consentgate retention schedule propose', and another 'consentgate retention schedule "
        "activate'."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A record (a study) whose date another schedule moves; ``before`` is None where no schedule was in force."""

    study_instance_uid: str
    before: Due | None
    after: Due


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A version that was proposed, and every record whose date it moves."""

    version: Version
    moves: tuple[Move, ...]


def in_force(connection: Connection) -> Schedule:
    """Return the schedule in force.

    Raises:
        NoScheduleError: none was ever activated.
    """
    found = retentionschedules.active(connection)
    if found is None:
        raise NoScheduleError("No retention schedule is in force.")
    return read_schedule(found.body, f"the schedule in force ({found.version})")


def moves(connection: Connection, old: Schedule | None, new: Schedule, now: datetime) -> Iterator[Move]:
    """Give every record whose date, rule or standing is another under ``new``; without ``old`` all that get a date."""
    for study, pictures in retaining.studies(connection):
        before = retaining.of_study(connection, old, pictures, now) if old is not None else None
        after = retaining.of_study(connection, new, pictures, now)
        if before is None and after.due_date is None:
            continue
        if before is None or _said(before) != _said(after):
            yield Move(study_instance_uid=study, before=before, after=after)


def propose(database: Database, act: Act, text: str) -> Proposal:
    """File a version of the schedule with what it would move; it counts for nothing until somebody else activates it.

    Records are looked at without the write lock: releases don't wait for a dry run.

    Raises:
        ConfigurationError: it can't be used; all faults are named.
        UnnamedPersonError: policy.toml doesn't know whoever acts, so nobody could tell them from the second.
        IllegalTransitionError: it is in force already, or another was put in force meanwhile.
    """
    act.require_named()
    new = read_schedule(text, FILE)
    with database.reading() as connection:
        known = retentionschedules.active(connection)
        if known is not None and known.digest == new.digest:
            raise IllegalTransitionError("This schedule is in force already.", remedy="Nothing is to be done.")
        old = in_force(connection) if known is not None else None
        found = tuple(moves(connection, old, new, act.at))
    moved = {"against": known.digest if known else "", **_counted(found)}
    with database.writing() as connection:
        if retentionschedules.active(connection) != known:
            raise IllegalTransitionError(
                "Another schedule was put in force during the dry run.", remedy="Propose this one again."
            )
        version = retentionschedules.propose(
            connection, new.digest, version=new.version, body=text, moved=moved, by=act.by, at=act.at
        )
        _tell(connection, act, "RETENTION_SCHEDULE_PROPOSED", version)
    return Proposal(version=version, moves=found)


def activate(connection: Connection, act: Act, digest: str) -> Version:
    """Put a proposed version in force; never by who proposed it.

    Raises:
        UnnamedPersonError: policy.toml doesn't know whoever acts.
        UnknownRecordError: nobody has proposed it.
        IllegalTransitionError: it is or was in force, the same person proposed it, the dry run was against another
            or is too old, or the clock is behind.
    """
    known, standing = retentionschedules.get(connection, digest), retentionschedules.active(connection)
    if not known.pending:
        raise IllegalTransitionError(
            "This version was activated before.", remedy="Propose it anew to put it in force again."
        )
    if act.policy.one_person(known.proposed_by, act.by):
        raise IllegalTransitionError(
            "Whoever proposed a schedule can't activate it.", remedy="Have somebody else look at the dry run."
        )
    act.require_named()
    if known.moved.get("against") != (standing.digest if standing else ""):
        raise IllegalTransitionError(
            "Another schedule was put in force since the dry run.", remedy="Propose this one anew, and look again."
        )
    if act.at - datetime.fromisoformat(known.proposed_at) > DRY_RUN_COUNTS:
        raise IllegalTransitionError(
            f"The dry run is more than {DRY_RUN_COUNTS.days} days old, so other records may move than those listed.",
            remedy="Propose this one anew, and look again.",
        )
    _must_be_later(standing, act)
    version = retentionschedules.activate(connection, digest, by=act.by, at=act.at)
    _tell(connection, act, "RETENTION_SCHEDULE_ACTIVATED", version)
    return version


def _must_be_later(standing: Version | None, act: Act) -> None:
    """Refuse an act that a clock dates before the schedule in force: the newest is the one in force."""
    if standing is not None and act.at <= datetime.fromisoformat(standing.activated_at or ""):
        raise IllegalTransitionError(
            "The schedule in force was activated later than now.", remedy="Check this machine's clock, then try again."
        )


def _said(found: Due | None) -> tuple[object, ...] | None:
    return (found.status, found.governing_rule, found.due_date) if found is not None else None


def _counted(found: Iterable[Move]) -> dict[str, object]:
    every = tuple(found)
    told = (f"{each.study_instance_uid} {_said(each.before)} {_said(each.after)}" for each in every)
    digest = hashlib.sha256("\n".join(told).encode()).hexdigest()
    sooner = sum(
        1
        for each in every
        if each.before is not None and retaining.last_day(each.after) < retaining.last_day(each.before)
    )
    return {"records": len(every), "sooner": sooner, "sha256": digest}


def _tell(connection: Connection, act: Act, effect: str, version: Version) -> None:
    seal = retentionschedules.seal(connection, version.digest)
    why = tuple(f"{name}: {value}" for name, value in version.moved.items())
    event = act.event(EventType.APPLICATION_ACTIVITY, effect, subject=version.digest, reasons=why, detail=seal)
    append(connection, [event])
