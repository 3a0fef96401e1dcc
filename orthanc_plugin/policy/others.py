"""Other people in a picture: where the hiding of them stands, and what that adds to a decision.

Knows the steps by which two persons agree on what is hidden, and that what they agreed on holds for every identifiable
copy; and that a yes from before doesn't know of whom they found. Must not know rows, nor how regions are blanked. A
step that only one person has taken never shows more.

Sources: requirements 2.6 R3, 2.8 (REDACT_THIRD_PARTIES), 2.4 (a second person); UK GDPR 15(4) (the rights of others).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from dicomwrap.terms import Purpose
from orthanc_plugin.policy.answers import joined, obliged, review
from orthanc_plugin.policy.citations import Rule
from orthanc_plugin.policy.facts import purpose_of
from orthanc_plugin.policy.model import Anonymisable, Case, Content, Decision, Effect, Obligation, Others
from orthanc_plugin.policy.persons import same_person
from orthanc_plugin.policy.reviewing import HIDING, OTHERS, Box, Kind, Outline, Review, Shown

# The patient's own treatment waits for nobody: until two persons have agreed, the picture is there as it is.
TREATING: Final = frozenset({Purpose.DIRECT_CARE, Purpose.EMERGENCY_CARE})
ANEW: Final = (
    "Two persons have found other people in the picture, and nobody has confirmed since then that an anonymised copy"
    " tells nobody who anybody is. Look at it anew: see 'consentgate review list'."
)


def without_others(case: Case, decision: Decision) -> Decision:
    """Return what a decision comes to where other people are shown, or are said to be, in an identifiable picture."""
    found = case.image.others
    if found is None or decision.effect is not Effect.PERMIT_IDENTIFIABLE or case.request.content is Content.METADATA:
        return decision
    if found is not Others.HIDDEN and purpose_of(case.request) not in TREATING:
        reason = "Somebody has said that other people are shown, and nobody else has agreed on what is hidden of them."
        return joined(decision, review(Rule.OTHERS_PROPOSED, reason, Obligation.REDACT_THIRD_PARTIES))
    if found is Others.PROPOSED:
        return decision
    reason = "Other people are shown, and two persons have agreed on what is hidden of them in every copy."
    return obliged(decision, Rule.OTHERS_HIDDEN, reason, Obligation.REDACT_THIRD_PARTIES)


def unconfirmed(case: Case, otherwise: str) -> str:
    """Return why no anonymised copy may leave before somebody has looked; ``otherwise`` where nobody is hidden."""
    unlooked = case.image.anonymisable is Anonymisable.UNKNOWN  # who has said no since then was asked
    return ANEW if unlooked and case.image.others in (Others.HIDDEN, Others.CHANGING) else otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Hiding:
    """Where the hiding of others in a picture stands.

    Attributes:
        confirmed: what two persons have agreed on; None while nothing is hidden.
        proposed: regions that wait for somebody else.
        lifting: the wish that nothing be hidden any more, which waits for somebody else.
        earlier: what was hidden, or to be, of other bytes of the picture, as long as nobody has looked at these.
    """

    confirmed: Review | None = None
    proposed: Review | None = None
    lifting: Review | None = None
    earlier: Review | None = None

    @property
    def waits(self) -> Review | None:
        """Return what waits for a second person."""
        return self.proposed or self.lifting or self.earlier

    @property
    def shown(self) -> Review | None:
        """Return the step whose regions are to be looked at, and confirmed: what is proposed, else what is hidden."""
        return self.proposed or self.confirmed

    @property
    def others(self) -> Others | None:
        """Return it as a decision reads it."""
        if self.confirmed is None:
            return None if self.waits is None else Others.PROPOSED
        return Others.HIDDEN if self.waits is None else Others.CHANGING


def hiding(steps: Sequence[Review], sha256: str) -> Hiding:
    """Return where it stands for a picture of these bytes.

    Args:
        steps: every step on the picture, whatever its bytes were, oldest first.
        sha256: of its bytes as they are.
    """
    earlier = [_standing(group, Hiding()) for group in _by_bytes(each for each in steps if each.sha256 != sha256)]
    left = next((each.shown or each.waits for each in reversed(earlier) if each.others is not None), None)
    return _standing([each for each in steps if each.sha256 == sha256], Hiding(earlier=left))


def _by_bytes(steps: Iterable[Review]) -> list[list[Review]]:
    found: dict[str, list[Review]] = {}
    for each in steps:
        found.setdefault(each.sha256, []).append(each)
    return list(found.values())


def _standing(steps: Iterable[Review], found: Hiding) -> Hiding:
    for each in steps:
        match each.kind:
            case Kind.REDACTED:
                found = replace(found, proposed=each, lifting=None)
            case Kind.VERDICT:
                found = Hiding(confirmed=each)
            case Kind.REJECTED:
                found = _rejected(found, each)
    return found


def _rejected(found: Hiding, step: Review) -> Hiding:
    """Return what a rejection leaves: a proposal goes by somebody else's word, what is hidden by two persons'."""
    if found.proposed is not None:
        return found if same_person(found.proposed.reviewer, step.reviewer) else replace(found, proposed=None)
    if found.lifting is None:
        return replace(found, lifting=step) if found.confirmed or found.earlier else found
    return found if same_person(found.lifting.reviewer, step.reviewer) else Hiding()


def looked(steps: Sequence[Review], sha256: str, who: str, at: datetime, lapse: timedelta) -> Review | None:
    """Return the step by which somebody was given the picture a short while ago, with whatever is hidden by now.

    Args:
        steps: on the picture, oldest first.
        sha256: of its bytes.
        who: who looks.
        at: now.
        lapse: how long a look counts.
    """
    here = [each for each in steps if each.sha256 == sha256]
    changed = max((number for number, each in enumerate(here) if each.kind is Kind.REDACTED), default=-1)
    theirs = (each for each in reversed(here[changed + 1 :]) if each.kind is Kind.SHOWN)
    return next(_recent(theirs, who, at, lapse), None)


def opened(steps: Sequence[Review], sha256: str, who: str, at: datetime, lapse: timedelta) -> Review | None:
    """Return the step by which somebody has taken the picture to look at a short while ago, whatever is hidden."""
    theirs = (each for each in reversed(steps) if each.sha256 == sha256 and each.kind in (Kind.OPENED, Kind.SHOWN))
    return next(_recent(theirs, who, at, lapse), None)


def _recent(steps: Iterable[Review], who: str, at: datetime, lapse: timedelta) -> Iterator[Review]:
    return (each for each in steps if same_person(each.reviewer, who) and at < each.reviewed_at + lapse)


def since_others(steps: Sequence[Review]) -> tuple[Review, ...]:
    """Return the steps as they count by now: a yes from before others were found is none, unless it blanks them.

    As long as two persons' agreement stands, whoever said before that nothing identifies has missed somebody: seen
    nobody else, or blanked others elsewhere. A no holds, and so does whatever was said later.

    Args:
        steps: on the same bytes, for others and under every profile, oldest first.
    """
    agreed = _agreed(steps)
    if agreed is None:
        return tuple(steps)
    then = steps.index(agreed)
    before = (
        replace(each, outcome=Anonymisable.UNKNOWN) if _overtaken(each, agreed) else each for each in steps[:then]
    )
    return (*before, *steps[then:])


def _agreed(steps: Iterable[Review]) -> Review | None:
    return _standing((each for each in steps if each.profile == HIDING.name), Hiding()).confirmed


def _overtaken(said: Review, agreed: Review) -> bool:
    if said.kind is not Kind.VERDICT or said.outcome is not Anonymisable.YES:
        return False
    return said.checklist.get(OTHERS) is not Shown.COVERED or not all(_touched(said, each) for each in agreed.regions)


def _touched(said: Review, region: Outline) -> bool:
    """Tell whether something of a region is blanked, or all of it is cut off: two persons never draw quite alike."""
    where = _bounds(region)
    cut = said.crop is not None and not _meet(where, said.crop)
    return cut or any(_meet(where, _bounds(each)) for each in said.regions)


def _bounds(region: Outline) -> Box:
    match region:
        case (int(x), int(y), int(width), int(height)):
            return x, y, width, height
    across, down = zip(*region, strict=True)
    return min(across), min(down), max(across) - min(across), max(down) - min(down)


def _meet(one: Box, other: Box) -> bool:
    return all(one[axis] < other[axis] + other[axis + 2] and other[axis] < one[axis] + one[axis + 2] for axis in (0, 1))


def uncovering(steps: Sequence[Review]) -> Iterator[tuple[str, str]]:
    """Say what a yes for every profile would uncover: by one, nothing is blanked nor cut off under any.

    Args:
        steps: on the same bytes, for others and under every profile, oldest first.
    """
    if any(each.kind is Kind.VERDICT and each.hides for each in steps if each.profile != HIDING.name):
        yield (
            "Under a profile somebody has had regions of the picture blanked, or parts cut off.",
            "Confirm it under each profile; what is confirmed for every profile leaves as it is.",
        )
    if _agreed(steps) is not None:
        yield (
            "Two persons have agreed that other people are shown, and a yes for every profile blanks none of them.",
            "Confirm it under each profile, with the others covered.",
        )
