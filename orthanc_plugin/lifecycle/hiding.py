"""Hiding other people in identifiable copies: somebody sets the regions, and somebody else agrees, or doesn't.

Knows who may take which step, and that each is sealed in the trail. Must not know where pictures are, nor how they are
shown. What two persons have agreed to hide stays hidden until two persons say otherwise; each is named in policy.toml.

Sources: requirements 2.6 R3, 2.8 (REDACT_THIRD_PARTIES), 2.4 (a second person); UK GDPR 15(4) (the rights of others).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.deid.proposals import Finding
from orthanc_plugin.errors import UnknownImageError
from orthanc_plugin.lifecycle import aheadcopies, routing
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.reviewing import ReviewRefusedError, SecondPersonError, rectangle
from orthanc_plugin.policy.model import ImageStatus, Obligation
from orthanc_plugin.policy.others import ANEW, Hiding, looked, opened
from orthanc_plugin.policy.reviewing import HIDING, OTHERS, VERDICTS, Kind, Outline, Review, Shown, Under
from orthanc_plugin.policy.routing import Trigger
from orthanc_plugin.registry import hidings, images, reviews, tasks
from orthanc_plugin.registry.trail import append

TOLD: Final = {
    Kind.OPENED: (EventType.APPLICATION_ACTIVITY, "HIDING_OPENED"),
    Kind.SHOWN: (EventType.INSTANCES_ACCESSED, "HIDING_SHOWN"),
    Kind.PROPOSED: (EventType.APPLICATION_ACTIVITY, "HIDING_DRAFTED"),
    Kind.REDACTED: (EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED, "HIDING_PROPOSED"),
    Kind.VERDICT: (EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED, "HIDING_CONFIRMED"),
    Kind.REJECTED: (EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED, "HIDING_REJECTED"),
}
AGREE: Final = "somebody says that other people are shown, and somebody else must agree on what is hidden of them"


class On(NamedTuple):
    """What is looked at: exactly these bytes of a picture."""

    image: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A picture on which a second person must agree: what is proposed, by whom and since when."""

    image: str
    step: Review
    standing: Hiding


def on(connection: Connection, image: str) -> On:
    """Return what is looked at.

    Raises:
        UnknownImageError: the archive doesn't have the picture.
    """
    row = images.get(connection, image)
    if row is None or row.status is ImageStatus.DISPOSED:
        raise UnknownImageError("No image in the archive has this SOP Instance UID.")
    return On(image, row.sha256)


def stands(connection: Connection, about: On) -> Hiding:
    """Return where it stands."""
    return hidings.standing(connection, *about)


def open_(connection: Connection, act: Act, about: On, pixels: str) -> Review:
    """Note that somebody takes the picture to look at; others may do so at the same time."""
    return _taken(connection, act, about, Kind.OPENED, pixels=pixels)


def held(connection: Connection, act: Act, about: On) -> Review:
    """Return the step by which whoever acts has the picture open.

    Raises:
        ReviewRefusedError: they haven't.
    """
    found = opened(hidings.steps(connection, about.image), about.sha256, act.by, act.at, _lapse(act))
    if found is None:
        raise ReviewRefusedError(
            "The picture is not open, or no longer.", remedy="Open it with 'consentgate review open --others'."
        )
    return found


def show(connection: Connection, act: Act, about: On) -> Review:
    """Note that whoever acts was given the picture, with what is to be hidden in it.

    Raises:
        ReviewRefusedError: they don't have it open.
    """
    pixels = held(connection, act, about).pixels
    return _taken(connection, act, about, Kind.SHOWN, pixels=pixels, regions=regions(connection, about))


def regions(connection: Connection, about: On) -> tuple[Outline, ...]:
    """Return what is blanked in what is given to look at: what is proposed, else what is hidden already."""
    step = stands(connection, about).shown
    return step.regions if step else ()


def propose(connection: Connection, act: Act, about: On, findings: Sequence[Finding]) -> Review:
    """Keep what detectors say, as a draft: they can't tell the patient from anybody else.

    Raises:
        ReviewRefusedError: whoever acts doesn't have the picture open.
    """
    pixels = held(connection, act, about).pixels
    drawn = tuple(rectangle(each.corners) for finding in findings for each in finding.regions)
    said = [{**asdict(each), "regions": len(each.regions)} for each in findings]
    return _taken(connection, act, about, Kind.PROPOSED, pixels=pixels, regions=drawn, findings=json.dumps(said))


def drafted(connection: Connection, about: On) -> tuple[Outline, ...]:
    """Return the newest draft of the detectors."""
    steps = hidings.steps(connection, about.image)
    drafts = [each.regions for each in steps if each.kind is Kind.PROPOSED and each.sha256 == about.sha256]
    return drafts[-1] if drafts else ()


def redact(connection: Connection, act: Act, about: On, chosen: Sequence[Outline]) -> Review:
    """Propose what is hidden, in place of what was proposed before; it counts once somebody else has agreed.

    Raises:
        ReviewRefusedError: whoever acts doesn't have the picture open, or nothing is to be hidden.
        UnnamedPersonError: policy.toml doesn't know who acts.
    """
    act.require_named()
    pixels = held(connection, act, about).pixels
    if not chosen:
        raise ReviewRefusedError(
            "Nothing would be hidden.", remedy="Give the regions of the others, or reject what is hidden by now."
        )
    return _settled(connection, act, about, Kind.REDACTED, pixels=pixels, regions=tuple(chosen))


def confirm(connection: Connection, act: Act, about: On, note: str) -> Review:
    """Agree on what somebody else has proposed to hide, having seen the picture without it.

    Raises:
        ReviewRefusedError: nothing is proposed, or whoever acts hasn't seen the picture as it would leave.
        SecondPersonError: they have proposed it themselves.
        UnnamedPersonError: policy.toml doesn't know who acts.
    """
    act.require_named()
    found = stands(connection, about)
    asked, shown = found.proposed or found.lifting, found.shown
    if asked is None or shown is None:
        raise ReviewRefusedError(
            "No regions are proposed that somebody else has set.",
            remedy="Set them with 'consentgate review redact --others', and have somebody else confirm them.",
        )
    _require_second(act, asked)
    seen = looked(hidings.steps(connection, about.image), about.sha256, act.by, act.at, _lapse(act))
    if seen is None or seen.regions != shown.regions:
        raise ReviewRefusedError(
            "The picture as it would leave has not been looked at.",
            remedy="Open it with 'consentgate review open --others', and look at it.",
        )
    said = {"checklist": {OTHERS: Shown.COVERED}, "note": note, "pixels": seen.pixels, "regions": shown.regions}
    return _settled(connection, act, about, Kind.VERDICT, **said)


def reject(connection: Connection, act: Act, about: On, reason: str) -> Review:
    """Say that what is proposed is wrong, or that nothing is to be hidden any more.

    A proposal is gone by that. What was agreed on stays hidden until somebody else says the same. Either shows more of
    the picture, so whoever says it has opened it.

    Raises:
        ReviewRefusedError: no reason is given, there is nothing to reject, or whoever acts doesn't have it open.
        SecondPersonError: whoever acts has proposed it themselves.
        UnnamedPersonError: policy.toml doesn't know who acts.
    """
    act.require_named()
    if not reason.strip():
        raise ReviewRefusedError("A rejection needs a reason.", remedy="Say why nobody is to be hidden so.")
    found = stands(connection, about)
    if found.others is None:
        raise ReviewRefusedError("Nobody is hidden in the picture, nor proposed to be.")
    if (asked := found.proposed or found.lifting) is not None:
        _require_second(act, asked)
    pixels = held(connection, act, about).pixels
    return _settled(connection, act, about, Kind.REJECTED, note=reason.strip(), pixels=pixels)


def _require_second(act: Act, step: Review) -> None:
    if act.policy.one_person(step.reviewer, act.by):
        raise SecondPersonError("Whoever proposed it does not settle it.", remedy="Have somebody else look at it.")


def _lapse(act: Act) -> timedelta:
    return timedelta(minutes=act.policy.review.open_minutes)


def _settled(connection: Connection, act: Act, about: On, kind: Kind, **said: object) -> Review:
    """Record a step that changes what may leave, with the work that it makes or ends."""
    review = _taken(connection, act, about, kind, **said)
    duty, waits = Obligation.REDACT_THIRD_PARTIES, stands(connection, about).waits
    if waits is None:
        tasks.close_tasks(connection, kind=duty, subject=about.image, by=act.by, at=act.at)
    else:
        tasks.open_task(
            connection, task_id=act.ids(), kind=duty, subject=about.image, reason=AGREE, at=act.at, not_by=act.by
        )
    if kind is Kind.VERDICT:
        _look_anew(connection, act, review)
    if kind is not Kind.REDACTED:  # what was refused meanwhile may go now
        routing.queue_picture(connection, act, about.image, Trigger.REVIEW)
    return review


def _look_anew(connection: Connection, act: Act, review: Review) -> None:
    """Have somebody look again at what was confirmed for anonymised copies before the others were found.

    Copies that are kept are forgotten. Of a picture that nobody waited for the next who asks opens the task.
    """
    image, sha256 = review.sop_instance_uid, review.sha256
    steps = reviews.steps(connection, image, sha256)
    judged = {Under(each.profile, each.profile_digest) for each in steps if each.kind in VERDICTS} - {HIDING}
    if all(reviews.verdict(connection, image, sha256, each) for each in judged):
        return
    aheadcopies.follow(connection, act, review, ())
    if any(each.profile for each in reviews.requests(connection, image)):
        duty = Obligation.VERIFY_RESIDUAL_ID
        tasks.open_task(connection, task_id=act.ids(), kind=duty, subject=image, reason=ANEW, at=act.at)


def _taken(connection: Connection, act: Act, about: On, kind: Kind, **said: object) -> Review:
    review = Review(
        review_id=act.ids(),
        sop_instance_uid=about.image,
        sha256=about.sha256,
        reviewer=act.by,
        reviewed_at=act.at,
        kind=kind,
        profile=HIDING.name,
        profile_digest=HIDING.digest,
        **said,  # type: ignore[arg-type]
    )
    before = stands(connection, about)
    seal = reviews.record(connection, review)
    event, effect = TOLD[kind]
    if kind is Kind.REJECTED and before.proposed is None:
        effect = "HIDING_LIFTED" if before.lifting else "HIDING_LIFTING_ASKED"
    number = (f"{len(review.regions)} regions",) if review.regions else ()
    append(connection, [act.event(event, effect, subject=about.image, reasons=number, detail=seal)])
    return review


def queue(connection: Connection) -> Iterator[Waiting]:
    """Give the pictures on which a second person must agree, the longest waiting first."""
    found: list[Waiting] = []
    for image in hidings.pictures(connection):
        row = images.get(connection, image)
        standing = hidings.standing(connection, image, row.sha256) if row else Hiding()
        if row and row.status is not ImageStatus.DISPOSED and standing.waits is not None:
            found.append(Waiting(image=image, step=standing.waits, standing=standing))
    yield from sorted(found, key=lambda each: each.step.reviewed_at)
