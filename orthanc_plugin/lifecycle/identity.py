"""Copies that are out when what was on record of who a patient is was wrong: numbers merged or parted, a birth date.

Knows which copies say a number or birth date that doesn't stand, and which have lost the ground that they left on: the
other number's refusal counts from now on, or the consent was a stranger's. Must not know what was changed: it is asked
before the change, and again after it, in the same transaction.

Sources: requirements 2.9 (recall), 2.1 (patient and issuer); G-19 (UK GDPR 19: each recipient is told of a
rectification); PS3.16 CID 7010 (113037, Rejected for Patient Safety Reasons).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from sqlalchemy import Connection, or_, select

from orthanc_plugin.lifecycle import recalling, redeciding
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.redeciding import Ruling, ruling
from orthanc_plugin.policy.eventmodel import Copy
from orthanc_plugin.policy.model import Anonymisable, Case
from orthanc_plugin.policy.recalling import CARE, Cause, bears_identity
from orthanc_plugin.policy.reviewing import EVERY
from orthanc_plugin.registry import patients
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.tables import images

IDENTITY: Final = "who the patient is was recorded wrongly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """How things stood before a change.

    Attributes:
        wrong: the pictures whose copies say what doesn't stand any more.
        others: the person's, or both persons', other pictures.
        given: the live copies of all of them, and of each whether it would have been given still.
    """

    wrong: frozenset[str]
    others: frozenset[str]
    given: Mapping[Copy, bool]


def before(connection: Connection, act: Act, *patient: Key, wrong: Collection[Key] = ()) -> Before:
    """Return how things stand of these patients, under all their numbers, before a change of who they are.

    Args:
        connection: open write transaction, in which the change is going to be made.
        act: whose act it is.
        patient: whom it concerns.
        wrong: those of them whose pictures say what won't stand.
    """
    filed = {each: _pictures(connection, each) for each in (*patient, *wrong)}
    said = frozenset(chain.from_iterable(filed[each] for each in wrong))
    every = frozenset(chain.from_iterable(filed.values()))
    return Before(wrong=said, others=every - said, given=_given(connection, act, every))


def recall(connection: Connection, act: Act, was: Before, subject: str) -> None:
    """Recall what says something wrong of who the patient is, and what would not be given any more.

    Args:
        connection: open write transaction, in which the change was made.
        act: whose act it is.
        was: how things stood before.
        subject: the id of the change.
    """
    now = _given(connection, act, was.wrong | was.others)
    groundless = {copy for copy, still in now.items() if was.given.get(copy) and not still}
    misnamed = {copy for _, copy in redeciding.live(connection, was.wrong) if bears_identity(copy)}
    named = misnamed - groundless
    treating = {copy for copy in named if copy.purpose in CARE}
    for copies, by_letter in ((treating, True), (groundless | named - treating, False)):
        back = sorted(copy.id for copy in copies if copy.recallable)
        lost = sorted(copy.id for copy in copies if not copy.recallable)
        recalling.open_(
            connection, act, Cause.IDENTITY, subject, back=back, lost=lost, reason=IDENTITY, by_letter=by_letter
        )


def _pictures(connection: Connection, who: Key) -> frozenset[str]:
    """Return the pictures of a person, under whichever of their numbers."""
    numbers = patients.numbers(connection, who)
    theirs = or_(*((images.c.patient_id == number) & (images.c.issuer == issuer) for number, issuer in numbers))
    return frozenset(connection.execute(select(images.c.sop_instance_uid).where(theirs)).scalars())


def _given(connection: Connection, act: Act, pictures: Collection[str]) -> dict[Copy, bool]:
    return redeciding.given(connection, pictures, ruled(act))


def ruled(act: Act) -> Ruling:
    """Return what decides about copies that are out, as if somebody had looked at each picture."""
    return ruling(act.policy, act, lambda _profile: EVERY, _looked_at)


def _looked_at(case: Case) -> Case:
    """Leave out whether somebody has looked at the picture since: that has nothing to do with who the patient is."""
    return replace(case, image=replace(case.image, anonymisable=Anonymisable.YES))
