"""The nightly look at what has changed: consents that have ended, patients who are to be asked again, deaths, forms.

Knows how to go through the patients. Must not know when a consent ends (``policy.renewal`` does), nor what a form
allows (``formchange`` does). Each patient has a transaction of their own, so the sweep may be cut off anywhere and run
again; what it has done once it doesn't do again.

Sources: requirements 2.4 (EXPIRED is stored by the nightly job), 2.9 (re-consent triggers), 000-34d.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select, tuple_

from dicomwrap.consentfile import read_consent
from dicomwrap.errors import ConsentFileError
from dicomwrap.terms import ConsentState, GiverType
from orthanc_plugin.audit.event import EventType
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.duties import open_tasks
from orthanc_plugin.lifecycle.formchange import widened
from orthanc_plugin.policy.dates import has_died
from orthanc_plugin.policy.eventmodel import Before, Event, Happening, Task, TaskKind
from orthanc_plugin.policy.events import outcome
from orthanc_plugin.policy.model import Consent, Patient
from orthanc_plugin.policy.renewal import Passed, passed
from orthanc_plugin.registry import consentfacts, consents, facts, patients, tasks
from orthanc_plugin.registry.consentfacts import Columns
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.stored import UnreadableRowError
from orthanc_plugin.registry.tables import consents as rows
from orthanc_plugin.registry.trail import append

PAGE: Final = 500
REASONS: Final[dict[Happening, str]] = {
    Happening.BIRTHDAY_16: "the patient is 16 or older; somebody else agreed",
    Happening.BIRTHDAY_18: "the patient is 18 or older; a parent's agreement has ended",
    Happening.COMPETENCE_FOUND: "the child was found competent; a parent agreed",
    Happening.CAPACITY_REGAINED: "the patient can decide again; somebody else agreed",
    Happening.EXPIRY: "the consent has expired",
    Happening.DEATH: "the patient has died",
}
ENDS: Final = frozenset({Happening.EXPIRY, Happening.BIRTHDAY_18})
# What the trail says of a consent that stays in force (requirements 2.4).
FLAGS: Final[dict[TaskKind, str]] = {
    TaskKind.SEEK_RECONSENT: "RECONSENT_DUE",
    TaskKind.CONSIDER_FAMILY: "DECEASED_CHECK_FAMILY",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What is to be done about one consent: end it, open tasks, both; and why."""

    consent_id: str
    happening: Happening
    reason: str
    ended: bool
    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep did, or would do; ``unreadable`` counts patients with a row that can't be read."""

    done: tuple[Due, ...]
    unreadable: int


def sweep(database: Database, act: Act, *, dry_run: bool = False, page: int = PAGE) -> Swept:
    """Go through all patients who have a consent, ``page`` of them at a time; ``dry_run`` changes nothing.

    Raises:
        RegistryError: the database failed; what was done for patients before stays done.
    """
    done: list[Due] = []
    unreadable = 0
    for who in _patients(database, page):
        try:
            done += _one(database, act, who, dry_run=dry_run)
        # One patient's damaged row must not keep the others from being looked at.
        except (UnreadableRowError, ConsentFileError):
            unreadable += 1
    return Swept(done=tuple(done), unreadable=unreadable)


def _patients(database: Database, size: int) -> Iterator[Key]:
    """Give every patient with a consent, a page at a time, so that no transaction stays open meanwhile."""
    last: Key = ("", "")
    while True:
        after = tuple_(rows.c.patient_id, rows.c.issuer) > last
        query = select(rows.c.patient_id, rows.c.issuer).where(after).distinct()
        with database.reading() as connection:
            page = connection.execute(query.order_by(rows.c.patient_id, rows.c.issuer).limit(size)).all()
        if not page:
            return
        yield from ((row.patient_id, row.issuer) for row in page)
        last = (page[-1].patient_id, page[-1].issuer)


def _one(database: Database, act: Act, who: Key, *, dry_run: bool) -> list[Due]:
    """Look without the write lock first: most nights there is nothing to do."""
    with database.reading() as connection:
        due = list(_due(connection, act, who))
    if dry_run or not due:
        return due
    with database.writing() as connection:
        due = list(_due(connection, act, who))
        for each in due:
            _do(connection, act, each)
    return due


def _due(connection: Connection, act: Act, who: Key) -> Iterator[Due]:
    patient = patients.find(connection, *who) or Patient(id=who[0], dob=None)
    patient_id, issuer = who
    for *columns, text in facts.CONSENTS.rows(connection, patient_id=patient_id, issuer=issuer):
        scopes = consentfacts.whole(str(text), Columns._make(columns))
        for each, reason in _passed(act, str(text), scopes, patient):
            consent_id = scopes[0].id
            fresh = tuple(
                task
                for task in each.outcome.tasks
                if not tasks.asked_before(connection, kind=task.kind, subject=consent_id, reason=reason)
            )
            ended = each.outcome.consent is ConsentState.EXPIRED
            if fresh or ended:
                yield Due(consent_id=consent_id, happening=each.happening, reason=reason, ended=ended, tasks=fresh)


def _passed(act: Act, text: str, scopes: Sequence[Consent], patient: Patient) -> Iterator[tuple[Passed, str]]:
    """Give what has happened to a consent, and what to tell of it."""
    found = passed(scopes, patient, act.day)
    yield from ((each, REASONS[each.happening]) for each in found)
    asked = not has_died(patient, act.day) and not any(each.happening in ENDS for each in found)
    if asked and act.policy.forms and scopes[0].state is ConsentState.GIVEN:
        yield from _new_form(act, text, scopes[0].giver.type)


def _new_form(act: Act, text: str, giver: GiverType) -> Iterator[tuple[Passed, str]]:
    if (reason := widened(read_consent(text), act.policy.forms)) is not None:
        before = Before(consent=ConsentState.GIVEN, giver=giver)
        changed = Event(type=Happening.NEW_FORM_VERSION)
        yield Passed(happening=changed.type, outcome=outcome(before, changed)), reason


def _do(connection: Connection, act: Act, due: Due) -> None:
    open_tasks(connection, act, due.tasks, subject=due.consent_id, reason=due.reason)
    changed = EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED
    if due.ended:
        ended = consents.expire(connection, due.consent_id, by=act.by, at=act.at)
        version = (f"{ended.id} version {ended.version}",)
        seal = consents.seal(ended)
        told = act.event(changed, "EXPIRED", subject=ended.id, reasons=(due.reason,), consents=version, detail=seal)
        append(connection, [told])
    else:
        effects = [FLAGS[task.kind] for task in due.tasks]
        flagged = [act.event(changed, each, subject=due.consent_id, reasons=(due.reason,)) for each in effects]
        append(connection, flagged)
