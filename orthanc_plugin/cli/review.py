"""``consentgate review list | confirm``: what a named person found when looking at a picture."""

from __future__ import annotations

import sys

import click

from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.errors import UnknownImageError
from orthanc_plugin.policy.model import Obligation
from orthanc_plugin.registry import images, reviews, tasks
from orthanc_plugin.registry.reviews import CHECKLIST, Review
from orthanc_plugin.registry.trail import append
from orthanc_plugin.services import Services


@click.group()
def review() -> None:
    """Record what a person found when looking at a picture."""


@review.command(name="list")
@json_option
@told
def list_(as_json: bool) -> None:
    """List the pictures that somebody must look at before an anonymised copy may leave."""
    with services().database.reading() as connection:
        found = tasks.open_tasks(connection, Obligation.VERIFY_RESIDUAL_ID)
    rows = [{"image": task["subject"], "since": task["opened_at"], "reason": task["reason"]} for task in found]
    show(rows, ("image", "since", "reason"), as_json=as_json, empty="Nothing waits for a review.")


def _answers(identifying: tuple[str, ...], *, nothing: bool) -> dict[str, bool]:
    """Return the checklist's answers: from the options, or asked one by one at a terminal."""
    if nothing and identifying:
        raise click.UsageError("--nothing-identifying and --identifying contradict one another.")
    if nothing or identifying:
        return {item: item in identifying for item in CHECKLIST}
    if not sys.stdin.isatty():
        raise click.UsageError("Give --nothing-identifying, or --identifying ITEM for each thing that identifies.")
    return {item: click.confirm(f"Does the picture show an identifying {item}?", default=None) for item in CHECKLIST}


def _record(shared: Services, image: str, checklist: dict[str, bool], by: str, note: str) -> Review:
    at = shared.clock()
    with shared.database.writing() as connection:
        row = images.get(connection, image)
        if row is None:
            raise UnknownImageError("No image in the archive has this SOP Instance UID.")
        found = Review(
            review_id=shared.ids(),
            sop_instance_uid=image,
            sha256=row.sha256,
            checklist=checklist,
            reviewer=by,
            reviewed_at=at,
            note=note,
        )
        seal = reviews.record(connection, found)
        tasks.close_tasks(connection, kind=Obligation.VERIFY_RESIDUAL_ID, subject=image, by=by, at=at)
        append(
            connection,
            [
                AuditEvent(
                    id=found.review_id,
                    at=at,
                    event=EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED,
                    outcome=Outcome.SUCCESS,
                    actor=by,
                    door="consentgate review",
                    subject=image,
                    effect=f"ANONYMISABLE_{found.outcome}",
                    reasons=tuple(f"identifying: {item}" for item, shown in checklist.items() if shown),
                    policy=shared.policy.sha256,
                    detail=seal,
                )
            ],
        )
    shared.sign_head()
    return found


@review.command()
@click.argument("image")
@click.option("--nothing-identifying", "nothing", is_flag=True, help="I looked for every item; none identifies.")
@click.option("--identifying", multiple=True, type=click.Choice(CHECKLIST), help="This identifies; repeatable.")
@click.option("--note", default="", help="Anything worth keeping with the finding.")
@by_option
@json_option
@told
def confirm(image: str, nothing: bool, identifying: tuple[str, ...], note: str, by: str, as_json: bool) -> None:
    """Record, in your name, whether IMAGE (SOP Instance UID) shows anything identifying.

    The list to look for: face, tattoo, jewellery, birthmark or scar, clothing, room or background, reflection, text,
    rare condition. Without options each is asked for at the terminal.
    """
    found = _record(services(), image, _answers(identifying, nothing=nothing), by, note)
    words = {"YES": "may leave anonymised, where consent covers it", "NO": "may not leave anonymised"}
    say(
        {"review": found.review_id, "image": image, "anonymisable": found.outcome, "reviewer": found.reviewer},
        f"Recorded: the picture {words.get(found.outcome, 'needs another look')}.",
        as_json=as_json,
    )
