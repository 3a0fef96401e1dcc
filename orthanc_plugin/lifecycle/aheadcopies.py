"""What ends anonymised copies that are kept: a verdict, after which new ones are wanted, or whoever drops them all.

Knows who waits for a copy: who asked for one, and the routes that have the picture queued. Must not make any, nor
decide whether somebody may have one. Source: ADR 59.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.model import Anonymisable
from orthanc_plugin.policy.reviewing import Review
from orthanc_plugin.registry import keptcopies, keptlist, wantedcopies
from orthanc_plugin.registry.trail import append


def follow(connection: Connection, act: Act, review: Review, asked: Collection[str]) -> None:
    """Forget what was made by earlier verdicts; after a yes have made anew what somebody waits for.

    ``asked``: the profiles under which somebody asked for a copy.
    """
    uid = review.sop_instance_uid
    keptcopies.forget_one(connection, uid)
    wantedcopies.forget(connection, uid)
    if review.outcome is not Anonymisable.YES:
        return
    queued = map(act.policy.recipient, wantedcopies.queued_for(connection, uid))
    profiles = {*asked, *(each.profile for each in queued if each is not None and each.profile)}
    wantedcopies.want(connection, uid, {each for each in profiles if review.profile in ("", each)}, act.at)


def drop_all(connection: Connection, act: Act) -> int:
    """Forget every copy that is kept, on whatever node, because somebody says so; return how many.

    Nobody can open one from then on; each is made anew when it is asked for.
    """
    number = sum(each.copies for each in keptlist.places(connection))
    keptcopies.forget_all(connection)
    told = (f"kept copies forgotten: {number}",)
    append(connection, [act.event(EventType.APPLICATION_ACTIVITY, "KEPT_COPIES_DROPPED", subject="", reasons=told)])
    return number
