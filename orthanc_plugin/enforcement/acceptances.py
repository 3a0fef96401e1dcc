"""What intake accepted on each of Orthanc's threads, until it is known that Orthanc may store it.

By C-STORE Orthanc calls Received, which has the bytes and no sender, and then the filter, which has the sender and no
bytes, on one and the same thread, one object after the other (seen with 1.10.1 and 1.12.7). So the filter can take an
acceptance back and keep the object. OnStored is called on that thread too, by every way in. Until that has ended, or
the thread has something else to do, the archive may hold a picture that isn't on record yet: what the core tells of
more than one picture waits for it. Knows threads. Must not know why.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from orthanc_plugin.enforcement.underway import Filing
from orthanc_plugin.registry.images import ImageRow

Hook = Callable[..., bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """An object as it came, and what was on record of its instance before it was accepted.

    ``name`` and ``nodes`` as the verdict has them (``coming``). ``filing``: the work that puts it on record.
    """

    content: bytes
    before: ImageRow | None
    name: str = ""
    nodes: frozenset[str] = frozenset()
    filing: Filing | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """A picture that the archive is about to store, and the work that puts it on record."""

    name: str
    filing: Filing | None


class Acceptances:
    """Notes the object that each thread accepted last.

    Under the thread's number: what ``threading.local`` keeps is gone when Orthanc's call of a hook ends.
    """

    def __init__(self) -> None:
        self._by_thread: dict[int, Acceptance] = {}
        self._expected: dict[int, Expected] = {}

    def note(self, acceptance: Acceptance | None) -> None:
        """Note what the calling thread has just accepted; None forgets what it did before."""
        self.take()
        if acceptance is not None:
            self._by_thread[threading.get_ident()] = acceptance

    def take(self) -> Acceptance | None:
        """Return what the calling thread accepted last, once."""
        return self._by_thread.pop(threading.get_ident(), None)

    def expect(self, name: str, filing: Filing | None = None) -> None:
        """Note that the archive will store a picture under this name on the calling thread; '' expects none."""
        self._expected[threading.get_ident()] = Expected(name, filing)

    def expected(self, name: str) -> Expected | None:
        """Return what the calling thread was about to store, if it was under this name."""
        found = self._expected.get(threading.get_ident())
        return found if found is not None and found.name == name != "" else None

    def forget(self) -> None:
        """Expect nothing on the calling thread any more: what it was about is on record, shut away, or not stored."""
        self._expected.pop(threading.get_ident(), None)

    def settled(self, seconds: float) -> bool:
        """Wait until every picture that the archive may hold by now is on record; False when one may not be.

        Each is waited for so long; one that failed to be put on record counts until OnStored has seen to it.
        """
        filings = [each.filing for each in tuple(self._expected.values()) if each.filing is not None]
        return all(each.work.wait(seconds) and not each.failed for each in filings)

    def freed(self, allow: Hook) -> Hook:
        """Return the HTTP filter's hook; with a request, what its thread did for the one before has ended."""

        def hook(uri: str, **request: object) -> bool:
            self.forget()
            return allow(uri, **request)

        return hook
