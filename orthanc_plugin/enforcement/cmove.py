"""The C-MOVE SCP: which pictures are meant and where they go; the courier asks about each and sends it.

Knows the C-MOVE identifier (PS3.4 C.4.2) and the bindings. Purpose and form are the destination's; the node that asks
must be bound to the same purpose. Each picture is one sub-operation where orthanc-python can say so (4.2, or 7.0 with
the caller's address); a move that delivers nothing then ends with C000. The first failure ends a move in Orthanc, so
what is refused is passed over and told last: the final B000 counts one failure however many there were. Version 1
answers Success only when everything was delivered, B000 otherwise; a caller can't tell a refusal from nothing found.
By a number that anybody can guess, of a patient or an order, not even from how long it takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final, cast

from orthanc_plugin.config.bindings import DicomNode, Verb
from orthanc_plugin.enforcement import requester as requesters
from orthanc_plugin.enforcement.pace import Pace
from orthanc_plugin.enforcement.sdk import Connection, NewerSdk, Sdk
from orthanc_plugin.enforcement.visible import MOST_GUESSED, Viewer, without_key_objects
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.gate import Requester
from orthanc_plugin.registry import images
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.sending.asking import bound
from orthanc_plugin.sending.delivery import Courier, Handovers, asked_for
from orthanc_plugin.sending.destinations import DestinationRefusedError
from orthanc_plugin.sending.worker import Worker
from orthanc_plugin.services import Services

DOOR: Final = "C-MOVE"
ADDRESS: Final = "RemoteIp"  # beside the identifier's keys, where Orthanc tells it
PICTURE_SECONDS: Final = 300.0  # reading and sending those that go together, at the slowest that is put up with

GUESSED: Final = frozenset({Subject.PATIENT_ID, Subject.ACCESSION_NUMBER})  # names that nobody has to be told

# Level -> the key that must be there (PS3.4 C.4.2.2.1); Orthanc says INSTANCE for the level IMAGE, and takes an
# accession number for a study.
KEYS: Final[dict[str, tuple[tuple[str, Subject], ...]]] = {
    "PATIENT": (("PatientID", Subject.PATIENT_ID),),
    "STUDY": (
        ("StudyInstanceUID", Subject.STUDY_INSTANCE_UID),
        ("AccessionNumber", Subject.ACCESSION_NUMBER),
    ),
    "SERIES": (("SeriesInstanceUID", Subject.SERIES_INSTANCE_UID),),
    "IMAGE": (("SOPInstanceUID", Subject.SOP_INSTANCE_UID),),
    "INSTANCE": (("SOPInstanceUID", Subject.SOP_INSTANCE_UID),),
}


class MoveRefusedError(ConsentgateError):
    """Not everything that was asked for was delivered."""

    remedy = "The reasons are in the audit trail: consentgate audit tail."


def named(identifier: Mapping[str, str]) -> tuple[Subject, tuple[str, ...]] | None:
    """Return by what, and by which names, the identifier asks; None when it asks for nothing in particular."""
    for keyword, subject in KEYS.get(identifier.get("Level", "").upper(), ()):
        names = tuple(name for name in identifier.get(keyword, "").split("\\") if name)
        if names:
            return subject, names
    return None


class Move:
    """A move under way.

    Args:
        total: how many pictures were asked for; Orthanc takes it as the number of sub-operations.
        handovers: delivers the next picture each time it is asked for one.
        worker: delivers.
    """

    def __init__(self, total: int, handovers: Handovers, worker: Worker) -> None:
        self.total = total
        self.handovers = handovers
        self.worker = worker
        self.delivered = 0
        self.told = 0

    def deliver_next(self) -> None:
        """Deliver the next picture that may be delivered.

        Raises:
            MoveRefusedError: none is left.
            TimeoutError: it took too long.
        """
        while (handover := self.worker.within(PICTURE_SECONDS, next, self.handovers, None)) is not None:
            if handover.delivered:
                self.delivered += 1
                return
        raise MoveRefusedError(f"{self.delivered} of {self.total} instances were delivered.")

    def tell_next(self) -> None:
        """Do the next sub-operation, unless it was done ahead.

        Raises:
            MoveRefusedError: not everything could be delivered.
            TimeoutError: it took too long.
        """
        if self.told == self.delivered:
            self.deliver_next()
        self.told += 1

    def end(self) -> None:
        """Have the association with the recipient ended, once nothing more is delivered; it never raises."""
        with suppress(RuntimeError):  # Orthanc is stopping, and takes the association with it
            self.worker.later(self.handovers.close)


class MoveScp:
    """The C-MOVE SCP.

    Args:
        services: gate, registry, release and policy.
        courier: delivers.
        decisions: finds out what is meant and whether it may be asked for.
        moves: runs the deliveries.
        pace: holds back the refusal of what is named by a number that can be guessed.
    """

    def __init__(
        self, services: Services, courier: Courier, decisions: Worker, moves: Worker, pace: Pace | None = None
    ) -> None:
        self.services = services
        self.courier = courier
        self.decisions = decisions
        self.moves = moves
        self.pace = pace or Pace(services.ticks)

    def register(self, sdk: Sdk) -> None:
        """Replace Orthanc's C-MOVE SCP by the newest kind of callback that this version has."""
        newer = cast("NewerSdk", sdk)
        if hasattr(sdk, "RegisterMoveCallback3"):
            newer.RegisterMoveCallback3(self.create_for, size, apply, free)
        elif hasattr(sdk, "RegisterMoveCallback2"):
            newer.RegisterMoveCallback2(self.create, size, apply, free)
        else:
            sdk.RegisterMoveCallback(self.hook)

    def hook(self, **identifier: object) -> None:
        """Answer Orthanc: return when all was delivered, raise otherwise."""
        move = self._begun(identifier)
        try:
            for _ in range(move.total):
                move.deliver_next()
        finally:
            move.end()

    def create(self, **identifier: object) -> Move:
        """Begin a move, and deliver its first picture: one that can deliver nothing fails as a whole."""
        move = self._begun(identifier)
        move.deliver_next()
        return move

    def create_for(self, connection: Connection, **identifier: object) -> Move:
        """Do the same, knowing who is at the other end of the association."""
        caller = {"OriginatorAET": connection.GetConnectionRemoteAet(), ADDRESS: connection.GetConnectionRemoteIp()}
        return self.create(**{**identifier, **caller})

    def _begun(self, identifier: Mapping[str, object]) -> Move:
        came, texts = self.pace.ticks(), {key: str(value) for key, value in identifier.items()}
        try:
            total, handovers = self.decisions.run(self.begin, texts)
        except MoveRefusedError:
            asked = named(texts)
            if asked is not None and asked[0] in GUESSED:
                self.pace.hold(came)
            raise
        return Move(total, handovers, self.moves)

    def begin(self, identifier: Mapping[str, str]) -> tuple[int, Handovers]:
        """Return how many pictures are asked for, and what delivers them one by one.

        Raises:
            MoveRefusedError: nothing may be asked for, or nothing is there.
        """
        originator, target = identifier.get("OriginatorAET", ""), identifier.get("TargetAET", "")
        node = self._destination(originator, target, identifier.get(ADDRESS))
        requester = self._requester(originator, node)
        try:
            self.courier.require(requester, node, DOOR)
        except DestinationRefusedError as error:
            raise MoveRefusedError("The move was refused.", remedy=error.remedy) from error
        asked = named(identifier)
        rows = self._rows(asked, requester, node) if asked is not None else []
        if asked is not None and asked[0] in GUESSED and not self._any_may_go(requester, rows):
            rows = []  # one entry for a patient of whom nothing may go, as for one whom nobody knows
        if not rows:
            self.services.gate.refuse(requester, DOOR, "nothing in the archive matches", rule="NOTHING_FOUND")
            raise MoveRefusedError("Nothing was delivered.")
        return len(rows), self.courier.deliver(requester, rows, node, DOOR)

    def _requester(self, originator: str, node: DicomNode) -> Requester:
        asking = self.services.policy.node(originator)
        return bound(originator, node, asking.host if asking else "")

    def _destination(self, originator: str, target: str, address: str | None) -> DicomNode:
        """Return the node to send to, once both ends are bound and agree on the purpose."""
        asking, receiving = self.services.policy.node(originator), self.services.policy.node(target)
        for reason, rule in self._objections(asking, receiving, address):
            self.services.gate.refuse(requesters.of_node(originator, asking), DOOR, reason, rule=rule)
            raise MoveRefusedError("The move was refused.")
        assert receiving is not None  # noqa: S101 - none is an objection
        return receiving

    def _objections(
        self, asking: DicomNode | None, receiving: DicomNode | None, address: str | None
    ) -> Iterator[tuple[str, str]]:
        if asking is None or Verb.MOVE not in asking.may:
            yield "the calling AE title is not bound in policy.toml to ask for images", "UNKNOWN_AE"
        elif address is not None and address != asking.host:
            yield "the calling AE title is bound in policy.toml to another host", "UNKNOWN_HOST"
        elif receiving is None or Verb.RECEIVE not in receiving.may or receiving.aet not in self.courier.modalities:
            yield "the destination is not bound in policy.toml to receive images", "UNKNOWN_AE"
        elif asking.purpose is not receiving.purpose:
            yield (
                f"the caller is bound to {asking.purpose}, the destination to {receiving.purpose}",
                "PURPOSE_NOT_BOUND",
            )

    def _any_may_go(self, requester: Requester, rows: Sequence[ImageRow]) -> bool:
        """Tell so of the first that are on record; so many are looked through well before ``pace.FLOOR``."""
        return self.courier.packer.any_may_go(asked_for(requester, row, DOOR) for row in rows[:MOST_GUESSED])

    def _rows(
        self, asked: tuple[Subject, tuple[str, ...]], requester: Requester, node: DicomNode
    ) -> Sequence[ImageRow]:
        """Return what is asked for; a key object that the destination may not have only where it is named itself."""
        with self.services.database.reading() as connection:
            rows = images.find(connection, *asked)
        if len({row.issuer for row in rows}) > 1 and asked[0] is Subject.PATIENT_ID:
            return []  # one number, several patients: nobody can tell which is meant
        if asked[0] is Subject.SOP_INSTANCE_UID:
            return rows
        return without_key_objects(self.services, Viewer(requester=requester, binding=node, door=DOOR), rows)


def size(move: Move) -> int:
    """Tell Orthanc the number of sub-operations. It must never raise: the caller would hang for ever."""
    return move.total


def apply(move: Move) -> None:
    """Do the next sub-operation; raising ends the move."""
    move.tell_next()


def free(move: Move) -> None:
    """Let go of a move; what was not asked for is not delivered."""
    move.end()
