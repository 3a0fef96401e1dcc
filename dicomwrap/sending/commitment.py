"""Ask an archive to vouch for what it was sent, and hear its answer.

Knows storage commitment's push model (PS3.4 Annex J) as its user. Must not know files. The answer may come on the
association that asked, or on one that the archive opens to us, minutes later.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition
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


class Reports:
    """Where reports arrive, and what we wait for.

    Attributes:
        host: address we listen on.
        port: port we listen on.
    """

    def __init__(self) -> None:
        self.host, self.port = "", 0
        self._changed = Condition()
        self._asked: dict[str, frozenset[str]] = {}
        self._heard: dict[frozenset[str], Report] = {}

    def expect(self, transaction_uid: str, uids: frozenset[str]) -> None:
        """Remember that we ask about these instances."""
        with self._changed:
            self._asked[transaction_uid] = uids

    def take(self, found: Report) -> bool:
        """Keep a report; tell whether we ever asked for it."""
        with self._changed:
            uids = self._asked.pop(found.transaction_uid, None)
            if uids is not None:
                self._heard[uids] = found
                self._changed.notify_all()
            return uids is not None

    def wait(self, uids: frozenset[str], seconds: float) -> Report | None:
        """Return the report on these instances, be it a late one on an earlier question; None when none comes."""
        with self._changed:
            self._changed.wait_for(lambda: uids in self._heard, seconds)
            return self._heard.pop(uids, None)


@contextmanager
def listening(caller: Caller, node: Node, host: str = "", port: int = 0) -> Iterator[Reports]:
    """Listen for reports of ``node``: where it can reach us, on a free port, unless told otherwise.

    Over TLS when we have a certificate to show, and then only to those who show one too.

    Raises:
        PeerError: the address can't be listened on.
    """
    reports = Reports()
    own = entity(caller)
    own.network_timeout = caller.seconds
    own.add_supported_context(PUSH_MODEL, scu_role=True, scp_role=True)
    tls = None if caller.tls is None else caller.tls.to_listen()
    try:
        reports.host = host or _our_address(node)
        handlers = [*_handlers(reports), (evt.EVT_CONN_OPEN, _connected, [caller.seconds])]
        server = own.start_server((reports.host, port), block=False, ssl_context=tls, evt_handlers=handlers)
    except OSError as error:
        raise PeerError(
            f"Reports can't be listened for at {host or 'our address'}, port {port} ({reason_of(error)})",
            "Choose another --listen; nothing was sent.",
        ) from error
    if server is None:
        raise RuntimeError("a server that does not block is always returned")
    reports.port = int(server.server_address[1])
    try:
        yield reports
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
    asked = frozenset(parcel.sop_instance_uid for parcel in parcels)
    reports.expect(transaction_uid, asked)
    with association(node, caller, [build_context(PUSH_MODEL)], _handlers(reports)) as made:
        try:
            answer, _ = made.send_n_action(_request(parcels, transaction_uid), _REQUEST, PUSH_MODEL, _INSTANCE)
        except (RuntimeError, ValueError) as error:
            raise PeerError(f"{node} broke off when asked for storage commitment") from error
        _check(answer, node)
        found = reports.wait(asked, seconds)
    if found is None:
        raise PeerError(
            f"{node} took the request for storage commitment and didn't report in {seconds:g} seconds",
            f"The archive must know {caller.aet} at {reports.host}, port {reports.port}; give that port as --listen.",
        )
    return _compared(asked, found)


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


def _handlers(reports: Reports) -> list[evt.EventHandlerType]:
    return [(evt.EVT_N_EVENT_REPORT, _heard, [reports])]


def _connected(event: evt.Event, seconds: float) -> None:
    prepare(event.assoc, seconds)


def _heard(event: evt.Event, reports: Reports) -> tuple[int, None]:
    """Take an N-EVENT-REPORT and return the status that answers it."""
    try:
        known = reports.take(report(event.event_information))
    except UNREADABLE:
        known = False
    return (SUCCESS if known else _PROCESSING_FAILURE), None


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


def _compared(asked: frozenset[str], found: Report) -> Committed:
    return Committed(
        transaction_uid=found.transaction_uid,
        uids=asked & found.committed,
        reasons={uid: found.failed.get(uid, _UNMENTIONED) for uid in asked - found.committed},
    )


def _our_address(node: Node) -> str:
    """Return the address of this machine from which ``node`` is reached; nothing is sent to learn it."""
    family, kind, _, _, address = socket.getaddrinfo(node.host, node.port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as probe:
        probe.connect(address)
        return str(probe.getsockname()[0])
