"""What Orthanc's core tells of a patient, study or series, told only when every picture in it may leave.

Knows which pictures a resource has and the core's routes that describe it. Must not decide. The core lists a resource's
pictures itself, after anybody was asked about them. So it is asked first, and what it said is told only if the pictures
on record, each of which is decided on, were the same before and after, when all that it may hold by then is on record
(``acceptances``). One refusal refuses all; only a key object that the caller may not have is left out (``remaining``).
Source: requirements 2.6 (no door without a decision).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Self
from urllib.parse import urlencode

from orthanc_plugin.archive.port import CoreApi
from orthanc_plugin.config.bindings import Role
from orthanc_plugin.enforcement import routes
from orthanc_plugin.enforcement.originals import Originals
from orthanc_plugin.enforcement.remaining import OPTIONS, Remaining
from orthanc_plugin.enforcement.reply import NOT_FOUND, TOO_LARGE, UNAVAILABLE, CallError, Reply, fault
from orthanc_plugin.enforcement.resources import Named
from orthanc_plugin.enforcement.rest import Call, Endpoint, Lane
from orthanc_plugin.enforcement.route import SUBJECTS, Kind
from orthanc_plugin.enforcement.visible import Viewer, without_key_objects
from orthanc_plugin.enforcement.withheld import NOTHING, Withheld, nothing_leaves
from orthanc_plugin.errors import ArchiveError
from orthanc_plugin.registry import images
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.registry.listed import listed
from orthanc_plugin.sending.packing import Refusal
from orthanc_plugin.services import Services

MOST: Final = 1000  # pictures of one resource that are decided on
ATTEMPTS: Final = 3
STORING_SECONDS: Final = 2.0  # for which a picture is waited for that is being put on record while it is stored
Settled = Callable[[float], bool]  # waits until all that the archive may hold is on record; False when it may not be
WHOLE_OR_NOT: Final = "It is given whole or not at all, and something of it may not leave."
PARTS: Final = "Ask for a part of it, such as one series, or one picture."


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A patient, study or series that is asked for whole, by the name in a path.

    Attributes:
        services: registry.
        originals: says what may leave.
        subject: what kind of name it is.
        name: the name.
        within: names of what it must be in.
    """

    services: Services
    originals: Originals
    subject: Subject
    name: str
    within: tuple[tuple[Subject, str], ...] = ()

    @classmethod
    def of(cls, services: Services, call: Call) -> Self:
        """Return what the path of ``call`` names."""
        *within, (subject, name) = [(SUBJECTS[key], name) for key, name in call.names.items()]
        originals = Originals(services, call.requester, call.user, call.door)
        return cls(services=services, originals=originals, subject=subject, name=name, within=tuple(within))

    @property
    def named(self) -> Named:
        """Return it as the resource that the request named."""
        return Named(resource=self.name, position=1, subject=self.subject)

    def rows(self) -> tuple[ImageRow, ...] | None:
        """Return its pictures, none when it is unknown; None when they are too many."""
        also = {subject.value: name for subject, name in self.within}
        with self.services.database.reading() as connection:
            if len(listed(connection, self.subject, (self.name,), MOST)) > MOST:
                return None
            return tuple(images.find(connection, self.subject, (self.name,), **also))

    def permitted(self, found: Sequence[ImageRow] | None) -> tuple[ImageRow, ...] | Reply:
        """Return what the caller gets of ``found``, or else the refusal, which is on record.

        That is all of it, none of which would be refused now, without key objects that the caller may not have.
        """
        if found is None:
            return self._too_many()
        asking = self.originals
        viewer = Viewer(requester=asking.requester, binding=asking.binding, door=asking.door)
        rows = without_key_objects(self.services, viewer, found)
        against = self.originals.first_refused(rows)
        if rows and against is None:
            return rows
        refusal = self.originals.release((against,) if against else ())
        return self.stays(refusal) if refusal else fault(_changing())

    def released(self, rows: Sequence[ImageRow]) -> Reply | None:
        """Decide on ``rows`` and record it; return the refusal, None when they may leave."""
        refusal = self.originals.release(rows)
        return self.stays(refusal) if refusal else None

    def stays(self, refusal: Refusal) -> Reply:
        """Return what is told of a refusal; a patient whom nobody knows is like one of whom nothing may leave."""
        reasons = (NOTHING,) if self.named.guessable else refusal.reasons
        kept = Withheld(named=self.named, pictures=None, decisions=(refusal.decision_id,), reasons=reasons)
        return nothing_leaves((kept,), WHOLE_OR_NOT)

    def _too_many(self) -> Reply:
        gate, reason = self.services.gate, f"it has more than {MOST} pictures"
        entry = gate.refusal(self.originals.requester, self.originals.door, reason, rule="TOO_MANY")
        gate.note(entry)
        if self.named.guessable:
            return self.stays(Refusal(decision_id=entry.id, reasons=(reason,)))
        return fault(CallError(f"Refused: {reason}.", status=TOO_LARGE, remedy=PARTS))


def described(core: CoreApi, settled: Settled, services: Services, call: Call) -> Reply:
    """Give what the core says of a patient, study or series all of whose pictures may leave."""
    options, whole = _options(call), Whole.of(services, call)
    for _ in range(ATTEMPTS):
        found = whole.rows()
        rows = whole.permitted(found)
        if isinstance(rows, Reply):
            return rows
        said = _said(core, call, options) if rows == found else _remaining(core, call, options, found or (), rows)
        if settled(STORING_SECONDS) and whole.rows() == found:
            return whole.released(rows) or Reply(content=said)
    raise _changing()


def _changing() -> CallError:
    return CallError("Something of it is changing.", status=UNAVAILABLE, remedy="Ask again in a moment.")


def _options(call: Call) -> dict[str, str]:
    """Return the options beside the path, all of which are known."""
    options = {name: value for name, value in call.arguments.items() if name != "purpose"}
    if unknown := sorted(set(options) - set(OPTIONS)):
        raise CallError(f"Not served here: {', '.join(unknown)[:200]}.", remedy=f"Options are: {', '.join(OPTIONS)}.")
    return options


def _said(core: CoreApi, call: Call, options: Mapping[str, str]) -> bytes:
    """Ask the core just as it was asked."""
    path = call.door.partition(" ")[2].format_map(call.names)
    try:
        return core.ask("GET", f"{path}?{urlencode(options)}" if options else path)
    except ArchiveError as error:
        raise _nothing_like_it(error) from None


def _remaining(
    core: CoreApi, call: Call, options: Mapping[str, str], found: Sequence[ImageRow], rows: Sequence[ImageRow]
) -> bytes:
    """Return what the core would say if there were nothing but ``rows``."""
    base, _, tail = call.door.partition(" ")[2].partition("}")
    remaining = Remaining.of(core, f"{base}}}".format_map(call.names), options, found=found, rows=rows)
    try:
        return json.dumps(remaining.told(tail)).encode()
    except ArchiveError as error:
        raise _nothing_like_it(error) from None


def _nothing_like_it(error: ArchiveError) -> CallError:
    return CallError("The archive has nothing like it.", status=NOT_FOUND, remedy=error.remedy)


def endpoints(core: CoreApi, settled: Settled) -> tuple[Endpoint, ...]:
    """Return the descriptions, asked of ``core``: the rows of its table that name a patient, study or series."""
    return tuple(
        Endpoint(
            method=row.method,
            path=row.path,
            role=Role.VIEW,
            summary=described.__doc__ or "",
            gives="",
            handler=partial(described, core, settled),
            even="{patient}" in row.path,
            lane=Lane.LISTS,
        )
        for row in routes.ROUTES
        if row.kind is Kind.BODY and row.subject
    )
