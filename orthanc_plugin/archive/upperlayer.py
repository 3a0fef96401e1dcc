"""An association with a DICOM node as its requestor: PDUs on a socket, every wait of which ends.

Knows PS3.8 section 9.3 (PDUs, by pynetdicom's classes where they are more than a header) and annex D, and TLS. Must not
know DIMSE. pynetdicom's own association hands each PDU from thread to thread in turns that wait, which makes a
photograph of 0.6 MB take ten to twenty times what the network takes (docs/performance.md), so only its words are used.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID, build_context
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, ImplementationClassUIDNotification, MaximumLengthNotification

from orthanc_plugin.archive.port import Left, nobody
from orthanc_plugin.clock import elapsed
from orthanc_plugin.errors import ArchiveError

APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"
ACCEPTED, DATA, RELEASE_REQUESTED, RELEASED = 0x02, 0x04, 0x05, 0x06
HEADER: Final = struct.Struct(">BxI")  # PDU type and length
VALUE: Final = struct.Struct(">BxIIBB")  # the same of a P-DATA-TF with one value, whose length, context and control
COMMAND, LAST = 0x01, 0x02  # of a message control header (PS3.8 annex E.2)
OURS: Final = 16384  # the longest P-DATA-TF that we take, all of which are short answers
LONGEST: Final = 1 << 20  # of any PDU that we read or write
GOODBYE_SECONDS: Final = 1.0
MOST_PIECES: Final = 1024  # that the system takes at once (IOV_MAX)

Kind = tuple[str, str]
Piece = bytes | memoryview


class PeerSilentError(ArchiveError):
    """The node can't be reached, doesn't answer in time, or breaks off; nobody knows whether it has what was sent."""

    remedy = "See that the node runs, knows our AE title, and is reached at the host and port in orthanc.json."


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A node as it is called, and ourselves as it is told.

    Attributes:
        aet: its AE title.
        calling: ours.
        seconds: how long each answer may take.
        tls: how to speak TLS with it; None for plain TCP.
    """

    aet: str
    host: str
    port: int
    calling: str
    seconds: float
    tls: ssl.SSLContext | None = None


class Association:
    """An open association.

    Args:
        peer: with whom.
        kinds: SOP class and transfer syntax of each presentation context that is proposed, so that nothing can be
            converted on the way.

    Raises:
        PeerSilentError: there is none.
    """

    def __init__(self, peer: Peer, kinds: Sequence[Kind]) -> None:
        self.peer = peer
        self._until = elapsed() + peer.seconds
        try:
            self._socket = _connected(peer)
        except OSError as error:
            raise PeerSilentError(f"The node can't be reached ({type(error).__name__}).") from error
        try:
            self.contexts, self._fragment = self._negotiated(kinds)
        except BaseException:
            self.close()
            raise

    def _negotiated(self, kinds: Sequence[Kind]) -> tuple[dict[Kind, int], int]:
        """Return the ids of the contexts that the peer accepts, and how long a fragment may be."""
        self._write(_request(self.peer, kinds))
        kind, body = self._pdu()
        if kind != ACCEPTED:
            raise PeerSilentError("The node rejects the association.")
        answer = A_ASSOCIATE_AC()
        try:
            answer.decode(HEADER.pack(kind, len(body)) + body)
            accepted = {context.context_id for context in answer.presentation_context if context.result == 0}
            longest = answer.user_information.maximum_length if answer.user_information else 0
        except Exception as error:  # whatever a hostile or broken peer makes pynetdicom raise
            raise PeerSilentError("The node's answer can't be read.") from error
        ids = {each: number for each, number in zip(kinds, range(1, 256, 2), strict=False) if number in accepted}
        return ids, min(longest or LONGEST, LONGEST) - 6 & ~1

    def give(self, seconds: float) -> None:
        """Give the peer so many seconds from now for whatever follows."""
        self._until = elapsed() + seconds

    @property
    def gone(self) -> bool:
        """Tell whether the peer said something unasked, which can only be that it ends the association."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def send(self, context: int, command: bytes, data: memoryview, left: Left = nobody) -> None:
        """Send a command set and its data set, in as many fragments as the peer needs; tell when the first have gone.

        Raises:
            PeerSilentError: it breaks off, or time is up.
        """
        fragments = _values(context, memoryview(command), self._fragment, COMMAND)
        self._write_all([*fragments, *_values(context, data, self._fragment, 0)], left)

    def command(self) -> bytes:
        """Return the next command set that the peer sends.

        Raises:
            PeerSilentError: it breaks off, says something else, or time is up.
        """
        told = bytearray()
        while True:
            kind, body = self._pdu()
            if kind != DATA:
                raise PeerSilentError("The node ends the association.")
            for control, fragment in _fragments(body):
                told += fragment
                if not control & COMMAND or len(told) > OURS:
                    raise PeerSilentError("The node's answer can't be read.")
                if control & LAST:
                    return bytes(told)

    def release(self) -> None:
        """End it in order, as far as the peer takes part, and close it."""
        self.give(GOODBYE_SECONDS)
        with suppress(PeerSilentError):
            self._write(HEADER.pack(RELEASE_REQUESTED, 4) + bytes(4))
            self._pdu()
        self.close()

    def close(self) -> None:
        """Close it; in the middle of something that is how the peer learns that the rest won't come."""
        self._socket.close()

    def _left(self) -> float:
        left = self._until - elapsed()
        if left <= 0:
            raise PeerSilentError("The node does not answer in time.")
        return left

    def _write_all(self, pieces: Sequence[Piece], gone: Left) -> None:
        """Send all of these; without TLS they go from where they are, so that nothing is copied."""
        if isinstance(self._socket, ssl.SSLSocket):
            for some in _joined(pieces):
                self._write(some, gone)
            return
        for start in range(0, len(pieces), MOST_PIECES):
            left = pieces[start : start + MOST_PIECES]
            while left:
                with self._breaking_off():
                    self._socket.settimeout(self._left())
                    left = _after(left, self._socket.sendmsg(left))
                    gone()

    def _write(self, content: bytes, gone: Left = nobody) -> None:
        """Send all; over TLS ``sendall`` would give the peer the whole time anew for each record that it takes."""
        left = memoryview(content)
        with self._breaking_off():
            while left:
                self._socket.settimeout(self._left())
                left = left[self._socket.send(left) :]
                gone()

    @staticmethod
    @contextmanager
    def _breaking_off() -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise PeerSilentError(f"The node breaks off ({type(error).__name__}).") from error

    def _pdu(self) -> tuple[int, bytes]:
        kind, length = HEADER.unpack(self._read(HEADER.size))
        if length > LONGEST:
            raise PeerSilentError("The node's answer can't be read.")
        return kind, self._read(length)

    def _read(self, count: int) -> bytes:
        read = bytearray()
        while len(read) < count:
            try:
                self._socket.settimeout(self._left())
                piece = self._socket.recv(count - len(read))
            except OSError as error:
                raise PeerSilentError(f"The node does not answer ({type(error).__name__}).") from error
            if not piece:
                raise PeerSilentError("The node breaks off.")
            read += piece
        return bytes(read)


def _connected(peer: Peer) -> socket.socket:
    """Return a connection on which small packets go at once: Nagle's algorithm waits 40 ms for an acknowledgement."""
    plain = socket.create_connection((peer.host, peer.port), timeout=peer.seconds)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plain if peer.tls is None else peer.tls.wrap_socket(plain)
    except BaseException:
        plain.close()
        raise


def _request(peer: Peer, kinds: Sequence[Kind]) -> bytes:
    """Return the A-ASSOCIATE-RQ."""
    wanted = A_ASSOCIATE()
    wanted.application_context_name = APPLICATION_CONTEXT
    wanted.calling_ae_title, wanted.called_ae_title = peer.calling, peer.aet
    contexts = [build_context(sop_class, syntax) for sop_class, syntax in kinds]
    for number, context in zip(range(1, 256, 2), contexts, strict=False):
        context.context_id = number
    wanted.presentation_context_definition_list = contexts
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = OURS
    implementation.implementation_class_uid = PYNETDICOM_IMPLEMENTATION_UID
    wanted.user_information = [length, implementation]
    encoded: bytes = A_ASSOCIATE_RQ(wanted).encode()
    return encoded


def _values(context: int, content: memoryview, most: int, control: int) -> list[Piece]:
    """Return each fragment behind its header, in a P-DATA-TF of its own; all but the last have the same header."""
    fragments = [content[start : start + most] for start in range(0, len(content), most)]
    pieces: list[Piece] = [VALUE.pack(DATA, most + 6, most + 2, context, control)] * (2 * len(fragments))
    pieces[1::2] = fragments
    if fragments:
        last = len(fragments[-1])
        pieces[-2] = VALUE.pack(DATA, last + 6, last + 2, context, control | LAST)
    return pieces


def _joined(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """Give pieces together, somewhat more than ``LONGEST`` bytes at most."""
    some: list[Piece] = []
    length = 0
    for piece in pieces:
        some.append(piece)
        length += len(piece)
        if length > LONGEST:
            yield b"".join(some)
            some, length = [], 0
    yield b"".join(some)


def _after(pieces: Sequence[Piece], sent: int) -> Sequence[Piece]:
    """Return what is left of pieces when so many bytes of them are sent."""
    if sent == sum(map(len, pieces)):  # mostly
        return ()
    for number, piece in enumerate(pieces):
        if sent < len(piece):
            return [memoryview(piece)[sent:], *pieces[number + 1 :]]
        sent -= len(piece)
    return ()


def _fragments(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Give the values of a P-DATA-TF: control header and fragment."""
    start = 0
    while start < len(body):
        length = int.from_bytes(body[start : start + 4])
        end = start + 4 + length
        if length < 2 or end > len(body):
            raise PeerSilentError("The node's answer can't be read.")
        yield body[start + 5], body[start + 6 : end]
        start = end
