"""The digest of a photograph's file, made beside the other work.

Knows that hashing leaves Python free to go on. It is a third of the cost of wrapping a photograph, so it pays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from threading import Thread
from typing import Final

_WORTH_A_THREAD: Final = 1 << 20


def begun(data: bytes) -> Callable[[], str]:
    """Begin to hash; the result, when called, waits for the SHA-256 in hexadecimal."""
    if len(data) < _WORTH_A_THREAD:
        known = hashlib.sha256(data).hexdigest()
        return lambda: known
    found: list[str] = []
    thread = Thread(target=lambda: found.append(hashlib.sha256(data).hexdigest()), daemon=True)
    thread.start()

    def result() -> str:
        thread.join()
        return found[0]

    return result
