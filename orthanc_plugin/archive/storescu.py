"""Objects sent to a DICOM node by C-STORE, one after the other on one association, byte for byte as they are.

Knows the storage service's user (PS3.4 annex B) and its messages (PS3.7 section 9.3.1). Must not know what is sent, nor
whether it may be. An object is offered in the transfer syntax that it has and in no other.
"""

from __future__ import annotations

import ssl
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dicomwrap.sending.words import SUCCESS, is_warning, status_words
from orthanc_plugin.archive.port import Left, NothingSentError, NotOfferedError, NotTakenError, nobody
from orthanc_plugin.archive.upperlayer import Association, Kind, Peer, PeerSilentError

MOST_KINDS: Final = 128  # presentation context ids are the odd numbers of a byte (PS3.8 section 9.3.2.2)
SLOWEST: Final = 128 << 10  # bytes a second that any peer takes
C_STORE_RQ, C_STORE_RSP = 0x0001, 0x8001
DATA_SET_FOLLOWS, MEDIUM = 0x0001, 0x0000
ELEMENT: Final = struct.Struct("<HHI")  # of a command set: implicit VR little endian (PS3.7 section 6.3.1)
COMMAND_FIELD, RESPONDED_TO, STATUS = 0x0100, 0x0120, 0x0900
# The header of a file (PS3.10 section 7.1): explicit VR little endian, behind a preamble; these have a long length.
PREAMBLE: Final = 132
META: Final = struct.Struct("<HH2sH")
LONG: Final = frozenset((b"OB", b"OW", b"SQ", b"UN", b"UR", b"UT"))
SOP_CLASS, SOP_INSTANCE, SYNTAX = 0x0002, 0x0003, 0x0010


class NotReachedError(PeerSilentError, NothingSentError):
    """There is no association, so nothing has gone out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """An object as it goes: what it is, and its data set without the file's header (PS3.10 section 7)."""

    kind: Kind
    sop_instance_uid: str
    data: memoryview

    @classmethod
    def of(cls, content: bytes) -> Parcel:
        """Return the parcel of a file's content.

        Raises:
            NotOfferedError: it is no DICOM file.
        """
        found, end = _header(content)
        if not found.keys() >= {SOP_CLASS, SOP_INSTANCE, SYNTAX}:
            raise NotOfferedError("The object can't be sent: its file's header does not say what it is.")
        kind = (_uid(found[SOP_CLASS]), _uid(found[SYNTAX]))
        return cls(kind=kind, sop_instance_uid=_uid(found[SOP_INSTANCE]), data=memoryview(content)[end:])


class StoreScu:
    """Sends to one node; the association is opened when the first object is sent, and anew for a new kind of object.

    Args:
        peer: the node.
    """

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self._kinds: dict[Kind, None] = {}
        self._open: Association | None = None
        self._message = 0
        self._reached: Parcel | None = None  # whose header was read a moment ago

    @property
    def secured(self) -> bool:
        """Tell whether the association is TLS, and the node's certificate is checked."""
        return self.peer.tls is not None and self.peer.tls.verify_mode is ssl.CERT_REQUIRED

    def reach(self, content: bytes) -> bool:
        """Have an association in which such an object was proposed; tell whether it had to be opened.

        Raises:
            NotOfferedError: the object can't be sent.
            NotReachedError: there is no association.
        """
        before = self._open
        self._reached = Parcel.of(content)
        return self._association(self._reached.kind) is not before

    def store(self, content: bytes, left: Left = nobody) -> str:
        """Send an object; return what the node says beside that it has it, '' mostly.

        ``left`` is told when the first bytes of the request have gone.

        Raises:
            NotTakenError: the node refuses this one, all of which it was sent.
            NotOfferedError: it was not sent, because it can't be, or because the node does not take its kind.
            NotReachedError: there is no association.
            PeerSilentError: it broke; whether the object arrived nobody knows.
        """
        reached, self._reached = self._reached, None
        parcel = reached if reached is not None and reached.data.obj is content else Parcel.of(content)
        association = self._association(parcel.kind)
        context = association.contexts.get(parcel.kind)
        if context is None:
            raise NotOfferedError("The node does not take objects of this class in this transfer syntax.")
        try:
            status = self._stored(association, context, parcel, left)
        except PeerSilentError:
            self._drop()
            raise
        if status == SUCCESS:
            return ""
        if is_warning(status):
            return status_words(status)
        raise NotTakenError(f"The node refuses the object: {status_words(status)}.")

    def close(self) -> None:
        """End the association."""
        association, self._open = self._open, None
        if association is not None:
            association.release()

    def _association(self, kind: Kind) -> Association:
        """Return an open association in which ``kind`` was proposed; one that the peer has ended is opened anew."""
        if self._open is not None and self._open.gone:
            self._drop()
        if self._open is not None and kind not in self._kinds:
            self.close()
        if self._open is None:
            self._kinds = dict.fromkeys([kind, *self._kinds][:MOST_KINDS])
            try:
                self._open = Association(self.peer, tuple(self._kinds))
            except PeerSilentError as error:
                raise NotReachedError(*error.args) from error
        return self._open

    def _drop(self) -> None:
        association, self._open = self._open, None
        if association is not None:
            association.close()

    def _stored(self, association: Association, context: int, parcel: Parcel, left: Left) -> int:
        self._message = self._message % 0xFFFF + 1
        association.give(self.peer.seconds + len(parcel.data) / SLOWEST)
        association.send(context, _request(parcel, self._message), parcel.data, left)
        told = dict(_elements(association.command()))
        if (told.get(COMMAND_FIELD), told.get(RESPONDED_TO)) != (C_STORE_RSP, self._message) or STATUS not in told:
            raise PeerSilentError("The node answers something else than was asked.")
        return told[STATUS]


def _request(parcel: Parcel, message: int) -> bytes:
    """Return the command set of a C-STORE-RQ (PS3.7 table 9.3-1)."""
    said = b"".join(
        (
            _text(0x0002, parcel.kind[0]),
            _number(COMMAND_FIELD, C_STORE_RQ),
            _number(0x0110, message),
            _number(0x0700, MEDIUM),
            _number(0x0800, DATA_SET_FOLLOWS),
            _text(0x1000, parcel.sop_instance_uid),
        )
    )
    return ELEMENT.pack(0, 0, 4) + struct.pack("<I", len(said)) + said


def _number(element: int, value: int) -> bytes:
    return ELEMENT.pack(0, element, 2) + struct.pack("<H", value)


def _text(element: int, uid: str) -> bytes:
    value = uid.encode() + b"\0" * (len(uid) % 2)
    return ELEMENT.pack(0, element, len(value)) + value


def _elements(command: bytes) -> Iterator[tuple[int, int]]:
    """Give the numbers of a command set by element; what breaks off in the middle is not there."""
    start = 0
    while start + ELEMENT.size <= len(command):
        group, element, length = ELEMENT.unpack_from(command, start)
        value = command[start + ELEMENT.size : start + ELEMENT.size + length]
        if group == 0 and len(value) == length == 2:
            yield element, int.from_bytes(value, "little")
        start += ELEMENT.size + length


def _header(content: bytes) -> tuple[dict[int, bytes], int]:
    """Return the values of group 2 by element, and where the data set begins."""
    found: dict[int, bytes] = {}
    start = PREAMBLE
    while start + META.size + 4 <= len(content):
        group, element, representation, length = META.unpack_from(content, start)
        if group != 0x0002:
            break
        value = start + META.size
        if representation in LONG:
            length, value = int.from_bytes(content[value : value + 4], "little"), value + 4
        start = value + length
        found[element] = content[value:start]
    return found, start


def _uid(value: bytes) -> str:
    return value.rstrip(b"\0 ").decode("ascii", "replace")
