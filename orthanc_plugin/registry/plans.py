"""Plans of disposition: what was proposed, decided line by line, and approved.

Knows rows, and how each is tied to its entry in the trail. Must not know who may do what, nor when. A plan's lines are
sealed with it; a decision is never changed, a later one of the same line counts.

Sources: requirements 4, steps 2 to 5.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum, unique
from json.encoder import encode_basestring_ascii as quoted
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, literal_column, select, update

from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.registry.disposaltables import approvals, batches, decisions, lines, plans
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.named import of_those, those
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.stored import sealed

PLAN_SEAL: Final = "disposition plan "
DECISION_SEAL: Final = "disposition decision "
APPROVAL_SEAL: Final = "disposition approval "
AT_ONCE: Final = 5000
NO_PLACE: Final = ("place", "")  # what was sealed before decisions had one stays as it was sealed
_DECIDED: Final = decisions.join(lines, (lines.c.plan_id == decisions.c.plan_id) & (lines.c.line == decisions.c.line))
Row = dict[str, object]
LINE_COLUMNS: Final = tuple(column.name for column in lines.c)
DECISION_COLUMNS: Final = tuple(column.name for column in decisions.c)
# Asked about every line that is executed.
LINES: Final = of_those(select(*lines.c).where(lines.c.plan_id == bindparam("plan")), lines.c.line)
NEWEST: Final = prepared(
    select(*decisions.c)
    .select_from(_DECIDED)
    .where(lines.c.study_sha256 == bindparam("record"))
    .order_by(decisions.c.entry.desc())
    .limit(literal_column("1"))
)


@unique
class Action(StrEnum):
    """What a person decides on a line."""

    DESTROY = "DESTROY"
    RETAIN_UNTIL = "RETAIN_UNTIL"
    TRANSFER = "TRANSFER"
    HOLD = "HOLD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A proposal; ``schedule`` is the version it was made under, ``entry`` the number of its entry in the trail."""

    plan_id: str
    as_of: str
    proposed_at: str
    proposed_by: str
    schedule: str
    schedule_sha256: str
    lines: int
    lines_sha256: str
    entry: int


class Line(NamedTuple):
    """One record past its date.

    Attributes:
        study_instance_uid: the record; '' once it is destroyed.
        objects: how many pictures it has; ``size`` their bytes, without those of the ``unsized``.
        words: why it may be proposed, for a person; '' once it is destroyed.
        flags: what whoever decides has to know.
        facts_sha256: digest of everything that the proposal rests on.
    """

    line: int
    study_instance_uid: str
    study_sha256: str
    objects: int
    size: int
    unsized: int
    rule: str
    due_date: str
    words: str
    flags: tuple[str, ...]
    facts_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person decided on one line; of two the one with the later ``entry`` in the trail counts, by no clock.

    ``place`` is the place of deposit of a TRANSFER, '' of all else.
    """

    decision_id: str
    plan_id: str
    line: int
    action: Action
    until: str | None
    reason: str
    decided_by: str
    decided_at: str
    entry: int
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A second person's word on a plan as it was decided; ``entry`` is the number of its entry in the trail."""

    approval_id: str
    plan_id: str
    decided_sha256: str
    approved_by: str
    approved_at: str
    entry: int
    withdrawn_by: str | None = None
    withdrawn_at: str | None = None
    reason: str = ""


def uid_sha256(uid: str) -> str:
    """Return the digest by which a UID is known once what it named is gone."""
    return hashlib.sha256(uid.encode()).hexdigest()


def lines_sha256(found: Iterable[Line]) -> str:
    """Return the digest of a plan's lines, but for what is taken out of them when they are destroyed."""
    digest, flags = hashlib.sha256(), dict[tuple[str, ...], str]()
    for each in found:
        if each.flags not in flags:  # what many lines say is written once
            flags[each.flags] = json.dumps(each.flags)
        digest.update(_sealed(each, flags[each.flags]).encode())
    return digest.hexdigest()


def _sealed(line: Line, flags: str) -> str:
    """Return what of a line is sealed, as JSON writes a list of it; ``json.dumps`` takes ten times as long."""
    numbers = f"{line.objects}, {line.size}, {line.unsized}"
    names = f"{quoted(line.rule)}, {quoted(line.due_date)}"
    return f"[{line.line}, {quoted(line.study_sha256)}, {numbers}, {names}, {flags}, {quoted(line.facts_sha256)}]"


def add(connection: Connection, plan: Plan) -> str:
    """Write a plan whose lines are written; return the words that tie it to its entry in the trail."""
    connection.execute(plans.insert().values(asdict(plan)))
    return sealed(PLAN_SEAL, plan.plan_id, asdict(plan))


def get(connection: Connection, plan_id: str) -> Plan:
    """Return a plan.

    Raises:
        UnknownRecordError: there is none.
    """
    row = connection.execute(select(plans).where(plans.c.plan_id == plan_id)).first()
    if row is None:
        raise UnknownRecordError("No plan has this id.", remedy="See 'consentgate retention plans'.")
    return Plan(**row._mapping)


def listed(connection: Connection) -> list[Plan]:
    """Return the plans, newest first."""
    query = select(plans).order_by(plans.c.proposed_at.desc(), plans.c.plan_id)
    return [Plan(**row._mapping) for row in connection.execute(query)]


def like(connection: Connection, as_of: str, schedule_sha256: str, digest: str) -> Plan | None:
    """Return the plan of the same day, schedule and lines, if there is one that wasn't executed."""
    same = (plans.c.as_of == as_of, plans.c.schedule_sha256 == schedule_sha256, plans.c.lines_sha256 == digest)
    executed = select(batches.c.plan_id).where(batches.c.ended_at.is_not(None))
    row = connection.execute(select(plans).where(*same, plans.c.plan_id.not_in(executed))).first()
    return None if row is None else Plan(**row._mapping)


def lines_of(connection: Connection, plan_id: str, *, after: int = 0, most: int | None = None) -> Iterator[Line]:
    """Give a plan's lines in order."""
    query = select(lines).where(lines.c.plan_id == plan_id, lines.c.line > after).order_by(lines.c.line).limit(most)
    for row in connection.execute(query, execution_options=IN_PARTS):
        yield _line(dict(row._mapping))


def _line(row: Row) -> Line:
    values = {name: value for name, value in row.items() if name != "plan_id"}
    return Line(**{**values, "flags": tuple(json.loads(str(row["flags"])))})  # type: ignore[arg-type]


def line_of(connection: Connection, plan_id: str, line: int) -> Line:
    """Return one line.

    Raises:
        UnknownRecordError: there is none.
    """
    return chosen(connection, plan_id, (line,))[0]


def chosen(connection: Connection, plan_id: str, numbers: Sequence[int]) -> list[Line]:
    """Return lines of a plan, in order.

    Raises:
        UnknownRecordError: one isn't there.
    """
    wanted = set(numbers)
    rows = LINES.rows(connection, plan=plan_id, those=those(connection, wanted))
    if len(rows) < len(wanted):
        raise UnknownRecordError("The plan has no such line.", remedy="See 'consentgate retention show'.")
    return sorted((_line(dict(zip(LINE_COLUMNS, row, strict=True))) for row in rows), key=lambda each: each.line)


def numbers_of(connection: Connection, plan_id: str, rule: str) -> list[int]:
    """Return the numbers of one rule's lines."""
    query = select(lines.c.line).where(lines.c.plan_id == plan_id, lines.c.rule == rule).order_by(lines.c.line)
    return list(connection.execute(query).scalars())


def decide(connection: Connection, taken: Sequence[Decision]) -> str:
    """Write one decision on one or many lines; return the words that tie it to its entry in the trail."""
    for start in range(0, len(taken), AT_ONCE):
        connection.execute(decisions.insert(), [asdict(each) for each in taken[start : start + AT_ONCE]])
    return _decision_seal(taken)


def _decision_seal(taken: Sequence[Decision]) -> str:
    first = {name: value for name, value in asdict(taken[0]).items() if name != "line" and (name, value) != NO_PLACE}
    return sealed(DECISION_SEAL, taken[0].decision_id, {**first, "lines": [each.line for each in taken]})


def decided(connection: Connection, plan_id: str) -> dict[int, Decision]:
    """Return the decision that counts on each line that has one."""
    query = select(decisions).where(decisions.c.plan_id == plan_id).order_by(decisions.c.entry)
    rows = connection.execute(query, execution_options=IN_PARTS)
    return {row.line: _decision(row._mapping) for row in rows}


def deciders(connection: Connection, plan_id: str) -> frozenset[str]:
    """Return who ever decided on a line of a plan, though another decided on it again."""
    query = select(decisions.c.decided_by).where(decisions.c.plan_id == plan_id)
    return frozenset(connection.execute(query.distinct()).scalars())


def lines_for(taken: dict[int, Decision], action: Action) -> frozenset[int]:
    """Return the lines for which this was decided."""
    return frozenset(line for line, each in taken.items() if each.action is action)


def decided_sha256(taken: dict[int, Decision]) -> str:
    """Return the digest of what was decided on every line: what an approval is of."""
    digest = hashlib.sha256()
    for line in sorted(taken):
        digest.update(json.dumps((line, taken[line].decision_id, taken[line].action, taken[line].until)).encode())
    return digest.hexdigest()


def _decision(values: object) -> Decision:
    row = dict(values)  # type: ignore[call-overload]
    return Decision(**{**row, "action": Action(row["action"])})


def newest(connection: Connection, study_sha256: Iterable[str]) -> dict[str, Decision]:
    """Return the last decision on each of these records, in whatever plan, approved or not."""
    found = {each: NEWEST.rows(connection, record=each) for each in dict.fromkeys(study_sha256)}
    last = ((record, rows[0]) for record, rows in found.items() if rows)
    return {record: _decision(dict(zip(DECISION_COLUMNS, row, strict=True))) for record, row in last}


def retained(connection: Connection, on: str) -> frozenset[str]:
    """Return digests of the records that two persons agreed to keep beyond the day ``on``."""
    standing = (approvals.c.plan_id == decisions.c.plan_id) & approvals.c.withdrawn_at.is_(None)
    agreed = _DECIDED.join(approvals, standing & (approvals.c.entry > decisions.c.entry))
    kept: dict[str, bool] = {}
    query = select(lines.c.study_sha256, decisions.c.action, decisions.c.until).select_from(agreed)
    for digest, action, until in connection.execute(query.order_by(decisions.c.entry), execution_options=IN_PARTS):
        kept[digest] = action == Action.RETAIN_UNTIL and until > on
    return frozenset(digest for digest, stays in kept.items() if stays)


def approve(connection: Connection, approval: Approval) -> str:
    """Write an approval; return the words that tie it to its entry in the trail."""
    connection.execute(approvals.insert().values(asdict(approval)))
    return approval_seal(approval)


def approval_seal(approval: Approval) -> str:
    """Return the words that tie an approval, as it stands, to its entry in the trail."""
    return sealed(APPROVAL_SEAL, approval.approval_id, asdict(approval))


def approval_of(connection: Connection, plan_id: str) -> Approval | None:
    """Return the approval of a plan: its newest, unless that was withdrawn; no older one comes back."""
    query = select(approvals).where(approvals.c.plan_id == plan_id).order_by(approvals.c.entry.desc())
    row = connection.execute(query).first()
    return None if row is None or row.withdrawn_at is not None else Approval(**row._mapping)


def withdraw(connection: Connection, approval: Approval) -> str:
    """Write that an approval was withdrawn; return the words that tie it to its entry in the trail."""
    known = approvals.c.approval_id == approval.approval_id
    connection.execute(update(approvals).where(known).values(asdict(approval)))
    return approval_seal(approval)


def actions(connection: Connection, year: str) -> dict[str, int]:
    """Return how many lines were decided in a year, by what was decided last."""
    query = select(decisions).where(decisions.c.decided_at.startswith(year))
    last = {(row.plan_id, row.line): row.action for row in connection.execute(query.order_by(decisions.c.entry))}
    return dict(Counter(last.values()))


def plan_seal(connection: Connection, plan: Plan) -> str:
    """Return the seal of a plan, by the lines that it has now."""
    digest = lines_sha256(lines_of(connection, plan.plan_id))
    return sealed(PLAN_SEAL, plan.plan_id, {**asdict(plan), "lines_sha256": digest})


def plan_seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every plan, by the lines that it has now."""
    for plan in listed(connection):
        yield plan_seal(connection, plan)


def decision_seals(connection: Connection, *, since: int = 0) -> Iterator[str]:
    """Give the seal of every decision, or of those ``since`` an entry of the trail."""
    query = select(decisions).where(decisions.c.entry > since).order_by(decisions.c.decision_id, decisions.c.line)
    group: list[Decision] = []
    for row in connection.execute(query, execution_options=IN_PARTS):
        each = _decision(row._mapping)
        if group and group[0].decision_id != each.decision_id:
            yield _decision_seal(group)
            group = []
        group.append(each)
    if group:
        yield _decision_seal(group)


def approval_seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every approval."""
    for row in connection.execute(select(approvals), execution_options=IN_PARTS):
        yield approval_seal(Approval(**row._mapping))
