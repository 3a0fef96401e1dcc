"""Lines of a plan that isn't made yet: written a few at a time, for everybody else who writes waits meanwhile.

Knows rows. Must not know rules. Lines without their plan count for nothing; what a run that was cut off has left of
them is taken out by the next.

Source: requirements 4, step 2; ADR 42.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, delete, func, select

from orthanc_plugin.registry.disposaltables import lines, plans
from orthanc_plugin.registry.plans import Line
from orthanc_plugin.registry.prepared import prepared

DRAFTED: Final = prepared(lines.insert())  # the columns in their order


def draft(connection: Connection, plan_id: str, some: Sequence[Line]) -> None:
    """Write some lines of a plan to be."""
    flags = {each: json.dumps(each) for each in {each.flags for each in some}}  # what many lines say is written once
    DRAFTED.run_many(connection, [(plan_id, *each[:-2], flags[each.flags], each.facts_sha256) for each in some])


def left_over(connection: Connection) -> list[str]:
    """Return the plans that were never made, of which there are lines."""
    made = select(plans.c.plan_id)
    return list(connection.execute(select(lines.c.plan_id).where(lines.c.plan_id.not_in(made)).distinct()).scalars())


def discard(connection: Connection, plan_id: str) -> None:
    """Take out the lines of a plan that isn't made."""
    connection.execute(delete(lines).where(lines.c.plan_id == plan_id))


def count(connection: Connection, plan_id: str) -> int:
    """Return how many lines there are of a plan."""
    return connection.execute(select(func.count()).where(lines.c.plan_id == plan_id)).scalar_one()
