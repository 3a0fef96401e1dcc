"""Keeps a lease while work goes on, however long one piece of it takes: a large object to a slow node takes hours.

Knows threads. Must not know what is leased. A process that is dead or frozen renews nothing, so its lease runs out; a
renewal that fails is tried again, and whoever works finds out by the fence. Source: architecture 4 (outbox).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from orthanc_plugin.errors import ConsentgateError

logger = logging.getLogger(__name__)


@contextmanager
def kept(renew: Callable[[], None], seconds: float) -> Iterator[None]:
    """Have ``renew`` called every so many seconds until the end."""
    over = Event()

    def keep() -> None:
        while not over.wait(seconds):
            try:
                renew()
            except ConsentgateError:
                logger.warning("a lease could not be renewed")

    keeper = Thread(target=keep, name="lease", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()
