"""The HTTP filter: every request is denied unless a row of the table and the gate both say yes.

REST, DICOMweb, WADO-URI, WebDAV and static pages all pass here.
Knows method, path, headers and GET arguments; never the body. Source: enforcement of PS3.18 services.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock

from sqlalchemy import Connection

from orthanc_plugin.archive.remote import GUARD_HEADER, SECRET_HEADER, Credentials
from orthanc_plugin.archive.sighting import HEALTH
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.config.bindings import User
from orthanc_plugin.config.settings import Stow
from orthanc_plugin.enforcement import requester as requesters
from orthanc_plugin.enforcement.again import ONE, Again, Asking, asking
from orthanc_plugin.enforcement.announced import Announced
from orthanc_plugin.enforcement.exits import METHODS, Match, classify
from orthanc_plugin.enforcement.originals import Originals
from orthanc_plugin.enforcement.requester import Asker
from orthanc_plugin.enforcement.route import Kind
from orthanc_plugin.gate import Permits, Requester
from orthanc_plugin.registry import disposals, images
from orthanc_plugin.registry.factversions import Remembered
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.registry.stored import UnreadableRowError
from orthanc_plugin.sending.worker import Worker
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

# Exits that show no picture and take nothing out stay open when the doors are shut: a withdrawal must get through.
OPEN_WHEN_CLOSED = (Kind.ADMIN, Kind.INTAKE, Kind.OWN)
# Of these it is found out at once, on the calling thread, who asks for what.
AT_ONCE = (Kind.IMAGE, Kind.INTAKE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One HTTP request as the filter sees it; header names in lower case. ``again`` is how it is known, if it is."""

    method: str
    uri: str
    address: str
    headers: Mapping[str, str]
    arguments: Mapping[str, str]
    again: Asking | None = None


class Patience:
    """Whether a request still waits for its answer: either it ends first, or a release is kept, never both."""

    def __init__(self) -> None:
        self.ended = False
        self._first = Lock()

    def end(self) -> bool:
        """Wait no longer; False when a release was kept already."""
        if self._first.acquire(blocking=False):
            self.ended = True
        return self.ended

    def keep(self) -> bool:
        """Keep a release that is on record now, so that it is let happen; False when nobody waits any more."""
        return self._first.acquire(blocking=False)


class HttpFilter:
    """The filter.

    Args:
        services: gate, registry and policy.
        internal: how Consentgate's own requests are known.
        worker: runs what takes more than a comparison.
        announced: takes the entry of a request that brings objects, which is written with what it brought.
    """

    def __init__(
        self, services: Services, internal: Credentials, worker: Worker, announced: Announced | None = None
    ) -> None:
        self.services = services
        self.internal = internal
        self.worker = worker
        self.announced = announced
        self.askers = requesters.Askers(services.policy, services.proxy)
        self.again = Again(services, worker.later, worker.seconds)
        self.pictures: Remembered[tuple[str, ...], Sequence[ImageRow]] = Remembered(services.database.undone)

    def hook(self, uri: str, **request: object) -> bool:
        """Answer Orthanc; anything that goes wrong is a no."""
        try:
            if self.again.give(uri, request):
                return True
            asked = _asked(uri, request)
            if self._is_internal(asked):
                return self._allowed_to_ourselves(asked)
            return self._is_for_health(asked) or self._allowed(asked)
        except BaseException:
            logger.exception("an HTTP request was denied because the filter failed")
            return False

    def _allowed(self, asked: Asked) -> bool:
        """Have a worker answer; what is asked most is handed straight to whichever of them writes next."""
        asker, match = self._who_and_what(asked)
        if match is None or match.route.kind not in AT_ONCE or self._against(asked, asker, match) is not None:
            return self.worker.run(self.allow, asked) is True
        if match.route.kind is Kind.INTAKE:
            announced = self.announced is not None and self.announced.announce(self._entry(asker.requester, match))
            return announced or self.worker.run(self.allow, asked) is True
        assert asker.user is not None  # noqa: S101 - no user is an objection
        return self._images(asked, asker, asker.user, match)

    def _is_internal(self, asked: Asked) -> bool:
        """Tell whether this is Consentgate itself; done on the calling thread, so that a send can't wait for itself."""
        secret = asked.headers.get(SECRET_HEADER.lower(), "")
        return (
            hmac.compare_digest(secret.encode(), self.internal.secret.encode())
            and requesters.account(asked.headers) == self.internal.user
        )

    def _allowed_to_ourselves(self, asked: Asked) -> bool:
        """Tell whether the row is Consentgate's own too; to destroy, its secret alone isn't enough."""
        match = classify(asked.method, asked.uri, asked.arguments)
        if match is None or not match.route.internal:
            return False
        if match.route.method != "DELETE":
            return True
        glanced = self.services.database.glance(partial(_is_condemned, match.names))
        return glanced is True or self.worker.run(self._marked, asked, match) is True

    def _marked(self, asked: Asked, match: Match) -> bool:
        """Tell whether an execution, on two people's word, has written down that this picture is to be destroyed."""
        with self.services.database.reading() as connection:
            if _is_condemned(match.names, connection):
                return True
        requester = replace(requesters.ourselves(self.internal.user).requester, address=asked.address)
        reason = "no execution of an approved plan has marked the picture"
        self.services.gate.refuse(requester, match.door, reason, rule="NOT_MARKED")
        return False

    def _is_for_health(self, asked: Asked) -> bool:
        """Tell whether an operator asks for the guard's health: on the calling thread too, for the workers may hang."""
        match = classify(asked.method, asked.uri, asked.arguments) if asked.uri == HEALTH else None
        if match is None or self._body_objection(asked, match) is not None:
            return False
        asker = self.askers.of_request(asked.headers, asked.arguments, asked.address)
        return self._objection(asker, match) is None

    def _who_and_what(self, asked: Asked) -> tuple[Asker, Match | None]:
        asker = self.askers.of_request(asked.headers, asked.arguments, asked.address)
        return asker, classify(asked.method, asked.uri, asked.arguments)

    def allow(self, asked: Asked) -> bool:
        """Tell whether a request that names no picture may go on; the answer and its reason are in the trail."""
        asker, match = self._who_and_what(asked)
        requester, objection = asker.requester, self._against(asked, asker, match)
        if objection is not None:
            rule, reason = objection
            door = match.door if match else f"{asked.method} (unlisted route)"
            self.services.gate.refuse(requester, door, reason, rule=rule)
            return False
        assert match is not None  # noqa: S101 - no match is an objection
        return self._open(requester, match) and (match.route.unrecorded or self._noted(requester, match))

    def _against(self, asked: Asked, asker: Asker, match: Match | None) -> tuple[str, str] | None:
        return self._objection(asker, match) or self._body_objection(asked, match)

    def _objection(self, asker: Asker, match: Match | None) -> tuple[str, str] | None:
        """Return the rule and reason why the request can't even be asked about, if there is one."""
        if match is None:
            return "UNKNOWN_ROUTE", "no such exit is in the table of routes, and what is not listed is denied"
        if match.route.kind is Kind.FORBIDDEN:
            return "FORBIDDEN_ROUTE", match.route.reason
        if asker.user is None:
            return asker.rule, asker.reason
        if match.route.needs is not None and match.route.needs not in asker.user.roles:
            return "ROLE_MISSING", f"the account does not have the role '{match.route.needs}'"
        return None

    def _body_objection(self, asked: Asked, match: Match | None) -> tuple[str, str] | None:
        """Return the objection to what is sent, as far as headers tell: it isn't read yet, and then not by us first.

        What is packed could unpack without end. STOW-RS passes the upload guard where settings.toml wants it to.
        """
        if asked.headers.get("content-encoding", "identity").lower() != "identity":
            return "COMPRESSED_BODY", "a compressed body is not taken"
        if match is None or not match.route.unread or self.services.settings.uploads.stow is Stow.DIRECT:
            return None
        shown = asked.headers.get(GUARD_HEADER.lower(), "")
        if hmac.compare_digest(shown.encode(), self.internal.secret.encode()):
            return None
        return "UNGUARDED_UPLOAD", "STOW-RS is taken through the upload guard only"

    def _open(self, requester: Requester, match: Match) -> bool:
        """Tell whether this kind of exit is open at all."""
        gate = self.services.gate
        if gate.closed is None or match.route.kind in OPEN_WHEN_CLOSED:
            return True
        gate.refuse(requester, match.door, f"the gate is closed: {gate.closed}", rule="GATE_CLOSED")
        return False

    def _noted(self, requester: Requester, match: Match) -> bool:
        """Record a request that names no picture, and those that brought nothing: no record, no answer."""
        before = self.announced.left() if self.announced is not None else ()
        noted = self.services.gate.note(*before, self._entry(requester, match))
        if self.announced is not None and not noted:
            self.announced.leave(before)
        return noted

    def _entry(self, requester: Requester, match: Match) -> AuditEvent:
        return AuditEvent(
            id=self.services.ids(),
            at=self.services.clock(),
            event=EventType.APPLICATION_ACTIVITY,
            outcome=Outcome.SUCCESS,
            actor=requester.actor,
            address=requester.address,
            door=match.door,
            purpose=requester.purpose,
            policy=self.services.policy.sha256,
        )

    def _images(self, asked: Asked, asker: Asker, user: User, match: Match) -> bool:
        """Ask about the picture that the route would hand out; once this waits no longer, nothing leaves."""
        patience = Patience()
        originals = Originals(self.services, asker.requester, user, match.door)

        def kept(leaves: bool) -> None:
            if leaves and not patience.keep():
                reason = "the answer came too late, and nothing left"
                self.services.gate.refuse(originals.requester, match.door, reason, rule="TOO_LATE")

        def begun(connection: Connection) -> bool:
            return self._begun(connection, originals, asked, match, patience)

        try:
            return self.services.database.hand(begun, kept, self.worker.lead, self.worker.seconds)
        except TimeoutError:
            if patience.end():
                raise
            return True  # it came in that very moment

    def _begun(
        self, connection: Connection, originals: Originals, asked: Asked, match: Match, patience: Patience
    ) -> bool:
        """Find the picture and begin its release, in the write transaction of ``connection``."""
        if patience.ended:
            return False  # nobody waits any more, so nothing leaves and there is nothing to record
        assert match.subject is not None  # noqa: S101 - an IMAGE row has a subject
        permits = self.services.gate.permits.shelf(connection)
        try:
            rows = self._named(connection, match.subject, match.names, permits)
        except UnreadableRowError:
            logger.exception("somebody asked for a picture whose row can't be read")
            rows = ()  # refused like one that nobody knows, and on record as that
        leaves = originals.begin(connection, rows, permits) is None
        if leaves and asked.again is not None and len(rows) == 1:
            self.again.note(connection, asked.again, match, originals.requester, rows[0], permits)
        return leaves

    def _named(
        self, connection: Connection, subject: Subject, names: tuple[str, ...], permits: Permits
    ) -> Sequence[ImageRow]:
        """Return the picture that the path names."""
        if subject not in ONE:
            return images.find(connection, subject, names)
        shelf = self.pictures.beside(permits)
        found = shelf.get(names)
        if found is None:
            found = images.find(connection, subject, names)
            if found:  # what isn't known yet may come
                shelf.keep(names, found)
        return found


def _texts(value: object) -> dict[str, str]:
    return {str(key): str(text) for key, text in value.items()} if isinstance(value, dict) else {}


def _is_condemned(names: Sequence[str], connection: Connection) -> bool:
    return any(disposals.condemned(connection, name) for name in names)


def _asked(uri: str, request: Mapping[str, object]) -> Asked:
    method = request.get("method")
    return Asked(
        method=METHODS.get(int(str(method)), "") if method is not None else "",
        uri=uri,
        address=str(request.get("ip", "")),
        headers={key.lower(): text for key, text in _texts(request.get("headers")).items()},
        arguments=_texts(request.get("get")),
        again=asking(uri, request),
    )
