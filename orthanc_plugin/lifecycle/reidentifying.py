"""Re-identification: asked for by one person, approved by another, opened once, on record before anything is seen.

Knows who may, and in what order. Must not know keys: what opens is handed in, and is called only in the transaction
that records the opening. Nothing of what it finds is in the trail. Source: PS3.15 E.1.2; requirements 2.4 (a second
person), G-26.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from typing import Final

import pydicom
from pydicom.dataset import Dataset
from sqlalchemy import Connection

from dicomwrap.hostile import UNREADABLE
from orthanc_plugin.audit.event import EventType, Outcome
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.registry import openings
from orthanc_plugin.registry.openings import Opening
from orthanc_plugin.registry.trail import append

LEAST_REASON: Final = 12  # letters and digits
APPROVED_FOR: Final = timedelta(days=7)

Opener = Callable[[Dataset], Dataset]


class ReidentificationRefusedError(ConsentgateError):
    """A re-identification is not asked for, not approved or not opened."""

    remedy = "See 'consentgate reidentify list', and docs/reidentification.md."


def copy_in(content: bytes) -> Dataset:
    """Return the copy in a file.

    Raises:
        ReidentificationRefusedError: it is no DICOM object, or has nothing locked in it.
    """
    try:
        copy = pydicom.dcmread(BytesIO(content))
        locked = bool(copy.get("EncryptedAttributesSequence")) and bool(copy.get("SOPInstanceUID"))
    except UNREADABLE as error:
        raise ReidentificationRefusedError("The file is no DICOM object (PS3.10).") from error
    if not locked:
        raise ReidentificationRefusedError(
            "The file has no Encrypted Attributes Sequence, so it can't be re-identified.",
            remedy="Only copies made under a profile with custodians can be.",
        )
    return copy


def request(connection: Connection, act: Act, content: bytes, reason: str) -> Opening:
    """Ask for a copy's attributes; somebody else must approve it.

    Raises:
        ReidentificationRefusedError: it has none, or there is no good reason.
        UnnamedPersonError: policy.toml doesn't know who asks, so nobody could tell them from who approves.
    """
    act.require_named()
    copy = copy_in(content)
    if sum(letter.isalnum() for letter in reason) < LEAST_REASON:
        raise ReidentificationRefusedError(
            "Re-identification needs a reason in words.", remedy="Say why it must be known who it is."
        )
    asked = Opening(
        opening_id=act.ids(),
        sop_instance_uid=str(copy.SOPInstanceUID),
        sha256=hashlib.sha256(content).hexdigest(),
        reason=reason.strip(),
        requested_at=act.at,
        requested_by=act.by,
    )
    openings.record(connection, asked)
    return _told(connection, act, EventType.APPLICATION_ACTIVITY, "REIDENTIFICATION_REQUESTED", asked)


def approve(connection: Connection, act: Act, opening_id: str) -> Opening:
    """Approve what somebody else asked for.

    Raises:
        UnknownRecordError: nobody asked for it.
        ReidentificationRefusedError: it is one's own request, or was approved before.
        UnnamedPersonError: policy.toml doesn't know who approves.
    """
    asked = openings.get(connection, opening_id)
    if asked.approved_at is not None:
        raise ReidentificationRefusedError("It has been approved before.", remedy="Ask for it again if it has lapsed.")
    if act.policy.one_person(act.by, asked.requested_by):
        raise ReidentificationRefusedError(
            "Nobody approves what they asked for themselves.", remedy="Have somebody else approve it."
        )
    act.require_named()
    approved = replace(asked, approved_at=act.at, approved_by=act.by)
    openings.change(connection, approved)
    return _told(connection, act, EventType.APPLICATION_ACTIVITY, "REIDENTIFICATION_APPROVED", approved)


def opened(
    connection: Connection, act: Act, opening_id: str, content: bytes, opener: Opener
) -> tuple[Opening, Dataset]:
    """Open a copy once; what is found counts, and may be shown, once the transaction is committed.

    Raises:
        UnknownRecordError: nobody asked for it.
        ReidentificationRefusedError: it isn't approved for this person and file by somebody who may still approve it,
            or it isn't of the picture on record.
        UnnamedPersonError: policy.toml doesn't know who opens it any more.
        ConsentgateError: ``opener`` can't open it.
    """
    copy, asked = copy_in(content), openings.get(connection, opening_id)
    _require_approved(act, asked, content)
    done = replace(asked, opened_at=act.at)
    openings.change(connection, done)
    _told(connection, act, EventType.INSTANCES_ACCESSED, "REIDENTIFIED", done)
    found = opener(copy)
    known = openings.originals(connection, done.sop_instance_uid)
    if known and str(found.get("SOPInstanceUID")) not in known:
        raise ReidentificationRefusedError(
            "What is encrypted in the file belongs to another picture than the ledger says it is a copy of.",
            remedy="The file was changed: tell information governance.",
        )
    return done, found


def _require_approved(act: Act, asked: Opening, content: bytes) -> None:
    if asked.approved_at is None or asked.approved_by is None:
        raise ReidentificationRefusedError("Nobody has approved it.", remedy="Have somebody else approve it.")
    if asked.opened_at is not None:
        raise ReidentificationRefusedError("It was opened before.", remedy="Ask for it again.")
    if act.at > asked.approved_at + APPROVED_FOR:
        raise ReidentificationRefusedError("The approval has lapsed.", remedy="Ask for it again.")
    if not act.policy.one_person(act.by, asked.requested_by):
        raise ReidentificationRefusedError("Somebody else asked for it.", remedy="Whoever asked opens it.")
    act.require_named()
    if not act.knows(asked.approved_by) or act.policy.one_person(asked.approved_by, asked.requested_by):
        raise ReidentificationRefusedError(
            "By policy.toml as it stands, nobody else has approved it.",
            remedy="Ask for it again, and have it approved.",
        )
    if hashlib.sha256(content).hexdigest() != asked.sha256:
        raise ReidentificationRefusedError("It was approved for another file.", remedy="Give the file that was named.")


def refused(connection: Connection, act: Act, opening_id: str, error: ConsentgateError) -> None:
    """Write down that somebody tried to open a copy and couldn't."""
    told = act.event(
        EventType.SECURITY_ALERT,
        "REIDENTIFICATION_REFUSED",
        subject=opening_id,
        outcome=Outcome.REFUSED,
        reasons=(str(error.args[0]),),
    )
    append(connection, [told])


def _told(connection: Connection, act: Act, event: EventType, effect: str, opening: Opening) -> Opening:
    append(connection, [act.event(event, effect, subject=opening.opening_id, detail=openings.seal(opening))])
    return opening
