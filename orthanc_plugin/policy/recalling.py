"""A recall as a conversation with one recipient: what it follows from, how it is made, where it stands, when it's late.

Knows words and days. Must not know how anybody is reached, nor which copies are recalled (``events`` does); no clock.
Where a copy stands is the ledger's word (``Recall``); a recall tells what has been said to whoever holds it.

Sources: requirements 2.9 (recall until the recipient confirms), G-19 (UK GDPR 19), EVT-03, EVT-04, EVT-18; PS3.16
CID 7010 (titles of rejection notes, IHE IOCM).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final

from dicomwrap.terms import Form, Purpose
from orthanc_plugin.policy.eventmodel import DEPOSITED, Copy, Recall
from orthanc_plugin.policy.events import LEAVES_NO_COPY

ANSWER_WITHIN: Final = timedelta(days=14)
REMIND_EVERY: Final = timedelta(days=7)
LONGEST_WAIT: Final = timedelta(days=1)
FIRST_WAIT: Final = timedelta(minutes=1)
DOUBLED: Final = 11  # times: beyond the longest wait


@unique
class Cause(StrEnum):
    """What a recall follows from."""

    WITHDRAWN = "WITHDRAWN"
    REFUSED = "REFUSED"
    WRONG_RECIPIENT = "WRONG_RECIPIENT"
    DISPOSED = "DISPOSED"
    POLICY = "POLICY"
    OPTED_OUT = "OPTED_OUT"
    IDENTITY = "IDENTITY"


@unique
class Method(StrEnum):
    """What a recipient can do: take a rejection note, have us delete at it, or read a letter."""

    KOS = "KOS"
    DELETE = "DELETE"
    LETTER = "LETTER"


@unique
class Standing(StrEnum):
    """Where a recall stands.

    Attributes:
        OPEN: nothing has been said to the recipient yet.
        NOTIFIED: the notice is out; the recipient has not answered.
        ACKNOWLEDGED: every copy is gone, and somebody has said how that is known.
        REFUSED: the recipient won't give them up.
        NOT_RECALLABLE: they can't be had back; the patient is told.
    """

    OPEN = "OPEN"
    NOTIFIED = "NOTIFIED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    REFUSED = "REFUSED"
    NOT_RECALLABLE = "NOT_RECALLABLE"


# Whoever treats the patient must not lose a picture to a note: a person writes, and sees that the right one is there.
CARE: Final = frozenset({Purpose.DIRECT_CARE, Purpose.SECOND_OPINION, Purpose.EMERGENCY_CARE})
OTHERS: Final = frozenset({Purpose.SUBJECT_ACCESS, Purpose.LEGAL_DISCLOSURE, Purpose.PUBLIC_INTEREST})
UNANSWERED: Final = frozenset({Standing.OPEN, Standing.NOTIFIED})
OVERDUE: Final = "OVERDUE"
PUBLISHED: Final = "published"
KEY_DESTROYED: Final = "the key that tied it to the patient is destroyed"
IN_OUR_STEAD: Final = "a place of deposit has the record in our stead"
CAUSE_WORDS: Final[dict[Cause, str]] = {
    Cause.WITHDRAWN: "the patient has withdrawn consent",
    Cause.REFUSED: "the patient has refused this use",
    Cause.WRONG_RECIPIENT: "it was sent to you by mistake",
    Cause.DISPOSED: "its retention period has ended, and we have destroyed the original",
    Cause.POLICY: "our rules no longer allow this use",
    Cause.OPTED_OUT: "the patient has opted out of uses beyond care",
    Cause.IDENTITY: "what we had on record of who the patient is was wrong, and has been put right",
}
# PS3.16 CID 7010, by code value.
TITLES: Final[dict[Cause, str]] = {
    Cause.WITHDRAWN: "113037",
    Cause.REFUSED: "113037",
    Cause.WRONG_RECIPIENT: "113037",
    Cause.DISPOSED: "113039",
    Cause.POLICY: "113037",
    Cause.OPTED_OUT: "113037",
    Cause.IDENTITY: "113037",
}


def ends_with_the_original(copy: Copy) -> bool:
    """Tell whether whoever holds a copy is asked for it when the original is destroyed by its date.

    What the law, the public, the patient or a place of deposit was given is theirs to keep; a look leaves nothing.
    """
    return copy.kind != DEPOSITED and _is_asked_for(copy)


def _is_asked_for(copy: Copy) -> bool:
    asked = copy.recall is Recall.NONE and copy.kind not in LEAVES_NO_COPY
    return asked and copy.recallable and copy.purpose not in OTHERS


def bears_identity(copy: Copy) -> bool:
    """Tell whether a copy says who the patient is, and whoever holds it is asked for it when that was wrong.

    What the law, the public or the patient was given is theirs to keep.
    """
    return copy.form is Form.IDENTIFIABLE and _is_asked_for(copy)


def answer_due(opened: datetime) -> datetime:
    """Return by when the recipient has to answer."""
    return opened + ANSWER_WITHIN


def told(standing: Standing, due: datetime, at: datetime) -> str:
    """Return where a recall stands, in one word: what is late is OVERDUE."""
    return OVERDUE if standing in UNANSWERED and at >= due else standing.value


def reminder_due(standing: Standing, due: datetime, reminded: datetime | None, at: datetime) -> bool:
    """Tell whether the recipient is to be reminded: it was told, has not answered in time, nor since the last one."""
    last = due if reminded is None else reminded + REMIND_EVERY
    return standing is Standing.NOTIFIED and at >= max(due, last)


def next_try(attempts: int, at: datetime) -> datetime:
    """Return when a notice that failed ``attempts`` times is tried again; it is never given up."""
    return at + min(LONGEST_WAIT, FIRST_WAIT * (1 << min(attempts, DOUBLED)))
