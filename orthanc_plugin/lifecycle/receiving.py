"""A consent as another system tells it: what it comes to beside what is on record.

Knows how a record that arrives again is compared with the one on record, and which step of the life of a consent it
asks for. Must not know how it was written (FHIR or a file). No refusal and no withdrawal is lost: one that comes under
the id of another decision withdraws that one, or is filed beside it where that has ended; a withdrawal that comes
before the consent is filed as a refusal in its place. A refusal by a patient of whom nothing is on record may bear the
wrong number, so somebody is asked. A consent that lacks what ours must have is filed as proposed, which permits
nothing, until somebody completes it.

Sources: requirements 2.4, 2.9; 000-27.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from sqlalchemy import Connection

from dicomwrap.consentrecord import ConsentRecord, Scope, Withdrawal, WithdrawnPurpose
from dicomwrap.terms import ConsentLevel, ConsentState, Purpose, WithdrawalPhase, purposes_named
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle import consenting, covered, withdrawal
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.consequences import Consequences, Withdrawn
from orthanc_plugin.policy.model import Obligation
from orthanc_plugin.registry import consents, patients, tasks
from orthanc_plugin.registry.consentrows import IncompleteConsentError, taken

ELSEWHERE: Final = "entered in error, as the sending system says"
NOT_TAKEN: Final = "what was left out is withdrawn; what else differs was not taken, send it with an id of its own"
UNKNOWN_PATIENT: Final = (
    "a refusal under a patient's number of which nothing was on record; is it the pictures' number?"
)
_GIVEN: Final = ConsentState.GIVEN
_REFUSED: Final = ConsentState.REFUSED
_OVER: Final = frozenset({ConsentState.EXPIRED, ConsentState.SUPERSEDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What a record came to.

    Attributes:
        record: as it is on record now.
        changed: whether anything was written.
        gaps: what it lacks to count as given; it is only proposed then. Or what of it was not taken.
        consequences: what a withdrawal in it led to.
        unknown_patient: whether nothing was on record yet of its patient.
    """

    record: ConsentRecord
    changed: bool = True
    gaps: tuple[str, ...] = ()
    consequences: Consequences = field(default_factory=Consequences)
    unknown_patient: bool = False


Step = Callable[[Connection, Act, ConsentRecord], Received]


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
    _must_be_of_same_patient(known, named)
    if named.state is _REFUSED:
        named = replace(named, previous_id=None)  # as it was filed: a refusal replaces nothing, it stands by itself
    if replace(named, version=known.version) == known or _ended_before(known, named):
        return Received(record=known, changed=False)
    return _step(connection, act, known, named)


def record_new(connection: Connection, act: Act, said: ConsentRecord) -> Received:
    """File a record whose id must be free.

    Raises:
        IncompleteConsentError: with everything that is missing.
        IllegalTransitionError: the id is taken.
    """
    return Received(record=consenting.record(connection, act, said))


def take_in(connection: Connection, act: Act, arrived: Sequence[ConsentRecord], step: Step) -> list[Received]:
    """Take ``step`` (``receive`` or ``record_new``) with each record, and say whose patient was not on record before.

    Somebody looks at a refusal of theirs, which may stop nothing. A consent before any picture is nothing odd.
    """
    whose = {_patient(consenting.identified(act, each)) for each in arrived}
    strangers = {who for who in whose if patients.find(connection, *who) is None}
    found = [step(connection, act, each) for each in arrived]
    for each in found:
        if _patient(each.record) in strangers and each.record.state is _REFUSED:
            _ask_whose(connection, act, each.record)
    return [replace(each, unknown_patient=_patient(each.record) in strangers) for each in found]


def _patient(record: ConsentRecord) -> patients.Key:
    return record.patient_id or "", record.issuer or ""


def _ask_whose(connection: Connection, act: Act, refusal: ConsentRecord) -> None:
    tasks.open_task(
        connection,
        task_id=act.ids(),
        kind=Obligation.RECONCILE_IDENTITY,
        subject=refusal.id,
        reason=UNKNOWN_PATIENT,
        at=act.at,
    )


def _must_be_of_same_patient(known: ConsentRecord, named: ConsentRecord) -> None:
    if _patient(named) != _patient(known):
        raise IllegalTransitionError(
            "The consent with this id is on record for another patient.",
            remedy="Check the patient's number and its issuer, or give the consent an id of its own.",
        )


def _new(connection: Connection, act: Act, named: ConsentRecord) -> Received:
    replaces = named.previous_id if named.previous_id is not None and taken(connection, named.previous_id) else None
    if named.state is ConsentState.WITHDRAWN:
        named = _as_refusal(connection, act, named, named)  # came before its beginning, which then can't be given
    if named.state is _REFUSED:
        return _refusal(connection, act, named, replaces)
    if replaces is not None:
        return _ended(consenting.supersede(connection, act, replaces, named))
    try:
        return Received(record=consenting.record(connection, act, named))
    except IncompleteConsentError as error:
        if named.state is not _GIVEN:
            raise
        proposed = replace(named, state=ConsentState.PROPOSED)
        return Received(record=consenting.record(connection, act, proposed), gaps=error.problems)


def _refusal(connection: Connection, act: Act, named: ConsentRecord, replaces: str | None) -> Received:
    """File a refusal; it replaces no consent, but withdraws what it refuses of the one that it names."""
    found = Consequences()
    if replaces is not None:
        known = consents.current(connection, replaces)
        _must_be_of_same_patient(known, named)
        found = _taken_back(connection, act, known, named)
    return Received(record=consenting.record(connection, act, replace(named, previous_id=None)), consequences=found)


def _step(connection: Connection, act: Act, known: ConsentRecord, named: ConsentRecord) -> Received:
    if named.state is ConsentState.ENTERED_IN_ERROR:
        return Received(record=consenting.enter_in_error(connection, act, known.id, named.state_reason or ELSEWHERE))
    if named.state is ConsentState.WITHDRAWN:
        return _withdrawn(connection, act, known, named)
    if known.state is ConsentState.PROPOSED and named.state is _GIVEN:
        return _given(connection, act, known, named)
    if known.state is ConsentState.PROPOSED and named.state is _REFUSED:
        return Received(record=consenting.refuse(connection, act, named))
    if named.state is _REFUSED:
        return _beside(connection, act, known, named)
    dropped = consents.still_covered(known) - consents.still_covered(named)
    if known.state is named.state is _GIVEN and (dropped or _same_left(known, named)):
        return _narrowed(connection, act, known, named, dropped)
    raise IllegalTransitionError(
        f"The consent on record is {known.state}, and what arrived ({named.state}) can't follow it.",
        remedy="Send a new decision with an id of its own.",
    )


def _ended_before(known: ConsentRecord, named: ConsentRecord) -> bool:
    return named.state is ConsentState.WITHDRAWN and known.state in (ConsentState.WITHDRAWN, _REFUSED)


def _given(connection: Connection, act: Act, known: ConsentRecord, named: ConsentRecord) -> Received:
    try:
        return Received(record=consenting.give(connection, act, named))
    except IncompleteConsentError as error:
        if replace(named, version=known.version, state=known.state) != known:
            raise
        return Received(record=known, changed=False, gaps=error.problems)


def _ended(found: Withdrawn) -> Received:
    return Received(record=found.record, consequences=found.consequences)


def _withdrawn(connection: Connection, act: Act, known: ConsentRecord, named: ConsentRecord) -> Received:
    if known.state is ConsentState.PROPOSED:
        return Received(record=consenting.refuse(connection, act, known.id))
    if known.state is not _GIVEN:
        return _beside(connection, act, known, _as_refusal(connection, act, known, named))
    whole = not consents.still_covered(named)
    return _ended(_withdraw(connection, act, known, named, frozenset() if whole else named.withdrawn_purposes))


def _withdraw(
    connection: Connection, act: Act, known: ConsentRecord, named: ConsentRecord, purposes: frozenset[Purpose]
) -> Withdrawn:
    """Withdraw ``purposes`` (none: all), each from the day that ``named`` says: a step for each day, in their order."""
    note = named.withdrawal or Withdrawal(how_received=act.door)
    steps = _steps(known, named, purposes or consents.still_covered(known), act.day)
    done = [
        withdrawal.withdraw(connection, act, known.id, tuple(sorted(words)), on=on, note=note) for on, words in steps
    ]
    consequences = sum((each.consequences for each in done), Consequences())
    return Withdrawn(record=done[-1].record, consequences=consequences)


def _steps(
    known: ConsentRecord, named: ConsentRecord, purposes: frozenset[Purpose], today: date
) -> list[tuple[date, set[Purpose]]]:
    """Return the days on which ``purposes`` were withdrawn, the oldest first, and what was withdrawn on each.

    A use of which no day is told ended with the consent, or is left out from today.
    """
    ended = today if named.state is _GIVEN else _last_day(named, today)
    steps: dict[date, set[Purpose]] = {}
    for purpose in purposes & consents.still_covered(known) or purposes:
        on = named.withdrawn_since(purpose) or ended
        steps.setdefault(max(on, known.decided_on), set()).add(purpose)  # completed here after it was withdrawn there
    return sorted(steps.items(), key=lambda step: step[0])


def _last_day(named: ConsentRecord, today: date) -> date:
    return max((each.on for each in named.withdrawn), default=today)


def _singly(record: ConsentRecord, purposes: frozenset[Purpose]) -> tuple[Scope, ...]:
    """Return the scopes as far as they are for ``purposes``, each purpose by its own name."""
    return tuple(
        replace(scope, purpose=purpose)
        for scope in record.scopes
        for purpose in sorted(purposes_named(frozenset({scope.purpose})) & purposes)
    )


def _left(record: ConsentRecord) -> frozenset[Scope]:
    """Return what is agreed to and not withdrawn."""
    return frozenset(_singly(record, consents.still_covered(record)))


def _same_left(known: ConsentRecord, named: ConsentRecord) -> bool:
    """Tell whether ``named`` is what is left of ``known``, and nothing else."""
    same = replace(
        named,
        version=known.version,
        scopes=known.scopes,
        withdrawn=known.withdrawn,
        withdrawal=known.withdrawal,
    )
    return same == known and _left(named) == _left(known)


def _narrowed(
    connection: Connection, act: Act, known: ConsentRecord, named: ConsentRecord, dropped: frozenset[Purpose]
) -> Received:
    """Withdraw the purposes that a consent given under the same id leaves out; nothing else of it is taken."""
    if not dropped:
        return Received(record=known, changed=False)
    found = _ended(_withdraw(connection, act, known, named, dropped))
    return found if _same_left(found.record, named) else replace(found, gaps=(NOT_TAKEN,))


def _as_refusal(connection: Connection, act: Act, known: ConsentRecord, named: ConsentRecord) -> ConsentRecord:
    """Return the patient's no to a consent that has ended, or isn't here yet, as a refusal of what it was for.

    A refusal has one day, the last of those on which something was withdrawn: an earlier one might permit more.
    """
    refusal = replace(
        named,
        state=_REFUSED,
        decided_on=_last_day(named, act.day),
        scopes=_singly(named, named.withdrawn_purposes),
        withdrawn=(),
        withdrawal=None,
        previous_id=None,
        retention_told=None,
    )
    if refusal.targets or refusal.level is ConsentLevel.PATIENT:
        return refusal
    filed = tuple(row.sop_instance_uid for row in covered.pictures(connection, known))
    return replace(refusal, level=ConsentLevel.IMAGE, targets=filed)  # nothing is ever filed under a refusal


def _beside(connection: Connection, act: Act, known: ConsentRecord, refusal: ConsentRecord) -> Received:
    """Take back what the refusal takes of ``known``, and file the refusal itself under an id beside it."""
    number, beside = 1, replace(refusal, id=f"{known.id}#refused")
    while taken(connection, beside.id):
        filed = consents.current(connection, beside.id)
        if replace(beside, version=filed.version) == filed:
            return Received(record=filed, changed=False)
        number += 1
        beside = replace(refusal, id=f"{known.id}#refused{number}")
    found = _taken_back(connection, act, known, beside)
    return Received(record=consenting.record(connection, act, beside), consequences=found)


def _taken_back(connection: Connection, act: Act, known: ConsentRecord, refusal: ConsentRecord) -> Consequences:
    """Withdraw what is refused from a consent in force; of one that has ended, only the copies are left to see to."""
    refused = purposes_named(frozenset(scope.purpose for scope in refusal.scopes)) & consents.still_covered(known)
    if refused and known.state is _GIVEN:
        on = refusal.decided_on
        said = replace(refusal, withdrawn=tuple(WithdrawnPurpose(purpose=each, on=on) for each in sorted(refused)))
        return _withdraw(connection, act, known, said, refused).consequences
    if refused and known.state in _OVER:
        return withdrawal.follow(connection, act, known, tuple(sorted(refused)), phase=WithdrawalPhase.LATER)
    return Consequences()
