"""The patient's approval before a photograph is filed: given, not possible, withheld, or not answered in time.

Knows what each answer leads to. Must not know Orthanc: what is approved is filed through ``filing``, and the archive
has intake look at it again, so that a consent withdrawn meanwhile keeps it out. The words of people stay in the
registry's row; the trail has what was decided, of which object, by whom.

Sources: requirements 003-98c (shown to the patient for final approval), 002-26b, 2.9 (EVT-02).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, unique
from itertools import takewhile

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.errors import ConsentgateError, IllegalTransitionError
from orthanc_plugin.lifecycle import refusal, unfiled
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.filing import Filing
from orthanc_plugin.registry import quarantine
from orthanc_plugin.registry.quarantine import Held, Status
from orthanc_plugin.registry.trail import append

logger = logging.getLogger(__name__)


@unique
class Answer(StrEnum):
    """What lets a photograph that waited be filed."""

    PATIENT_APPROVED = "PATIENT_APPROVED"
    PATIENT_UNABLE = "PATIENT_UNABLE"
    PROXY_APPROVED = "PROXY_APPROVED"
    WINDOW_ENDED = "WINDOW_ENDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep filed, and what is still to be filed, by quarantine id."""

    filed: tuple[str, ...]
    still: tuple[str, ...]


def approve(connection: Connection, act: Act, quarantine_id: str, answer: Answer, words: str = "") -> Held:
    """Record that the photograph may be filed; ``words`` say who approved for the patient, or why nobody could.

    Raises:
        UnknownRecordError: there is no such object.
        IllegalTransitionError: it doesn't wait for an approval, or the words that are needed are missing.
    """
    held = _waiting(connection, quarantine_id)
    if answer in (Answer.PATIENT_UNABLE, Answer.PROXY_APPROVED) and not words.strip():
        raise IllegalTransitionError(
            f"{answer} needs words.", remedy="Say why the patient can't look, or who approved and what they may decide."
        )
    quarantine.approve(connection, held, f"{answer}: {words.strip()}" if words.strip() else answer)
    event = act.event(EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED, answer, subject=held.sop_instance_uid)
    append(connection, [event])
    return quarantine.get(connection, quarantine_id)


def withdraw(connection: Connection, act: Act, quarantine_id: str, words: str, *, refuse: bool) -> Held:
    """Delete the photograph unfiled because the patient took it back; the event stays, without pixels.

    So is what else came of the same picture, in other bytes; a hold keeps all of it, shut. With ``refuse`` the
    patient's refusal of this picture is recorded as well. The caller drops the spool's file, if it is left over, once
    this is committed; the next sweep drops those of the rest.

    Raises:
        UnknownRecordError: there is no such object.
        IllegalTransitionError: it is not waiting: filed, being filed, held for another reason, or deleted.
    """
    held = quarantine.get(connection, quarantine_id)
    if held.status not in (Status.AWAITING_PATIENT_APPROVAL, Status.APPROVED):
        raise _not_waiting(held)
    for each in quarantine.unfiled_of(connection, held):
        unfiled.deleted(connection, act, each, f"PATIENT_WITHDREW: {words.strip()}")
    if refuse:
        refusal.of_pictures(connection, act, (held.patient_id, held.issuer), (held.sop_instance_uid,))
    return quarantine.get(connection, quarantine_id)


def end_windows(connection: Connection, act: Act) -> None:
    """Let what has waited long enough be filed."""
    for held in quarantine.overdue(connection, act.at):
        quarantine.approve(connection, held, Answer.WINDOW_ENDED)
        event = act.event(
            EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED, Answer.WINDOW_ENDED, subject=held.sop_instance_uid
        )
        append(connection, [event])


def sweep(filing: Filing, act: Act, stopping: Callable[[], bool] = lambda: False) -> Swept:
    """End the windows that are over, and file what may be filed until it is time for ``stopping``.

    What fails is tried again by the next sweep.
    """
    with filing.database.reading() as connection:
        overdue = bool(quarantine.overdue(connection, act.at) or unfiled.free(connection, act.at))
    if overdue:  # the write lock is not taken for nothing
        with filing.database.writing() as connection:
            end_windows(connection, act)
            for held in unfiled.free(connection, act.at):
                unfiled.deleted(connection, act, held, "HOLD_LIFTED")
    with filing.database.reading() as connection:
        ready = quarantine.to_file(connection)
    outcome = {held.quarantine_id: _filed(filing, held, act) for held in takewhile(lambda _: not stopping(), ready)}
    filing.sweep()
    return Swept(filed=_those(outcome, filed=True), still=_those(outcome, filed=False))


def _filed(filing: Filing, held: Held, act: Act) -> bool:
    try:
        return filing.file(held, act)
    except ConsentgateError as error:  # one that can't be filed must not hold up the others
        logger.warning("a photograph that may be filed waits on: %s", type(error).__name__)
        return False


def _those(outcome: dict[str, bool], *, filed: bool) -> tuple[str, ...]:
    return tuple(name for name, done in outcome.items() if done is filed)


def _waiting(connection: Connection, quarantine_id: str) -> Held:
    held = quarantine.get(connection, quarantine_id)
    if held.status is not Status.AWAITING_PATIENT_APPROVAL:
        raise _not_waiting(held)
    return held


def _not_waiting(held: Held) -> IllegalTransitionError:
    return IllegalTransitionError(
        f"The photograph does not wait for the patient's approval: it is {held.status}.",
        remedy="See 'consentgate approval list' and 'consentgate quarantine list'.",
    )
