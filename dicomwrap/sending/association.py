"""Open an association, or say in words why there is none.

Knows pynetdicom and A-ASSOCIATE (PS3.8 section 9.3). Must not know what is done on the association.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.pdu import A_ASSOCIATE_RJ
from pynetdicom.presentation import PresentationContext

from dicomwrap.errors import PeerError
from dicomwrap.sending.node import Caller, Node
from dicomwrap.sending.words import rejection_words

MOMENT: Final = 0.5  # seconds


def entity(caller: Caller) -> AE:
    """Return our application entity; every wait on it ends."""
    own = AE(ae_title=caller.aet)
    own.connection_timeout = own.acse_timeout = own.dimse_timeout = caller.seconds
    own.network_timeout = None  # DIMSE's waits end by themselves; an association may be silent while a report is made
    return own


@contextmanager
def association(
    node: Node,
    caller: Caller,
    contexts: Sequence[PresentationContext],
    handlers: Sequence[evt.EventHandlerType] = (),
) -> Iterator[Association]:
    """Give an association with ``node``; it is released at the end.

    Raises:
        PeerError: the node can't be reached, rejects us, or accepts nothing of what we offer.
    """
    opened: list[evt.Event] = []
    rejected: list[A_ASSOCIATE_RJ] = []

    def connected(event: evt.Event) -> None:
        opened.append(event)
        prepare(event.assoc, caller.seconds)

    def received(event: evt.Event) -> None:
        if isinstance(event.pdu, A_ASSOCIATE_RJ):
            rejected.append(event.pdu)  # pynetdicom may take the connection's end, just behind, for an abort

    tls = None if caller.tls is None else (caller.tls.to_call(), node.host)
    try:
        made = entity(caller).associate(
            node.host,
            node.port,
            contexts=[*contexts],
            ae_title=node.aet,
            tls_args=tls,
            evt_handlers=[(evt.EVT_CONN_OPEN, connected), (evt.EVT_PDU_RECV, received), *handlers],
        )
    except OSError as error:  # the name of the host
        raise PeerError(f"{node} can't be found ({error.strerror or 'no such host'})") from error
    if rejected:
        words = rejection_words(rejected[0].source, rejected[0].reason_diagnostic)
        raise PeerError(f"{node} rejects the association: {words}")
    if not made.is_established:
        raise PeerError(_reason(made, node, caller, connected=bool(opened)))
    try:
        yield made
    finally:
        if made.is_established:
            release(made)


def release(made: Association) -> None:
    """Release an association, and wait no longer than it lives.

    pynetdicom waits until its reactor pauses; one that has ended just then, because the peer did, never does. What
    waits for it is left behind.
    """
    releasing = threading.Thread(target=made.release, daemon=True)
    releasing.start()
    while releasing.is_alive() and made.is_alive():
        releasing.join(MOMENT)
    releasing.join(MOMENT)


def prepare(made: Association, seconds: float) -> None:
    """Send small packets at once, and never wait for ever on a peer that stops in the middle of something.

    Otherwise each C-STORE waits 40 ms for an acknowledgement that is waiting too (Nagle's algorithm).
    """
    transport = made.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.socket.settimeout(seconds)


def _reason(made: Association, node: Node, caller: Caller, *, connected: bool) -> str:
    if not connected:
        return f"{node} can't be reached ({_why_not(node, caller)})"
    answer = made.acceptor.primitive
    if answer is not None and answer.result == 0:
        return f"{node} takes none of what we offer, neither as it is nor at all"
    return f"{node} doesn't answer the association in {caller.seconds:g} seconds, or breaks it off"


def _why_not(node: Node, caller: Caller) -> str:
    """Connect once more to learn why it failed, which pynetdicom keeps to its log."""
    try:
        with socket.create_connection((node.host, node.port), timeout=caller.seconds) as connection:
            if caller.tls is not None:
                with caller.tls.to_call().wrap_socket(connection, server_hostname=node.host):
                    pass
    except TimeoutError:
        return "it doesn't answer in time"
    except OSError as error:
        verdict = getattr(error, "verify_message", "") or getattr(error, "reason", "")
        return str(verdict or error.strerror or type(error).__name__)
    return "the connection broke; it may come back"
