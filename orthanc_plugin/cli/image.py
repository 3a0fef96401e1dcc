"""``consentgate image show | set``: what somebody saw in a picture, and what kind of picture it is."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Final

import click

from orthanc_plugin.cli.backfill import backfill
from orthanc_plugin.cli.common import by_option, json_option, plain, say, services, told
from orthanc_plugin.errors import UnknownImageError
from orthanc_plugin.lifecycle import pictures
from orthanc_plugin.policy.model import ImageSource, ImageType, MadeFor
from orthanc_plugin.registry import images

KINDS: Final[tuple[type[StrEnum], ...]] = (ImageType, MadeFor, ImageSource)
WORDS: Final = {kind: click.Choice([word.value for word in kind]) for kind in KINDS}


@click.group()
def image() -> None:
    """Show and record the facts of pictures that decisions rest on."""


image.add_command(backfill)


@image.command(name="show")
@click.argument("uid")
@json_option
@told
def show_(uid: str, as_json: bool) -> None:
    """Show what the registry knows of the picture UID (SOP Instance UID); not the picture."""
    with services().database.reading() as connection:
        found = images.get(connection, uid)
    if found is None:
        raise UnknownImageError("No image in the archive has this SOP Instance UID.")
    lines = (f"{key.replace('_', ' ')}: {plain(value)}" for key, value in asdict(found).items())
    say(asdict(found), "\n".join(lines), as_json=as_json)


@image.command(name="set")
@click.argument("uid")
@click.option("--intimate/--not-intimate", default=None, help="Shows an intimate part of the body.")
@click.option("--covert/--not-covert", default=None, help="Was made without the patient's knowledge.")
@click.option("--familial/--not-familial", default=None, help="Tells of the patient's family too, as a genetic trait.")
@click.option("--shows", multiple=True, type=click.Choice(pictures.SHOWS), help="What it shows; repeatable, replaces.")
@click.option("--shows-nothing", is_flag=True, help="I looked: it shows none of these.")
@click.option(
    "--type", "image_type", type=WORDS[ImageType], help="What kind of picture it is, whatever the device said."
)
@click.option("--made-for", type=WORDS[MadeFor], help="Whether it was made for care or for other uses.")
@click.option("--source", type=WORDS[ImageSource], help="Whether the department made it or the patient sent it in.")
@click.option("--made-on", type=click.DateTime(["%Y-%m-%d"]), help="The day it was made.")
@click.option("--reason", required=True, help="Why.")
@by_option
@json_option
@told
def set_(
    uid: str,
    shows: tuple[str, ...],
    shows_nothing: bool,
    made_on: datetime | None,
    reason: str,
    by: str,
    as_json: bool,
    **told_of: bool | str | None,
) -> None:
    """Record what the picture UID is or shows; it counts from the next decision on.

    What may open it to more people is looked at again: that is a task for information governance. Whether an anonymised
    copy may leave is another question: 'consentgate review confirm' answers it.
    """
    if shows and shows_nothing:
        raise click.UsageError("--shows and --shows-nothing contradict one another.")
    facts: dict[str, object] = {name: value for name, value in told_of.items() if value is not None}
    if made_on is not None:
        facts["made_on"] = made_on.date()
    if shows or shows_nothing:
        facts["shows"] = tuple(sorted(set(shows)))
    if not facts:
        raise click.UsageError("Say which fact to record.")
    shared = services()
    with shared.database.writing() as connection:
        found = pictures.picture(connection, shared.act(by, "consentgate image"), uid, facts, reason)
    shared.sign_head()
    say(asdict(found), f"Recorded: {', '.join(facts)}.", as_json=as_json)
