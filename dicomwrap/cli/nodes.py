"""Options that all commands share which talk to an archive.

Knows click, and how a node, an address and certificates are given on the command line. Must not know what is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from dicomwrap.errors import DicomwrapError
from dicomwrap.sending.node import AET, SECONDS, Caller, Node, Tls, ae_title, host_and_port

Function = TypeVar("Function", bound=Callable[..., Any])
Read = TypeVar("Read")
FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


def node(text: str) -> Node:
    """Read the value of an option that names a node."""
    return _read(Node.parse, text)


def address(text: str) -> tuple[str, int]:
    """Read the value of an option that names an address to listen on."""
    return _read(host_and_port, text)


def title(text: str) -> str:
    """Read the value of an option that names an AE."""
    return _read(ae_title, text)


def stacked(*options: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """Return one decorator that adds options in the order in which they are given."""

    def add(command: Function) -> Function:
        for option in reversed(options):
            command = option(command)
        return command

    return add


caller_options = stacked(
    click.option("--aet", type=title, metavar="AET", default=AET, show_default=True, help="Our own AE title."),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=SECONDS,
        show_default=True,
        help="Seconds to wait for each answer.",
    ),
    click.option("--tls", is_flag=True, help="Speak DICOM over TLS."),
    click.option(
        "--tls-ca", type=FILE, help="Certificates that the other side's must come from, in place of the system's."
    ),
    click.option("--tls-cert", type=FILE, help="Our own certificate, when the other side asks for one."),
    click.option("--tls-key", type=FILE, help="Its key, when it is in another file."),
)


def caller(
    *, aet: str, timeout: float, tls: bool, tls_ca: Path | None, tls_cert: Path | None, tls_key: Path | None
) -> Caller:
    """Return who we are by the options.

    Raises:
        click.UsageError: they contradict each other.
    """
    if tls_cert is not None and not tls:
        raise click.UsageError("--tls-cert needs --tls.")
    if tls_key is not None and tls_cert is None:
        raise click.UsageError("--tls-key needs --tls-cert.")
    secured = Tls(ca=tls_ca, cert=tls_cert, key=tls_key) if tls else None
    return Caller(aet=aet, seconds=timeout, tls=secured)


def _read(read: Callable[[str], Read], text: str) -> Read:
    try:
        return read(text)
    except DicomwrapError as error:
        raise click.BadParameter(str(error)) from error
