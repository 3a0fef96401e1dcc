"""Requests for a copy of one's own pictures, and what was checked before it is made.

Knows rows. Must not know which checks are needed (``policy.access`` does). A request names the patient by number and
issuer, a check the picture by its bytes: of other bytes nobody has looked at anything. The newest check counts.

Source: requirements 2.6 R3; UK GDPR 12(3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection, Row, select, update

from dicomwrap.terms import Audience
from orthanc_plugin.errors import IllegalTransitionError, UnknownRecordError
from orthanc_plugin.policy.access import CheckKind, Finding, Handover, met
from orthanc_plugin.policy.model import Obligation
from orthanc_plugin.registry.accesstables import access_checks, access_requests
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.stored import day, sealed, unreadable, word

SEAL: Final = "subject access record "
CHECK_SEAL: Final = "subject access check "
# No name in policy.toml can have a space, so no account or node can be bound to a request.
RECIPIENT: Final = "subject access "


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRequest:
    """Somebody's request for a copy.

    Attributes:
        audience: as whom they ask.
        handover: how the copy will be handed over.
        received_on: the day it came.
        note: how it came, and what was asked for.
        outcome: how it ended.
    """

    request_id: str
    patient_id: str
    issuer: str
    audience: Audience
    handover: Handover
    received_on: date
    note: str
    opened_at: str
    opened_by: str
    closed_at: str | None = None
    closed_by: str | None = None
    outcome: str | None = None

    @property
    def recipient(self) -> str:
        """Return the name under which copies are released to whoever asks."""
        return f"{RECIPIENT}{self.request_id}"

    @property
    def who(self) -> Key:
        """Return whose pictures are asked for."""
        return self.patient_id, self.issuer


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What a named person found; ``sop_instance_uid`` and ``sha256`` are '' where it is about who asks."""

    check_id: str
    request_id: str
    kind: CheckKind
    sop_instance_uid: str = ""
    sha256: str = ""
    finding: Finding
    reason: str
    checked_at: str
    checked_by: str


def open_(connection: Connection, request: AccessRequest) -> str:
    """Write a request down; return the words that tie it to its entry in the trail."""
    row = {**asdict(request), "received_on": request.received_on.isoformat()}
    connection.execute(access_requests.insert().values(row))
    return _seal(connection, request.request_id)


def close(connection: Connection, request_id: str, *, by: str, at: datetime, outcome: str) -> str:
    """Close a request; return the words that tie it to its entry in the trail.

    Raises:
        UnknownRecordError: there is no such request.
        IllegalTransitionError: it is closed already.
    """
    pending(connection, request_id)
    values = {"closed_at": at.isoformat(), "closed_by": by, "outcome": outcome}
    connection.execute(update(access_requests).where(access_requests.c.request_id == request_id).values(values))
    return _seal(connection, request_id)


def check(connection: Connection, found: Check) -> str:
    """Write down what somebody found; return the words that tie it to its entry in the trail."""
    connection.execute(access_checks.insert().values(asdict(found)))
    return sealed(CHECK_SEAL, found.check_id, asdict(found))


def get(connection: Connection, request_id: str) -> AccessRequest:
    """Return one request.

    Raises:
        UnknownRecordError: there is none.
    """
    row = connection.execute(select(access_requests).where(access_requests.c.request_id == request_id)).first()
    if row is None:
        raise UnknownRecordError(
            "No request for subject access has this id.", remedy="See 'consentgate subject-access list'."
        )
    return _request(row)


def pending(connection: Connection, request_id: str) -> AccessRequest:
    """Return one request that is not closed.

    Raises:
        UnknownRecordError: there is none.
        IllegalTransitionError: it is closed.
    """
    found = get(connection, request_id)
    if found.closed_at is not None:
        raise IllegalTransitionError("The request is closed.", remedy="Open a new one for a new copy.")
    return found


def listed(connection: Connection, *, everything: bool = False) -> list[AccessRequest]:
    """Return the requests, those that came first at the top: open ones, or all."""
    query = select(access_requests).order_by(access_requests.c.received_on, access_requests.c.request_id)
    if not everything:
        query = query.where(access_requests.c.closed_at.is_(None))
    return [_request(row) for row in connection.execute(query)]


def checks(connection: Connection, request_id: str, sop_instance_uid: str | None = None) -> list[Check]:
    """Return what was checked for a request, of all or of one picture, oldest first; of one moment NOT_CLEAR last."""
    query = select(access_checks).where(access_checks.c.request_id == request_id)
    if sop_instance_uid is not None:
        query = query.where(access_checks.c.sop_instance_uid == sop_instance_uid)
    order = access_checks.c.checked_at, access_checks.c.finding, access_checks.c.check_id
    return [_check(row) for row in connection.execute(query.order_by(*order))]


def newest(found: list[Check], sop_instance_uid: str = "", sha256: str = "") -> Mapping[CheckKind, Finding]:
    """Return what the newest checks of exactly these bytes found; '' for what is checked once for a request."""
    about = (each for each in found if (each.sop_instance_uid, each.sha256) == (sop_instance_uid, sha256))
    return {each.kind: each.finding for each in about}


def checked(connection: Connection, recipient: str, uid: str, sha256: str) -> frozenset[Obligation] | None:
    """Return the obligations that were checked for a release to ``recipient``; None when it names no request.

    Of a request that is closed, or was never there, nothing counts; nor while who asks is not proven.
    """
    name = recipient.removeprefix(RECIPIENT)
    if name == recipient:
        return None
    same = access_requests.c.request_id == name
    query = select(access_requests.c.request_id).where(same, access_requests.c.closed_at.is_(None))
    if connection.execute(query).first() is None:
        return frozenset()
    if newest(checks(connection, name, "")).get(CheckKind.IDENTITY) is not Finding.CLEAR:
        return frozenset()
    return met(newest(checks(connection, name, uid), uid, sha256))


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every request on record."""
    for row in connection.execute(select(access_requests), execution_options=IN_PARTS):
        yield sealed(SEAL, row.request_id, dict(row._mapping))


def check_seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every check on record."""
    for row in connection.execute(select(access_checks), execution_options=IN_PARTS):
        yield sealed(CHECK_SEAL, row.check_id, dict(row._mapping))


def _seal(connection: Connection, request_id: str) -> str:
    row = connection.execute(select(access_requests).where(access_requests.c.request_id == request_id)).one()
    return sealed(SEAL, request_id, dict(row._mapping))


def _request(row: Row[tuple[object, ...]]) -> AccessRequest:
    values = dict(row._mapping)
    received_on = day(values.pop("received_on"), "access_requests.received_on")
    audience = word(Audience, values.pop("audience"), "access_requests.audience")
    handover = word(Handover, values.pop("handover"), "access_requests.handover")
    if received_on is None:
        raise unreadable("access_requests.received_on")
    return AccessRequest(**values, audience=audience, handover=handover, received_on=received_on)


def _check(row: Row[tuple[object, ...]]) -> Check:
    values = dict(row._mapping)
    kind = word(CheckKind, values.pop("kind"), "access_checks.kind")
    finding = word(Finding, values.pop("finding"), "access_checks.finding")
    return Check(**values, kind=kind, finding=finding)
