"""The steps of a review: opened, proposed, redacted, confirmed or rejected; and the queue of what waits.

Knows who may take which step, and that each is sealed in the trail. Must not know where pictures are, nor how they are
shown. Whoever asked for a copy doesn't confirm the picture, nor is it opened to them; a picture that somebody has open
is theirs until it lapses. A rejection is never in anybody's way.

Sources: requirements 002-58, 001-20c, 2.4 (a second person), 2.6 (anonymised path).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.deid.proposals import Finding
from orthanc_plugin.errors import IllegalTransitionError, UnknownImageError
from orthanc_plugin.lifecycle import aheadcopies, routing
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.model import Anonymisable, Obligation
from orthanc_plugin.policy.others import since_others, uncovering
from orthanc_plugin.policy.reviewing import (
    EVERY,
    HIDING,
    Box,
    Kind,
    Outline,
    Review,
    Shown,
    Standing,
    State,
    Under,
    counts,
    elsewhere,
    gaps,
    not_held,
    not_seen,
    outcome,
    standing,
)
from orthanc_plugin.registry import images, reviews, tasks
from orthanc_plugin.registry.reviews import Asked
from orthanc_plugin.registry.trail import append

EVENTS: Final = {
    Kind.SHOWN: EventType.INSTANCES_ACCESSED,
    Kind.VERDICT: EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED,
    Kind.REJECTED: EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED,
}


class ReviewRefusedError(IllegalTransitionError):
    """A step of a review can't be taken now."""

    remedy = "See 'consentgate review list'."


class SecondPersonError(ReviewRefusedError):
    """Whoever asked for a copy looks at the picture themselves."""

    remedy = "Have somebody else look at the picture."


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """What is reviewed: exactly these bytes under one profile, or under every one when ``profile`` is ''.

    ``profiles`` gives a profile as it is now.
    """

    sop_instance_uid: str
    sha256: str
    profile: str
    profiles: Callable[[str], Under]

    @property
    def under(self) -> Under:
        """Return the profile as it is now."""
        return self.profiles(self.profile) if self.profile else EVERY


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A picture that somebody must look at: since when, why, for whom, under which profile, and how far that is."""

    image: str
    profile: str
    since: str
    reason: str
    requesters: tuple[str, ...]
    found: Standing
    proposals: tuple[Mapping[str, object], ...]


def matter(connection: Connection, image: str, profile: str, profiles: Callable[[str], Under]) -> Matter:
    """Return what a review of this image under this profile is about.

    Raises:
        UnknownImageError: the registry doesn't know the image.
        ReviewRefusedError: there is no such profile.
    """
    row = images.get(connection, image)
    if row is None:
        raise UnknownImageError("No image in the archive has this SOP Instance UID.")
    if profile and not profiles(profile).digest:
        raise ReviewRefusedError("There is no such profile.", remedy="See 'consentgate profile list'.")
    return Matter(sop_instance_uid=image, sha256=row.sha256, profile=profile, profiles=profiles)


def stands(connection: Connection, act: Act, on: Matter) -> Standing:
    """Return where the picture stands; for every profile at once, where somebody else has it open if anybody has."""
    steps = reviews.steps(connection, on.sop_instance_uid, on.sha256)
    as_it_was = {Under(each.profile, each.profile_digest) for each in steps} - {HIDING}
    lapse = timedelta(minutes=act.policy.review.open_minutes)
    found = [
        standing(_counting(steps, each), act.at, lapse)
        for each in ([on.under] if on.profile else [EVERY, *sorted(as_it_was)])
    ]
    return next((each for each in found if any(elsewhere(each, act.by))), found[0])


def open_(connection: Connection, act: Act, on: Matter, pixels: str) -> Review:
    """Give the picture to whoever acts, alone for a while.

    Raises:
        ReviewRefusedError: somebody else has it open, or it is no business of theirs.
    """
    _refuse_askers(connection, act, on)
    _refuse(elsewhere(stands(connection, act, on), act.by))
    return _taken(connection, act, on, Kind.OPENED, pixels=pixels)


def held(connection: Connection, act: Act, on: Matter) -> Standing:
    """Return where the picture stands, which whoever acts must have open.

    Raises:
        ReviewRefusedError: they haven't.
    """
    _refuse_askers(connection, act, on)
    found = stands(connection, act, on)
    _refuse(not_held(found, act.by))
    return found


def show(connection: Connection, act: Act, on: Matter) -> Review:
    """Note that whoever acts was given the picture, with what is blanked and cut off so far.

    Raises:
        ReviewRefusedError: they don't have it open.
    """
    found = held(connection, act, on)
    return _taken(connection, act, on, Kind.SHOWN, pixels=_pixels(found), regions=found.regions, crop=found.crop)


def propose(connection: Connection, act: Act, on: Matter, findings: Sequence[Finding]) -> Review:
    """Keep what detectors say of the picture, and their regions as a draft; nothing of it counts as an answer.

    Raises:
        ReviewRefusedError: whoever acts doesn't have the picture open.
    """
    pixels = _pixels(held(connection, act, on))
    drafts = tuple(rectangle(each.corners) for finding in findings for each in finding.regions)
    said = [{**asdict(each), "regions": len(each.regions)} for each in findings]
    return _taken(connection, act, on, Kind.PROPOSED, pixels=pixels, regions=drafts, findings=json.dumps(said))


def rectangle(corners: Sequence[tuple[int, int]]) -> Outline:
    """Return the rectangle about what a detector found."""
    (left, right), (top, bottom) = ((min(each), max(each) + 1) for each in zip(*corners, strict=True))
    return left, top, right - left, bottom - top


def redact(connection: Connection, act: Act, on: Matter, regions: Sequence[Outline], crop: Box | None = None) -> Review:
    """Set what is to be blanked and what is then kept, in place of what was set before.

    Raises:
        ReviewRefusedError: whoever acts doesn't have the picture open.
    """
    pixels = _pixels(held(connection, act, on))
    return _taken(connection, act, on, Kind.REDACTED, pixels=pixels, regions=tuple(regions), crop=crop)


def proposed(connection: Connection, act: Act, on: Matter) -> tuple[Outline, ...]:
    """Return the newest draft of regions since the picture was last opened."""
    steps = _counting(reviews.steps(connection, on.sop_instance_uid, on.sha256), on.under)
    opened = held(connection, act, on).opened
    ids = [each.review_id for each in steps]
    since = steps[ids.index(opened.review_id) :] if opened else ()
    drafts = [each.regions for each in since if each.kind is Kind.PROPOSED]
    return drafts[-1] if drafts else ()


def confirm(connection: Connection, act: Act, on: Matter, checklist: Mapping[str, Shown], note: str) -> Review:
    """Record the answers to the whole checklist: the picture may leave blanked and cropped so, or it may not.

    Under a profile only whoever has the picture open confirms it; without one it is confirmed as it is, for every
    profile, and nothing is hidden: so never where somebody had anything of it hidden under any.

    Raises:
        ReviewRefusedError: something isn't answered, or whoever acts may not confirm it.
    """
    _refuse_askers(connection, act, on)
    found = stands(connection, act, on)
    _refuse(chain(not_held(found, act.by), not_seen(found)) if on.profile else elsewhere(found, act.by))
    if not on.profile:
        found = replace(found, regions=(), crop=None)
    _refuse(gaps(checklist, hides=found.hides))
    told = outcome(checklist, hides=found.hides)
    if not on.profile and told is Anonymisable.YES:
        _refuse(uncovering(reviews.steps(connection, on.sop_instance_uid, on.sha256)))
    return _settled(
        connection,
        act,
        on,
        Kind.VERDICT,
        outcome=told,
        checklist=checklist,
        note=note,
        regions=found.regions,
        crop=found.crop,
        pixels=_pixels(found) if on.profile else "",
    )


def reject(connection: Connection, act: Act, on: Matter, reason: str) -> Review:
    """Have no anonymised copy leave, under this profile or under any.

    Raises:
        ReviewRefusedError: no reason is given.
    """
    if not reason.strip():
        raise ReviewRefusedError("A rejection needs a reason.", remedy="Say what shows who the patient is.")
    return _settled(connection, act, on, Kind.REJECTED, outcome=Anonymisable.NO, note=reason.strip())


def _refuse(objections: Iterator[tuple[str, str]]) -> None:
    for wrong, remedy in objections:
        raise ReviewRefusedError(wrong, remedy=remedy)


def _refuse_askers(connection: Connection, act: Act, on: Matter) -> None:
    if _asked(act.policy, act.by, reviews.requests(connection, on.sop_instance_uid)):
        raise SecondPersonError("Whoever asked for a copy of the picture doesn't review it.")


def _asked(policy: Policy, who: str, wishes: Sequence[Asked]) -> bool:
    """Tell whether somebody asked themselves, where somebody else must look."""
    names = {name for each in wishes for name in (each.requester, each.recipient)}
    return policy.review.second_person and any(policy.one_person(who, each) for each in names)


def _pixels(found: Standing) -> str:
    return found.opened.pixels if found.opened else ""


def _settled(connection: Connection, act: Act, on: Matter, kind: Kind, **said: object) -> Review:
    """Record a verdict; the task is done once there is one for everybody who asked."""
    review, uid = _taken(connection, act, on, kind, **said), on.sop_instance_uid
    steps = reviews.steps(connection, uid, on.sha256)
    asked = {each.profile for each in reviews.requests(connection, uid) if each.profile}
    if all(_found(steps, act.at, on.profiles(each)).state is not State.WAITING for each in asked):
        tasks.close_tasks(connection, kind=Obligation.VERIFY_RESIDUAL_ID, subject=uid, by=act.by, at=act.at)
    routing.queue_reviewed(connection, act, review)
    aheadcopies.follow(connection, act, review, asked)
    return review


def _counting(steps: Sequence[Review], under: Under) -> tuple[Review, ...]:
    return tuple(each for each in since_others(steps) if counts(each, under))


def _found(steps: Sequence[Review], at: datetime, under: Under) -> Standing:
    """Return what was found under a profile, whoever has it open."""
    return standing(_counting(steps, under), at, timedelta(0))


def _taken(connection: Connection, act: Act, on: Matter, kind: Kind, **said: object) -> Review:
    review = Review(
        review_id=act.ids(),
        sop_instance_uid=on.sop_instance_uid,
        sha256=on.sha256,
        reviewer=act.by,
        reviewed_at=act.at,
        kind=kind,
        profile=on.profile,
        profile_digest=on.under.digest,
        **said,  # type: ignore[arg-type]
    )
    seal = reviews.record(connection, review)
    append(
        connection,
        [
            act.event(
                EVENTS.get(kind, EventType.APPLICATION_ACTIVITY),
                f"REVIEW_{kind}" if review.outcome is Anonymisable.UNKNOWN else f"ANONYMISABLE_{review.outcome}",
                subject=on.sop_instance_uid,
                reasons=tuple(_reasons(review)),
                detail=seal,
            )
        ],
    )
    return review


def _reasons(review: Review) -> Iterator[str]:
    """Say what was found; a note is a person's own words and stays out of the trail."""
    if review.profile:
        yield f"profile {review.profile}"
    words = {Shown.IDENTIFIES: "identifying", Shown.COVERED: "covered"}
    yield from (f"{words[said]}: {item}" for item, said in sorted(review.checklist.items()) if said in words)


def queue(connection: Connection, act: Act, profiles: Callable[[str], Under]) -> Iterator[Waiting]:
    """Give the pictures that somebody must look at, once for each profile, the oldest first."""
    lapse = timedelta(minutes=act.policy.review.open_minutes)
    for task in tasks.open_tasks(connection, Obligation.VERIFY_RESIDUAL_ID):
        uid = str(task["subject"])
        row, asked = images.get(connection, uid), reviews.requests(connection, uid)
        steps = reviews.steps(connection, uid, row.sha256) if row else ()
        for profile in sorted({each.profile for each in asked if each.profile}) or [""]:
            counted = _counting(steps, profiles(profile) if profile else EVERY)
            found = standing(counted, act.at, lapse)
            wishes = [each for each in asked if each.profile == profile]
            own = found.state is State.CONFIRMED and _asked(act.policy, found.by, wishes)
            if own or found.state in (State.WAITING, State.OPEN):
                yield Waiting(
                    image=uid,
                    profile=profile,
                    since=str(task["opened_at"]),
                    reason=str(task["reason"]),
                    requesters=tuple(sorted({each.requester for each in wishes})),
                    found=found,
                    proposals=_proposals(counted),
                )


def _proposals(steps: Sequence[Review]) -> tuple[Mapping[str, object], ...]:
    """Return what the detectors said when they were last asked."""
    said = [each.findings for each in steps if each.kind is Kind.PROPOSED]
    return tuple(json.loads(said[-1])) if said else ()
