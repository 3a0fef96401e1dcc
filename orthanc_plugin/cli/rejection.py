"""``consentgate rejection list | lift``: pictures that another archive has taken out of use."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

import click

from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.lifecycle import rejecting
from orthanc_plugin.policy.keyobjects import WORDS, Rejection
from orthanc_plugin.registry import rejections
from orthanc_plugin.registry.rejections import Rejected

DOOR: Final = "consentgate rejection"
COLUMNS: Final = (
    "rejection",
    "sop_instance_uid",
    "says",
    "sender",
    "rejected_at",
    "was",
    "key_object_uid",
    "lifted_at",
    "lifted_by",
)


@click.group()
def rejection() -> None:
    """Show what other archives have rejected, and give it free again."""


@rejection.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Lifted ones too.")
@json_option
@told
def list_(everything: bool, as_json: bool) -> None:
    """List the rejections that stand, oldest first; one without 'was' is of a picture that isn't here."""
    with services().database.reading() as connection:
        found = rejections.listed(connection, everything=everything)
    show([_listed(each) for each in found], COLUMNS, as_json=as_json, empty="No rejection stands.")


@rejection.command()
@click.argument("name", metavar="ID")
@click.option("--reason", required=True, help="Why the picture may be used, for whoever reads it later.")
@by_option
@json_option
@told
def lift(name: str, reason: str, by: str, as_json: bool) -> None:
    """Lift the rejection ID, or those of a picture or key object by its UID; never by who sent it.

    What the patient has said meanwhile stands.
    """
    shared = services()
    with shared.database.writing() as connection:
        found = rejecting.lift(connection, shared.act(by, DOOR), name, reason)
    shared.sign_head()
    lifted = [each.rejection_id for each in found]
    say(
        {"lifted": lifted},
        f"Lifted {len(lifted)} rejection(s); consent decides on the picture(s) again.",
        as_json=as_json,
    )


def _listed(found: Rejected) -> dict[str, object]:
    return {"rejection": found.rejection_id, "says": WORDS[Rejection(found.code)], **asdict(found)}
