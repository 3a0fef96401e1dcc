"""Let Python keep what it knows of each of Orthanc's threads that calls hooks.

Orthanc's Python plugin takes the interpreter lock for each call (PyGILState_Ensure) and gives it back (Release). When
nobody else holds the thread's state it is made anew for every call, with a stack for frames that the system has to
give and take back: 70 microseconds, a third of what Orthanc computes for a whole GET. Held once more it stays, for as
long as Orthanc runs; its threads are a fixed number. Must not know what a hook does. Source: the C API of Python,
"Non-Python created threads"; docs/adr/0041.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from itertools import count
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

MOST: Final = 256  # states that are kept: an Orthanc that made a thread for each call would leave them all behind


def hold() -> object:
    """Hold the state of the thread that calls once more than whoever called."""
    return ctypes.pythonapi.PyGILState_Ensure()


def keeping(hook: Callable[P, T], held: Callable[[], object] = hold) -> Callable[P, T]:
    """Return the hook, at whose first call on each thread that thread's state is held for good."""
    known, numbers = threading.local(), count()

    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        if not hasattr(known, "thread"):
            known.thread = next(numbers)
            if known.thread < MOST:
                held()
        return hook(*args, **kwargs)

    return called
