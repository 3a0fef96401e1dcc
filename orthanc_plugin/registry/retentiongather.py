"""Everything that a picture's retention date rests on, gathered from the registry as it stands.

Knows which rows speak of a picture and its patient: the person behind every number, what feeds told, consents, holds.
Must not know rules. It is read anew each time, so that a contact or a hold counts at once.

Sources: requirements T-3, T-7, T-9, T-12; 003-97 (several numbers of one person are one).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection

from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.terms import ConsentState
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.policy.expiry import stale
from orthanc_plugin.policy.expiryholds import Circumstances, Words, Years
from orthanc_plugin.policy.expirymodel import Hold, HoldKind, RetentionFacts, Schedule, Trial
from orthanc_plugin.policy.model import MadeFor, Patient
from orthanc_plugin.registry import access, consentrows, holds, patients, retentionfacts
from orthanc_plugin.registry.access import AccessRequest
from orthanc_plugin.registry.consentfacts import Place, covers
from orthanc_plugin.registry.consents import still_covered
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.retentionfacts import Recorded, Told

CARE_YEARS: Final = frozenset({"first_contact", "last_contact", "open_episode"})
AGREED: Final = frozenset({ConsentState.GIVEN, ConsentState.WITHDRAWN, ConsentState.EXPIRED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What all records share at one moment.

    Attributes:
        day: day at the hospital.
        schedule: the one that is asked.
        stale: sources that are too old.
        holds: all that there ever were.
        requests: requests for subject access that are open, each of which holds what is asked for.
    """

    day: date
    schedule: Schedule
    stale: tuple[str, ...]
    holds: tuple[holds.Recorded, ...]
    requests: tuple[AccessRequest, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """Who is behind a number: the patient, None when nobody knows them; all their numbers; what sources told."""

    patient: Patient | None
    numbers: tuple[Key, ...]
    told: tuple[Recorded, ...]


def around(connection: Connection, schedule: Schedule, now: datetime) -> Around:
    """Return what all records share now; read it in the transaction that decides."""
    fresh = retentionfacts.feeds(connection)
    old = (name for name in schedule.feeds if name not in fresh or stale(fresh[name].told_at, now, schedule))
    return Around(
        day=hospital_day(now),
        schedule=schedule,
        stale=tuple(old),
        holds=holds.listed(connection),
        requests=tuple(access.listed(connection)),
    )


def gather(connection: Connection, picture: ImageRow, shared: Around) -> RetentionFacts:
    """Return what the date of a picture rests on.

    Raises:
        UnreadableRowError: something of it can't be read, so nothing may follow from it.
    """
    return facts_of(connection, picture, _person(connection, (picture.patient_id, picture.issuer)), shared)


def people(connection: Connection, numbers: Collection[Key]) -> dict[Key, Person]:
    """Return the person behind each of these numbers; whoever has one alone is read together with others.

    Raises:
        UnreadableRowError: something of it can't be read, so nothing may follow from it.
    """
    alone = patients.alone(connection, numbers) if len(numbers) > 1 else {}
    told = retentionfacts.many(connection, alone) if alone else {}
    found = {who: Person(patient, (who,), tuple(told[who])) for who, patient in alone.items()}
    return found | {who: _person(connection, who) for who in numbers if who not in found}


def _person(connection: Connection, who: Key) -> Person:
    """Return the person behind a number, with no patient when nobody knows them."""
    try:
        patient, numbers = patients.person(connection, who)
    except UnknownRecordError:
        patient, numbers = None, (who,)
    return Person(patient, numbers, retentionfacts.of(connection, numbers))


def _word(found: Recorded, schedule: Schedule) -> Told:
    """Return what a source told; only of one that must be fresh is "no" an answer (T-12)."""
    told = found.told
    if found.by.source in schedule.feeds:
        return told
    return replace(told, open_episode=told.open_episode or None, categories=told.categories or None)


def facts_of(connection: Connection, picture: ImageRow, person: Person, shared: Around) -> RetentionFacts:
    """Return what the date of a picture of this person rests on.

    Raises:
        UnreadableRowError: something of it can't be read, so nothing may follow from it.
    """
    patient, numbers = person.patient, person.numbers
    told = tuple(_word(each, shared.schedule) for each in person.told)
    care = picture.made_for is MadeFor.CARE
    promised, withdrawn = (None, None) if care else _promise(connection, picture, numbers)
    met = circumstances(years_of(picture), picture.department, told, _in_doubt(person.told))
    return RetentionFacts(
        dob=patient.dob if patient else None,
        death_date=patient.death_date if patient else None,
        contacts=tuple(sorted(set(_days(told)))),
        open_episode=any(each.open_episode for each in told),
        made_for=picture.made_for,
        categories=_together(each.categories for each in told) or frozenset(),
        cancer_diagnosis=max((each.cancer_diagnosis for each in told if each.cancer_diagnosis), default=None),
        trials=tuple(_trials(told)),
        promised_end=promised,
        withdrawn_on=withdrawn,
        holds=tuple(_holds(shared.holds, shared.requests, numbers, met, shared.day)),
        untold=(*(_untold(told) if care else ()), *_doubtful(person.told)),  # a trial's rule is of other pictures, too
        stale=shared.stale,
    )


def held_by(
    connection: Connection, who: Key, now: datetime, made: Years | None, department: str = ""
) -> tuple[Hold, ...]:
    """Return the holds that stand on a patient's picture, filed or not; what isn't known of it counts as met.

    ``made`` are the years within which it was made, None when nobody knows that.
    """
    person, day = _person(connection, who), hospital_day(now)
    told = tuple(replace(each.told, categories=each.told.categories or None) for each in person.told)
    every, asked = holds.standing(connection), tuple(access.listed(connection))
    met = circumstances(made, department, told, _in_doubt(person.told))
    return tuple(_holds(every, asked, person.numbers, met, day))


def circumstances(
    made: Years | None, department: str, told: tuple[Told, ...], doubtful: Collection[str] = ()
) -> Circumstances:
    """Return what holds on populations ask about a picture; what is in doubt is not known, and so counts as met.

    The picture's own year and ``department`` count beside what sources tell of the patient.
    """

    def words(name: str) -> Words | None:
        return None if name in doubtful else _together(getattr(each, name) for each in told)

    departments = words("departments")
    return Circumstances(
        years=() if CARE_YEARS.intersection(doubtful) else tuple(_years(made, told)),
        departments=departments | {department} if departments is not None and department else departments,
        procedures=words("procedures"),
        blood_products=words("blood_products"),
        categories=words("categories"),
    )


def years_of(picture: ImageRow) -> Years | None:
    """Return within which years a picture was made, None when nobody knows."""
    return None if picture.made_on is None else (picture.made_on.year, picture.made_on.year)


def _in_doubt(told: Iterable[Recorded]) -> frozenset[str]:
    return frozenset(name for each in told for name in each.doubtful)


def _doubtful(told: Iterable[Recorded]) -> Iterator[str]:
    """Name what a source took back, until somebody has looked: without it a record might be due too early."""
    for each in told:
        if each.doubtful:
            yield f"whether {each.by.source} was right to take back {', '.join(each.doubtful)}"


def _days(told: tuple[Told, ...]) -> Iterator[date]:
    for each in told:
        yield from (day for day in (each.first_contact, each.last_contact) if day is not None)


def _together(lists: Iterable[tuple[str, ...] | None]) -> Words | None:
    """Return the words of all who told some; None when nobody did."""
    known = [words for words in lists if words is not None]
    return frozenset(word for words in known for word in words) if known else None


def _trials(told: tuple[Told, ...]) -> Iterator[Trial]:
    for each in told:
        if each.trial_regime is not None:
            yield Trial(
                concluded=each.trial_concluded,
                regime=each.trial_regime,
                ma_open_at_expiry=bool(each.ma_open_at_expiry),
                ma_granted=each.ma_granted,
            )


def _untold(told: tuple[Told, ...]) -> Iterator[str]:
    if all(each.open_episode is None for each in told):
        yield "whether the patient is under care"
    if all(each.categories is None for each in told):
        yield "the categories of the record, or that there are none"


def _years(made: Years | None, told: tuple[Told, ...]) -> Iterator[Years]:
    """Give the years of care and the picture's own, none where those of care, or the picture's, aren't known.

    Care lasts from the first contact that anybody told to the last; of who tells the last alone it reaches back for
    ever.
    """
    care = tuple(each for each in told if each.last_contact is not None or each.open_episode)
    if not care or made is None:
        return
    known = tuple(_days(told))
    first = date.min if any(each.first_contact is None for each in care) else min(known)
    last = date.max if any(each.open_episode for each in care) else max(known)
    yield first.year, last.year
    yield made


def _holds(
    every: Iterable[holds.Recorded],
    requests: Iterable[AccessRequest],
    numbers: tuple[Key, ...],
    found: Circumstances,
    day: date,
) -> Iterator[Hold]:
    yield from (each.told(day) for each in every if each.reaches(numbers, found))
    for each in requests:
        if each.who in numbers:
            placed_on = min(each.received_on, day)
            yield Hold(kind=HoldKind.SUBJECT_ACCESS_OPEN, placed_on=placed_on, hold_id=each.request_id)


def _promise(connection: Connection, picture: ImageRow, numbers: tuple[Key, ...]) -> tuple[date | None, date | None]:
    """Return until when the patient was told that the picture is kept, and when all its use was withdrawn.

    Of several consents the longest promise counts while one of them stands; one that names no day leaves it open.
    """
    agreed = tuple(_consents(connection, picture, numbers))
    standing = tuple(each for each in agreed if still_covered(each))
    if not standing:
        return None, max((each.on for record in agreed for each in record.withdrawn), default=None)
    ends = [record.retention_told.until if record.retention_told else None for record in standing]
    return (None if None in ends else max(end for end in ends if end is not None)), None


def _consents(connection: Connection, picture: ImageRow, numbers: tuple[Key, ...]) -> Iterator[ConsentRecord]:
    place = Place(picture.sop_instance_uid, picture.series_instance_uid, picture.study_instance_uid, picture.consent_id)
    for number, issuer in numbers:
        for found in consentrows.listed(connection, number, issuer):
            record = found.record
            if record.state in AGREED and covers(record.level, record.targets, record.id, place):
                yield record
