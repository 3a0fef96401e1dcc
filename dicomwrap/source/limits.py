"""Run a child process that parses a stranger's bytes: outside our own memory, with limits on what it may use.

Knows prlimit, and anonymous files in memory: nothing of a patient reaches a disk, and a child can map or seek them.
Must not know what the child does, nor what its answer means.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Final

from dicomwrap.errors import DamagedPhotographError, UnsupportedPhotographError

_NO_PRLIMIT: Final = "prlimit is not installed; files of strangers are parsed only under its limits"

_TOO_MUCH: Final = "Try again when the computer is less busy, or export the file in a smaller size."


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a child may use.

    Attributes:
        memory: bytes of address space.
        seconds: of processor time; of the clock, twice as many.
        answer: bytes that it may write.
    """

    memory: int
    seconds: int
    answer: int

    @property
    def command(self) -> tuple[str, ...]:
        """The command that sets the limits and becomes the one that follows it."""
        used = (f"--as={self.memory}", f"--cpu={self.seconds}", f"--fsize={self.answer}")
        return ("prlimit", *used, "--core=0", "--nofile=64", "--")


@contextmanager
def run_limited(command: Sequence[str], given: bytes, limits: Limits) -> Iterator[tuple[int, IO[bytes]]]:
    """Run a command with ``given`` as its input, and with nothing of our environment.

    Input and output of the child can be sought and mapped.

    Yields:
        Its exit status, negative for a signal, and what it wrote, from the beginning.

    Raises:
        DicomwrapError: it took too long, can't be started, or prlimit is missing.
    """
    with _in_memory("given") as request, _in_memory("answer") as answer:
        request.write(given)
        request.seek(0)
        status = _status((*limits.command, *command), request, answer, 2 * limits.seconds)
        answer.seek(0)
        yield status, answer


def _in_memory(name: str) -> IO[bytes]:
    return os.fdopen(os.memfd_create(name), "r+b", buffering=0)


def _status(command: Sequence[str], request: IO[bytes], answer: IO[bytes], seconds: int) -> int:
    try:
        return subprocess.run(  # noqa: S603 - a fixed command
            command,
            stdin=request,
            stdout=answer,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            check=False,
            timeout=seconds,
        ).returncode
    except FileNotFoundError as error:
        raise UnsupportedPhotographError(_NO_PRLIMIT, "Install the Debian package util-linux.") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DamagedPhotographError(f"The file could not be read in {seconds} seconds", _TOO_MUCH) from error
