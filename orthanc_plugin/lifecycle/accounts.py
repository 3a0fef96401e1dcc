"""The account of disclosures: who has had which photographs, for what, when, and what they hold now.

Knows where the facts are: the ledger, merged numbers, policy.toml's recipients. Must not know how the account is
written (``accountpages``, ``fhir.account``). Sources: requirements 004-15a, 001-10c, 2.8 (RECORD_DISCLOSURE).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.clock import hospital_day
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.errors import UnknownImageError, UnknownRecordError
from orthanc_plugin.policy.accounts import Entry, standing
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.policy.recalling import Standing as Conversation
from orthanc_plugin.policy.words import AUDIENCE_WORDS
from orthanc_plugin.registry import accounts, images, ledger, patients, stubs
from orthanc_plugin.registry.access import RECIPIENT
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.stored import day, word

ARRIVED: Final = {Delivery.DELIVERED.value: True, Delivery.FAILED.value: False}
OWN_COPY: Final = "whoever asked for your own copy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """Which entries are asked for; both days count."""

    since: date | None = None
    until: date | None = None
    live: bool = False

    def takes(self, entry: Entry) -> bool:
        """Tell whether an entry is asked for."""
        begun = self.since is None or self.since <= entry.day
        ended = self.until is None or entry.day <= self.until
        return begun and ended and (entry.live or not self.live)


EVERYTHING: Final = Narrowing()
Account = tuple[Entry, ...]


def of_patient(connection: Connection, policy: Policy, who: Key, narrowing: Narrowing = EVERYTHING) -> Account:
    """Return what left of a patient's pictures, whichever of their numbers it is under, and of destroyed ones.

    Every entry has the number that is kept.

    Raises:
        UnknownRecordError: no such patient, and no picture of theirs.
    """
    numbers = patients.numbers(connection, who)
    if patients.find(connection, *who) is None and not pictures(connection, who):
        raise UnknownRecordError(
            "No such patient is on record.", remedy="Check the number and its issuer; both are needed."
        )
    destroyed = [(link, "") for link in stubs.link_ids(connection, numbers)]
    account = _account(accounts.of_patient(connection, [*numbers, *destroyed]), policy, narrowing)
    return tuple(replace(entry, patient=numbers[0]) for entry in account)


def pictures(connection: Connection, who: Key) -> list[ImageRow]:
    """Return a patient's pictures, whichever of their numbers they are under."""
    numbers = patients.numbers(connection, who)
    return [
        row
        for number, issuer in numbers
        for row in images.find(connection, Subject.PATIENT_ID, (number,), issuer=issuer)
    ]


def of_image(connection: Connection, policy: Policy, uid: str, narrowing: Narrowing = EVERYTHING) -> Account:
    """Return the copies that left of a picture.

    Raises:
        UnknownImageError: no such picture, and nothing of it has left.
    """
    found = _account(accounts.of_image(connection, uid), policy, narrowing)
    if not found and images.get(connection, uid) is None:
        raise UnknownImageError("No image in the archive has this SOP Instance UID.")
    return found


def of_recipient(connection: Connection, policy: Policy, name: str, narrowing: Narrowing = EVERYTHING) -> Account:
    """Return what a recipient was sent; one of whom nothing is known was sent nothing."""
    return _account(accounts.of_recipient(connection, name), policy, narrowing)


def _account(rows: Iterable[ledger.Row], policy: Policy, narrowing: Narrowing) -> Account:
    words = _recipients(policy)
    return tuple(entry for row in rows if narrowing.takes(entry := _entry(row, words)))


def _recipients(policy: Policy) -> Mapping[str, str]:
    """Return who each recipient of policy.toml is, in words."""
    return {
        each.name: AUDIENCE_WORDS[each.audience] for each in (*policy.users, *policy.dicom_nodes, *policy.recipients)
    }


def _entry(row: ledger.Row, words: Mapping[str, str]) -> Entry:
    at, recipient = datetime.fromisoformat(str(row["at"])), str(row["recipient"])
    own = recipient.startswith(RECIPIENT)
    return Entry(
        disclosure=str(row["disclosure_id"]),
        decision=str(row["decision_id"]),
        at=at,
        day=hospital_day(at),
        taken_on=day(row["made_on"], "images.made_on"),
        image=str(row["sop_instance_uid"]),
        released_uid=str(row["released_uid"]),
        sha256=str(row["sha256"]),
        patient=None if row["patient_id"] is None else (str(row["patient_id"]), str(row["issuer"])),
        recipient=recipient,
        recipient_words=OWN_COPY if own else words.get(recipient, ""),
        requester=str(row["requester"] or ""),
        door=str(row["door"]),
        purpose=str(row["purpose"]),
        anonymised=row["form"] == Effect.PERMIT_ANONYMISED,
        profile=str(row["profile"]),
        consents=tuple(_consents(row)),
        standing=standing(ledger.copy_of(row), arrived=ARRIVED.get(str(row["outcome"]))),
        recall=None if row["standing"] is None else word(Conversation, row["standing"], "recalls.standing"),
    )


def _consents(row: ledger.Row) -> Iterator[str]:
    """Give the consents, each with its version where that was recorded."""
    named = json.loads(str(row["consents"]))
    versions = json.loads(str(row["consent_versions"] or "[]"))
    for number, consent in enumerate(named):
        yield f"{consent} version {versions[number]}" if number < len(versions) else str(consent)
