"""Reads from a connection for as long as it goes on bringing something, so that nobody holds a thread by being slow.

Knows sockets and a rate. A timeout for each read would be no limit: a byte a minute keeps to it for ever.
"""

from __future__ import annotations

import io
import socket
from typing import TYPE_CHECKING, Final

from orthanc_plugin.clock import Ticks

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

RATE: Final = 500_000  # bytes a second
GRACE: Final = 30.0  # seconds that a connection may be behind that rate; none is ever more ahead of it


class Steady(io.RawIOBase):
    """What a connection brings; a request of so many bytes is read within ``GRACE`` seconds and its bytes by ``RATE``.

    Args:
        connection: where it comes from.
        ticks: measures the waiting; what is done with the bytes between two reads doesn't count.
    """

    def __init__(self, connection: socket.socket, ticks: Ticks) -> None:
        self.connection = connection
        self.ticks = ticks
        self.left = GRACE

    def begin(self, seconds: float = GRACE) -> None:
        """Begin a request, with so many seconds before anything of it has come."""
        self.left = seconds

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read what has come, or wait for it.

        Raises:
            TimeoutError: it brings too little.
        """
        if self.left <= 0:
            raise TimeoutError("too little was brought in the time there was")
        self.connection.settimeout(self.left)
        begun = self.ticks()
        got = self.connection.recv_into(buffer)
        self.left = min(GRACE, self.left - (self.ticks() - begun) + got / RATE)
        return got
