"""The DICOM nodes that Orthanc is configured with, as our own C-STORE SCU calls them.

Knows the options of orthanc.json that say how a modality is reached, and TLS (PS3.15 section B.12). Must not know what
a node may have. A node's certificate must come from ``DicomTlsTrustedCertificates``; its name is not compared, as
Orthanc doesn't either: in hospitals certificates name devices, not addresses.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Final

from orthanc_plugin.archive.upperlayer import Peer
from orthanc_plugin.errors import ConfigurationError

Configuration = Mapping[str, object]

SECONDS: Final = 10  # Orthanc's own default of DicomScuTimeout
FILES: Final = ("DicomTlsTrustedCertificates", "DicomTlsCertificate", "DicomTlsPrivateKey")

OPTIONS: Final = ("DicomModalities", "DicomAet", "DicomScuTimeout", *FILES)


def network(configuration: Configuration) -> dict[str, object]:
    """Return the options that say how nodes are called, for Consentgate's other processes."""
    return {name: configuration[name] for name in OPTIONS if name in configuration}


def peers_by_aet(configuration: Configuration) -> dict[str, Peer]:
    """Return the configured modalities by AE title.

    Raises:
        ConfigurationError: one is to be called by TLS, and the certificates can't be used.
    """
    return {peer.aet: peer for peer in peers(configuration).values()}


def peers(configuration: Configuration) -> dict[str, Peer]:
    """Return the configured modalities by name.

    Raises:
        ConfigurationError: one is to be called by TLS, and the certificates can't be used.
    """
    section = configuration.get("DicomModalities")
    known = section if isinstance(section, dict) else {}
    return {name: _peer(configuration, each) for name, each in known.items() if isinstance(each, dict)}


def _peer(configuration: Configuration, modality: Configuration) -> Peer:
    port = modality.get("Port")
    seconds = modality.get("Timeout") or configuration.get("DicomScuTimeout") or SECONDS
    return Peer(
        aet=str(modality.get("AET", "")),
        host=str(modality.get("Host", "")),
        port=port if isinstance(port, int) else 0,
        calling=str(modality.get("LocalAet") or configuration.get("DicomAet") or "ORTHANC"),
        seconds=float(seconds) if isinstance(seconds, int) else float(SECONDS),
        tls=_tls(configuration) if modality.get("UseDicomTls") is True else None,
    )


def _tls(configuration: Configuration) -> ssl.SSLContext:
    trusted, certificate, key = (str(configuration.get(name) or "") for name in FILES)
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # TLS 1.2 at least; it trusts nobody yet
        context.load_verify_locations(trusted)
        context.check_hostname = False
        context.load_cert_chain(certificate, key, password="")
    except OSError as error:
        raise ConfigurationError(
            f"A modality has UseDicomTls, and the certificates can't be used ({type(error).__name__}).",
            remedy=f"Give the full paths of PEM files in {', '.join(FILES)}; the key must have no password.",
        ) from error
    return context
