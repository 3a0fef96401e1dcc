"""What ``consentgate review --others`` shares: the options that say so, and how a step is recorded and told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

import click
from sqlalchemy import Connection

from orthanc_plugin.cli.common import say, services
from orthanc_plugin.lifecycle import hiding
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.hiding import On
from orthanc_plugin.policy.model import Others
from orthanc_plugin.policy.reviewing import Review

P = ParamSpec("P")
T = TypeVar("T")

HIDING_WORDS: Final = {
    None: "nobody is hidden in the picture",
    Others.PROPOSED: "somebody else must agree before the picture leaves for anything but the patient's treatment",
    Others.HIDDEN: "others are hidden in every identifiable copy",
    Others.CHANGING: "others stay hidden in every identifiable copy; somebody else must agree to a change",
}


def profile_option(*, required: bool) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return the options that name the profile, or say that it is about others in identifiable copies.

    A verdict without either counts under every profile.
    """
    more = "" if required else " [default: every profile, of the picture as it is]"

    def named(context: click.Context, _option: click.Parameter, others: bool) -> bool:
        profile = context.params.get("profile")
        if others and profile:
            raise click.UsageError("Give --profile or --others: identifiable copies have no profile.")
        if required and not (others or profile):
            raise click.UsageError("Give --profile NAME, or --others.")
        return others

    def options(command: Callable[P, T]) -> Callable[P, T]:
        words = "About other people, who are hidden in identifiable copies."
        command = click.option("--others", is_flag=True, callback=named, help=words)(command)
        return click.option("--profile", default="", is_eager=True, help=f"Profile of the copy.{more}")(command)

    return options


def record_hiding(
    image: str, who: tuple[str, str], step: Callable[[Connection, Act, On, str], Review], words: str, *, as_json: bool
) -> None:
    """Take a step on what is hidden of others, by a person through a door, and say where that stands then."""
    shared = services()
    with shared.database.writing() as connection:
        about = hiding.on(connection, image)
        found = step(connection, shared.act(*who), about, words)
        standing = hiding.stands(connection, about).others
    shared.sign_head()
    more: dict[str, object] = {
        "review": found.review_id,
        "image": image,
        "profile": found.profile,
        "reviewer": found.reviewer,
        "regions": found.regions,
        "others": standing,
    }
    say(more, f"Recorded: {HIDING_WORDS[standing]}.", as_json=as_json)
