"""Keeping the memory that one picture leaves behind for the next, instead of giving it back to the system.

Knows the C library's allocator. A photograph goes through buffers of its own size: Orthanc's, DICOMweb's and ours. The
allocator gives what is freed at the end of its memory back at once, or every large buffer by itself, and the system has
to find, clear and map the same pages again for the next picture; while it does so for one thread every other waits.
WADO-RS of 0.6 MB computed twice as much with that as without (docs/performance.md). Buffers beyond ``LARGEST``, such as
those of films, come and go as ever. Source: mallopt(3) of the GNU C library.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Final

MIB: Final = 1 << 20
LARGEST: Final = 16 * MIB  # what is larger is asked of the system by itself, and given back when it is free
KEPT: Final = 32 * MIB  # so much may be free at the end of each of the allocator's arenas
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD
OPTIONS: Final = ((MMAP_THRESHOLD, LARGEST), (TRIM_THRESHOLD, KEPT))
# Whoever has set one of these has thought about it.
SET_OUTSIDE: Final = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_")
TUNABLES: Final = "GLIBC_TUNABLES"
TUNED: Final = "glibc.malloc."

SetOption = Callable[[int, int], int]


def set_option(option: int, value: int) -> int:
    """Set one of the allocator's options; 0 where it isn't the GNU C library's, or won't take it."""
    library = ctypes.CDLL(None)
    return int(library.mallopt(option, value)) if hasattr(library, "mallopt") else 0


def keep(environment: Mapping[str, str], set_: SetOption = set_option) -> bool:
    """Have this process keep memory; tell whether it does. Where it doesn't everything works as ever."""
    if any(name in environment for name in SET_OUTSIDE) or TUNED in environment.get(TUNABLES, ""):
        return False
    return all(set_(option, value) == 1 for option, value in OPTIONS)
