"""One entry of the audit trail, in the words of PS3.15 A.5 (event types of CID 400 and 401).

Knows what an entry says. Must not know where it is kept. An entry names objects by UID or Orthanc identifier and staff
by account; never a patient's name, number or birth date.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum, unique
from operator import attrgetter
from typing import Final, NamedTuple

# Made once: an entry is written at every access.
canonical: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


@unique
class EventType(StrEnum):
    """DCM codes of PS3.16 CID 400 and 401 that Consentgate uses."""

    APPLICATION_ACTIVITY = "110100"
    TRANSFER_BEGUN = "110102"
    INSTANCES_ACCESSED = "110103"
    INSTANCES_TRANSFERRED = "110104"
    STUDY_DELETED = "110105"
    IMPORT = "110107"
    PATIENT_RECORD = "110110"
    QUERY = "110112"
    SECURITY_ALERT = "110113"
    EMERGENCY_OVERRIDE_STARTED = "110127"
    EMERGENCY_OVERRIDE_STOPPED = "110138"
    ACCESS_CONTROL_DECISION = "110147"
    OBJECT_SECURITY_ATTRIBUTES_CHANGED = "110135"


@unique
class Outcome(StrEnum):
    """EventOutcomeIndicator (RFC 3881): 0 success, 4 minor failure (refused), 8 serious failure."""

    SUCCESS = "0"
    REFUSED = "4"
    FAILURE = "8"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """What happened. Empty fields say nothing.

    Attributes:
        id: the entry's own id; for a decision, the decision id.
        at: when, in UTC.
        event: DCM code.
        outcome: RFC 3881 outcome.
        actor: binding name, account or AE title.
        address: network address, when known.
        door: the way in or out, such as ``C-MOVE`` or ``GET /instances/{instance}/file``.
        subject: SOP Instance UID, consent id or the like.
        purpose: purpose of use asked for.
        effect: the decision's effect.
        rules: ids of the rules that spoke.
        reasons: why, for a person.
        obligations: what the decision demands.
        citations: the guidance behind the rules.
        consents: ids and versions of the consents that counted.
        policy: SHA-256 of policy.toml in force.
        detail: anything else, as words.
        facts: digest of the facts that a decision rested on, kept in the registry.
        request: what was asked, and the hospital's switches, as the policy read them; with the facts it can be asked
            again.
    """

    id: str
    at: datetime
    event: EventType
    outcome: Outcome
    actor: str
    door: str
    address: str = ""
    subject: str = ""
    purpose: str = ""
    effect: str = ""
    rules: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()
    citations: tuple[str, ...] = ()
    consents: tuple[str, ...] = ()
    policy: str = ""
    detail: str = ""
    facts: str = ""
    request: Mapping[str, object] = field(default_factory=dict)

    def body(self) -> str:
        """Return the entry as canonical JSON: sorted keys, no spaces, so that its digest is well defined."""
        return canonical(dict(zip(FIELDS, VALUES(self), strict=True)) | {"at": self.at.isoformat()})

    def stencil(self) -> Stencil:
        """Return what all entries have in common that differ from this one in nothing but their id and moment."""
        said = dict(zip(FIELDS, VALUES(self), strict=True))
        before, between, after = (
            canonical({name: said[name] for name in names})[1:-1] for names in (BEFORE_AT, UNTIL_ID, AFTER_ID)
        )
        return Stencil(f'{{{before},"at":"', f'",{between},"id":', f",{after}}}")


FIELDS: Final = tuple(field.name for field in fields(AuditEvent))
VALUES: Final = attrgetter(*FIELDS)
BEFORE_AT: Final = tuple(name for name in FIELDS if name < "at")
UNTIL_ID: Final = tuple(name for name in FIELDS if "at" < name < "id")
AFTER_ID: Final = tuple(name for name in FIELDS if name > "id")


class Stencil(NamedTuple):
    """The text of an entry around its moment and its id."""

    before: str
    between: str
    after: str

    def entry(self, event_id: str, at: datetime) -> Stencilled:
        """Return the entry of this id and moment."""
        text = f"{self.before}{at.isoformat()}{self.between}{canonical(event_id)}{self.after}"
        return Stencilled(event_id, text)


class Stencilled(NamedTuple):
    """An entry that is written already."""

    id: str
    text: str

    def body(self) -> str:
        """Return its canonical JSON."""
        return self.text
