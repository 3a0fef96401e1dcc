"""Who talks to whom: a DICOM node, ourselves, and the certificates between.

Knows AE titles (PS3.5 section 6.2) and TLS contexts. Must not know what is sent.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dicomwrap.errors import NodeError, PeerError

AET: Final = "DICOMWRAP"
SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A DICOM node as it is called."""

    aet: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Node:
        """Read ``AET@HOST:PORT``; an IPv6 address stands in brackets.

        Raises:
            NodeError: it is written otherwise.
        """
        title, at, address = text.strip().rpartition("@")
        if not at:
            raise NodeError("The node has no AE title")
        host, port = host_and_port(address)
        if not host:
            raise NodeError("The node has no host")
        return cls(aet=ae_title(title), host=host, port=port)

    def __str__(self) -> str:
        return f"{self.aet}@{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Certificates for DICOM over TLS (PS3.15 section B.12): whom we trust, and who we are.

    Attributes:
        ca: certificates that the peer's must come from; None trusts what the system trusts.
        cert: our own certificate, when the peer asks for one.
        key: its key; None when it is in the same file.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def to_call(self) -> ssl.SSLContext:
        """Return the context for connections that we open; the peer's certificate and name are checked.

        Raises:
            PeerError: a file can't be read or isn't what it should be.
        """
        return self._context(ssl.Purpose.SERVER_AUTH)

    def to_listen(self) -> ssl.SSLContext | None:
        """Return the context for connections that the peer opens, who must show a certificate; None without our own.

        Raises:
            PeerError: a file can't be read or isn't what it should be.
        """
        if self.cert is None:
            return None
        context = self._context(ssl.Purpose.CLIENT_AUTH)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _context(self, purpose: ssl.Purpose) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(purpose, cafile=self.ca)
            if self.cert is not None:
                context.load_cert_chain(self.cert, self.key, password=_no_password)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise PeerError(
                f"The certificates can't be used ({reason})", "Give PEM files; the key must have no password."
            ) from error
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Ourselves, as peers see us, and how long we wait for each answer."""

    aet: str = AET
    seconds: float = SECONDS
    tls: Tls | None = None


def ae_title(text: str) -> str:
    """Return an AE title without the spaces around it.

    Raises:
        NodeError: not 1 to 16 printable characters of ASCII without backslash (PS3.5 section 6.2, AE).
    """
    title = text.strip(" ")
    if not 1 <= len(title) <= 16 or not (title.isascii() and title.isprintable()) or "\\" in title:
        raise NodeError("An AE title has 1 to 16 printable ASCII characters and no backslash")
    return title


def host_and_port(text: str) -> tuple[str, int]:
    """Read ``[HOST:]PORT``; the host is "" when it is left out.

    Raises:
        NodeError: the port is missing or no port.
    """
    host, _, port = text.strip().rpartition(":")
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise NodeError("The port must be a number from 1 to 65535")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise NodeError("An IPv6 address must stand in brackets")
    if not host.isprintable() or any(sign in " /\\[]@" for sign in host):
        raise NodeError("The host is no host name")
    return host, int(port)


def _no_password() -> str:
    """Answer OpenSSL, which would otherwise ask at the terminal."""
    return ""
