"""When what a node is sent arrived, by the kernel's clock: however busy the machine is, no thread of ours is late.

Knows TCP and where a PDU begins (PS3.8 section 9.3). Stands before a storage SCP and passes everything on. The kernel
puts a time on what arrives (SO_TIMESTAMPING); of several pieces that nobody has read yet it keeps the last one's time,
so a request is never told earlier than it came, and later by no more than its first burst took.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from demo.peers import HOST

SO_TIMESTAMPING = 37  # of <asm/socket.h>; what it puts on has the same number
BY_SOFTWARE = (1 << 3) | (1 << 4)  # SOF_TIMESTAMPING_RX_SOFTWARE, SOF_TIMESTAMPING_SOFTWARE
SECONDS_AND_NANOSECONDS = struct.Struct("@qq")
HEADER = struct.Struct(">BxI")  # of a PDU
P_DATA_TF = 0x04
PIECE = 1 << 16


@dataclass(kw_only=True)
class Wire:
    """A door before ``port``.

    Attributes:
        port: where the storage SCP listens.
        times: by the port from which the SCP is called, when each P-DATA-TF that wasn't asked about yet arrived.
    """

    port: int
    times: dict[int, deque[float]] = field(default_factory=dict)

    def arrived(self, caller: int) -> float:
        """Return when the next P-DATA-TF of a connection arrived; each is asked about once, in order."""
        return self.times[caller].popleft()

    def serve(self, listener: socket.socket) -> None:
        """Pass on every connection, until the door is shut."""
        with suppress(OSError):
            while True:
                outer, _ = listener.accept()
                inner = socket.create_connection((HOST, self.port))
                for each in (outer, inner):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                noted = self.times[inner.getsockname()[1]] = deque()
                threading.Thread(target=_forth, args=(outer, inner, noted), daemon=True).start()
                threading.Thread(target=_back, args=(inner, outer), daemon=True).start()


def _forth(outer: socket.socket, inner: socket.socket, noted: deque[float]) -> None:
    """Pass on what comes, PDU by PDU."""
    with suppress(OSError), outer, inner:
        while True:
            header, when = b"", 0.0
            while len(header) < HEADER.size:
                piece, told, _flags, _address = outer.recvmsg(HEADER.size - len(header), 1024)
                if not piece:
                    return
                when = when or _when(told)
                header += piece
            kind, left = HEADER.unpack(header)
            if kind == P_DATA_TF:
                noted.append(when)
            inner.sendall(header)
            while left:
                piece = outer.recv(min(left, PIECE))
                if not piece:
                    return
                inner.sendall(piece)
                left -= len(piece)


def _when(told: list[tuple[int, int, bytes]]) -> float:
    """Return the moment that the kernel put on what was read, as ``time.time`` tells moments."""
    for level, kind, content in told:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPING):
            seconds, nanoseconds = SECONDS_AND_NANOSECONDS.unpack_from(content)
            return float(seconds + nanoseconds / 1e9)
    raise AssertionError("the kernel puts no time on what arrives")


def _back(inner: socket.socket, outer: socket.socket) -> None:
    with suppress(OSError):
        while piece := inner.recv(PIECE):
            outer.sendall(piece)
    with suppress(OSError):
        outer.shutdown(socket.SHUT_WR)


@contextmanager
def wired(port: int, behind: int) -> Iterator[Wire]:
    """Have a door listen on ``port`` before the storage SCP that listens on the port ``behind`` it."""
    wire = Wire(port=behind)
    with socket.create_server((HOST, port)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, BY_SOFTWARE)  # what it accepts has it from the start
        threading.Thread(target=wire.serve, args=(listener,), daemon=True).start()
        try:
            yield wire
        finally:
            listener.shutdown(socket.SHUT_RDWR)
