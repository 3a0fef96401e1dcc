"""The way to each recipient of policy.toml: which adapter, with which address and certificates.

Knows how the running Orthanc calls its modalities and what policy.toml says of the others. Must not know what is sent,
nor decide; what policy demands of the way is looked at in ``destinations``. Source: requirements 001-8, 001-19a.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orthanc_plugin.archive.commitment import Heard
from orthanc_plugin.archive.folder import FolderExport
from orthanc_plugin.archive.otherorthanc import OtherOrthanc
from orthanc_plugin.archive.port import NothingSentError, Sending
from orthanc_plugin.archive.storescu import StoreScu
from orthanc_plugin.archive.stow import StowScu
from orthanc_plugin.archive.upperlayer import Peer
from orthanc_plugin.archive.webline import Server, tls_context
from orthanc_plugin.config.bindings import Destination, DicomNode
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.config.recipients import Kind, Recipient
from orthanc_plugin.errors import ConfigurationError

HTTPS: Final = "https://"


class NoWayError(NothingSentError):
    """Nothing may go to the recipient as things are, or nothing can."""

    remedy = "Mend the recipient in policy.toml or orthanc.json, then: consentgate route retry."


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """Gives the way to a recipient.

    Attributes:
        policy: policy.toml in force.
        folder: where policy.toml is.
        peers: the modalities of the running Orthanc by AE title.
        heard: gives what that Orthanc has heard of a transaction of storage commitment.
    """

    policy: Policy
    folder: Path
    peers: Mapping[str, Peer]
    heard: Heard

    def to(self, destination: Destination) -> Sending:
        """Return what sends to ``destination``; nothing is opened before the first object is sent.

        Raises:
            NoWayError: there is none, or policy demands another.
        """
        if isinstance(destination, DicomNode):
            return StoreScu(self.peer(destination))
        if not isinstance(destination, Recipient):
            raise NoWayError(f"{destination.name} is no recipient that is sent to.")
        if destination.kind is Kind.FOLDER:
            return self._folder(destination)
        return (StowScu if destination.kind is Kind.STOW else OtherOrthanc)(self.server(destination))

    def peer(self, node: DicomNode) -> Peer:
        """Return a DICOM node as it is called.

        Raises:
            NoWayError: Orthanc has no such modality.
        """
        peer = self.peers.get(node.aet)
        if peer is None:
            raise NoWayError(f"{node.name} has no host and port in orthanc.json.")
        return peer

    def _folder(self, recipient: Recipient) -> Sending:
        if not self.policy.exports.allowed:
            raise NoWayError("Export to folders is not allowed by policy.toml.")
        return FolderExport(Path(recipient.folder))

    def server(self, recipient: Recipient) -> Server:
        """Return a recipient that is called by HTTP.

        Raises:
            NoWayError: its certificates or its password can't be used.
        """
        try:
            tls = tls_context(
                ca=self._file(recipient.ca),
                pin=recipient.pin,
                certificate=self._file(recipient.certificate),
                key=self._file(recipient.key),
            )
            password = Path(self._file(recipient.password_file)).read_text().strip() if recipient.account else ""
        except (ConfigurationError, OSError, ValueError) as error:
            raise NoWayError(f"The files of {recipient.name} can't be used ({type(error).__name__}).") from error
        return Server(
            url=recipient.url,
            tls=tls if recipient.url.startswith(HTTPS) else None,
            pin=recipient.pin,
            account=recipient.account,
            password=password,
        )

    def _file(self, name: str) -> str:
        return str(self.folder / name) if name else ""
