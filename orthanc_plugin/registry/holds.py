"""Holds, which suspend disposal: on patients by number, or on a population by what is known of it.

Knows rows, and whom a hold reaches. Must not know who may lift one. A hold is read anew whenever a record is looked at,
so it counts at once, everywhere, and for records that come later. Nothing is deleted: one that is over is lifted.

Sources: requirements 4, step 6 and "Holds today"; T-7; the draft rule set's ``holds``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection, Row, select, update

from orthanc_plugin.clock import hospital_day
from orthanc_plugin.errors import ConfigurationError, IllegalTransitionError, UnknownRecordError
from orthanc_plugin.policy.expiryholds import NOBODY, Circumstances, Population, reaches
from orthanc_plugin.policy.expirymodel import Hold, HoldKind
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.retentiontables import holds
from orthanc_plugin.registry.stored import day, sealed, unreadable, word

SEAL: Final = "hold record "
LONGEST: Final = 64


class IncompleteHoldError(ConfigurationError):
    """A hold lacks what it must say."""

    remedy = "Complete it, then place it again; nothing was recorded."


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a hold says.

    Attributes:
        kind: why disposal is suspended.
        authority: on whose word, such as a court's order or an inquiry's notice.
        reason: for whoever reads it later.
        review_on: when somebody looks whether it is still needed.
        patients: numbers and issuers of those it is on.
        population: or whom else it reaches.
    """

    kind: HoldKind
    authority: str
    reason: str
    review_on: date
    patients: tuple[Key, ...] = ()
    population: Population = NOBODY


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A hold as it stands in the registry."""

    hold_id: str
    order: Order
    placed_at: str
    placed_by: str
    lifted_at: str | None
    lifted_by: str | None
    lift_authority: str | None
    lift_reason: str | None

    @property
    def stands(self) -> bool:
        """Tell whether nobody has lifted it."""
        return self.lifted_at is None

    def reaches(self, numbers: Collection[Key], found: Circumstances) -> bool:
        """Tell whether it is on a patient with one of these numbers, or on a population that this is part of."""
        return not set(self.order.patients).isdisjoint(numbers) or reaches(self.order.population, found)

    def told(self, on: date) -> Hold:
        """Return it as dates are reckoned with it on a day; one that nobody lifted stands, whatever clock placed it."""
        placed_on = hospital_day(datetime.fromisoformat(self.placed_at))
        return Hold(
            kind=self.order.kind,
            placed_on=min(placed_on, on) if self.stands else placed_on,
            released_on=hospital_day(datetime.fromisoformat(self.lifted_at)) if self.lifted_at else None,
            authority=self.order.authority,
            review_on=self.order.review_on,
            hold_id=self.hold_id,
        )


def gaps(order: Order, on: date) -> Iterator[str]:
    """Say what is missing or can't be."""
    for name in ("authority", "reason"):
        if not getattr(order, name).strip():
            yield f"{name}: is missing"
    if order.review_on < on:
        yield "review_on: lies in the past; say when somebody looks at it again"
    if not order.patients and order.population.empty:
        yield "patients: are missing; name patients, or say which population it is on"
    if any(not number or len(number) > LONGEST or len(issuer) > LONGEST for number, issuer in order.patients):
        yield f"patients: a number is missing, or longer than {LONGEST} characters"
    for each in fields(order.population):
        if each.name != "years" and any(not word.strip() for word in getattr(order.population, each.name) or ()):
            yield f"{each.name}: an empty word; leave it out"
    years = order.population.years
    if years is not None and years[0] > years[1]:
        yield "years: the first is after the last"


def place(connection: Connection, order: Order, *, hold_id: str, by: str, at: datetime) -> Recorded:
    """File a hold; it stands from now on.

    Raises:
        IncompleteHoldError: with everything that is missing.
    """
    if problems := tuple(gaps(order, hospital_day(at))):
        raise IncompleteHoldError("The hold can't be placed yet.", problems=problems)
    connection.execute(
        holds.insert().values(
            hold_id=hold_id,
            kind=order.kind,
            authority=order.authority.strip(),
            reason=order.reason.strip(),
            review_on=order.review_on.isoformat(),
            patients=json.dumps(sorted(order.patients)),
            population=_written(order.population),
            placed_at=at.isoformat(),
            placed_by=by,
        )
    )
    return get(connection, hold_id)


def lift(connection: Connection, hold_id: str, *, authority: str, reason: str, by: str, at: datetime) -> Recorded:
    """Note that a hold is over.

    Raises:
        UnknownRecordError: there is no such hold.
        IllegalTransitionError: it is lifted already.
        IncompleteHoldError: without an authority or a reason.
    """
    if not get(connection, hold_id).stands:
        raise IllegalTransitionError("The hold is lifted already.", remedy="See 'consentgate hold list --all'.")
    said = {"authority": authority.strip(), "reason": reason.strip()}
    if problems := tuple(f"{name}: is missing" for name, text in said.items() if not text):
        raise IncompleteHoldError("The hold can't be lifted yet.", problems=problems)
    values = {"lifted_at": at.isoformat(), "lifted_by": by, "lift_authority": said["authority"]}
    connection.execute(update(holds).where(holds.c.hold_id == hold_id).values(values | {"lift_reason": said["reason"]}))
    return get(connection, hold_id)


def get(connection: Connection, hold_id: str) -> Recorded:
    """Return the hold.

    Raises:
        UnknownRecordError: there is no such hold.
    """
    row = connection.execute(select(holds).where(holds.c.hold_id == hold_id)).first()
    if row is None:
        raise UnknownRecordError("No hold has this id.", remedy="See 'consentgate hold list'.")
    return _recorded(row)


def listed(connection: Connection) -> tuple[Recorded, ...]:
    """Return every hold there ever was, oldest first."""
    query = select(holds).order_by(holds.c.placed_at, holds.c.hold_id)
    return tuple(_recorded(row) for row in connection.execute(query))


def standing(connection: Connection) -> tuple[Recorded, ...]:
    """Return the holds that nobody has lifted, oldest first."""
    query = select(holds).where(holds.c.lifted_at.is_(None)).order_by(holds.c.placed_at, holds.c.hold_id)
    return tuple(_recorded(row) for row in connection.execute(query))


def seal(connection: Connection, hold_id: str) -> str:
    """Return the words that tie a hold as it stands to its entry in the trail."""
    row = connection.execute(select(holds).where(holds.c.hold_id == hold_id)).one()
    return sealed(SEAL, hold_id, dict(row._mapping))


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every hold as it stands."""
    for row in connection.execute(select(holds), execution_options=IN_PARTS):
        yield sealed(SEAL, row.hold_id, dict(row._mapping))


def _written(population: Population) -> str:
    said = {each.name: getattr(population, each.name) for each in fields(population)}
    return json.dumps({name: sorted(value) for name, value in said.items() if value is not None}, sort_keys=True)


def _population(text: str) -> Population:
    try:
        said = dict(json.loads(text))
        years = said.pop("years", None)
        words = {name: frozenset(map(str, value)) for name, value in said.items()}
        return Population(years=(int(years[0]), int(years[1])) if years else None, **words)
    except (ValueError, TypeError, IndexError):
        raise unreadable("holds.population") from None


def _patients(text: str) -> tuple[Key, ...]:
    try:
        return tuple((str(number), str(issuer)) for number, issuer in json.loads(text))
    except (ValueError, TypeError):
        raise unreadable("holds.patients") from None


def _recorded(row: Row[tuple[object, ...]]) -> Recorded:
    review_on = day(row.review_on, "holds.review_on")
    if review_on is None:
        raise unreadable("holds.review_on")
    return Recorded(
        hold_id=row.hold_id,
        order=Order(
            kind=word(HoldKind, row.kind, "holds.kind"),
            authority=row.authority,
            reason=row.reason,
            review_on=review_on,
            patients=_patients(row.patients),
            population=_population(row.population),
        ),
        placed_at=row.placed_at,
        placed_by=row.placed_by,
        lifted_at=row.lifted_at,
        lifted_by=row.lifted_by,
        lift_authority=row.lift_authority,
        lift_reason=row.lift_reason,
    )
