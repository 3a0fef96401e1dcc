"""Letters of recall: to whoever answers for a recipient, of what it is asked for.

Knows which facts a letter needs, and that writing one is told in the trail. Must not know the letter's words.

Sources: requirements 2.9, G-19.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import AuditEvent, EventType
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.config.recalling import addressee
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle import recalling, whereabouts
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.recalling import Standing
from orthanc_plugin.policy.recallletter import Letter, Listed
from orthanc_plugin.registry import ledger, recalls, recallturns
from orthanc_plugin.registry.recalls import Recalled
from orthanc_plugin.registry.recallturns import Noticed
from orthanc_plugin.registry.trail import append

NOBODY_KNOWN: Final = "whoever has the copies"


def write(connection: Connection, act: Act, recall_ids: Sequence[str]) -> Letter:
    """Return the letter to one recipient about recalls that it has not answered.

    Raises:
        UnknownRecordError: there is no such recall.
        IllegalTransitionError: one is settled; they are of several recipients, or tell more together than one by one;
            or nothing is to be had back.
    """
    found = [recalling.unsettled(connection, each) for each in dict.fromkeys(recall_ids)]
    if len({each.recipient for each in found}) != 1:
        raise IllegalTransitionError(
            "A letter goes to one recipient.",
            remedy="Name recalls of the same recipient; see 'consentgate recall list'.",
        )
    copies = tuple(each for recall in found for each in _listed(connection, recall))
    if not copies:
        raise IllegalTransitionError("Nothing is left to be had back.", remedy="See 'consentgate recall show'.")
    if len({made for _, made in copies}) != 1:
        raise IllegalTransitionError(
            "Together these copies would tell that they are of one patient.",
            remedy="Write a letter of its own about each recall, and send them on different days.",
        )
    append(connection, [_written(act, each) for each in found])
    recipient, terms = found[0].recipient, act.policy.recall
    return Letter(
        addressee=_addressee(connection, act, found),
        recipient=recipient,
        organisation=terms.organisation or act.policy.intake.default_issuer,
        reply_to=terms.reply_to or terms.organisation,
        written=act.day,
        due=max(act.day, hospital_day(datetime.fromisoformat(max(each.due_at for each in found)))),
        copies=tuple(copy for copy, _ in copies),
        reminder=any(each.standing is Standing.NOTIFIED for each in found),
    )


def _addressee(connection: Connection, act: Act, found: Sequence[Recalled]) -> str:
    """Return whom a letter goes to: whoever has the recipient's name now, unless that is somebody else by now."""
    recipient = found[0].recipient
    known = act.policy.recipient(recipient)
    asked = [copy for each in found for copy in recallturns.noticed(connection, each)]
    doubted = known is not None and whereabouts.doubt(connection, known, asked) == whereabouts.REBOUND
    return NOBODY_KNOWN if doubted else addressee(act.policy, recipient)


def _listed(connection: Connection, recall: Recalled) -> Iterator[tuple[Listed, tuple[str, str]]]:
    """Give what is still asked for, each with its form and the profile that it was made under."""
    named = {each.disclosure_id: each for each in recallturns.noticed(connection, recall)}
    for row in recalls.copies(connection, recall.recall_id):
        copy = named.get(str(row["disclosure_id"]))
        if copy is not None:
            yield _copy(recall, row, copy), (str(row["form"]), str(row["profile"]))


def _copy(recall: Recalled, row: ledger.Row, copy: Noticed) -> Listed:
    known = "" if copy.anonymised or not copy.patient_id else f"{copy.patient_id} ({copy.issuer})"
    return Listed(
        reference=recall.recall_id,
        cause=recall.cause,
        left_on=hospital_day(datetime.fromisoformat(str(row["at"]))),
        purpose=str(row["purpose"]),
        released_uid=copy.released_uid,
        sha256=str(row["sha256"]),
        patient=known,
        identifiable=not copy.anonymised,
        needed=copy.needed,
    )


def _written(act: Act, recall: Recalled) -> AuditEvent:
    return act.event(EventType.APPLICATION_ACTIVITY, "RECALL_LETTER_WRITTEN", subject=recall.recall_id)
