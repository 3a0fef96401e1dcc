"""The execution of plans: batches, what became of each line, and which objects are being destroyed or are gone.

Knows rows. Must not know Orthanc. From the moment in which an object is marked it is listed here by the digest of its
UID: intake takes it no more, and its absence is no accident.

Sources: requirements 4, steps 6 to 8.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum, unique
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, select, update

from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry.bulk import pieces
from orthanc_plugin.registry.disposaltables import batches, objects, outcomes
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.named import in_place, of_those, those
from orthanc_plugin.registry.plans import uid_sha256
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.stored import sealed

SEAL: Final = "disposition outcome "


@unique
class State(StrEnum):
    """What became of a line. MARKED: its destruction has begun. PARTLY: some of it is gone, and the rest is kept."""

    MARKED = "MARKED"
    DESTROYED = "DESTROYED"
    DROPPED = "DROPPED"
    PARTLY = "PARTLY"


@unique
class Fate(StrEnum):
    """What became of an object. MARKED: it is on its way out. LEFT: it could not be destroyed; every door is shut."""

    MARKED = "MARKED"
    DESTROYED = "DESTROYED"
    LEFT = "LEFT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """One object on its way out: as the registry has it, what it was before, and the files that hold it."""

    sop_instance_uid: str
    orthanc_instance: str
    status: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One execution of a plan; its id is the number of its certificate.

    Attributes:
        archive: name of the archive that it destroys in: what is gone there was perhaps never in another.
        storage: folder of that archive's files, '' when they aren't in files.
    """

    batch_id: str
    plan_id: str
    archive: str
    storage: str
    begun_by: str
    begun_at: str
    ended_at: str | None = None
    certificate: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a line; ``marked`` is empty once nothing of it is on its way out."""

    plan_id: str
    line: int
    batch_id: str
    state: State
    reason: str
    at: str
    marked: tuple[Marked, ...] = ()

    def was(self, sop_instance_uid: str) -> ImageStatus:
        """Return what one of the ``marked`` pictures was before."""
        return next(ImageStatus(each.status) for each in self.marked if each.sop_instance_uid == sop_instance_uid)


# Asked about every picture that comes in, and about every one that Orthanc says is gone.
BY_UID: Final = prepared(select(objects.c.stub_id).where(objects.c.uid_sha256 == bindparam("digest")))
EXPECTED: Final = of_those(select(objects.c.orthanc_instance), objects.c.orthanc_instance)
# Asked about, and written of, every line and object that is executed.
_digest = objects.c.uid_sha256 == bindparam("digest")
OUTCOMES: Final = of_those(select(*outcomes.c).where(outcomes.c.plan_id == bindparam("plan")), outcomes.c.line)
SETTLED: Final = in_place(outcomes)
LISTED: Final = in_place(objects)
UNLISTED: Final = prepared(delete(objects).where(_digest))
FATED: Final = prepared(update(objects).where(_digest).values({objects.c.state: bindparam("fate")}))
STOOD_FOR: Final = prepared(update(objects).where(_digest).values({objects.c.stub_id: bindparam("stub")}))
LEFT: Final = of_those(
    select(objects.c.uid_sha256, objects.c.files).where(objects.c.state == Fate.LEFT.value), objects.c.uid_sha256
)
_destroyed = objects.c.state == Fate.DESTROYED.value
OBJECTS: Final = of_those(
    select(objects.c.stub_id, objects.c.uid_sha256, objects.c.orthanc_instance).where(_destroyed), objects.c.stub_id
)
COLUMNS: Final = tuple(column.name for column in outcomes.c)
MARKED_FIELDS: Final = tuple(each.name for each in fields(Marked))
CONDEMNED: Final = prepared(
    select(objects.c.stub_id).where(
        objects.c.orthanc_instance == bindparam("instance"), objects.c.state != Fate.LEFT.value
    )
)


def stub_of(connection: Connection, sop_instance_uid: str) -> str | None:
    """Return the id of the stub that stands for a destroyed picture, or for one on its way out; None for any other."""
    return next((str(stub) for (stub,) in BY_UID.rows(connection, digest=uid_sha256(sop_instance_uid))), None)


def is_free(connection: Connection, sop_instance_uid: str) -> bool:
    """Tell whether an object may be marked: no line has marked it yet, or an earlier execution could not destroy it."""
    return stub_of(connection, sop_instance_uid) is None or sop_instance_uid in left(connection, (sop_instance_uid,))


def expected(connection: Connection, instances: Collection[str]) -> frozenset[str]:
    """Return those of what Orthanc calls so that are destroyed on purpose."""
    return frozenset(str(name) for (name,) in EXPECTED.rows(connection, those=those(connection, instances)))


def condemned(connection: Connection, orthanc_instance: str) -> bool:
    """Tell whether what Orthanc calls so is on its way out now, or was destroyed and has come back."""
    return bool(CONDEMNED.rows(connection, instance=orthanc_instance))


def begin(connection: Connection, batch: Batch) -> None:
    """Write that an execution begins."""
    connection.execute(batches.insert().values(asdict(batch)))


def unfinished(connection: Connection, plan_id: str) -> Batch | None:
    """Return the execution of a plan that has not ended."""
    open_ = (batches.c.plan_id == plan_id, batches.c.ended_at.is_(None))
    row = connection.execute(select(batches).where(*open_)).first()
    return None if row is None else Batch(**row._mapping)


def end(connection: Connection, batch_id: str, at: str, certificate: str) -> None:
    """Write that an execution has ended, and what was certified of it."""
    known = batches.c.batch_id == batch_id
    connection.execute(update(batches).where(known).values(ended_at=at, certificate=certificate))


def ended(connection: Connection) -> Iterator[Batch]:
    """Give every execution that has ended, oldest first."""
    query = select(batches).where(batches.c.ended_at.is_not(None)).order_by(batches.c.ended_at, batches.c.batch_id)
    for row in connection.execute(query, execution_options=IN_PARTS):
        yield Batch(**row._mapping)


def numbers(connection: Connection) -> set[str]:
    """Return the numbers of the certificates that were given."""
    return set(connection.execute(select(batches.c.batch_id).where(batches.c.ended_at.is_not(None))).scalars())


def mark(connection: Connection, outcome: Outcome, stub_id: str) -> None:
    """Write that the destruction of a line begins: from here on its objects are listed."""
    settle(connection, outcome)
    for each in outcome.marked:
        LISTED.run(
            connection,
            uid_sha256=uid_sha256(each.sop_instance_uid),
            orthanc_instance=each.orthanc_instance,
            plan_id=outcome.plan_id,
            line=outcome.line,
            stub_id=stub_id,
            state=Fate.MARKED.value,
            files=json.dumps(each.files),
        )


def fated(connection: Connection, uids: Iterable[str], fate: Fate) -> None:
    """Write what became of objects; what is LEFT stays listed: intake doesn't take it, and its files are known."""
    for uid in uids:
        FATED.run(connection, fate=fate.value, digest=uid_sha256(uid))


def stand_for(connection: Connection, uids: Iterable[str], stub_id: str) -> None:
    """Write which stub stands for objects: those of another patient have one of their own."""
    for uid in uids:
        STOOD_FOR.run(connection, stub=stub_id, digest=uid_sha256(uid))


def left(connection: Connection, uids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return those of these objects that an earlier execution could not destroy, each with the files that held it."""
    known = {uid_sha256(uid): uid for uid in uids}
    rows = LEFT.rows(connection, those=those(connection, known)) if known else []
    return {known[str(digest)]: tuple(json.loads(str(files))) for digest, files in rows}


def unlist(connection: Connection, uids: Iterable[str]) -> None:
    """Take objects off the list that are kept after all."""
    for uid in uids:
        UNLISTED.run(connection, digest=uid_sha256(uid))


def marked_as(connection: Connection, sop_instance_uid: str) -> Outcome | None:
    """Return the line under which a picture is on its way out, None when it isn't."""
    listed = objects.c.uid_sha256 == uid_sha256(sop_instance_uid)
    row = connection.execute(select(objects.c.plan_id, objects.c.line).where(listed)).first()
    found = outcome_of(connection, row.plan_id, row.line) if row else None
    return found if found is not None and found.state is State.MARKED else None


def on_their_way(connection: Connection, uids: Collection[str]) -> dict[str, Outcome]:
    """Return those of these pictures that are on their way out, each with the line under which it is."""
    named = {uid_sha256(uid): uid for uid in uids}
    listed: list[str] = []
    for some in pieces(named):
        query = select(objects.c.uid_sha256).where(objects.c.uid_sha256.in_(some))
        listed += (named[digest] for digest in connection.execute(query).scalars())
    return {uid: found for uid in listed if (found := marked_as(connection, uid)) is not None}


def restrict(
    connection: Connection,
    outcome: Outcome,
    sop_instance_uid: str,
    status: ImageStatus = ImageStatus.RESTRICTED,
) -> None:
    """Have a picture that is on its way out be restricted, should it be kept after all."""
    marked = tuple(
        replace(each, status=status) if each.sop_instance_uid == sop_instance_uid else each for each in outcome.marked
    )
    settle(connection, replace(outcome, marked=marked))


def settle(connection: Connection, outcome: Outcome) -> str:
    """Write what became of a line; return the words that tie it to its entry in the trail."""
    values = {name: getattr(outcome, name) for name in COLUMNS}
    marked = [{name: getattr(each, name) for name in MARKED_FIELDS} for each in outcome.marked]
    SETTLED.run(connection, **{**values, "marked": json.dumps(marked)})
    return _seal(outcome)


def _seal(outcome: Outcome) -> str:
    content = {name: getattr(outcome, name) for name in COLUMNS if name != "marked"}
    return sealed(SEAL, f"{outcome.plan_id} line {outcome.line}", content)


def outcome_of(connection: Connection, plan_id: str, line: int) -> Outcome | None:
    """Return what became of one line, None when nothing has."""
    return outcomes_in(connection, plan_id, (line,)).get(line)


def outcomes_in(connection: Connection, plan_id: str, lines: Collection[int]) -> dict[int, Outcome]:
    """Return what became of those of these lines of which anything has."""
    rows = OUTCOMES.rows(connection, plan=plan_id, those=those(connection, lines))
    found = (_outcome(dict(zip(COLUMNS, row, strict=True))) for row in rows)
    return {each.line: each for each in found}


def outcomes_of(connection: Connection, plan_id: str) -> Iterator[Outcome]:
    """Give what became of a plan's lines, in order."""
    query = select(outcomes).where(outcomes.c.plan_id == plan_id).order_by(outcomes.c.line)
    for row in connection.execute(query, execution_options=IN_PARTS):
        yield _outcome(dict(row._mapping))


def _outcome(row: dict[str, object]) -> Outcome:
    marked = tuple(Marked(**{**each, "files": tuple(each["files"])}) for each in json.loads(str(row["marked"])))
    return Outcome(**{**row, "state": State(str(row["state"])), "marked": marked})  # type: ignore[arg-type]


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every line that was settled."""
    query = select(outcomes).where(outcomes.c.state != State.MARKED.value)
    for row in connection.execute(query, execution_options=IN_PARTS):
        yield _seal(_outcome(dict(row._mapping)))


def instances(connection: Connection) -> Iterator[tuple[str, str]]:
    """Give every object that is destroyed: what Orthanc called it, and its stub."""
    query = select(objects.c.orthanc_instance, objects.c.stub_id).where(_destroyed)
    for instance, stub in connection.execute(query, execution_options=IN_PARTS):
        yield str(instance), str(stub)


def object_rows(connection: Connection, stub_ids: Collection[str]) -> dict[str, list[tuple[str, str]]]:
    """Return the digests of UIDs, and Orthanc's names, of what each of these stubs stands for."""
    found: dict[str, list[tuple[str, str]]] = {each: [] for each in stub_ids}
    for stub, digest, instance in OBJECTS.rows(connection, those=those(connection, found)):
        found[str(stub)].append((str(digest), str(instance)))
    return {stub: sorted(rows) for stub, rows in found.items()}


def relist(connection: Connection, rows: Iterable[tuple[str, str]], *, plan_id: str, stub_id: str) -> None:
    """List objects as destroyed that a certificate names and a restored registry has forgotten, or has as marked."""
    for digest, instance in rows:
        values = {"orthanc_instance": instance, "stub_id": stub_id, "state": Fate.DESTROYED.value}
        known = objects.c.uid_sha256 == digest
        if connection.execute(update(objects).where(known).values(values)).rowcount == 0:
            new = {"uid_sha256": digest, "plan_id": plan_id, "line": 0, "files": "[]"}
            connection.execute(objects.insert().values({**values, **new}))


def lines_of(connection: Connection, stub_id: str) -> list[tuple[str, int]]:
    """Return the lines, each with its plan, that a stub's objects were marked by."""
    query = select(objects.c.plan_id, objects.c.line).where(objects.c.stub_id == stub_id).distinct()
    return [(str(plan), int(line)) for plan, line in connection.execute(query)]


def stubs_of(connection: Connection, plan_id: str, lines: Iterable[int]) -> list[str]:
    """Return the ids of the stubs of what was destroyed by these lines."""
    these = (objects.c.plan_id == plan_id, objects.c.line.in_(tuple(lines)), _destroyed)
    query = select(objects.c.stub_id).where(*these)
    return sorted(connection.execute(query.distinct()).scalars())


def is_on_its_way(connection: Connection, sop_instance_uid: str) -> bool:
    """Tell whether an object is marked, and what became of it isn't written."""
    known = (objects.c.uid_sha256 == uid_sha256(sop_instance_uid), objects.c.state == Fate.MARKED.value)
    return connection.execute(select(objects.c.stub_id).where(*known)).first() is not None


def destroyed(connection: Connection) -> dict[str, str]:
    """Return the digest of every UID that is destroyed, with its stub."""
    query = select(objects.c.uid_sha256, objects.c.stub_id).where(_destroyed)
    return {str(digest): str(stub) for digest, stub in connection.execute(query, execution_options=IN_PARTS)}


def found_as(connection: Connection, sop_instance_uid: str, orthanc_instance: str) -> None:
    """Write under which other name Orthanc has a destroyed object, which is to be destroyed there too."""
    known = objects.c.uid_sha256 == uid_sha256(sop_instance_uid)
    connection.execute(update(objects).where(known).values(orthanc_instance=orthanc_instance))


def states(connection: Connection, year: str) -> dict[str, int]:
    """Return what became of the lines that were executed in a year."""
    query = select(outcomes.c.state, func.count()).where(outcomes.c.at.startswith(year)).group_by(outcomes.c.state)
    return {str(state): int(count) for state, count in connection.execute(query)}
