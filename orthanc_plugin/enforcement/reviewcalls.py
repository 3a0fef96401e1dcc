"""What the REST calls on reviews do: list, open, show, propose, set regions, confirm, reject.

Knows the shapes of bodies. Must not decide: who may take which step is the life cycle's affair, what is shown of which
picture the desk's (``reviewing``). The account is the reviewer; nobody reviews in another's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.config.bindings import Role
from orthanc_plugin.deid.crops import crop as read_crop
from orthanc_plugin.deid.regions import region as read_region
from orthanc_plugin.enforcement.hiding import HidingDesk
from orthanc_plugin.enforcement.hiding import told as told_of_others
from orthanc_plugin.enforcement.reply import BASE, CallError, Reply
from orthanc_plugin.enforcement.rest import Call, Endpoint, act, text
from orthanc_plugin.enforcement.reviewing import Desk, proposals, told
from orthanc_plugin.enforcement.running import archive
from orthanc_plugin.lifecycle import hiding, reviewing
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.hiding import On
from orthanc_plugin.policy.reviewing import CHECKLIST, Box, Outline, Review, Shown, box, outline
from orthanc_plugin.services import Services

REVIEWS: Final = f"{BASE}/reviews"
ONE: Final = f"{REVIEWS}/{{instance_uid}}"
PROPOSALS: Final = f"{ONE}/proposals"
NAMED: Final = ("profile", "others")
MOST_NAME: Final = 64


@contextmanager
def _desk(services: Services, call: Call, values: Mapping[str, object]) -> Iterator[Desk]:
    others = _others(values)
    kind, profile = (HidingDesk, "") if others else (Desk, _profile(values))
    with archive(services) as running:
        yield kind(
            services,
            running,
            act(services, call),
            call.names["instance_uid"],
            profile,
            sees_intimate=call.user.may_view_intimate,
        )


def _profile(values: Mapping[str, object], *, needed: bool = True) -> str:
    return text(values, "profile", needed=needed, most=MOST_NAME)


def _others(values: Mapping[str, object]) -> bool:
    """Tell whether it is about hiding others in identifiable copies, and not about a profile."""
    said = values.get("others", False)
    if said not in (True, False, "true", "false") or not isinstance(said, bool | str):
        raise CallError("others: expected true or false.")
    others = said in (True, "true")
    if others and "profile" in values:
        raise CallError("profile: others are hidden in identifiable copies, which have no profile.")
    return others


def _told(review: Review) -> Reply:
    return Reply(
        payload={
            "review": review.review_id,
            "image": review.sop_instance_uid,
            "profile": review.profile,
            "reviewer": review.reviewer,
            "regions": review.regions,
            "crop": review.crop,
            "proposals": proposals(review),
        }
    )


def list_reviews(services: Services, call: Call) -> Reply:
    """Give the pictures that somebody must look at before a copy may leave, the oldest first, and who asked."""
    with services.database.reading() as connection:
        found = list(reviewing.queue(connection, act(services, call), services.release.under))
        others = [told_of_others(each) for each in hiding.queue(connection)]
    return Reply(payload={"reviews": [*map(told, found), *others]})


def open_review(services: Services, call: Call) -> Reply:
    """Take a picture to look at under a profile, alone for a while."""
    with _desk(services, call, call.fields(*NAMED)) as desk:
        return _told(desk.open())


def show_picture(services: Services, call: Call) -> Reply:
    """Give the picture as the copy under `?profile=NAME`, or `?others=true`, shows it; with `outlined=true` whole."""
    wanted = call.arguments.get("outlined", "false")
    if wanted not in ("true", "false"):
        raise CallError("outlined: expected true or false.")
    with _desk(services, call, call.arguments) as desk:
        shown = desk.outlined() if wanted == "true" else desk.picture()
    return Reply(content=shown.content, media=shown.media, kept=False)


def propose_regions(services: Services, call: Call) -> Reply:
    """Have the detectors draft regions; nothing found is not nothing there."""
    with _desk(services, call, call.fields(*NAMED)) as desk:
        return _told(desk.propose())


def set_regions(services: Services, call: Call) -> Reply:
    """Set what is blanked and what is kept, in place of what was set before; `proposed` adds the detectors' drafts."""
    values = call.fields(*NAMED, "regions", "crop", "proposed")
    with_proposed = values.get("proposed", False)
    if not isinstance(with_proposed, bool):
        raise CallError("proposed: expected true or false.")
    regions, crop = _regions(values.get("regions", [])), _crop(values.get("crop"))
    with _desk(services, call, values) as desk:
        return _told(desk.redact(regions, crop, with_proposed=with_proposed))


def _regions(value: object) -> tuple[Outline, ...]:
    if not isinstance(value, list):
        raise CallError("regions: expected a list of [x, y, width, height] or of corners.")
    return tuple(_outline(each) for each in value)


def _outline(value: object) -> Outline:
    read_region(value)  # refuses what is none
    return outline(value)


def _crop(value: object) -> Box | None:
    if value is None:
        return None
    read_crop(value)  # refuses what is none
    return box(value)


def confirm_review(services: Services, call: Call) -> Reply:
    """Answer the whole checklist; or agree, with `others`, on what somebody else has proposed to hide."""
    # Always by the account that was shown the picture, under the profile: nobody confirms unseen by a call.
    values = call.fields(*NAMED, "answers", "note")
    if _others(values):
        if "answers" in values:
            raise CallError("answers: what is hidden of others has no checklist.")
        return _hidden(services, call, hiding.confirm, text(values, "note", needed=False))
    answers, note = _answers(values.get("answers")), text(values, "note", needed=False)
    with services.database.writing() as connection:
        on = reviewing.matter(connection, call.names["instance_uid"], _profile(values), services.release.under)
        found = reviewing.confirm(connection, act(services, call), on, answers, note)
    return _verdict(services, found)


def _answers(value: object) -> dict[str, Shown]:
    known: dict[object, Shown] = {each.value: each for each in Shown}
    if not isinstance(value, dict) or any(not isinstance(said, str) or said not in known for said in value.values()):
        raise CallError(
            f"answers: expected one of {', '.join(Shown)} for each item.", remedy=f"Items: {', '.join(CHECKLIST)}."
        )
    return {str(item): known[said] for item, said in value.items()}


def reject_review(services: Services, call: Call) -> Reply:
    """Have no anonymised copy leave, under this profile or any; or say, with `others`, that it hides the wrong."""
    values = call.fields(*NAMED, "reason")
    if _others(values):
        return _hidden(services, call, hiding.reject, text(values, "reason"))
    with services.database.writing() as connection:
        image, profile = call.names["instance_uid"], _profile(values, needed=False)
        on = reviewing.matter(connection, image, profile, services.release.under)
        found = reviewing.reject(connection, act(services, call), on, text(values, "reason"))
    return _verdict(services, found)


def _hidden(services: Services, call: Call, step: Callable[[Connection, Act, On, str], Review], words: str) -> Reply:
    with services.database.writing() as connection:
        found = step(connection, act(services, call), hiding.on(connection, call.names["instance_uid"]), words)
    return _verdict(services, found)


def _verdict(services: Services, found: Review) -> Reply:
    return Reply(
        payload={
            "review": found.review_id,
            "image": found.sop_instance_uid,
            "profile": found.profile,
            "reviewer": found.reviewer,
            "anonymisable": found.outcome,
            "regions": found.regions,
            "crop": found.crop,
        }
    )


CALLS: Final = tuple(
    Endpoint(
        method=method,
        path=path,
        role=Role.REVIEW,
        summary=(handler.__doc__ or "").strip(),
        takes=takes,
        gives=gives,
        handler=handler,
    )
    for method, path, takes, gives, handler in (
        ("GET", REVIEWS, "", "ReviewQueue", list_reviews),
        ("GET", f"{ONE}/picture", "", "Picture", show_picture),
        ("POST", f"{ONE}/opening", "ReviewNamed", "Review", open_review),
        ("POST", PROPOSALS, "ReviewNamed", "Review", propose_regions),
        ("POST", f"{ONE}/regions", "ReviewRegions", "Review", set_regions),
        ("POST", f"{ONE}/confirmation", "ReviewAnswers", "ReviewVerdict", confirm_review),
        ("POST", f"{ONE}/rejection", "ReviewRejection", "ReviewVerdict", reject_review),
    )
)
