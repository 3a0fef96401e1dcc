"""Recipients that give a byte now and then: every wait ends, however often something comes."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from orthanc_plugin.archive.otherorthanc import OtherOrthanc
from orthanc_plugin.archive.port import NothingSentError, Sending
from orthanc_plugin.archive.storescu import StoreScu
from orthanc_plugin.archive.stow import StowScu
from orthanc_plugin.archive.upperlayer import Peer
from orthanc_plugin.archive.webline import Server
from tests.fakes.pictures import photograph_bytes
from tests.unit.dicomwrap.sendable import HOST

CONTENT = photograph_bytes()
SECONDS = 0.5
RECORD = b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb\x03\x03"  # a long ServerHello begins


def unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def node(port: int) -> Sending:
    return StoreScu(Peer(aet="A", host=HOST, port=port, calling="US", seconds=SECONDS, tls=unchecked()))


def stow(port: int) -> Sending:
    return StowScu(Server(url=f"https://{HOST}:{port}", tls=unchecked(), pin="0" * 64, seconds=SECONDS))


def orthanc(port: int) -> Sending:
    return OtherOrthanc(Server(url=f"https://{HOST}:{port}", tls=unchecked(), pin="0" * 64, seconds=SECONDS))


@contextmanager
def dripping() -> Iterator[tuple[int, threading.Event]]:
    """Listen, and answer with a byte at a time for as long as somebody is there; tell when they left."""
    over, left = threading.Event(), threading.Event()
    with socket.create_server((HOST, 0)) as listening:

        def drip() -> None:
            line, _ = listening.accept()
            with line, suppress(OSError):
                line.sendall(RECORD)
                while not over.wait(0.02):
                    line.sendall(b"\0")
            left.set()

        threading.Thread(target=drip, daemon=True).start()
        try:
            yield listening.getsockname()[1], left
        finally:
            over.set()


@pytest.mark.parametrize("way", [node, stow, orthanc])
def test_a_handshake_that_is_dripped_is_given_up_and_nothing_was_sent(way: Callable[[int], Sending]) -> None:
    with dripping() as (port, left):
        with pytest.raises(NothingSentError):
            way(port).store(CONTENT)
        assert left.wait(30)
