"""Connections of which nobody knows yet whose they are: few in all, fewer from one address, and the newest come first.

Knows sockets and addresses. Must not know how anybody signs in. Whoever signs in at once, as every program does, is
never the oldest; who only holds connections, or opens one after the other, drives out nobody but themselves.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from contextlib import suppress
from typing import Final

MOST: Final = 64
MOST_OF_AN_ADDRESS: Final = 32  # a proxy brings those of everybody


class Strangers:
    """Keeps count of them, and hangs up on the oldest when there are too many."""

    def __init__(self) -> None:
        self._known: dict[socket.socket, str] = {}  # oldest first
        self._lock = threading.Lock()

    def enter(self, connection: socket.socket, address: str) -> None:
        """Take a connection in, in the place of an older one if need be."""
        with self._lock:
            if driven_out := self._oldest(address):
                del self._known[driven_out]
            self._known[connection] = address
        if driven_out:
            with suppress(OSError):  # it has ended by itself
                driven_out.shutdown(socket.SHUT_RDWR)

    def leave(self, connection: socket.socket) -> bool:
        """Take a connection out, which is known now or has ended; False when it was driven out before."""
        with self._lock:
            return self._known.pop(connection, None) is not None

    def _oldest(self, address: str) -> socket.socket | None:
        """Return whose place a newcomer from ``address`` takes: the oldest of the address that has most."""
        counted = Counter(self._known.values())
        if counted[address] >= MOST_OF_AN_ADDRESS:
            crowded = address
        elif len(self._known) >= MOST:
            crowded = counted.most_common(1)[0][0]
        else:
            return None
        return next(connection for connection, of in self._known.items() if of == crowded)
