"""``consentgate audit tail | verify``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import click
from sqlalchemy import Connection

from orthanc_plugin.audit.chain import verify as walk
from orthanc_plugin.cli.common import json_option, say, services, show, told
from orthanc_plugin.registry import (
    access,
    authorities,
    breakglass,
    captures,
    changes,
    consents,
    devices,
    disposals,
    holds,
    keyobjects,
    ledger,
    linkage,
    openings,
    operators,
    plans,
    policyversions,
    pseudonymkeys,
    recalls,
    recallstates,
    rejections,
    retentionfacts,
    retentionschedules,
    reviews,
    storagekeys,
    stubs,
    transfers,
)
from orthanc_plugin.registry.consentrows import recorders
from orthanc_plugin.registry.engine import Database, open_database
from orthanc_plugin.registry.trail import Trail, details
from orthanc_plugin.retention import certifying

# The rows that the trail seals: how the words begin, and what they are now.
RECORDS: Final[dict[str, tuple[str, Callable[[Connection], Iterable[str]]]]] = {
    "consent": (consents.SEAL, consents.seals),
    "review": (reviews.SEAL, reviews.seals),
    "review step": (reviews.STEP_SEAL, reviews.step_seals),
    "review request": (reviews.REQUEST_SEAL, reviews.request_seals),
    "disclosure": (ledger.SEAL, ledger.seals),
    "recall": (recalls.SEAL, recalls.seals),
    "disclosure's end": (ledger.END_SEAL, ledger.end_seals),
    "disclosure's mark": (ledger.MARK_SEAL, ledger.mark_seals),
    "authority": (authorities.SEAL, authorities.seals),
    "emergency access": (breakglass.SEAL, breakglass.seals),
    "capture stop": (captures.SEAL, captures.seals),
    "change": (changes.SEAL, changes.seals),
    "device": (devices.SEAL, devices.seals),
    "operator": (operators.SEAL, operators.seals),
    "pseudonym key": (pseudonymkeys.SEAL, pseudonymkeys.seals),
    "linkage review": (linkage.SEAL, linkage.seals),
    "linkage refusal": (linkage.REFUSAL_SEAL, linkage.refusal_seals),
    "re-identification": (openings.SEAL, openings.seals),
    "subject access": (access.SEAL, access.seals),
    "subject access check": (access.CHECK_SEAL, access.check_seals),
    "key object": (keyobjects.SEAL, keyobjects.seals),
    "rejection": (rejections.SEAL, rejections.seals),
    "hold": (holds.SEAL, holds.seals),
    "retention fact": (retentionfacts.SEAL, retentionfacts.seals),
    "retention feed": (retentionfacts.FEED_SEAL, retentionfacts.feed_seals),
    "retention schedule": (retentionschedules.SEAL, retentionschedules.seals),
    "disposition plan": (plans.PLAN_SEAL, plans.plan_seals),
    "disposition decision": (plans.DECISION_SEAL, plans.decision_seals),
    "disposition approval": (plans.APPROVAL_SEAL, plans.approval_seals),
    "disposition outcome": (disposals.SEAL, disposals.seals),
    "disposition stub": (stubs.SEAL, stubs.seals),
    "disposition transfer": (transfers.SEAL, transfers.seals),
    "policy version": (policyversions.SEAL, policyversions.seals),
    "storage site key": (storagekeys.SEAL, storagekeys.seals),
    "data key": (storagekeys.KEY_SEAL, storagekeys.key_seals),
    "destroyed data key": (storagekeys.DESTROYED_SEAL, storagekeys.destroyed_seals),
    "disposition certificate": (certifying.SEAL, certifying.seals),
}
UNSEALED_ONCE: Final = frozenset({"disclosure"})  # by version 0.1


@click.group()
def audit() -> None:
    """Read and verify the audit trail."""


@audit.command()
@click.option("-n", "--count", default=20, show_default=True, help="How many entries.")
@json_option
@told
def tail(count: int, as_json: bool) -> None:
    """Show the newest entries, oldest first."""
    columns = ("seq", "at", "actor", "door", "effect", "reasons", "id")
    show(services().trail.tail(count), columns, as_json=as_json, empty="The trail is empty.")


def _beside_the_chain(looked_at: Database, signed: dict[int, str], entries: int) -> str:
    """Say what the chain alone can't show: heads that are gone, records that aren't as they were recorded."""
    if entries and not signed:
        return "no signed head is there, so entries could have been cut off or rewritten"
    with looked_at.reading() as connection:
        lines = [(line, actor) for detail, actor in details(connection) for line in detail.splitlines()]
        said = dict(lines)
        for kind, (seal, seals) in RECORDS.items():
            sealed, present = _newest((line for line, _ in lines), seal), _newest(seals(connection), seal)
            names = sealed if kind in UNSEALED_ONCE else sealed | present
            if changed := sum(sealed.get(name) != present.get(name) for name in names):
                return f"{changed} {kind} record(s) are not as the trail has them"
        if others := sum(said[seal] != by for seal, by in recorders(connection)):
            return f"{others} consent record(s) name somebody else than the trail as who recorded them"
        if unlike := changes.unlike(connection):
            return f"the facts of {unlike} patient(s) or picture(s) are not what their last change made them"
        if unlike := recallstates.unlike(connection):
            return f"{unlike} copies that left don't stand where their recall and the trail have them"
    return ""


def _newest(words: Iterable[str], seal: str) -> dict[str, str]:
    """Return the last words on each record: of one that changes, the newest entry tells how it stands."""
    return {each.partition(" sha256 ")[0]: each for each in words if each.startswith(seal)}


@audit.command()
@click.option("--database", help="Verify this database (such as a copy) instead of the registry's.")
@click.option("--checkpoints", type=click.Path(path_type=Path), help="Signed heads kept elsewhere.")
@json_option
@told
def verify(database: str | None, checkpoints: Path | None, as_json: bool) -> None:
    """Prove the trail whole: every entry follows the one before it, every signed head is met, no record was changed.

    The records that the trail seals are consents, reviews with who asked for them, disclosures with how they ended and
    what they were marked as, authorities, emergency access, stopped captures, devices and operators, requests for
    subject access with their checks, pseudonym keys in use, linkage reviews with who was refused, re-identifications,
    versions of the policy, and what people or feeds changed of a patient or picture. Where each copy stands in its
    recall must be what these let it be.
    Exit status 1 when it isn't; the first entry that doesn't hold is named.
    """
    shared = services()
    looked_at = open_database(database) if database else shared.database
    signed = shared.heads.signed(checkpoints)
    found = walk(Trail(looked_at).entries(), signed)
    if found.whole and (problem := _beside_the_chain(looked_at, signed, found.entries)):
        found = replace(found, broken_at=found.entries, problem=problem)
    if found.whole:
        sentence = f"The trail is whole: {found.entries} entries hold, {len(signed)} signed heads are met."
    else:
        sentence = f"The trail is broken: {found.problem}. {found.entries} entries before it hold."
    say({"whole": found.whole, "signed_heads": len(signed), **asdict(found)}, sentence, as_json=as_json)
    sys.exit(0 if found.whole else 1)
