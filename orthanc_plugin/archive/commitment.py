"""Ask a DICOM node whether it vouches for what it was sent, and wait for its report.

Knows storage commitment's push model (PS3.4 annex J) as its user. Must not know what was sent. The report comes on the
association that asked, or on one of the node's own; that goes to Orthanc's DICOM port, because we call under Orthanc's
AE title, and Orthanc keeps it under the transaction's UID, which nobody but the node was told. A report of another AE
title than the node's is none.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Final

from dicomwrap.errors import PeerError
from dicomwrap.sending.commitment import Report, Reports, commit
from dicomwrap.sending.node import Caller, Node, Tls
from dicomwrap.sending.parcel import Parcel
from orthanc_plugin.archive.upperlayer import Peer
from orthanc_plugin.errors import ArchiveError

Instance = tuple[str, str]
Heard = Callable[[str], Mapping[str, object] | None]

PAUSE: Final = 0.2  # seconds between looks at what Orthanc has heard
COMPLETE: Final = ("Success", "Failure")


class NotVouchedError(ArchiveError):
    """The node can't be asked, won't be, or doesn't report in time: nobody knows what it holds."""

    remedy = "See that the node offers storage commitment, knows our AE title, and reports in time (docs/courier.md)."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known(Tls):
    """TLS as the peer is called by already."""

    context: ssl.SSLContext

    def to_call(self) -> ssl.SSLContext:
        """Return it."""
        return self.context


def refused_by(peer: Peer, instances: Iterable[Instance], *, transaction_uid: str, heard: Heard) -> Mapping[str, str]:
    """Return for which SOP instances the node does not vouch, each with its reason.

    Args:
        peer: the node.
        instances: SOP class and instance UIDs.
        transaction_uid: a new UID.
        heard: gives what Orthanc has heard of a transaction.

    Raises:
        NotVouchedError: there is no report.
    """
    parcels = tuple(
        Parcel(
            path=Path(),
            sop_class_uid=kind,
            sop_instance_uid=uid,
            transfer_syntax_uid="",
            sha256="",
            size=0,
        )
        for kind, uid in instances
    )
    tls = _Known(context=peer.tls) if peer.tls is not None else None
    caller = Caller(aet=peer.calling, seconds=peer.seconds, tls=tls)
    node = Node(aet=peer.aet, host=peer.host, port=peer.port)
    reports = Reports()
    try:
        with _hearing(reports, peer, transaction_uid, heard):
            found = commit(parcels, node, caller, reports, transaction_uid=transaction_uid, seconds=peer.seconds)
    except PeerError as error:
        raise NotVouchedError(f"The node does not vouch ({type(error).__name__}).") from error
    return found.reasons


@contextmanager
def _hearing(reports: Reports, peer: Peer, transaction_uid: str, heard: Heard) -> Iterator[None]:
    """Have a report that went to Orthanc count as one that came to us."""
    over = Event()

    def listen() -> None:
        while not over.wait(PAUSE):
            with suppress(ArchiveError):  # Orthanc is away for a moment
                found = _report(peer, transaction_uid, heard(transaction_uid) or {})
                if found is not None and reports.take(found):
                    return

    listener = Thread(target=listen, name="commitment", daemon=True)
    listener.start()
    try:
        yield
    finally:
        over.set()
        listener.join()


def _report(peer: Peer, transaction_uid: str, told: Mapping[str, object]) -> Report | None:
    """Return the node's report as Orthanc tells it; None while there is none."""
    if told.get("RemoteAET") != peer.aet or told.get("Status") not in COMPLETE:
        return None
    failed = {uid: str(each.get("Description") or "it does not say why") for uid, each in _listed(told, "Failures")}
    committed = {uid for uid, _ in _listed(told, "Success")}
    return Report(transaction_uid=transaction_uid, committed=frozenset(committed - failed.keys()), failed=failed)


def _listed(told: Mapping[str, object], name: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    listed = told.get(name)
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict):
            yield str(each.get("SOPInstanceUID")), each
