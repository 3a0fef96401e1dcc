"""Ask an archive to vouch for what it was sent, and hear its answer.

Knows storage commitment's push model (PS3.4 Annex J) as its user. Must not know files. The answer may come on the
association that asked, or on one that the archive opens to us, minutes later.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final

from pydicom.dataset import Dataset
from pynetdicom import build_context, evt

from dicomwrap.durable import reason_of
from dicomwrap.errors import PeerError
from dicomwrap.hostile import UNREADABLE
from dicomwrap.sending.association import association, entity, prepare
from dicomwrap.sending.node import Caller, Node
from dicomwrap.sending.parcel import Parcel
from dicomwrap.sending.words import SUCCESS, failure_words, status_words

PUSH_MODEL: Final = "1.2.840.10008.1.20.1"
_INSTANCE: Final = "1.2.840.10008.1.20.1.1"
_REQUEST: Final = 1
_PROCESSING_FAILURE: Final = 0x0110
_UNMENTIONED: Final = "the archive's report doesn't mention it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One N-EVENT-REPORT of storage commitment.

    Attributes:
        transaction_uid: what it answers.
        committed: SOP instances that the archive vouches for.
        failed: for the others the reason in words.
    """

    transaction_uid: str
    committed: frozenset[str]
    failed: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What the archive vouches for.

    Attributes:
        transaction_uid: the transaction's.
        uids: SOP instances that it vouches for.
        reasons: for each of the others why not, in words.
    """

    transaction_uid: str
    uids: frozenset[str]
    reasons: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """Where reports arrive.

    Attributes:
        host: address we listen on.
        port: port we listen on.
        arrived: reports that were heard and not yet looked at.
    """

    host: str
    port: int
    arrived: SimpleQueue[Report]


@contextmanager
def listening(caller: Caller, node: Node, host: str = "", port: int = 0) -> Iterator[Reports]:
    """Listen for reports of ``node``: where it can reach us, on a free port, unless told otherwise.

    Over TLS when we have a certificate to show, and then only to those who show one too.

    Raises:
        PeerError: the address can't be listened on.
    """
    arrived: SimpleQueue[Report] = SimpleQueue()
    own = entity(caller)
    own.network_timeout = caller.seconds
    own.add_supported_context(PUSH_MODEL, scu_role=True, scp_role=True)
    tls = None if caller.tls is None else caller.tls.to_listen()
    try:
        address = host or _our_address(node)
        handlers = [*_handlers(arrived), (evt.EVT_CONN_OPEN, _connected, [caller.seconds])]
        server = own.start_server((address, port), block=False, ssl_context=tls, evt_handlers=handlers)
    except OSError as error:
        raise PeerError(
            f"Reports can't be listened for at {host or 'our address'}, port {port} ({reason_of(error)})",
            "Choose another --listen; nothing was sent.",
        ) from error
    if server is None:
        raise RuntimeError("a server that does not block is always returned")
    try:
        yield Reports(host=address, port=int(server.server_address[1]), arrived=arrived)
    finally:
        own.shutdown()  # and break off whoever is still there


def commit(
    parcels: Sequence[Parcel], node: Node, caller: Caller, reports: Reports, *, transaction_uid: str, seconds: float
) -> Committed:
    """Ask ``node`` to vouch for objects and wait for its report.

    Args:
        parcels: the objects, at least one.
        node: the archive.
        caller: ourselves.
        reports: where we listen.
        transaction_uid: a new UID.
        seconds: how long to wait for the report.

    Raises:
        PeerError: the archive can't be asked, says no, or doesn't report in time.
    """
    with association(node, caller, [build_context(PUSH_MODEL)], _handlers(reports.arrived)) as made:
        try:
            answer, _ = made.send_n_action(_request(parcels, transaction_uid), _REQUEST, PUSH_MODEL, _INSTANCE)
        except (RuntimeError, ValueError) as error:
            raise PeerError(f"{node} broke off when asked for storage commitment") from error
        _check(answer, node)
        found = _awaited(reports, transaction_uid, seconds)
    if found is None:
        raise PeerError(
            f"{node} took the request for storage commitment and didn't report in {seconds:g} seconds",
            f"The archive must know {caller.aet} at {reports.host}, port {reports.port}; give that port as --listen.",
        )
    return _compared(parcels, found)


def report(information: Dataset) -> Report:
    """Read the event information of an N-EVENT-REPORT (PS3.4 section J.3.3)."""
    failed = {}
    for item in information.get("FailedSOPSequence") or ():
        reason = item.get("FailureReason")
        failed[str(item.ReferencedSOPInstanceUID)] = failure_words(None if reason is None else int(reason))
    listed = {str(item.ReferencedSOPInstanceUID) for item in information.get("ReferencedSOPSequence") or ()}
    return Report(
        transaction_uid=str(information.TransactionUID), committed=frozenset(listed - failed.keys()), failed=failed
    )


def _handlers(arrived: SimpleQueue[Report]) -> list[evt.EventHandlerType]:
    return [(evt.EVT_N_EVENT_REPORT, _heard, [arrived])]


def _connected(event: evt.Event, seconds: float) -> None:
    prepare(event.assoc, seconds)


def _heard(event: evt.Event, arrived: SimpleQueue[Report]) -> tuple[int, None]:
    """Take an N-EVENT-REPORT and return the status that answers it."""
    try:
        arrived.put(report(event.event_information))
    except UNREADABLE:
        return _PROCESSING_FAILURE, None
    return SUCCESS, None


def _request(parcels: Sequence[Parcel], transaction_uid: str) -> Dataset:
    request = Dataset()
    request.TransactionUID = transaction_uid
    request.ReferencedSOPSequence = []
    for parcel in parcels:
        item = Dataset()
        item.ReferencedSOPClassUID = parcel.sop_class_uid
        item.ReferencedSOPInstanceUID = parcel.sop_instance_uid
        request.ReferencedSOPSequence.append(item)
    return request


def _check(answer: Dataset, node: Node) -> None:
    if "Status" not in answer:
        raise PeerError(f"{node} doesn't answer the request for storage commitment, or breaks off")
    if answer.Status != SUCCESS:
        raise PeerError(f"{node} refuses the request for storage commitment: {status_words(int(answer.Status))}")


def _awaited(reports: Reports, transaction_uid: str, seconds: float) -> Report | None:
    """Return the report on our transaction; one on another, such as an earlier one's, starts the wait again."""
    while True:
        try:
            found = reports.arrived.get(timeout=seconds)
        except Empty:
            return None
        if found.transaction_uid == transaction_uid:
            return found


def _compared(parcels: Sequence[Parcel], found: Report) -> Committed:
    asked = {parcel.sop_instance_uid for parcel in parcels}
    return Committed(
        transaction_uid=found.transaction_uid,
        uids=frozenset(asked & found.committed),
        reasons={uid: found.failed.get(uid, _UNMENTIONED) for uid in asked - found.committed},
    )


def _our_address(node: Node) -> str:
    """Return the address of this machine from which ``node`` is reached; nothing is sent to learn it."""
    family, kind, _, _, address = socket.getaddrinfo(node.host, node.port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as probe:
        probe.connect(address)
        return str(probe.getsockname()[0])
