"""``consentgate approval list | approve | unable | withdraw | sweep``."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.cli.running import filing
from orthanc_plugin.errors import ArchiveError
from orthanc_plugin.lifecycle import approval as approvals
from orthanc_plugin.lifecycle.approval import Answer
from orthanc_plugin.registry import quarantine
from orthanc_plugin.registry.quarantine import Status
from orthanc_plugin.services import Services

DOOR = "consentgate approval"


@click.group()
def approval() -> None:
    """Record the patient's approval of photographs before they are filed."""


@approval.command(name="list")
@json_option
@told
def list_(as_json: bool) -> None:
    """List the photographs that wait for the patient's approval, and until when."""
    with services().database.reading() as connection:
        found = quarantine.listed(connection, Status.AWAITING_PATIENT_APPROVAL)
    columns = ("quarantine_id", "received_at", "approve_by", "study_instance_uid", "sop_instance_uid")
    show([asdict(each) for each in found], columns, as_json=as_json, empty="Nothing waits for a patient's approval.")


def _answered(quarantine_id: str, answer: Answer, words: str, by: str, *, as_json: bool) -> None:
    """Record the answer, then file the photograph if the archive runs; else its own sweep does so later."""
    shared = services()
    act = shared.act(by, DOOR)
    with shared.database.writing() as connection:
        held = approvals.approve(connection, act, quarantine_id, answer, words)
    shared.sign_head()
    try:
        with filing(shared) as way:
            filed = way.file(held, act)
    except ArchiveError as error:
        say({"approved": True, "filed": False}, f"Recorded. Not filed yet: {error.args[0]}", as_json=as_json)
        return
    shared.sign_head()
    if filed:
        say({"approved": True, "filed": True}, "Recorded, and filed: it is in the archive now.", as_json=as_json)
        return
    _say_held(shared, quarantine_id, as_json=as_json)


def _say_held(shared: Services, quarantine_id: str, *, as_json: bool) -> None:
    with shared.database.reading() as connection:
        reasons = quarantine.get(connection, quarantine_id).reasons
    said = {"approved": True, "filed": False, "reasons": reasons}
    say(said, f"Recorded, but something else stands against filing it: {'; '.join(reasons)}", as_json=as_json)
    sys.exit(1)


@approval.command()
@click.argument("quarantine_id")
@click.option("--proxy", default="", help="Who approved for the patient, and on what authority.")
@by_option
@json_option
@told
def approve(quarantine_id: str, proxy: str, by: str, as_json: bool) -> None:
    """Record that the patient saw the photograph and approves; it is filed at once."""
    answer = Answer.PROXY_APPROVED if proxy.strip() else Answer.PATIENT_APPROVED
    _answered(quarantine_id, answer, proxy, by, as_json=as_json)


@approval.command()
@click.argument("quarantine_id")
@click.option("--reason", required=True, help="Why the patient can't look, such as 'under general anaesthetic'.")
@by_option
@json_option
@told
def unable(quarantine_id: str, reason: str, by: str, as_json: bool) -> None:
    """Record that the patient can't be shown the photograph; it is filed at once."""
    _answered(quarantine_id, Answer.PATIENT_UNABLE, reason, by, as_json=as_json)


@approval.command()
@click.argument("quarantine_id")
@click.option("--reason", default="", help="In the patient's words, if they gave any.")
@click.option("--refuse", is_flag=True, help="Record, too, that the patient refuses every use of this picture.")
@by_option
@json_option
@told
def withdraw(quarantine_id: str, reason: str, refuse: bool, by: str, as_json: bool) -> None:
    """Delete the photograph unfiled because the patient does not want it; that it was taken stays on record."""
    shared = services()
    with shared.database.writing() as connection:
        held = approvals.withdraw(connection, shared.act(by, DOOR), quarantine_id, reason, refuse=refuse)
    for name in held.leftover:
        shared.spool.drop(name)
    shared.sign_head()
    gone = "Deleted: it was never filed, and no copy is kept here."
    kept = "A hold keeps it, unfiled and shut, until the hold is lifted."
    named = {"deleted" if held.leftover else "kept": held.sop_instance_uid}
    say(named, gone if held.leftover else kept, as_json=as_json)


@approval.command()
@json_option
@told
def sweep(as_json: bool) -> None:
    """File what was approved or has waited long enough; the running archive does the same every half minute."""
    shared = services()
    with filing(shared) as way:
        swept = approvals.sweep(way, shared.act("consentgate", DOOR))
    shared.sign_head()
    sentence = f"{len(swept.filed)} filed, {len(swept.still)} still to be filed."
    say(asdict(swept), sentence, as_json=as_json)
    sys.exit(1 if swept.still else 0)
