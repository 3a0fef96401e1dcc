"""Where each copy stands in its recall, held against what is sealed: its recall, its marks, and entries of the trail.

Knows rows. Where a copy stands (``disclosures.recall``) is written for thousands of copies at once, so it isn't sealed
by itself: it must be what the recall that asks for it, as the trail has that, lets it be.

Source: requirements 2.9 (nobody changes a fact without a trace).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from orthanc_plugin.policy.eventmodel import DEPOSITED, PUBLISHED, Recall
from orthanc_plugin.policy.recalling import Standing
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.recalltables import recall_copies, recalls
from orthanc_plugin.registry.tables import disclosures, trail

BY_ITSELF: Final = "RECALL_CONFIRMED"  # an entry on one copy that is gone
BEFORE_RECALLS: Final = ("recalled: ", "not recallable: ")  # how entries named copies before there were recalls


class _Copy(NamedTuple):
    disclosure_id: str
    recall: str
    kind: str
    key_destroyed: int
    standing: str | None

    @property
    def lost(self) -> bool:
        """Tell whether its marks say that it can't be had back."""
        return self.kind in (PUBLISHED, DEPOSITED) or bool(self.key_destroyed)

    @property
    def plain(self) -> bool:
        """Tell whether it stands where its recall lets it stand."""
        if self.standing is None:
            return self.recall == Recall.NONE
        if self.standing == Standing.NOT_RECALLABLE:
            return self.recall == Recall.NOT_RECALLABLE
        settled = self.standing == Standing.ACKNOWLEDGED
        asked = Recall.CONFIRMED if settled else Recall.OPEN
        return self.recall == asked or (self.recall == Recall.NOT_RECALLABLE and self.lost)


def unlike(connection: Connection) -> int:
    """Count the copies that don't stand where their recall, their marks and the trail have them."""
    doubtful = [each for each in _copies(connection) if not each.plain]
    if not doubtful:
        return 0
    gone, named = _told(connection)
    return sum(not _explained(each, gone, named) for each in doubtful)


def _explained(copy: _Copy, gone: set[str], named: set[str]) -> bool:
    """Tell whether entries of the trail say why: one copy of several is gone, or it was recalled before schema 0012."""
    if copy.standing is not None:
        unsettled = copy.standing not in (Standing.ACKNOWLEDGED, Standing.NOT_RECALLABLE)
        return unsettled and copy.recall == Recall.CONFIRMED and copy.disclosure_id in gone
    if copy.recall == Recall.CONFIRMED:
        return copy.disclosure_id in gone
    return copy.disclosure_id in named


def _copies(connection: Connection) -> Iterator[_Copy]:
    columns = (disclosures.c[name] for name in ("disclosure_id", "recall", "kind", "key_destroyed"))
    asked = disclosures.outerjoin(recall_copies, recall_copies.c.disclosure_id == disclosures.c.disclosure_id)
    joined = asked.outerjoin(recalls, recalls.c.recall_id == recall_copies.c.recall_id)
    query = select(*columns, recalls.c.standing).select_from(joined)
    touched = (disclosures.c.recall != Recall.NONE.value) | recall_copies.c.recall_id.is_not(None)
    for row in connection.execute(query.where(touched), execution_options=IN_PARTS):
        yield _Copy._make(row)


def _told(connection: Connection) -> tuple[set[str], set[str]]:
    """Return the copies that entries say are gone, and those that entries named before there were recalls."""
    gone, named = set[str](), set[str]()
    for (text,) in connection.execute(select(trail.c.body), execution_options=IN_PARTS):
        body = json.loads(text)
        if body["effect"] == BY_ITSELF:
            gone.add(str(body["subject"]))
        for reason in body["reasons"]:
            for words in BEFORE_RECALLS:
                if str(reason).startswith(words):
                    named.update(str(reason).removeprefix(words).split(", "))
    return gone, named
