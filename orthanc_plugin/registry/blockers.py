"""Whose open transaction keeps anything from being recorded, on PostgreSQL: by which process, and since when.

Knows PostgreSQL's locks and sessions. Whoever writes by hand (psql, a tool) and doesn't commit holds what they wrote,
and the version of the facts with it (ADR 41): releases go on, and every change of a fact waits in vain, a withdrawal
too. Must not know what the session does: its statements may name patients, so they aren't asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from orthanc_plugin.policy.words import one_line

LONGEST: Final = 40  # characters of what a client calls itself
# Readers, vacuum and what makes an index beside the work hold up nobody who writes.
HARMLESS: Final = "'AccessShareLock', 'ShareUpdateExclusiveLock'"
# What a role may not see of another's sessions is empty.
SESSIONS: Final = text(
    f"""
    SELECT activity.pid, activity.usename, coalesce(activity.application_name, ''),
           coalesce(host(activity.client_addr), ''), activity.state,
           extract(epoch FROM clock_timestamp() - activity.xact_start)::float8
    FROM pg_stat_activity AS activity
    WHERE activity.pid <> pg_backend_pid() AND coalesce(activity.backend_type, 'client backend') = 'client backend'
      AND coalesce(clock_timestamp() - activity.xact_start >= make_interval(secs => :seconds), true)
      AND EXISTS (
        SELECT FROM pg_locks AS held
        WHERE held.pid = activity.pid AND held.granted
          AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND (
            (held.locktype = 'advisory' AND held.classid = 0 AND held.objid = :lock AND held.objsubid = 1)
            OR (held.locktype = 'relation' AND held.mode NOT IN ({HARMLESS}) AND held.relation IN (
              SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = (
                SELECT relnamespace FROM pg_class WHERE oid = to_regclass('fact_versions')
              )
            ))
          )
      )
    ORDER BY activity.xact_start NULLS LAST, activity.pid
    """  # noqa: S608 - our own words
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocker:
    """A session that holds what others must write.

    Attributes:
        pid: PostgreSQL's process.
        role: as whom it is signed in.
        application: what the client calls itself; '' when it doesn't, or we may not see it.
        host: where it comes from; '' when by a socket of the server's own machine, or we may not see it.
        idle: whether nothing is being done on it.
        seconds: for how long its transaction has been open; None when we may not see it.
    """

    pid: int
    role: str
    application: str
    host: str
    idle: bool
    seconds: float | None

    def __str__(self) -> str:
        """Say what it is; nothing of what it does."""
        who = f"{self.application} as {self.role}" if self.application else f"role {self.role}"
        where = f" at {self.host}" if self.host else ""
        since = f" for {self.seconds:.0f} s" if self.seconds is not None else ""
        idle = ", in which nothing is being done" if self.idle else ""
        return (
            f"PostgreSQL's process {self.pid} ({who}{where}) has had a transaction open{since}{idle}: until it ends "
            "nothing that decisions rest on can be recorded, no withdrawal either."
        )

    @property
    def remedy(self) -> str:
        """Return what to do."""
        return f"End it where it was begun, or by SELECT pg_terminate_backend({self.pid}) as its own role; then again."


def blockers(connection: Connection, lock: int, seconds: float = 0.0) -> tuple[Blocker, ...]:
    """Return which sessions hold what others must write, the longest first; none where the database is no server.

    Args:
        connection: in a transaction, which may be one that only reads.
        lock: the advisory lock of whoever writes the trail.
        seconds: for how long their transactions must have been open; those of which we may not see it count too.
    """
    if connection.dialect.name != "postgresql":
        return ()
    found = connection.execute(SESSIONS, {"lock": lock, "seconds": seconds})
    return tuple(
        Blocker(
            pid=int(pid),
            role=one_line(str(role))[:LONGEST],
            application=one_line(str(application))[:LONGEST],
            host=str(host),
            idle=str(state).startswith("idle in transaction"),
            seconds=None if age is None else float(age),
        )
        for pid, role, application, host, state, age in found
    )


def in_the_way(connection: Connection, lock: int) -> Blocker | None:
    """Return who kept a transaction that was just undone from writing; None when nobody can tell."""
    try:
        with connection.begin():
            return next(iter(blockers(connection, lock)), None)
    except SQLAlchemyError:
        return None
