"""Ask a DICOM node whether it vouches for what it was sent, and wait for its report on the same association.

Knows storage commitment's push model (PS3.4 annex J) as its user. Must not know what was sent. A node that reports on
an association of its own reports to Orthanc's port, not to us, so its answer is not heard.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dicomwrap.errors import PeerError
from dicomwrap.sending.commitment import Reports, commit
from dicomwrap.sending.node import Caller, Node, Tls
from dicomwrap.sending.parcel import Parcel
from orthanc_plugin.archive.upperlayer import Peer
from orthanc_plugin.errors import ArchiveError

Instance = tuple[str, str]


class NotVouchedError(ArchiveError):
    """The node can't be asked, won't be, or doesn't report in time: nobody knows what it holds."""

    remedy = "See that the node offers storage commitment, and reports on the association that asks."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known(Tls):
    """TLS as the peer is called by already."""

    context: ssl.SSLContext

    def to_call(self) -> ssl.SSLContext:
        """Return it."""
        return self.context


def refused_by(peer: Peer, instances: Iterable[Instance], *, transaction_uid: str) -> Mapping[str, str]:
    """Return for which SOP instances the node does not vouch, each with its reason.

    Args:
        peer: the node.
        instances: SOP class and instance UIDs.
        transaction_uid: a new UID.

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
    try:
        found = commit(parcels, node, caller, Reports(), transaction_uid=transaction_uid, seconds=peer.seconds)
    except PeerError as error:
        raise NotVouchedError(f"The node does not vouch ({type(error).__name__}).") from error
    return found.reasons
