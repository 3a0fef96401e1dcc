"""Which process it is that left a file behind, and whether it still runs.

Knows /proc (proc(5)). A number alone is soon another process's; with the moment it was started it is one process's for
good.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

STATE, STARTED = 0, 19  # among the fields of /proc/<pid>/stat that follow the name
ENDED: Final = frozenset({"Z", "X", "x"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process: its number, and when it was started, in the machine's ticks since it was booted."""

    pid: int
    started: int

    def runs(self) -> bool:
        """Tell whether it has not ended; one that is stopped or hangs has not."""
        return running(self.pid) == self

    def fields(self) -> dict[str, int]:
        """Return it as it is written into a file."""
        return asdict(self)


def running(pid: int) -> Process | None:
    """Return the process that has this number now, or None."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text()
        after = said.rpartition(")")[2].split()  # the name may have spaces and brackets of its own
        return None if after[STATE] in ENDED else Process(pid=pid, started=int(after[STARTED]))
    except (OSError, ValueError, IndexError):
        return None


def this_process() -> Process | None:
    """Return the process that asks; None where there is no /proc."""
    return running(os.getpid())
