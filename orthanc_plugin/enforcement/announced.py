"""Requests that bring objects, until they are on record together with what they brought.

Knows threads and entries of the trail: the filter announces a request on the thread on which Received is told what was
in it (``senders``), and intake writes both in one transaction. Whatever brings nothing, or nothing that could be
written, is written by itself: by the thread's next request, by the next beat of the heart, or at the stop. Must not
know who may ask. Source: requirements 2.6 (no record, no release: an upload's answer shows nothing).
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from contextlib import suppress

from orthanc_plugin.audit.event import AuditEvent
from orthanc_plugin.gate import Gate
from orthanc_plugin.registry.trail import append

logger = logging.getLogger(__name__)

Events = tuple[AuditEvent, ...]


class Announced:
    """Keeps the entry of each thread's request until somebody writes it.

    Args:
        gate: whose trail has what nothing came of.
    """

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self._by_thread: dict[int, AuditEvent] = {}
        self._left: deque[AuditEvent] = deque()

    def announce(self, event: AuditEvent) -> bool:
        """Keep the entry of the calling thread's request; False while others are left that nobody has written."""
        self.leave(self.take())
        if self._left:
            return False
        self._by_thread[threading.get_ident()] = event
        return True

    def take(self, thread: int | None = None) -> Events:
        """Return the entry of a thread's request (the calling one's), once, to whoever writes it or leaves it."""
        event = self._by_thread.pop(threading.get_ident() if thread is None else thread, None)
        return () if event is None else (event,)

    def leave(self, events: Events) -> None:
        """Keep entries that could not be written with what came, until they are by themselves."""
        self._left.extend(events)

    def left(self) -> Events:
        """Return what is left, to whoever writes it or leaves it again."""
        found = []
        with suppress(IndexError):  # somebody else may take the last one at the same time
            while True:
                found.append(self._left.popleft())
        return tuple(found)

    def write(self) -> None:
        """Write what is announced or left, whatever thread it is of.

        Raises:
            RegistryError: it can't be written; it is kept.
        """
        for thread in tuple(self._by_thread):
            if (event := self._by_thread.pop(thread, None)) is not None:
                self.leave((event,))
        events = self.left()
        try:
            self.gate.database.write(lambda connection: append(connection, events))
        except BaseException:
            self.leave(events)
            raise

    def stop(self) -> None:
        """Write it once more before the archive goes down."""
        try:
            self.write()
        except Exception:  # the other things that are cleared up at the stop still are
            logger.exception("requests that brought nothing could not be recorded")
