"""What feeds tell of patients that a retention date rests on, by source, with how fresh each source is.

Knows rows, and that a source's word replaces its own earlier one alone. Must not know rules nor files. A feed that says
nothing of a fact takes none away; what no source has told is unknown, never "no". A source may take back what it told:
that stays on its row, with the moment, until it tells the fact again, and waits for somebody to agree.

Sources: requirements T-10, T-12 (inputs come from a feed with a freshness stamp).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, bindparam, select, update

from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.retentiontables import retention_facts, retention_feeds
from orthanc_plugin.registry.stored import day, flag, sealed, texts, unreadable

SEAL: Final = "retention facts "
FEED_SEAL: Final = "retention feed "


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one source tells of a patient; None says nothing. A trial is told by its id, with its regime."""

    first_contact: date | None = None
    last_contact: date | None = None
    open_episode: bool | None = None
    categories: tuple[str, ...] | None = None
    cancer_diagnosis: date | None = None
    trial_regime: str | None = None
    trial_concluded: date | None = None
    ma_open_at_expiry: bool | None = None
    ma_granted: date | None = None
    departments: tuple[str, ...] | None = None
    procedures: tuple[str, ...] | None = None
    blood_products: tuple[str, ...] | None = None


NAMES: Final = tuple(each.name for each in fields(Told))
BACK: Final = ("taken_back", "agreed_at", "agreed_by")
COLUMNS: Final = ("fact_id", "patient_id", "issuer", "source", "trial_id", "told_at", *NAMES, *BACK)
ELSEWHERE: Final = frozenset({"birth_date", "death_date"})  # told by sources, and kept with the patient
# Asked about every record that is looked at.
_ALL: Final = select(*(retention_facts.c[name] for name in COLUMNS)).order_by(
    retention_facts.c.source, retention_facts.c.trial_id
)
_OF: Final = prepared(
    _ALL.where(retention_facts.c.patient_id == bindparam("patient_id"), retention_facts.c.issuer == bindparam("issuer"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class From:
    """Who tells it: the source, as it knew things at ``told_at``; ``trial_id`` '' for what isn't of a trial."""

    source: str
    told_at: datetime
    trial_id: str = ""


class Taken(NamedTuple):
    """What was taken back: the moment as of which it was, and who took that in."""

    as_of: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a source told of a patient, as it stands.

    Attributes:
        fact_id: names the row.
        who: the patient.
        by: the source.
        told: what it says.
        taken_back: what it said once and has taken back, each with when, and by whose hand.
        agreed_by: who looked into that, None while nobody has.
    """

    fact_id: str
    who: Key
    by: From
    told: Told
    taken_back: Mapping[str, Taken] = field(default_factory=dict)
    agreed_by: str | None = None

    @property
    def doubtful(self) -> tuple[str, ...]:
        """Return what was taken back without anybody having agreed."""
        return () if self.agreed_by else tuple(sorted(self.taken_back))


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A source, and the moment up to which all it knows was taken in."""

    source: str
    told_at: datetime
    recorded_by: str


def record(
    connection: Connection,
    who: Key,
    said: From,
    told: Told,
    *,
    fact_id: str,
    by: str,
    at: datetime,
    back: Collection[str] = (),
    elsewhere: Collection[str] = (),
) -> str:
    """Take in what a source tells of a patient; return the id of the row it is in now.

    Args:
        connection: of the write transaction.
        who: the patient.
        said: the source, and when it knew this.
        told: what it tells.
        fact_id: names the row, where there is none yet.
        by: who takes it in.
        at: when.
        back: what it takes back; of what it never told, nothing is.
        elsewhere: what it tells besides that is kept with the patient.

    Raises:
        IllegalTransitionError: the source has told something newer, which this would undo.
    """
    same, news = _is(who, said), Taken(said.told_at.isoformat(), by)
    row = connection.execute(select(retention_facts).where(same)).first()
    values: dict[str, object] = {
        "told_at": said.told_at.isoformat(),
        "recorded_at": at.isoformat(),
        "recorded_by": by,
        **_stored(told),
    }
    if row is None:
        key = {"patient_id": who[0], "issuer": who[1], "source": said.source, "trial_id": said.trial_id}
        values |= _back(dict.fromkeys((*NAMES, *BACK)), (), back, news)
        connection.execute(retention_facts.insert().values(fact_id=fact_id, **key, **values))
        return fact_id
    if datetime.fromisoformat(row.told_at) > said.told_at:
        raise IllegalTransitionError(
            "This source has told something newer of the patient.", remedy="Leave the older file out."
        )
    again = {*elsewhere, *(name for name in NAMES if getattr(told, name) is not None)}
    values |= _back(dict(row._mapping), again, back, news)
    connection.execute(update(retention_facts).where(same).values(values))
    return str(row.fact_id)


def _back(row: Mapping[str, object], again: Collection[str], names: Collection[str], news: Taken) -> dict[str, object]:
    """Return the columns that say what is taken back by now; whoever agreed to less has not agreed to more."""
    before = _taken_back(row)
    fresh = {name for name in names if name in ELSEWHERE or row[name] is not None} - before.keys()
    stands = {name: taken for name, taken in before.items() if name not in again}
    stands |= dict.fromkeys(sorted(fresh), news)
    columns: dict[str, object] = dict.fromkeys(name for name in fresh if name not in ELSEWHERE)
    if stands == before:
        return columns
    columns["taken_back"] = json.dumps(stands, sort_keys=True) if stands else None
    return columns | (dict.fromkeys(BACK[1:]) if fresh or not stands else {})


def _taken_back(row: Mapping[str, object]) -> dict[str, Taken]:
    if row["taken_back"] is None:
        return {}
    try:
        found = {str(name): Taken(*map(str, said)) for name, said in json.loads(str(row["taken_back"])).items()}
    except (ValueError, TypeError, AttributeError):
        raise unreadable("retention_facts.taken_back") from None
    if not found.keys() <= {*NAMES, *ELSEWHERE}:
        raise unreadable("retention_facts.taken_back")
    return found


def agree(connection: Connection, fact_id: str, *, by: str, at: datetime) -> None:
    """Note that somebody looked into what was taken back, and that it was rightly so."""
    values = {"agreed_at": at.isoformat(), "agreed_by": by}
    connection.execute(update(retention_facts).where(retention_facts.c.fact_id == fact_id).values(values))


def stamp(connection: Connection, source: str, told_at: datetime, *, by: str, at: datetime) -> Feed:
    """Note that all that a source knew at ``told_at`` was taken in.

    Raises:
        IllegalTransitionError: it was fresher before.
    """
    known = feeds(connection).get(source)
    if known is not None and known.told_at > told_at:
        raise IllegalTransitionError(
            "A newer file of this source was taken in already.", remedy="Leave the older one out."
        )
    values = {"told_at": told_at.isoformat(), "recorded_at": at.isoformat(), "recorded_by": by}
    if known is None:
        connection.execute(retention_feeds.insert().values(source=source, **values))
    else:
        connection.execute(update(retention_feeds).where(retention_feeds.c.source == source).values(values))
    return Feed(source=source, told_at=told_at, recorded_by=by)


def feeds(connection: Connection) -> dict[str, Feed]:
    """Return how fresh each source is."""
    rows = connection.execute(select(retention_feeds).order_by(retention_feeds.c.source))
    return {
        row.source: Feed(source=row.source, told_at=datetime.fromisoformat(row.told_at), recorded_by=row.recorded_by)
        for row in rows
    }


def of(connection: Connection, numbers: Iterable[Key]) -> tuple[Recorded, ...]:
    """Return what sources told of a person under any of these numbers."""
    rows = (row for one in numbers for row in _OF.rows(connection, patient_id=one[0], issuer=one[1]))
    return tuple(_recorded(dict(zip(COLUMNS, row, strict=True))) for row in rows)


def many(connection: Connection, numbers: Collection[Key]) -> Mapping[Key, list[Recorded]]:
    """Return what sources told under each of many numbers, read at once."""
    whose = retention_facts.c.patient_id.in_({number for number, _ in numbers})  # by SQLite's index
    found: dict[Key, list[Recorded]] = {who: [] for who in numbers}
    for row in connection.execute(_ALL.where(whose)).all():
        if (who := (row.patient_id, row.issuer)) in found:
            found[who].append(_recorded(dict(zip(COLUMNS, row, strict=True))))
    return found


def seal(connection: Connection, fact_id: str) -> str:
    """Return the words that tie what a source told to its entry in the trail."""
    row = connection.execute(select(retention_facts).where(retention_facts.c.fact_id == fact_id)).one()
    return sealed(SEAL, fact_id, _content(dict(row._mapping)))


def _content(row: Mapping[str, object]) -> dict[str, object]:
    """Return a row as it is sealed: as ever, where nothing was taken back."""
    return {name: value for name, value in row.items() if name not in BACK or value is not None}


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of all that sources told."""
    for row in connection.execute(select(retention_facts), execution_options=IN_PARTS):
        yield sealed(SEAL, row.fact_id, _content(dict(row._mapping)))


def feed_seal(connection: Connection, source: str) -> str:
    """Return the words that tie a source's freshness to its entry in the trail."""
    row = connection.execute(select(retention_feeds).where(retention_feeds.c.source == source)).one()
    return sealed(FEED_SEAL, source, dict(row._mapping))


def feed_seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every source's freshness."""
    for row in connection.execute(select(retention_feeds), execution_options=IN_PARTS):
        yield sealed(FEED_SEAL, row.source, dict(row._mapping))


def _is(who: Key, said: From) -> ColumnElement[bool]:
    c = retention_facts.c
    whose = and_(c.patient_id == who[0], c.issuer == who[1])
    return and_(whose, c.source == said.source, c.trial_id == said.trial_id)


def _stored(told: Told) -> Mapping[str, object]:
    """Return what is said, as columns hold it."""
    said = {name: getattr(told, name) for name in NAMES if getattr(told, name) is not None}
    return {name: _column(value) for name, value in said.items()}


def _column(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return int(value)
    return json.dumps(sorted(value)) if isinstance(value, tuple) else value


def _recorded(row: Mapping[str, object]) -> Recorded:
    return Recorded(
        fact_id=str(row["fact_id"]),
        who=(str(row["patient_id"]), str(row["issuer"])),
        by=From(
            source=str(row["source"]),
            told_at=datetime.fromisoformat(str(row["told_at"])),
            trial_id=str(row["trial_id"]),
        ),
        told=Told(
            first_contact=_day(row, "first_contact"),
            last_contact=_day(row, "last_contact"),
            open_episode=_flag(row, "open_episode"),
            categories=_list(row, "categories"),
            cancer_diagnosis=_day(row, "cancer_diagnosis"),
            trial_regime=None if row["trial_regime"] is None else str(row["trial_regime"]),
            trial_concluded=_day(row, "trial_concluded"),
            ma_open_at_expiry=_flag(row, "ma_open_at_expiry"),
            ma_granted=_day(row, "ma_granted"),
            departments=_list(row, "departments"),
            procedures=_list(row, "procedures"),
            blood_products=_list(row, "blood_products"),
        ),
        taken_back=_taken_back(row),
        agreed_by=None if row["agreed_by"] is None else str(row["agreed_by"]),
    )


def _day(row: Mapping[str, object], name: str) -> date | None:
    return day(row[name], f"retention_facts.{name}")


def _flag(row: Mapping[str, object], name: str) -> bool | None:
    return None if row[name] is None else flag(row[name], f"retention_facts.{name}")


def _list(row: Mapping[str, object], name: str) -> tuple[str, ...] | None:
    return None if row[name] is None else texts(row[name], f"retention_facts.{name}")
