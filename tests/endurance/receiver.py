"""A storage SCP that takes its time and forgets nothing: what it was sent, how often, and when each began to arrive."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO

import pydicom
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    KeyObjectSelectionDocumentStorage,
    VLPhotographicImageStorage,
)
from pynetdicom import AE, evt

from demo.peers import HOST


@dataclass(kw_only=True)
class Receiver:
    """What it holds.

    Attributes:
        pause: seconds that it takes for each object.
        files: what came first under each SOP Instance UID.
        times: how often something came under it.
        changed: UIDs under which something else came later.
        began: each UID with the moment at which the first of its bytes arrived.
        rejected: UIDs that a rejection note has asked for.
    """

    pause: float
    files: dict[str, bytes] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    began: list[tuple[str, float]] = field(default_factory=list)
    rejected: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _first: dict[object, float] = field(default_factory=dict)

    def heard(self, event: evt.Event) -> None:
        """Note when the first bytes of a message arrive."""
        self._first.setdefault(event.assoc, time.monotonic())

    def store(self, event: evt.Event) -> int:
        """Take an object."""
        began = self._first.pop(event.assoc, time.monotonic())
        content, uid = event.encoded_dataset(), str(event.request.AffectedSOPInstanceUID)
        with self._lock:
            if event.request.AffectedSOPClassUID == KeyObjectSelectionDocumentStorage:
                self.rejected |= _listed(content)
            else:
                self._take(uid, content, began)
        time.sleep(self.pause)
        return 0x0000

    def _take(self, uid: str, content: bytes, began: float) -> None:
        if self.files.setdefault(uid, content) != content:
            self.changed.add(uid)
        self.times[uid] = self.times.get(uid, 0) + 1
        self.began.append((uid, began))


def _listed(note: bytes) -> set[str]:
    (evidence,) = pydicom.dcmread(BytesIO(note)).CurrentRequestedProcedureEvidenceSequence
    every = (each for series in evidence.ReferencedSeriesSequence for each in series.ReferencedSOPSequence)
    return {str(each.ReferencedSOPInstanceUID) for each in every}


@contextmanager
def receiving(aet: str, port: int, receiver: Receiver) -> Iterator[None]:
    """Have a storage SCP listen."""
    entity = AE(ae_title=aet)
    entity.maximum_associations = 20
    entity.add_supported_context(VLPhotographicImageStorage, [JPEGBaseline8Bit])
    entity.add_supported_context(KeyObjectSelectionDocumentStorage, [ExplicitVRLittleEndian])
    handlers = [(evt.EVT_C_STORE, receiver.store), (evt.EVT_DATA_RECV, receiver.heard)]
    server = entity.start_server((HOST, port), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield
    finally:
        server.shutdown()
