"""What a permit says of one picture, said of others of its series of which everything else is the same.

Whoever looks at a series asks for one picture after the other. From the second on, the next ones are found in one
statement, and what will be written of each is made of what was written of this one. Knows texts and names. Must not
decide, and writes nothing: nobody has asked yet. Source: docs/adr/0056.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from sqlalchemy import Connection

from orthanc_plugin.audit.event import Stencil, canonical
from orthanc_plugin.registry import siblings, snapshots
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.registry.snapshots import Snapshot

# How many are looked for, at the first and at each further one of a series that had to be decided on.
STEPS: Final = (0, 64)


class Said(NamedTuple):
    """What is known and said of one picture: by which path it is asked for, its entry, and the facts of it."""

    uri: str
    entry: Stencil
    facts: Snapshot


class Mould(NamedTuple):
    """The same in pieces around the picture's own name, which each text has once."""

    uri: tuple[str, str]
    before: str
    facts: tuple[str, str]
    subject: tuple[str, str]
    body: tuple[str, str]

    def cast(self, name: str, uid: str) -> Said:
        """Return it of another picture, which the path calls ``name``."""
        said = canonical(uid)
        facts = snapshots.named(said.join(self.body))
        stencil = Stencil(self.before, facts.digest.join(self.facts), said.join(self.subject))
        return Said(name.join(self.uri), stencil, facts)


def mould(said: Said, name: str, uid: str) -> Mould | None:
    """Return what is said of a picture as a mould; None where its name isn't where it is looked for, and only there."""
    entry, quoted = said.entry, canonical(uid)
    if "".join(entry).count(uid) != 1 or said.facts.body.count(uid) != 1 or said.uri.count(name) != 1:
        return None
    path = _around(said.uri, name)
    facts = _around(entry.between, said.facts.digest)
    subject = _around(entry.after, f'"subject":{quoted}')
    body = _around(said.facts.body, quoted)
    if path is None or facts is None or subject is None or body is None or not path[0].endswith("/"):
        return None
    if path[1][:1] not in ("", "/"):
        return None
    return Mould(path, entry.before, facts, (f'{subject[0]}"subject":', subject[1]), body)


def _around(text: str, part: str) -> tuple[str, str] | None:
    """Return what stands before and behind a part that is there once."""
    before, found, behind = text.partition(part)
    return (before, behind) if found and part not in behind else None


class Reach:
    """How far ahead somebody has looked in a series, under one version of the facts."""

    def __init__(self) -> None:
        self._times = 0
        self._place = 0
        self._looking = False

    def wanted(self) -> int:
        """Return how many to look for, now that one more had to be decided on; 0 for none, or if somebody does."""
        most = 0 if self._looking else STEPS[min(self._times, len(STEPS) - 1)]
        self._times += 1
        self._looking = self._looking or most > 0
        return most

    def looked(self) -> None:
        """Have the next be looked for when one is wanted again."""
        self._looking = False

    def look(self, connection: Connection, row: ImageRow, subject: Subject, said: Said, most: int) -> Iterator[Said]:
        """Give what will be said of so many that are likely to be asked for next, each in the same way.

        Args:
            connection: an open transaction that sees the same version of the facts.
            row: the picture that was decided on.
            subject: by what the path names pictures; each name is one picture's.
            said: of that picture.
            most: how many.
        """
        made = mould(said, str(getattr(row, subject.value)), row.sop_instance_uid)
        if made is None:
            return
        for each in siblings.alike(connection, row.sop_instance_uid, self._place, most):
            self._place = each.place
            name = each.orthanc_instance if subject is Subject.INSTANCE else each.sop_instance_uid
            yield made.cast(name, each.sop_instance_uid)
