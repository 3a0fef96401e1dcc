"""What follows from an event in the life of a consent: its state, the picture, the copies that left, who has to act.

Knows the rules of the life cycle. Must not know where anything is kept, nor do any of it; no clock, no log, no I/O. An
event that changes nothing leaves everything as it was.

Sources: requirements 0 (4), 2.3, 2.4, 2.9; rows 000-21c, 000-34d, 000-34e, 001-10b, 002-26a, 002-26b; UK GDPR 17(3),
19 and 33; GMC recordings 34 and 35. A look at a picture leaves no copy, so there is nothing to recall from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from dicomwrap.terms import ConsentState, GiverType, Purpose, WithdrawalPhase, purposes_named
from orthanc_plugin.policy.eventmodel import (
    AT_A_PLACE,
    Before,
    Copy,
    Event,
    Happening,
    ImageState,
    Outcome,
    Recall,
    Task,
    TaskKind,
    Words,
)
from orthanc_plugin.policy.model import MadeFor

LEAVES_NO_COPY: Final = frozenset({"VIEW"})
NOT_FILED: Final = frozenset({ImageState.CAPTURING, ImageState.AWAITING_PATIENT_APPROVAL})
FILED: Final = frozenset({ImageState.ACTIVE, ImageState.RESTRICTED, ImageState.REJECTED})
GONE: Final = frozenset({ImageState.DISPOSED, ImageState.DELETED_NOT_FILED})
BEFORE_FILING: Final = frozenset({WithdrawalPhase.DURING_CAPTURE, WithdrawalPhase.IMMEDIATELY_AFTER})
STANDS_IN: Final = frozenset(
    {GiverType.LPA_HW, GiverType.DEPUTY, GiverType.COURT, GiverType.CONSULTEE, GiverType.BEST_INTERESTS}
)
# GIVEN is withdrawn; what was only prepared is refused; every other state stays as it is (requirements 2.4).
TAKEN_BACK: Final[dict[ConsentState | None, ConsentState]] = {
    ConsentState.GIVEN: ConsentState.WITHDRAWN,
    ConsentState.PROPOSED: ConsentState.REFUSED,
}


def outcome(before: Before, event: Event) -> Outcome:
    """Return what follows from ``event``; every well-formed event has an outcome."""
    return EVENTS[event.type](before, event)


def _unchanged(before: Before, *tasks: TaskKind) -> Outcome:
    opened = tuple(Task(kind=kind) for kind in tasks)
    return Outcome(consent=before.consent, image=before.image, tasks=opened)


def _recalled(before: Before, copies: tuple[Copy, ...]) -> Outcome:
    """Recall what can be recalled; have the patient told of the rest. One that was recalled before isn't again."""
    pending = tuple(copy for copy in copies if copy.recall is Recall.NONE and copy.kind not in LEAVES_NO_COPY)
    back = tuple(copy.id for copy in pending if copy.recallable)
    lost = tuple(copy.id for copy in pending if not copy.recallable)
    tasks = [Task(kind=TaskKind.CONFIRM_RECALL, subject=each) for each in back]
    tasks += [Task(kind=TaskKind.TELL_PATIENT_NOT_RECALLABLE, subject=each) for each in lost]
    return replace(_unchanged(before), recalls=back, not_recallable=lost, tasks=tuple(tasks))


def withdrawn_now(before: Before, purposes: Words) -> frozenset[Purpose]:
    """Return the purposes that a withdrawal of ``purposes`` (none: all) takes from what is still covered."""
    covered = purposes_named(frozenset(before.purposes))
    return covered & purposes_named(frozenset(purposes)) if purposes else covered


def _taken_back(before: Before, event: Event) -> Outcome:
    """Withdrawal by purpose has three outcomes: never filed, kept but restricted, proposed for disposal."""
    gone = withdrawn_now(before, event.purposes)
    if not gone:
        return _unchanged(before)
    whole = gone == purposes_named(frozenset(before.purposes))
    under = (copy for copy in before.copies if before.consent_id is None or copy.under in (None, before.consent_id))
    found = _recalled(before, tuple(copy for copy in under if _goes_with(before, copy, gone, whole=whole)))
    disposal = (Task(kind=TaskKind.PROPOSE_DISPOSAL),) if whole and _only_secondary(before) else ()
    return replace(
        found,
        consent=TAKEN_BACK.get(before.consent, before.consent) if whole else before.consent,
        image=_picture(before, event, gone, whole=whole),
        tasks=found.tasks + disposal,
        jobs_cancelled=before.jobs,
    )


def _goes_with(before: Before, copy: Copy, gone: frozenset[Purpose], *, whole: bool) -> bool:
    """Tell whether a copy is asked for: it left for what is withdrawn, or what is withdrawn shuts the record it is of.

    A record of which a picture is shut goes to no place of deposit, so it doesn't stay at one either.
    """
    if copy.kind in AT_A_PLACE:
        return _shuts(before, gone, whole=whole)
    return copy.purpose is None or copy.purpose in gone


def _shuts(before: Before, gone: frozenset[Purpose], *, whole: bool) -> bool:
    return Purpose.DIRECT_CARE in gone or (whole and _only_secondary(before))


def _only_secondary(before: Before) -> bool:
    """Tell whether the picture is filed and was made for other uses than care (requirements 0 (4))."""
    return before.image in FILED and before.made_for is MadeFor.SECONDARY


def _picture(before: Before, event: Event, gone: frozenset[Purpose], *, whole: bool) -> ImageState | None:
    """Return what becomes of the picture: a filed one is never erased by a withdrawal (UK GDPR 17(3))."""
    useless = whole or Purpose.DIRECT_CARE in gone
    held_back = before.image is ImageState.QUARANTINED and event.phase in BEFORE_FILING
    if useless and (held_back or before.image in NOT_FILED):
        return ImageState.DELETED_NOT_FILED
    restricted = _shuts(before, gone, whole=whole)
    return ImageState.RESTRICTED if restricted and before.image is ImageState.ACTIVE else before.image


def _distress(before: Before, event: Event) -> Outcome:
    """Take a child's distress or objection for a refusal, whoever agreed (requirements 2.3, 000-34e)."""
    found = _taken_back(before, event)
    if before.image not in FILED:
        return found
    return replace(found, tasks=(*found.tasks, Task(kind=TaskKind.IG_REVIEW)))


def _filed(before: Before, _event: Event) -> Outcome:
    """File what waited for the patient (requirements 002-26b)."""
    if before.image is not ImageState.AWAITING_PATIENT_APPROVAL:
        return _unchanged(before)
    return replace(_unchanged(before), image=ImageState.ACTIVE)


def _stored(before: Before, _event: Event) -> Outcome:
    """Let the device delete its copy only now that the archive has been read back (requirements 000-21c, 001-17b)."""
    return _unchanged(before, TaskKind.DELETE_FROM_DEVICE)


def _mismatch(before: Before, _event: Event) -> Outcome:
    """Show nobody what is not what was sent; the device keeps its copy."""
    kept = before.image if before.image is None or before.image in GONE else ImageState.QUARANTINED
    return replace(_unchanged(before, TaskKind.NOTIFY_IG), image=kept)


def _ask_again(before: Before, _event: Event) -> Outcome:
    return _unchanged(before, TaskKind.SEEK_RECONSENT) if before.consent is ConsentState.GIVEN else _unchanged(before)


def _ended(before: Before, event: Event) -> Outcome:
    """End a consent whose time is over, and ask again."""
    found = _ask_again(before, event)
    return replace(found, consent=ConsentState.EXPIRED) if before.consent is ConsentState.GIVEN else found


def _of(givers: frozenset[GiverType], then: Callable[[Before, Event], Outcome]) -> Callable[[Before, Event], Outcome]:
    """Have ``then`` follow only when one of ``givers`` gave the consent, or nobody says who did."""

    def follow(before: Before, event: Event) -> Outcome:
        return then(before, event) if before.giver is None or before.giver in givers else _unchanged(before)

    return follow


def _new_form(before: Before, event: Event) -> Outcome:
    return _ask_again(before, event) if event.widens else _unchanged(before)


def _death(before: Before, _event: Event) -> Outcome:
    """Keep what the patient wished; the family is thought of (GMC recordings 47 to 51)."""
    return _unchanged(before, TaskKind.CONSIDER_FAMILY) if before.consent is ConsentState.GIVEN else _unchanged(before)


def _wrong_recipient(before: Before, event: Event) -> Outcome:
    """Recall the copy, assess the breach within 72 hours, think of candour (UK GDPR 33); unnamed means every copy."""
    copies = tuple(copy for copy in before.copies if event.copy in (None, copy.id))
    found = _recalled(before, copies)
    kinds = (TaskKind.BREACH_ASSESSMENT, TaskKind.CANDOUR_CHECK, TaskKind.NOTIFY_IG)
    tasks = tuple(Task(kind=kind, subject=copy.id) for copy in copies for kind in kinds)
    return replace(found, tasks=found.tasks + tasks)


def _beyond_recall(before: Before, event: Event) -> Outcome:
    """Tell the patient when a copy that is being recalled can't be had back any more."""
    lost = tuple(copy.id for copy in before.copies if copy.id == event.copy and copy.recall is Recall.OPEN)
    tasks = tuple(Task(kind=TaskKind.TELL_PATIENT_NOT_RECALLABLE, subject=each) for each in lost)
    return replace(_unchanged(before), not_recallable=lost, tasks=tasks)


EVENTS: Final[dict[Happening, Callable[[Before, Event], Outcome]]] = {
    Happening.WITHDRAW: _taken_back,
    Happening.REFUSE: _taken_back,
    Happening.DISTRESS_OR_OBJECTION: _distress,
    Happening.APPROVED: _filed,
    Happening.APPROVAL_WINDOW_ENDED: _filed,
    Happening.STORED_AND_VERIFIED: _stored,
    Happening.DIGEST_MISMATCH: _mismatch,
    Happening.BIRTHDAY_16: _of(frozenset({GiverType.PR_HOLDER}), _ask_again),
    Happening.BIRTHDAY_18: _of(frozenset({GiverType.PR_HOLDER}), _ended),
    Happening.COMPETENCE_FOUND: _of(frozenset({GiverType.PR_HOLDER}), _ask_again),
    Happening.CAPACITY_REGAINED: _of(STANDS_IN, _ask_again),
    Happening.DEATH: _death,
    Happening.EXPIRY: _ended,
    Happening.NEW_PURPOSE: _ask_again,
    Happening.NEW_AUDIENCE: _ask_again,
    Happening.NEW_FORM_VERSION: _new_form,
    Happening.WRONG_RECIPIENT: _wrong_recipient,
    Happening.RECALL_CONFIRMED: lambda before, _event: _unchanged(before),
    Happening.PUBLISHED: _beyond_recall,
    Happening.KEY_DESTROYED: _beyond_recall,
    Happening.BREAK_GLASS_END: lambda before, _event: _unchanged(before, TaskKind.RETROSPECTIVE_REVIEW),
}
