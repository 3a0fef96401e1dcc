"""A review of a picture: the checklist, the steps, and where they leave the picture under one profile.

Knows what must be answered before a copy may be called anonymised, and who may take the next step. Must not know rows,
accounts, nor how regions are blanked. Nothing found is not nothing there: no detector's word is an answer.

Sources: requirements 002-58 (an apparently insignificant detail can identify), 001-20c, 2.6 (anonymised path).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final, NamedTuple

from orthanc_plugin.policy.model import Anonymisable
from orthanc_plugin.policy.persons import same_person

OTHERS: Final = "other people"
# What each item asks for; each must be answered.
ITEMS: Final[dict[str, str]] = {
    "face": "a face or part of one",
    "eyes": "the eyes",
    "ears": "an ear",
    "tattoo": "a tattoo",
    "jewellery": "jewellery or a piercing",
    "rings": "rings, nails or marks on the hands",
    "birthmark or scar": "a birthmark or scar",
    "clothing": "clothing, a badge or a wristband",
    "text": "writing on skin, paper or a screen",
    OTHERS: "other people",
    "reflection": "a mirror or a reflection",
    "room or background": "the room or the background",
    "rare condition": "a condition so rare that it tells who it is",
}
CHECKLIST: Final = tuple(ITEMS)
Box = tuple[int, int, int, int]  # x, y, width and height in pixels of the whole picture
Outline = Box | tuple[tuple[int, int], ...]


@unique
class Shown(StrEnum):
    """A person's answer to one item of the checklist."""

    NOT_SHOWN = "NOT_SHOWN"  # or shown without telling who it is
    COVERED = "COVERED"  # shown, and blanked by a region
    IDENTIFIES = "IDENTIFIES"


@unique
class Kind(StrEnum):
    """What a step does."""

    OPENED = "OPENED"
    PROPOSED = "PROPOSED"
    REDACTED = "REDACTED"
    SHOWN = "SHOWN"  # the picture was given to look at, with what is blanked so far
    VERDICT = "VERDICT"  # the checklist was answered
    REJECTED = "REJECTED"


VERDICTS: Final = frozenset({Kind.VERDICT, Kind.REJECTED})


@unique
class State(StrEnum):
    """Where a picture stands under a profile."""

    WAITING = "WAITING"
    OPEN = "OPEN"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"


class Under(NamedTuple):
    """A profile as it is now, by its name and its digest; both are '' for none."""

    name: str = ""
    digest: str = ""


EVERY: Final = Under()
# Under which steps are taken on what is hidden of other people in identifiable copies (``policy.others``). No profile
# has a name with a blank; the digest is that of no profile, and another one once regions are blanked otherwise.
HIDING: Final = Under("others hidden", "regions 1")
FOUND: Final = {Anonymisable.YES: State.CONFIRMED, Anonymisable.NO: State.REJECTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One person's step on one picture.

    Attributes:
        review_id: the step's own id.
        sop_instance_uid: the picture.
        sha256: of the stored object.
        reviewer: who.
        reviewed_at: when.
        kind: what was done.
        outcome: of a verdict: whether the picture, with its regions blanked, may leave anonymised.
        checklist: answer by item.
        note: anything said with it.
        pixels: digest of the pixels that were looked at; '' when the whole object was named by its digest alone.
        profile: the profile that it is under; '' for every one.
        profile_digest: of that profile as it was.
        regions: what is blanked, or proposed to be.
        crop: what is kept of the picture once the regions are blanked; None for all of it.
        findings: of the detectors, as JSON.
    """

    review_id: str
    sop_instance_uid: str
    sha256: str
    reviewer: str
    reviewed_at: datetime
    kind: Kind = Kind.VERDICT
    outcome: Anonymisable = Anonymisable.UNKNOWN
    checklist: Mapping[str, Shown] = field(default_factory=dict)
    note: str = ""
    pixels: str = ""
    profile: str = ""
    profile_digest: str = ""
    regions: tuple[Outline, ...] = ()
    crop: Box | None = None
    findings: str = "[]"

    @property
    def hides(self) -> bool:
        """Tell whether something of the picture is blanked or cut off."""
        return bool(self.regions) or self.crop is not None


def counts(review: Review, under: Under) -> bool:
    """Tell whether a step counts under a profile.

    What holds under every profile does, and what was done under this one as it is now. A no holds however the profile
    has changed since: nobody has looked at the picture again. What is hidden of others is a matter of its own.
    """
    if HIDING.name in (review.profile, under.name):
        return review.profile == under.name
    refused = review.outcome is Anonymisable.NO and review.profile == under.name
    return refused or review.profile_digest in ("", under.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a picture stands under a profile, by whose step and since when; nobody's when it waits.

    ``opened`` is the step by which the person took it who has it open, ``regions`` and ``crop`` are theirs; ``shown``
    tells whether they were given the picture with those regions blanked, and cropped so.
    """

    state: State
    by: str = ""
    since: datetime | None = None
    opened: Review | None = None
    regions: tuple[Outline, ...] = ()
    crop: Box | None = None
    shown: bool = False

    @property
    def hides(self) -> bool:
        """Tell whether something of the picture is blanked or cut off."""
        return bool(self.regions) or self.crop is not None


def outline(value: object) -> Outline:
    """Return the region that JSON writes as ``[x, y, width, height]`` or as a list of corners.

    Raises:
        ValueError: it writes none.
    """
    match value:
        case [int(left), int(top), int(width), int(height)]:
            return left, top, width, height
        case [first, second, third, *more]:
            return tuple(_corner(each) for each in (first, second, third, *more))
    raise ValueError("no region")


def box(value: object) -> Box:
    """Return the rectangle that JSON writes as ``[x, y, width, height]``.

    Raises:
        ValueError: it writes none.
    """
    match value:
        case [int(left), int(top), int(width), int(height)]:
            return left, top, width, height
    raise ValueError("no rectangle")


def _corner(value: object) -> tuple[int, int]:
    match value:
        case [int(x), int(y)]:
            return x, y
    raise ValueError("no corner")


def outcome(checklist: Mapping[str, Shown], *, hides: bool) -> Anonymisable:
    """Return YES only when every item was answered, none identifies, and what is said to be covered can be.

    ``hides`` tells whether something of the picture is blanked or cut off.
    """
    if Shown.IDENTIFIES in checklist.values():
        return Anonymisable.NO
    uncovered = Shown.COVERED in checklist.values() and not hides
    whole = set(checklist) == set(CHECKLIST)
    return Anonymisable.YES if whole and not uncovered else Anonymisable.UNKNOWN


def gaps(checklist: Mapping[str, Shown], *, hides: bool) -> Iterator[tuple[str, str]]:
    """Say why the answers make no verdict, each with what to do."""
    if unknown := sorted(set(checklist) - set(CHECKLIST)):
        yield f"The checklist has no item {', '.join(unknown)}.", f"Its items are: {', '.join(CHECKLIST)}."
    if missing := [item for item in CHECKLIST if item not in checklist]:
        yield f"The checklist is not answered: {', '.join(missing)}.", "Look for each item and answer it."
    if Shown.COVERED in checklist.values() and not hides:
        yield "Something is said to be covered, but no region is.", "Set the regions with 'consentgate review redact'."


def standing(steps: Sequence[Review], at: datetime, lapse: timedelta) -> Standing:
    """Return where the picture stands.

    Args:
        steps: on the same bytes, under the same profile or under every one, oldest first.
        at: now.
        lapse: how long after its last step a picture is somebody's alone.
    """
    last = max((number for number, each in enumerate(steps) if each.kind in VERDICTS), default=-1)
    after = steps[last + 1 :]
    if after and at < after[-1].reviewed_at + lapse:
        return _held(after)
    if last < 0:
        return Standing(state=State.WAITING)
    found = steps[last]
    state = FOUND.get(found.outcome, State.WAITING)
    return Standing(state=state, by=found.reviewer, since=found.reviewed_at, regions=found.regions, crop=found.crop)


def _held(after: Sequence[Review]) -> Standing:
    """Return who has it open: who opened it last, with the regions that they set since."""
    begun = max((number for number, each in enumerate(after) if each.kind is Kind.OPENED), default=0)
    opened = after[begun]
    looks = [each for each in after[begun:] if each.kind in (Kind.REDACTED, Kind.SHOWN)]
    redacted = [each for each in looks if each.kind is Kind.REDACTED]
    return Standing(
        state=State.OPEN,
        by=opened.reviewer,
        since=opened.reviewed_at,
        opened=opened if opened.kind is Kind.OPENED else None,
        regions=redacted[-1].regions if redacted else (),
        crop=redacted[-1].crop if redacted else None,
        shown=bool(looks) and looks[-1].kind is Kind.SHOWN,
    )


def elsewhere(found: Standing, by: str) -> Iterator[tuple[str, str]]:
    """Say that somebody else has the picture open."""
    if found.state is State.OPEN and not same_person(found.by, by):
        yield f"{found.by} has the picture open.", "Wait until they have finished, or until it lapses."


def not_held(found: Standing, by: str) -> Iterator[tuple[str, str]]:
    """Say that the person doesn't have the picture open, so can't have looked at it here."""
    yield from elsewhere(found, by)
    if found.state is not State.OPEN or found.opened is None:
        yield "The picture is not open, or no longer.", "Open it with 'consentgate review open', and look at it."


def not_seen(found: Standing) -> Iterator[tuple[str, str]]:
    """Say that nobody was given the picture as it would leave."""
    if not found.shown:
        yield "The picture as it would leave has not been looked at.", "Have it shown, and look at it."
