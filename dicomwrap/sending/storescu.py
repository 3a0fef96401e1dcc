"""Send objects by C-STORE.

Knows the storage service (PS3.4 Annex B) as its user. Must not know what becomes of the files. Each kind of object is
offered in its own presentation context with the transfer syntax that its file has and no other, so that nothing can be
converted on the way (PS3.5 section 10.1 would allow the archive to ask for another).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydicom.uid import UID
from pynetdicom import _config, build_context
from pynetdicom.association import Association

from dicomwrap.durable import reason_of
from dicomwrap.sending.association import association
from dicomwrap.sending.node import Caller, Node
from dicomwrap.sending.parcel import Parcel
from dicomwrap.sending.words import SUCCESS, is_warning, status_words

MOST_KINDS: Final = 128  # presentation context ids are the odd numbers of a byte (PS3.8 section 9.3.2.2)
_MEDIUM: Final = 0x0000
_BROKEN: Final = "not sent: the archive had broken off the association"
_SLOWEST: Final = 128 << 10  # bytes a second: the wait for an answer begins before the object is sent

# A file is then sent from the disk as it stands; pynetdicom would otherwise decode it and write it anew.
_config.STORE_SEND_CHUNKED_DATASET = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """How one object fared.

    Attributes:
        parcel: the object.
        stored: whether the archive says that it took it.
        status: the DIMSE status, FailureReason or HTTP status; None when there was no answer.
        reason: what happened, in words; a warning when it is stored; "" when there is nothing to say.
    """

    parcel: Parcel
    stored: bool
    status: int | None = None
    reason: str = ""


def store(parcels: Sequence[Parcel], node: Node, caller: Caller) -> tuple[Stored, ...]:
    """Send objects on one association, in their order; one that is refused doesn't stop the others.

    Raises:
        PeerError: there is no association; nothing was sent.
    """
    kinds = list(dict.fromkeys(parcel.kind for parcel in parcels))[:MOST_KINDS]
    contexts = [build_context(sop_class, syntax) for sop_class, syntax in kinds]
    found: list[Stored] = []
    with association(node, caller, contexts) as made:
        for number, parcel in enumerate(parcels):
            made.dimse_timeout = caller.seconds + parcel.size / _SLOWEST
            found.append(_sent(made, parcel, number % 0xFFFF + 1))
    return tuple(found)


def _sent(made: Association, parcel: Parcel, message_id: int) -> Stored:
    if not made.is_established:
        return Stored(parcel=parcel, stored=False, reason=_BROKEN)
    if not _accepted(made, parcel):
        what = f"{UID(parcel.sop_class_uid).name} as {UID(parcel.transfer_syntax_uid).name}"
        return Stored(parcel=parcel, stored=False, reason=f"not sent: the archive doesn't take {what}")
    try:
        answer = made.send_c_store(parcel.path, msg_id=message_id, priority=_MEDIUM)
    except RuntimeError:  # it was broken off this very moment
        return Stored(parcel=parcel, stored=False, reason=_BROKEN)
    except OSError as error:
        made.abort()  # half a message may be on its way
        return Stored(parcel=parcel, stored=False, reason=f"not sent: the file can't be read ({reason_of(error)})")
    if "Status" not in answer:
        made.abort()
        return Stored(parcel=parcel, stored=False, reason="the archive broke off, or didn't answer in time")
    return _judged(parcel, int(answer.Status))


def _accepted(made: Association, parcel: Parcel) -> bool:
    return any((cx.abstract_syntax, cx.transfer_syntax[0]) == parcel.kind for cx in made.accepted_contexts)


def _judged(parcel: Parcel, status: int) -> Stored:
    if status == SUCCESS:
        return Stored(parcel=parcel, stored=True, status=status)
    return Stored(parcel=parcel, stored=is_warning(status), status=status, reason=status_words(status))
