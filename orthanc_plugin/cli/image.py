"""``consentgate image show | set``: what somebody saw in a picture, and what kind of picture it is."""

from __future__ import annotations

from dataclasses import asdict

import click

from orthanc_plugin.cli.common import by_option, json_option, plain, say, services, told
from orthanc_plugin.errors import UnknownImageError
from orthanc_plugin.lifecycle import people
from orthanc_plugin.registry import images


@click.group()
def image() -> None:
    """Show and record the facts of pictures that decisions rest on."""


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
@click.option("--shows", multiple=True, type=click.Choice(people.SHOWS), help="What it shows; repeatable, replaces.")
@click.option("--shows-nothing", is_flag=True, help="I looked: it shows none of these.")
@click.option("--reason", required=True, help="Why; goes into the audit trail, so no names.")
@by_option
@json_option
@told
def set_(
    uid: str, shows: tuple[str, ...], shows_nothing: bool, reason: str, by: str, as_json: bool, **flags: bool | None
) -> None:
    """Record what the picture UID is or shows; it counts from the next decision on.

    Whether an anonymised copy may leave is another question: 'consentgate review confirm' answers it.
    """
    if shows and shows_nothing:
        raise click.UsageError("--shows and --shows-nothing contradict one another.")
    facts: dict[str, object] = {name: value for name, value in flags.items() if value is not None}
    if shows or shows_nothing:
        facts["shows"] = tuple(sorted(set(shows)))
    if not facts:
        raise click.UsageError("Say which fact to record.")
    shared = services()
    with shared.database.writing() as connection:
        found = people.picture(connection, shared.act(by, "consentgate image"), uid, facts, reason)
    shared.sign_head()
    say(asdict(found), f"Recorded: {', '.join(facts)}.", as_json=as_json)
