"""Copies that left under another consent than the one that is withdrawn, and that nobody would be given any more.

Knows that a withdrawal is a denial, which may outrank a consent that stays as it is: a patient who signed two forms and
takes one back has said no. Must not know what a withdrawal changes besides. It is asked before the change which copies
would be given still, and after it, in the same transaction, which of them would not.

Sources: requirements 2.6 R6 (a withdrawal is a denial over the purposes withdrawn), 2.9 (recall); UK GDPR 19.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Connection

from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.terms import SECONDARY_PURPOSES, Purpose
from orthanc_plugin.lifecycle import covered, identity, redeciding
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.consequences import Consequences
from orthanc_plugin.lifecycle.redeciding import REFUSED
from orthanc_plugin.policy.eventmodel import AT_A_PLACE, Copy
from orthanc_plugin.policy.events import LEAVES_NO_COPY
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.registry import consents, ledger, patients
from orthanc_plugin.registry.consentrows import ids

# What was for the law, the record's keeping, an emergency or the patient left whatever the patient said (R1 to R7).
UP_TO_THE_PATIENT: Final = SECONDARY_PURPOSES | {Purpose.DIRECT_CARE, Purpose.SECOND_OPINION}
Copies = Mapping[Copy, str]  # with the picture that each is of


def given(connection: Connection, act: Act, known: ConsentRecord, gone: Collection[Purpose]) -> Copies:
    """Return the copies under other consents of the patient that are not refused yet, for what is to be withdrawn.

    Args:
        connection: open write transaction, in which the consent is going to be withdrawn.
        act: whose act it is.
        known: the consent.
        gone: for which uses.
    """
    line = consents.line(connection, known)
    own = {each.id for each in line}
    numbers = patients.numbers(connection, (known.patient_id or "", known.issuer or ""))
    others = {name for number in numbers for name in ids(connection, *number)} - own
    if not others:  # mostly
        return {}
    pictures = {uid for each in line for uid in covered.uids(connection, each)}
    found = {
        copy: uid
        for uid, copies in ledger.copies_of(connection, pictures).items()
        for copy, under in copies.items()
        if under and under <= others and _asked_for(copy, gone)
    }
    effects = redeciding.effects(connection, set(found.values()), identity.ruled(act)) if found else {}
    return {copy: uid for copy, uid in found.items() if effects.get(copy) not in REFUSED}


def refused(connection: Connection, act: Act, before: Copies) -> Consequences:
    """Return which of them have to come back, now that the consent is withdrawn."""
    effects = redeciding.effects(connection, set(before.values()), identity.ruled(act)) if before else {}
    gone = [copy for copy in before if effects.get(copy) is Effect.DENY]
    return Consequences(
        recalls=tuple(copy.id for copy in gone if copy.recallable),
        not_recallable=tuple(copy.id for copy in gone if not copy.recallable),
    )


def _asked_for(copy: Copy, gone: Collection[Purpose]) -> bool:
    """Tell whether a copy left for what is withdrawn; a place of deposit's goes with the record."""
    up_to_the_patient = copy.purpose in UP_TO_THE_PATIENT and copy.kind not in AT_A_PLACE | LEAVES_NO_COPY
    return up_to_the_patient and copy.purpose in gone
