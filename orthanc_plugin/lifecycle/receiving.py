"""A consent as another system tells it: what it comes to beside what is on record.

Knows how a record that arrives again is compared with the one on record, and which step of the life of a consent it
asks for. Must not know how it was written (FHIR or a file). No refusal is lost: one that comes under the id of another
decision withdraws that one and is filed beside it. A consent that lacks what ours must have is filed as proposed, which
permits nothing, until somebody completes it.

Sources: requirements 2.4, 2.9; 000-27.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import Connection

from dicomwrap.consentrecord import ConsentRecord, Withdrawal
from dicomwrap.terms import ConsentState, purposes_named
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle import consenting, withdrawal
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.withdrawal import Consequences, Withdrawn
from orthanc_plugin.registry import consents
from orthanc_plugin.registry.consentrows import IncompleteConsentError, taken

ELSEWHERE: Final = "entered in error, as the sending system says"
_GIVEN: Final = ConsentState.GIVEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What a record came to.

    Attributes:
        record: as it is on record now.
        changed: whether anything was written.
        gaps: what it lacks to count as given; it is only proposed then.
        consequences: what a withdrawal in it led to.
    """

    record: ConsentRecord
    changed: bool = True
    gaps: tuple[str, ...] = ()
    consequences: Consequences = field(default_factory=Consequences)


def receive(connection: Connection, act: Act, said: ConsentRecord) -> Received:
    """File a record, or take the step that it asks of the one with its id.

    Raises:
        IncompleteConsentError: with everything that is missing.
        IllegalTransitionError: the id belongs to another patient's consent, or no step leads there.
    """
    named = consenting.identified(act, said)
    if not taken(connection, named.id):
        return _new(connection, act, named)
    known = consents.current(connection, named.id)
    if (named.patient_id, named.issuer) != (known.patient_id, known.issuer):
        raise IllegalTransitionError(
            "The consent with this id is on record for another patient.",
            remedy="Check the patient's number and its issuer, or give the consent an id of its own.",
        )
    if replace(named, version=known.version) == known or _ended_before(known, named):
        return Received(record=known, changed=False)
    return _step(connection, act, known, named)


def _new(connection: Connection, act: Act, named: ConsentRecord) -> Received:
    if named.previous_id is not None and taken(connection, named.previous_id):
        return _ended(consenting.supersede(connection, act, named.previous_id, named))
    try:
        return Received(record=consenting.record(connection, act, named))
    except IncompleteConsentError as error:
        if named.state is not _GIVEN:
            raise
        proposed = replace(named, state=ConsentState.PROPOSED)
        return Received(record=consenting.record(connection, act, proposed), gaps=error.problems)


def _step(connection: Connection, act: Act, known: ConsentRecord, named: ConsentRecord) -> Received:
    if named.state is ConsentState.ENTERED_IN_ERROR:
        return Received(record=consenting.enter_in_error(connection, act, known.id, named.state_reason or ELSEWHERE))
    if named.state is ConsentState.WITHDRAWN and known.state is ConsentState.PROPOSED:
        return Received(record=consenting.refuse(connection, act, known.id))
    if named.state is ConsentState.WITHDRAWN:
        return _ended(_withdraw(connection, act, named))
    if known.state is ConsentState.PROPOSED and named.state is _GIVEN:
        return _given(connection, act, known, named)
    if known.state is ConsentState.PROPOSED and named.state is ConsentState.REFUSED:
        return Received(record=consenting.refuse(connection, act, named))
    if named.state is ConsentState.REFUSED:
        return _refusal_beside(connection, act, known, named)
    if known.state is named.state is _GIVEN and _only_less(known, named):
        return _ended(_withdraw(connection, act, named))
    raise IllegalTransitionError(
        f"The consent on record is {known.state}, and what arrived ({named.state}) can't follow it.",
        remedy="Send a new decision with an id of its own.",
    )


def _ended_before(known: ConsentRecord, named: ConsentRecord) -> bool:
    return named.state is ConsentState.WITHDRAWN and known.state in (ConsentState.WITHDRAWN, ConsentState.REFUSED)


def _given(connection: Connection, act: Act, known: ConsentRecord, named: ConsentRecord) -> Received:
    try:
        return Received(record=consenting.give(connection, act, named))
    except IncompleteConsentError as error:
        if replace(named, version=known.version, state=known.state) != known:
            raise
        return Received(record=known, changed=False, gaps=error.problems)


def _ended(found: Withdrawn) -> Received:
    return Received(record=found.record, consequences=found.consequences)


def _withdraw(connection: Connection, act: Act, named: ConsentRecord) -> Withdrawn:
    note = named.withdrawal or Withdrawal(how_received=act.door)
    on = named.withdrawn_on or act.day
    return withdrawal.withdraw(connection, act, named.id, named.withdrawn_purposes or (), on=on, note=note)


def _only_less(known: ConsentRecord, named: ConsentRecord) -> bool:
    """Tell whether ``named`` is ``known`` with more of it withdrawn, and nothing else."""
    same = replace(
        named,
        version=known.version,
        withdrawn_on=known.withdrawn_on,
        withdrawn_purposes=known.withdrawn_purposes,
        withdrawal=known.withdrawal,
    )
    return same == known and consents.still_covered(named) < consents.still_covered(known)


def _refusal_beside(connection: Connection, act: Act, known: ConsentRecord, named: ConsentRecord) -> Received:
    """Withdraw what the refusal takes back of ``known``, and file the refusal itself under an id beside it."""
    beside = replace(named, id=f"{known.id}#refused")
    if taken(connection, beside.id):
        filed = consents.current(connection, beside.id)
        if replace(beside, version=filed.version) == filed:
            return Received(record=filed, changed=False)
    found = Consequences()
    refused = purposes_named(frozenset(scope.purpose for scope in named.scopes)) & consents.still_covered(known)
    if known.state is _GIVEN and refused:
        note = Withdrawal(how_received=act.door)
        words = tuple(sorted(refused))
        found = withdrawal.withdraw(connection, act, known.id, words, on=named.decided_on, note=note).consequences
    return Received(record=consenting.record(connection, act, beside), consequences=found)
