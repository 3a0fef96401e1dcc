"""What a patient is told of each copy that left: to whom, for what, and what the recipient holds now.

Knows one entry of the account and its words. Must not know rows or files; no clock, no I/O.

Sources: requirements 004-15a (a list of disclosures that the patient can read), 2.9 (recall); UK GDPR 15(1)(c).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum, unique
from typing import Final

from orthanc_plugin.policy.eventmodel import PUBLISHED, Copy, Recall
from orthanc_plugin.policy.recalling import Standing as Conversation
from orthanc_plugin.policy.words import one_line, purpose_words


@unique
class Standing(StrEnum):
    """What became of a copy, as far as is known."""

    HELD = "HELD"
    UNCONFIRMED = "UNCONFIRMED"
    RECALL_ASKED = "RECALL_ASKED"
    RECALLED = "RECALLED"
    PUBLISHED = "PUBLISHED"
    KEY_DESTROYED = "KEY_DESTROYED"
    NOT_DELIVERED = "NOT_DELIVERED"


LIVE: Final = frozenset(Standing) - {Standing.RECALLED, Standing.NOT_DELIVERED}
STANDING_WORDS: Final[dict[Standing, str]] = {
    Standing.HELD: "They have it now.",
    Standing.UNCONFIRMED: "It was sent or given out; they may have it, but have not said so.",
    Standing.RECALL_ASKED: "They have been asked to destroy it or give it back, and have not yet confirmed that.",
    Standing.RECALLED: "They have destroyed it or given it back.",
    Standing.PUBLISHED: "It has been published and can't be taken back.",
    Standing.KEY_DESTROYED: "Nobody can tell any more whose picture it is, so it can't be taken back.",
    Standing.NOT_DELIVERED: "It never arrived; they do not have it.",
}
# Of a copy that is asked for: nobody has said so to the recipient yet, or the recipient won't.
TO_BE_ASKED: Final = "They are to be asked to destroy it or give it back; that has not gone out to them yet."
WON_T: Final = "They have been asked to destroy it or give it back, and have refused; they have it now."
NAMELESS: Final = "without anything that names you"
NAMED: Final = "as it was taken, with your details"
# What is not an entry; said wherever the account is shown, so that nobody takes its silence for more than it says.
BEYOND: Final = (
    "Looking at a photograph on a screen, by the people who treat you or within the hospital where no copy has to be "
    "recorded, is not listed here. It is in the hospital's audit trail; ask for it if you want to know."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One copy that left.

    Attributes:
        at: when it began to leave, in UTC.
        day: the day that was at the hospital.
        taken_on: when the picture was made, None when that isn't known.
        image: its SOP Instance UID here; ``released_uid`` is the one in the copy.
        patient: number and issuer of the patient, None of a picture that the registry doesn't have any more.
        recipient: the name in policy.toml, or that of a request for subject access.
        recipient_words: who that is, in words, '' when policy.toml doesn't have it any more.
        requester: the account, person or AE title that asked; '' of what left before that was recorded.
        anonymised: whether the copy names nobody.
        profile: digest of the anonymisation profile, '' of an original.
        consents: the consents that it left under, each with its version where that was recorded.
        standing: what became of it.
        recall: where the recall of it stands; None where it isn't known, or isn't asked for.
    """

    disclosure: str
    decision: str
    at: datetime
    day: date
    taken_on: date | None
    image: str
    released_uid: str
    sha256: str
    patient: tuple[str, str] | None
    recipient: str
    recipient_words: str
    requester: str
    door: str
    purpose: str
    anonymised: bool
    profile: str
    consents: tuple[str, ...]
    standing: Standing
    recall: Conversation | None = None

    @property
    def live(self) -> bool:
        """Tell whether somebody may hold the copy."""
        return self.standing in LIVE


def standing(copy: Copy, *, arrived: bool | None) -> Standing:
    """Return what became of a copy; ``arrived`` is None where nobody knows."""
    if arrived is False:
        return Standing.NOT_DELIVERED
    if copy.recall is Recall.CONFIRMED:
        return Standing.RECALLED
    if not copy.recallable:
        return Standing.PUBLISHED if copy.kind == PUBLISHED else Standing.KEY_DESTROYED
    if copy.recall is Recall.OPEN:
        return Standing.RECALL_ASKED
    return Standing.HELD if arrived else Standing.UNCONFIRMED


def told_day(day: date) -> str:
    """Return a day as people write it."""
    return f"{day.day} {day:%B %Y}"


def told_recipient(entry: Entry) -> str:
    """Return the recipient with who that is."""
    return one_line(f"{entry.recipient} ({entry.recipient_words})" if entry.recipient_words else entry.recipient)


def sentences(entry: Entry) -> tuple[str, str]:
    """Return what happened, and what they hold now, in the patient's words."""
    picture = f"photograph of {told_day(entry.taken_on)}" if entry.taken_on else "photograph"
    form = NAMELESS if entry.anonymised else NAMED
    happened = (
        f"On {told_day(entry.day)} your {picture} was given to {told_recipient(entry)}, "
        f"for {purpose_words(entry.purpose)}, {form}."
    )
    return happened, told_standing(entry)


def told_standing(entry: Entry) -> str:
    """Return what they hold now; what they are asked for, as far as they have been."""
    if entry.standing is Standing.RECALL_ASKED and entry.recall in (Conversation.OPEN, Conversation.REFUSED):
        return TO_BE_ASKED if entry.recall is Conversation.OPEN else WON_T
    return STANDING_WORDS[entry.standing]
