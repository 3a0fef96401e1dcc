"""Whether anything may leave to a destination at all, before any picture is asked about.

Knows what policy.toml says of a destination, and the way that leads to it: what counts is the association or connection
that would send, not what somebody claims of it. Must not know pictures. A refusal is in the trail with its reason, and
one for the channel is on information governance's list.

Sources: requirements 001-8 (a destination that expired), 001-19a and 003-77b (TLS), 001-6 (an unapproved channel).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.clock import hospital_day
from orthanc_plugin.config.bindings import Destination, DicomNode
from orthanc_plugin.config.recipients import Kind, Recipient, loopback
from orthanc_plugin.errors import ReleaseRefusedError
from orthanc_plugin.gate import Requester
from orthanc_plugin.policy.model import Obligation
from orthanc_plugin.registry import tasks
from orthanc_plugin.registry.trail import append
from orthanc_plugin.services import Services

EXPIRED: Final = "RECIPIENT_EXPIRED"
NOT_SECURE: Final = "CHANNEL_NOT_SECURE"
RENEW: Final = (
    "If it may still receive, whoever owns policy.toml has its owner confirm that, and sets a later 'expires'."
)
BY_TLS: Final = 'Set "UseDicomTls": true for the node in orthanc.json, with certificates (docs/dicom-doors.md).'


class DestinationRefusedError(ReleaseRefusedError):
    """Nothing may leave to the destination, whatever the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """Why nothing may leave to a destination, by which rule, and what to do about it."""

    rule: str
    reason: str
    remedy: str


def objection(destination: Destination, today: date, *, secured: bool) -> Objection | None:
    """Return why nothing may leave to ``destination``; None when something may.

    Args:
        destination: as policy.toml has it.
        today: at the hospital.
        secured: whether the way to it is TLS with a certificate that is checked.
    """
    if destination.expires is not None and destination.expired(today):
        reason = f"the last day of {destination.name} as a recipient was {destination.expires.isoformat()}"
        return Objection(rule=EXPIRED, reason=reason, remedy=RENEW)
    if demands_tls(destination) and not secured:
        reason = f"policy.toml demands TLS of {destination.name}, and it would be sent to without"
        return Objection(rule=NOT_SECURE, reason=reason, remedy=BY_TLS)
    return None


def demands_tls(destination: Destination) -> bool:
    """Tell whether policy demands TLS: outright, or because it calls a channel secure that leaves this machine.

    A medium is no channel: whether it is encrypted the two people answer for who allowed exports.
    """
    if isinstance(destination, Recipient) and destination.kind is Kind.FOLDER:
        return False
    stays_here = isinstance(destination, DicomNode) and loopback(destination.host)
    return destination.needs_tls and (destination.tls_required or not stays_here)


def require(services: Services, requester: Requester, destination: Destination, door: str, *, secured: bool) -> None:
    """Let pass only what may be sent to.

    Args:
        services: the gate and the registry.
        requester: who asks.
        destination: where it would go.
        door: through which.
        secured: whether the way to it is TLS with a certificate that is checked.

    Raises:
        DestinationRefusedError: nothing may leave to it; it is in the trail.
    """
    found = objection(destination, hospital_day(services.clock()), secured=secured)
    if found is None:
        return
    event = services.gate.refusal(requester, door, found.reason, rule=found.rule, subject=destination.name)

    def note(connection: Connection) -> None:
        append(connection, [event])
        if found.rule == NOT_SECURE:
            kind, reason = Obligation.NOTIFY_IG, found.reason
            tasks.open_task(
                connection, task_id=services.ids(), kind=kind, subject=destination.name, reason=reason, at=event.at
            )

    services.database.write(note)
    raise DestinationRefusedError(f"Nothing was sent: {found.reason}.", remedy=found.remedy)
