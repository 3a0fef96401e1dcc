"""Rows of a small hospital, and everything that can happen to them: what retention's lines rest on, in any order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import count
from random import Random

from sqlalchemy import Connection, Table, delete, select, update

from dicomwrap.terms import Purpose
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.policy.expiryholds import Population
from orthanc_plugin.policy.expirymodel import HoldKind
from orthanc_plugin.registry import consents, holds, images, merging, patients, retentionfacts
from orthanc_plugin.registry.accesstables import access_requests
from orthanc_plugin.registry.holds import Order
from orthanc_plugin.registry.merging import Why
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.retentionfacts import From, Told
from orthanc_plugin.registry.tables import disclosures, quarantine, tasks
from orthanc_plugin.registry.tables import images as pictures
from tests.fakes.disposing import Office
from tests.fakes.pictures import CARE, TEACHING, consent

PEOPLE: tuple[Key, ...] = tuple((f"P{number}", "HOSP") for number in range(5))
STUDIES = tuple(f"2.25.3{number}" for number in range(8))
UIDS = tuple(f"2.25.1{number}" for number in range(14))
DAYS = (date(2009, 5, 6), date(2009, 5, 6), date(2012, 2, 29), date(2016, 1, 1), date(2018, 11, 20), date(2025, 1, 2))


def picture(uid: str, study: str, who: Key, made_for: str = "CARE") -> dict[str, object]:
    """Return the row of a picture."""
    names = {name: f"{name}-{uid}" for name in ("orthanc_instance", "orthanc_series", "orthanc_study")}
    return {
        "sop_instance_uid": uid,
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.77.1.4",
        "series_instance_uid": f"{study}.1",
        "study_instance_uid": study,
        "patient_id": who[0],
        "issuer": who[1],
        "accession_number": "",
        **names,
        "orthanc_patient": who[0],
        "image_type": "CLINICAL_PHOTO",
        "made_on": "2008-01-02",
        "made_for": made_for,
        "source": "DEPARTMENT",
        "intimate": 0,
        "status": "ACTIVE",
        "sha256": f"digest of {uid}",
        "received_at": "2008-01-02T00:00:00+00:00",
        "size": 1000,
    }


def values(table: Table, **told: object) -> dict[str, object]:
    """Return a row of a table with '' or 0 for whatever must be told and isn't."""
    needed = (column for column in table.c if not column.nullable and column.server_default is None)
    return {each.name: 0 if str(each.type) == "INTEGER" else "" for each in needed} | told


@dataclass(kw_only=True)
class Chance:
    """Has one thing after another happen in an office's hospital."""

    office: Office
    random: Random
    numbers: count[int] = field(default_factory=lambda: count(1))

    def begin(self) -> None:
        """File some pictures of some patients, of all of whom the feed has told."""
        with self.office.world.services.database.writing() as connection:
            for number, uid in enumerate(UIDS[:8]):
                who = PEOPLE[number % len(PEOPLE)]
                patients.ensure(connection, *who, date(1950, 1, 1))
                made_for = "SECONDARY" if number == 5 else "CARE"
                connection.execute(pictures.insert(), picture(uid, STUDIES[number % len(STUDIES)], who, made_for))
            for who in PEOPLE:
                self._record(connection, who, Told(last_contact=DAYS[0], open_episode=False, categories=()))

    def happen(self) -> str:
        """Have something happen; what can't be, as things are, doesn't."""
        deed = self.random.choice(DEEDS)
        try:
            with self.office.world.services.database.writing() as connection:
                deed(self, connection)
        except ConsentgateError:
            return f"{deed.__name__}: refused"
        return deed.__name__

    def _new(self, kind: str) -> str:
        return f"{kind}-{next(self.numbers)}"

    def _record(self, connection: Connection, who: Key, told: Told) -> None:
        at = self.office.world.clock()
        source = self.random.choice(("pas", "pas", "pas", "clinic"))
        told_at = From(source=source, told_at=at)
        retentionfacts.record(connection, who, told_at, told, fact_id=self._new("f"), by="pas", at=at)

    def tell(self, connection: Connection) -> None:
        told = Told(
            first_contact=self.random.choice((None, DAYS[0])),
            last_contact=self.random.choice(DAYS),
            open_episode=self.random.random() < 0.05,
            categories=self.random.choice(((), (), (), (), ("MENTAL_HEALTH",))),
            departments=self.random.choice((None, ("Dermatology",), ("Surgery",))),
        )
        self._record(connection, self.random.choice(PEOPLE), told)

    def take_back(self, connection: Connection) -> None:
        table = retentionfacts.retention_facts
        connection.execute(delete(table).where(table.c.patient_id == self.random.choice(PEOPLE)[0]))

    def unsay(self, connection: Connection) -> None:
        who, at = self.random.choice(PEOPLE), self.office.world.clock()
        back = self.random.sample(("first_contact", "last_contact", "open_episode", "categories", "departments"), 2)
        told_at = From(source=self.random.choice(("pas", "clinic")), told_at=at)
        retentionfacts.record(connection, who, told_at, Told(), fact_id=self._new("f"), by="pas", at=at, back=back)

    def agree_to_it(self, connection: Connection) -> None:
        for each in retentionfacts.of(connection, PEOPLE):
            if each.doubtful:
                retentionfacts.agree(connection, each.fact_id, by="clerk", at=self.office.world.clock())

    def change_patient(self, connection: Connection) -> None:
        known = patients.patients.c.patient_id == self.random.choice(PEOPLE)[0]
        column = self.random.choice(("birth_date", "death_date"))
        value = self.random.choice(("1949-02-03", "1951-04-05", "2017-12-24", "2026-12-24"))
        connection.execute(update(patients.patients).where(known).values({column: value}))

    def merge(self, connection: Connection) -> None:
        why = Why(reason="same person", by="clerk", at=self.office.world.clock(), ids=lambda: self._new("m"))
        merging.merge(connection, *self.random.sample(PEOPLE, 2), why)

    def unmerge(self, connection: Connection) -> None:
        why = Why(reason="not the same", by="clerk", at=self.office.world.clock(), ids=lambda: self._new("u"))
        merging.unmerge(connection, self.random.choice(PEOPLE), why)

    def hold(self, connection: Connection) -> None:
        population = self.random.choice(
            (Population(departments=frozenset({"surgery"})), Population(years=(2010, 2014)), Population())
        )
        order = Order(
            kind=HoldKind.LITIGATION,
            authority="the court",
            reason="a claim",
            review_on=self.office.world.clock().date() + timedelta(days=900),
            patients=(self.random.choice(PEOPLE),) if population.empty else (),
            population=population,
        )
        holds.place(connection, order, hold_id=self._new("h"), by="legal", at=self.office.world.clock())

    def lift(self, connection: Connection) -> None:
        for each in holds.standing(connection):
            holds.lift(
                connection, each.hold_id, authority="it", reason="over", by="legal", at=self.office.world.clock()
            )

    def ask_for_access(self, connection: Connection) -> None:
        row = values(access_requests, request_id=self._new("a"), patient_id=self.random.choice(PEOPLE)[0])
        told = {"issuer": "HOSP", "audience": "PATIENT", "handover": "IN_PERSON", "received_on": "2026-11-01"}
        connection.execute(access_requests.insert(), row | told)

    def close_access(self, connection: Connection) -> None:
        connection.execute(update(access_requests).values(closed_at="2026-11-22", closed_by="x", outcome="done"))

    def agree(self, connection: Connection) -> None:
        who = self.random.choice(PEOPLE)
        until = self.random.choice(("2026-01-01", "2027-01-01"))
        told = {"until": until, "text": "kept until then"}
        given = consent(CARE, TEACHING, id=self._new("urn:c"), patient_id=who[0], issuer=who[1], retention_told=told)
        consents.add(connection, given, by="nurse", at=self.office.world.clock())

    def withdraw(self, connection: Connection) -> None:
        if known := consents.listed(connection):
            at = self.office.world.clock()
            which = self.random.choice(known).record
            uses = self.random.choice((None, (Purpose.TEACHING,)))
            consents.withdraw(connection, which.id, uses, on=at.date(), by="nurse", at=at)

    def file(self, connection: Connection) -> None:
        taken = set(connection.execute(select(pictures.c.sop_instance_uid)).scalars())
        for uid in UIDS:
            if uid not in taken:
                made_for = self.random.choice(("CARE", "CARE", "CARE", "CARE", "SECONDARY"))
                row = picture(uid, self.random.choice(STUDIES), self.random.choice(PEOPLE), made_for)
                connection.execute(pictures.insert(), row)
                return

    def change_picture(self, connection: Connection) -> None:
        facts = self.random.choice(
            ({"status": "QUARANTINED"}, {"status": "ACTIVE"}, {"made_on": "2015-01-01"}, {"sha256": self._new("s")})
        )
        images.change(connection, self.random.choice(UIDS), facts)

    def move(self, connection: Connection) -> None:
        to = {"study_instance_uid": self.random.choice(STUDIES)}
        images.change(connection, self.random.choice(UIDS), to)

    def destroy(self, connection: Connection) -> None:
        gone = {"status": "DISPOSED", "study_instance_uid": "", "patient_id": "link", "issuer": ""}
        images.change(connection, self.random.choice(UIDS), gone)

    def lose(self, connection: Connection) -> None:
        connection.execute(delete(pictures).where(pictures.c.sop_instance_uid == self.random.choice(UIDS)))

    def copy(self, connection: Connection) -> None:
        uid = self.random.choice(UIDS)
        other = self.random.choice((uid, self.random.choice(UIDS), "2.25.999"))
        told = {"outcome": "BEGUN", "consents": "[]", "sop_instance_uid": uid, "released_uid": other}
        connection.execute(disclosures.insert(), values(disclosures, disclosure_id=self._new("d"), **told))

    def change_copy(self, connection: Connection) -> None:
        uid = disclosures.c.sop_instance_uid == self.random.choice(UIDS)
        told = self.random.choice(({"outcome": "FAILED"}, {"recall": "OPEN"}, {"recall": "CONFIRMED"}))
        connection.execute(update(disclosures).where(uid).values(told))

    def hold_back(self, connection: Connection) -> None:
        rows = connection.execute(select(pictures)).all()
        row = self.random.choice(rows)._mapping
        same = {name: row[name] for name in ("sop_instance_uid", "patient_id", "issuer", "study_instance_uid")}
        told = {"quarantine_id": self._new("q"), "sha256": self._new("s"), "status": "HELD", "reasons": "[]"}
        connection.execute(quarantine.insert(), values(quarantine, **told, **same))

    def settle(self, connection: Connection) -> None:
        uid = quarantine.c.sop_instance_uid == self.random.choice(UIDS)
        connection.execute(update(quarantine).where(uid).values(status="DELETED"))

    def open_task(self, connection: Connection) -> None:
        subjects = (*UIDS, *STUDIES, *(each.record.id for each in consents.listed(connection)))
        told = {"task_id": self._new("t"), "kind": "DISPUTE", "subject": self.random.choice(subjects)}
        connection.execute(tasks.insert(), values(tasks, **told, opened_at="2026-11-01"))

    def close_task(self, connection: Connection) -> None:
        subject = tasks.c.subject == self.random.choice((*UIDS, *STUDIES))
        connection.execute(update(tasks).where(subject).values(closed_at="2026-11-22"))

    def another_schedule(self, _connection: Connection) -> None:
        shorter = self.random.choice((5, 8, 10))
        rules = (replace(each, period=replace(each.period, years=shorter)) for each in self.office.known.rules)
        kept = self.office.known.rules if shorter == 8 else tuple(rules)
        self.office.known = replace(self.office.known, rules=kept, digest=f"{self.random.random()}")

    def pass_days(self, _connection: Connection) -> None:
        self.office.world.clock.advance(days=self.random.choice((1, 40)))


Deed = Callable[[Chance, Connection], None]
ONCE: tuple[Deed, ...] = (
    Chance.take_back,
    Chance.unsay,
    Chance.agree_to_it,
    Chance.change_patient,
    Chance.merge,
    Chance.unmerge,
    Chance.hold,
    Chance.lift,
    Chance.ask_for_access,
    Chance.close_access,
    Chance.agree,
    Chance.withdraw,
    Chance.file,
    Chance.change_picture,
    Chance.move,
    Chance.destroy,
    Chance.lose,
    Chance.copy,
    Chance.change_copy,
    Chance.hold_back,
    Chance.settle,
    Chance.open_task,
    Chance.close_task,
    Chance.another_schedule,
    Chance.pass_days,
)
OFTEN: tuple[Deed, ...] = (
    Chance.tell,
    Chance.tell,
    Chance.tell,
    Chance.file,
    Chance.lift,
    Chance.close_access,
    Chance.agree_to_it,
)
DEEDS: tuple[Deed, ...] = (*ONCE, *(each for each in OFTEN for _ in range(4)))
