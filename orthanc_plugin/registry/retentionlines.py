"""What was last reckoned of each record: when it may be proposed, and what a plan would say of it.

Knows rows. Must not know rules, nor how a line is reckoned. A line counts only while ``basis`` names the schedule in
force: the database itself empties that in the transaction that changes anything the line rests on (migration 0015),
and counts up ``turn``, so that what was reckoned meanwhile from an older state isn't written. A line is an index:
nothing is destroyed on its word.

Source: requirements T-9; ADR 42.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple, cast

from sqlalchemy import JSON, BindParameter, Connection, bindparam, delete, exists, func, select, update
from sqlalchemy import cast as cast_to

from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry.linetables import retention_lines
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.tables import images

STALE: Final = ""
Turn = tuple[str, int]  # a record, and how often its line was outdated
_Stored = tuple[str, str | None, int, int, str, int, int, int, str, str, str, str, str]
_c = retention_lines.c
_NAMES: Final = tuple(column.name for column in _c if column.name not in ("basis", "turn"))
_SAME: Final = (_c.study_instance_uid == bindparam("study"), _c.turn == bindparam("as_of_turn"))
_WRITTEN: Final = (
    update(retention_lines)
    .where(*_SAME)
    .values({_c[name]: bindparam(f"new_{name}") for name in ("basis", *_NAMES[1:])})
)
_BEFORE: Final = select(_c.study_instance_uid, _c.turn).where(_c.basis < bindparam("basis")).limit(bindparam("most"))
_BEHIND: Final = select(_c.study_instance_uid, _c.turn).where(_c.basis > bindparam("basis")).limit(bindparam("most"))
_DUE: Final = (_c.basis == bindparam("basis"), _c.proposable_from <= bindparam("day"))
_IDS: Final = prepared(select(_c.study_instance_uid).where(*_DUE))
_LINES: Final = select(*(_c[name] for name in _NAMES))
_ASKED: Final[BindParameter[str]] = bindparam("studies")  # a list, as JSON: one parameter, however many there are
_PAGE: Final = prepared(
    _LINES.where(_c.study_instance_uid.in_(select(func.json_each(_ASKED).table_valued("value").c.value))),
    postgresql=_LINES.where(
        _c.study_instance_uid.in_(select(func.json_array_elements_text(cast_to(_ASKED, JSON)).column_valued()))
    ),
)
_OTHER_HOLDS: Final = select(_c.study_instance_uid, _c.turn).where(*_DUE, _c.holds != bindparam("holds"))


class Reckoned(NamedTuple):
    """What a line says.

    Attributes:
        proposable_from: first day on which the record's own pictures may be proposed as far as dates go; None: never,
            as things are.
        alone: nothing else can keep it, so that the line says everything; another record is looked at anew.
        held: a hold on a population reaches it, of those that ``holds`` stands for.
        holds: which holds on populations were looked at.
        objects: as a plan's line has it; so are the others.
    """

    study_instance_uid: str
    proposable_from: str | None
    alone: bool
    held: bool
    holds: str
    objects: int
    size: int
    unsized: int
    rule: str
    due_date: str
    words: str
    flags: tuple[str, ...]
    facts_sha256: str


def outdated(connection: Connection, basis: str, most: int) -> list[Turn]:
    """Return records whose lines don't count under the schedule ``basis``, up to about ``most``; none when all do."""
    found = (connection.execute(query, {"basis": basis, "most": most}) for query in (_BEFORE, _BEHIND))
    return [(str(study), int(turn)) for rows in found for study, turn in rows]


def held_otherwise(connection: Connection, basis: str, day: str, holds: str) -> list[Turn]:
    """Return those that may be proposed on a day, of which other holds on populations were looked at."""
    found = connection.execute(_OTHER_HOLDS, {"basis": basis, "day": day, "holds": holds})
    return [(str(study), int(turn)) for study, turn in found]


def ids(connection: Connection, basis: str, day: str) -> list[str]:
    """Return the records that may be proposed on a day as far as dates go."""
    return [str(study) for (study,) in _IDS.rows(connection, basis=basis, day=day)]


def page(connection: Connection, studies: Collection[str]) -> dict[str, Reckoned]:
    """Return the lines of some records."""
    known: dict[str, tuple[str, ...]] = {"[]": ()}
    rows = _PAGE.rows(connection, studies=json.dumps(tuple(studies)))
    return {str(row[0]): _reckoned(cast("_Stored", row), known) for row in rows}


def _reckoned(row: _Stored, known: dict[str, tuple[str, ...]]) -> Reckoned:
    """Return a line; what many lines say is read once."""
    study, since, alone, held, holds, objects, size, unsized, rule, due_date, words, flags, digest = row
    if flags not in known:
        known[flags] = tuple(json.loads(flags))
    counts = (objects, size, unsized)
    return Reckoned(study, since, alone == 1, held == 1, holds, *counts, rule, due_date, words, known[flags], digest)


def write(connection: Connection, basis: str, turns: Sequence[Turn], found: Mapping[str, Reckoned]) -> None:
    """Write what was reckoned of records, but for those that were outdated again since; what is gone has no line."""
    rows = [_row(basis, turn, found[study]) for study, turn in turns if study in found]
    if rows:
        connection.execute(_WRITTEN, rows)
    gone = [{"study": study, "as_of_turn": turn} for study, turn in turns if study not in found]
    if gone:
        connection.execute(delete(retention_lines).where(*_SAME), gone)


def _row(basis: str, turn: int, line: Reckoned) -> dict[str, object]:
    told = {f"new_{name}": getattr(line, name) for name in _NAMES[1:]}
    plain = {"new_alone": int(line.alone), "new_held": int(line.held), "new_flags": json.dumps(line.flags)}
    return {"study": line.study_instance_uid, "as_of_turn": turn, "new_basis": basis, **told, **plain}


def missing(connection: Connection) -> list[str]:
    """Return the records that have no line: none, unless somebody took it out behind our back."""
    lined = exists().where(_c.study_instance_uid == images.c.study_instance_uid)
    live = (images.c.status != ImageStatus.DISPOSED.value, images.c.study_instance_uid != "")
    return list(connection.execute(select(images.c.study_instance_uid).where(*live, ~lined).distinct()).scalars())


def expect(connection: Connection, studies: Collection[str]) -> None:
    """Give records a line, to be reckoned."""
    connection.execute(retention_lines.insert(), [{"study_instance_uid": study} for study in studies])


def outdate(connection: Connection, basis: str, most: int) -> int:
    """Have ``most`` of the lines that count be reckoned anew; return how many there were."""
    some = select(_c.study_instance_uid).where(_c.basis == basis).limit(most)
    again = update(retention_lines).where(_c.study_instance_uid.in_(some)).values(basis=STALE, turn=_c.turn + 1)
    return connection.execute(again).rowcount
