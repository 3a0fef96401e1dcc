"""``consentgate quarantine list | show | release``."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import asdict

import click

from orthanc_plugin.archive.remote import RemoteArchive, read_credentials
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.cli.common import by_option, json_option, plain, say, services, show, told
from orthanc_plugin.errors import ArchiveError
from orthanc_plugin.registry import consents, images
from orthanc_plugin.registry import quarantine as held_objects
from orthanc_plugin.registry.quarantine import Held
from orthanc_plugin.registry.trail import append
from orthanc_plugin.services import Services


@click.group()
def quarantine() -> None:
    """Show and release what is held back; none of it is in the archive."""


@quarantine.command(name="list")
@click.option("--all", "everything", is_flag=True, help="What was released too.")
@json_option
@told
def list_(everything: bool, as_json: bool) -> None:
    """List what is held, with the reasons."""
    with services().database.reading() as connection:
        found = held_objects.listed(connection, None if everything else held_objects.Status.HELD)
    columns = ("quarantine_id", "received_at", "origin", "status", "reasons", "size")
    show([asdict(each) for each in found], columns, as_json=as_json, empty="Nothing is in quarantine.")


@quarantine.command(name="show")
@click.argument("quarantine_id")
@json_option
@told
def show_(quarantine_id: str, as_json: bool) -> None:
    """Show one held object's record (not the picture)."""
    with services().database.reading() as connection:
        held = held_objects.get(connection, quarantine_id)
    lines = (f"{key.replace('_', ' ')}: {plain(value)}" for key, value in asdict(held).items())
    say(asdict(held), "\n".join(lines), as_json=as_json)


def _released(shared: Services, archive: RemoteArchive, held: Held, by: str) -> bool:
    """Offer the object to the archive, which asks intake again; drop the spool's copy once both have the same bytes."""
    content = shared.spool.get(held.spool_name)
    if hashlib.sha256(content).hexdigest() != held.sha256:
        raise ArchiveError("The held object was changed on disk.", remedy="Keep it, and call information governance.")
    orthanc_instance = archive.store(content)
    if not orthanc_instance:
        return False
    stored = hashlib.sha256(archive.read(orthanc_instance)).hexdigest()
    with shared.database.reading() as connection:
        row = images.get(connection, held.sop_instance_uid)
    if row is None or row.sha256 != stored:
        raise ArchiveError("The archive does not give back what intake accepted; the spool keeps its copy.")
    at = shared.clock()
    with shared.database.writing() as connection:
        held_objects.settle(connection, held.quarantine_id, by=by, at=at)
        event = AuditEvent(
            id=shared.ids(),
            at=at,
            event=EventType.IMPORT,
            outcome=Outcome.SUCCESS,
            actor=by,
            door="consentgate quarantine",
            subject=held.sop_instance_uid,
            effect="RELEASED",
            reasons=held.reasons,
            policy=shared.policy.sha256,
        )
        append(connection, [event])
    shared.sign_head()
    shared.spool.drop(held.spool_name)
    return True


@quarantine.command()
@click.argument("quarantine_id")
@click.option("--consent", "consent_id", help="The consent on record that covers this photograph.")
@by_option
@json_option
@told
def release(quarantine_id: str, consent_id: str | None, by: str, as_json: bool) -> None:
    """Offer a held object to the archive again; it goes in only if nothing stands against it any more."""
    shared = services()
    with shared.database.writing() as connection:
        held = held_objects.get(connection, quarantine_id)
        if consent_id is not None:
            consents.current(connection, consent_id)
            held_objects.link(connection, quarantine_id, consent_id)
    if held.status is held_objects.Status.RELEASED:
        say({"released": True}, "It was released before.", as_json=as_json)
        return
    settings = shared.settings
    credentials = read_credentials(settings.path(settings.orthanc.boot_secret), settings.orthanc.user)
    archive = RemoteArchive(settings.orthanc.url, credentials)
    try:
        released = _released(shared, archive, held, by)
    finally:
        archive.close()
    if released:
        say({"released": True}, "Released: it is in the archive now.", as_json=as_json)
        return
    with shared.database.reading() as connection:
        reasons = held_objects.get(connection, quarantine_id).reasons
    say({"released": False, "reasons": reasons}, f"Still held: {'; '.join(reasons)}", as_json=as_json)
    sys.exit(1)
