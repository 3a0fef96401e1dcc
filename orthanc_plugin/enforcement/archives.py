"""ZIP archives and media of pictures, made by Consentgate from what may leave; Orthanc's core is never asked for one.

Knows the routes for archives and what the ZIP holds. Must not decide. Each picture is decided on when its turn comes,
and its release is on record before its bytes leave; so a withdrawal stops what is still to go, and a picture that is
filed meanwhile is in no archive. The manifest comes last and says what was left out. Nothing in it names a patient, nor
do the entries' names. What is to be a medium has a DICOMDIR beside, which says of the pictures in it, as they leave,
what PS3.3 F.5 wants. Source: PS3.18 has no such service; the routes are Orthanc's. PS3.10 8, PS3.12.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final

from dicomwrap import dicomdir
from dicomwrap.dicomdir import Directory
from dicomwrap.uids import fresh_uid
from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.config.bindings import Role
from orthanc_plugin.enforcement import manifest
from orthanc_plugin.enforcement.manifest import Entry
from orthanc_plugin.enforcement.reply import TOO_LARGE, CallError, Reply
from orthanc_plugin.enforcement.resources import BODY_BYTES, RESOURCES, Named, body, found, listed, require_known
from orthanc_plugin.enforcement.rest import Call, Endpoint, Handler
from orthanc_plugin.enforcement.route import SUBJECTS
from orthanc_plugin.enforcement.streaming import Stream
from orthanc_plugin.enforcement.visible import Viewer
from orthanc_plugin.enforcement.withheld import Withheld, kept_whole, nothing_leaves, remaining, withheld
from orthanc_plugin.enforcement.zippieces import ZipPieces
from orthanc_plugin.registry import ledger
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.registry.trail import append
from orthanc_plugin.sending.packing import Packed, Packer, Refusal
from orthanc_plugin.services import Services

ZIP: Final = "application/zip"
FILENAME: Final = "pictures.zip"
ABOVE: Final = ("/patients/{patient}", "/studies/{study}", "/series/{series}")
MEDIUM: Final = "media"
KINDS: Final = ("archive", MEDIUM)
CREATE: Final = ("/tools/create-archive", "/tools/create-media", "/tools/create-media-extended")
MOST_ON_MEDIUM: Final = 1000
PARTS: Final = "Ask for less at a time, or for an archive, which has no directory."
ARGUMENTS: Final = ("filename", "purpose")  # ours is the file's name; the purpose was asked about by the filter
FIELDS: Final = ("Filename",)


@dataclass(kw_only=True)
class Filling:
    """One archive while it is made.

    Attributes:
        services: trail and ledger.
        packer: makes each picture ready.
        call: who asks, and by which door.
        resources: what is asked for.
        kept: by name, what stays whole of what can be made up.
        directory: of a medium, its DICOMDIR.
        entries: what is in it so far.
        stays: what was left out so far.
    """

    services: Services
    packer: Packer
    call: Call
    resources: tuple[Named, ...]
    kept: Mapping[str, Refusal]
    directory: Directory | None
    entries: list[Entry] = field(default_factory=list)
    stays: list[Withheld] = field(default_factory=list)

    def pictures(self) -> Iterator[Packed]:
        """Give what may leave, each asked about when its turn comes; keep account of what may not."""
        for named in self.resources:
            left, refusals = 0, []
            for answer in self._answers(named):
                if isinstance(answer, Refusal):
                    refusals.append(answer)
                else:
                    left += 1
                    yield answer
            kept = withheld(named, refusals, left=left)
            self.stays += [kept] if kept else []

    def _answers(self, named: Named) -> Iterator[Packed | Refusal]:
        if named.resource in self.kept:
            yield self.kept[named.resource]
            return
        for row in named.rows:
            yield self.packer.pack(self.call.requester, row, self.call.user, self.call.door)

    def pieces(self, pictures: Iterator[Packed]) -> Stream:
        """Give the ZIP's pieces; whether the last one was taken is noted with every disclosure in it.

        The first is empty: once it was taken this has begun, so it is noted too when no other is ever taken.
        """
        whole = False
        try:
            yield b""
            with closing(ZipPieces()) as made:
                for packed in pictures:
                    self.entries.append(Entry.of(packed, self._named(packed)))
                    yield made.add(self.entries[-1].file, packed.released.content)
                if self.directory:
                    yield made.add(dicomdir.NAME, self.directory.content())
                now, requester = self.services.clock(), self.call.requester
                for name, content in manifest.files(requester, now, self.entries, self.stays):
                    yield made.add(name, content)
                yield made.end()
            whole = True
        finally:
            self._note(whole=whole)

    def _named(self, packed: Packed) -> str:
        if self.directory:
            return self.directory.add(packed.released.content)
        return f"{len(self.entries) + 1:05}.dcm"

    def _note(self, *, whole: bool) -> None:
        """Note how it ended; of what broke off nobody knows how much has arrived, so those releases stay begun."""
        requester, number = self.call.requester, len(self.entries)
        told = f"{number} pictures to {requester.recipient} in an archive"
        event = AuditEvent(
            id=self.services.ids(),
            at=self.services.clock(),
            event=EventType.INSTANCES_TRANSFERRED,
            outcome=Outcome.SUCCESS if whole else Outcome.FAILURE,
            actor=requester.actor,
            address=requester.address,
            door=self.call.door,
            purpose=requester.purpose,
            reasons=(told if whole else f"{told}, which broke off",),
            policy=self.services.policy.sha256,
        )
        with self.services.database.writing() as connection:
            left = self.entries if whole else ()
            seals = [ledger.deliver(connection, entry.disclosure, Delivery.DELIVERED) for entry in left]
            append(connection, [replace(event, detail="\n".join(seals))])


class Archives:
    """Answers the routes for archives.

    Args:
        archive: reads the pictures.
    """

    def __init__(self, archive: ImageArchive) -> None:
        self.archive = archive

    def of_level(self, services: Services, call: Call) -> Reply:
        """Give the archive, or the medium, of one patient, study or series."""
        require_known(call.arguments, *ARGUMENTS)
        body(call, *FIELDS)
        ((level, name),) = call.names.items()
        return self._archive(services, call, found(services.database, (name,), (SUBJECTS[level],)))

    def of_named(self, services: Services, call: Call) -> Reply:
        """Give the archive, or the medium, of what the arguments or the body name."""
        require_known(call.arguments, "resources", *ARGUMENTS)
        if call.body:
            names = listed(body(call, RESOURCES, *FIELDS).get(RESOURCES))
        else:
            names = listed([name for name in call.arguments.get("resources", "").split(",") if name])
        return self._archive(services, call, found(services.database, names))

    def _archive(self, services: Services, call: Call, resources: tuple[Named, ...]) -> Reply:
        viewer = Viewer(requester=call.requester, binding=call.user, door=call.door)
        resources = remaining(services, viewer, resources)
        kept = kept_whole(services, viewer, resources)
        directory = _directory(each for each in resources if each.resource not in kept) if MEDIUM in call.door else None
        packer = Packer(services, self.archive)
        filling = Filling(
            services=services, packer=packer, call=call, resources=resources, kept=kept, directory=directory
        )
        pictures = filling.pictures()
        first = next(pictures, None)
        if first is None:
            return nothing_leaves(filling.stays, "Nothing that was asked for may leave.")
        stream = filling.pieces(chain((first,), pictures))
        next(stream)
        return Reply(stream=stream, media=ZIP, filename=FILENAME, held=bool(kept))


def _directory(resources: Iterable[Named]) -> Directory:
    """Return a medium's directory, empty yet."""
    if sum(len(named.rows) for named in resources) > MOST_ON_MEDIUM:
        raise CallError(f"More than {MOST_ON_MEDIUM} pictures would be on one medium.", status=TOO_LARGE, remedy=PARTS)
    return Directory(fresh_uid())


def endpoints(archive: ImageArchive) -> tuple[Endpoint, ...]:
    """Return the endpoints for archives and media."""
    archives = Archives(archive)
    handlers: dict[str, Handler] = {f"{base}/{kind}": archives.of_level for base in ABOVE for kind in KINDS}
    handlers |= dict.fromkeys(CREATE, archives.of_named)
    return tuple(
        Endpoint(
            method=method,
            path=path,
            role=Role.VIEW,
            summary=(handler.__doc__ or "").strip(),
            gives=ZIP,
            handler=handler,
            most=BODY_BYTES,
            even="{patient}" in path or path in CREATE,
        )
        for method in ("GET", "POST")
        for path, handler in handlers.items()
    )
