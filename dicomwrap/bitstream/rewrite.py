"""Write a JPEG stream anew from its coefficients: nothing but the picture can be in the result.

Knows ``jpegtran`` (libjpeg-turbo) as a child process with limits: a hostile stream is parsed outside our own process.
Tables that no scan uses, data after the last block and whatever else a parser would have to believe are gone; every
coefficient, and so every decoded pixel, is the same, at most in another place. The entropy-coded bytes may not be.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

from dicomwrap.bitstream.clean import cleaned
from dicomwrap.errors import DamagedPhotographError, TruncatedPhotographError, UnsupportedPhotographError
from dicomwrap.photograph import UPRIGHT

SECONDS: Final = 60
MEMORY_BYTES: Final = 2 * 1024**3
WARNED: Final = 2
_NOT_FOUND: Final = 127
# Bytes between the last block and the end marker: what is written anew does not have them.
_EXTRANEOUS: Final = re.compile(rb"Corrupt JPEG data: \d+ extraneous bytes before marker 0x[0-9a-f]{2}")
_ENDS_EARLY: Final = re.compile(rb"Premature end of JPEG file|premature end of data segment")
_FAILED: Final = ("The stream could not be written anew.", "Keep the original.")
_IMPERFECT: Final = b"transformation is not perfect"
# A picture's coefficients take tens of megabytes. In pages of 4 KiB, handing them out is a third of all the work; glibc
# asks for large ones, where the kernel has them, when it is told to (glibc manual, "Memory Allocation Tunables").
LARGE_PAGES: Final = {
    "GLIBC_TUNABLES": ":".join((
        "glibc.malloc.hugetlb=1", "glibc.malloc.arena_max=1", "glibc.malloc.mmap_threshold=1073741824",
        "glibc.malloc.trim_threshold=1073741824",
    )),
}  # fmt: skip
COMMAND: Final = ("prlimit", f"--as={MEMORY_BYTES}", f"--cpu={SECONDS}", "--", "jpegtran", "-copy", "none")
# EXIF orientation: what makes the picture upright.
TURNS: Final = {
    2: ("-flip", "horizontal"), 3: ("-rotate", "180"), 4: ("-flip", "vertical"), 5: ("-transpose",),
    6: ("-rotate", "90"), 7: ("-transverse",), 8: ("-rotate", "270"),
}  # fmt: skip


def rewritten(stream: bytes, *options: str) -> bytes:
    """Return the stream written anew and cleaned; ``options`` are jpegtran's.

    Raises:
        DicomwrapError: it can't be read to its end without a complaint, or jpegtran is not installed.
    """
    return _accepted(_jpegtran(stream, *options))


def turned(stream: bytes, orientation: int) -> bytes | None:
    """Return the stream as baseline, turned upright by an EXIF orientation without loss, and cleaned.

    None: no turn without loss exists, because the edge blocks are incomplete on the side that would move.

    Raises:
        DicomwrapError: it can't be read to its end without a complaint, or jpegtran is not installed.
    """
    turn = () if orientation == UPRIGHT else ("-perfect", *TURNS[orientation])
    done = _jpegtran(stream, "-optimize", *turn)
    if not done.stdout and _IMPERFECT in done.stderr:
        return None
    return _accepted(done)


def proven(stream: bytes) -> bytes:
    """Return the stream, once it was read to its end without a complaint.

    One that has bytes besides the picture in its picture data is returned without them, written anew.

    Raises:
        TruncatedPhotographError: its picture data end too early.
        DamagedPhotographError: it can't be read without another complaint.
        UnsupportedPhotographError: jpegtran is not installed.
    """
    done = _jpegtran(stream)
    written = _accepted(done)
    return stream if done.returncode == 0 else written


@contextmanager
def rewriting(stream: bytes, *options: str) -> Iterator[Callable[[], bytes]]:
    """Begin to write the stream anew; what is yielded waits for it, and returns it cleaned.

    Raises:
        DicomwrapError: as ``rewritten`` does.
    """
    with _started(stream, *options) as finish:
        yield lambda: _accepted(finish())


def _jpegtran(stream: bytes, *options: str) -> subprocess.CompletedProcess[bytes]:
    with _started(stream, *options) as finish:
        return finish()


@contextmanager
def _started(stream: bytes, *options: str) -> Iterator[Callable[[], subprocess.CompletedProcess[bytes]]]:
    """Start jpegtran between two files in memory: through pipes, a piece at a time, it takes half as long again."""
    with _file(stream) as given, _file(b"") as made:
        try:
            child = subprocess.Popen(  # noqa: S603 - a fixed command
                (*COMMAND, *options), stdin=given, stdout=made, stderr=subprocess.PIPE,
                env={"PATH": os.environ.get("PATH", os.defpath), **LARGE_PAGES},
            )  # fmt: skip
        except FileNotFoundError as error:
            raise _not_installed("prlimit", "util-linux") from error
        except OSError as error:
            raise DamagedPhotographError(*_FAILED) from error
        with child:
            try:
                yield lambda: _finished(child, made)
            finally:
                child.kill()


def _finished(child: subprocess.Popen[bytes], made: BinaryIO) -> subprocess.CompletedProcess[bytes]:
    try:
        _, said = child.communicate(timeout=SECONDS)
        made.seek(0)
        done = subprocess.CompletedProcess(COMMAND, child.returncode, made.read(), said)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DamagedPhotographError(*_FAILED) from error
    if done.returncode == _NOT_FOUND:
        raise _not_installed("jpegtran", "libjpeg-turbo-progs")
    return done


def _file(content: bytes) -> BinaryIO:
    """Return an open file in memory, at its beginning."""
    file = os.fdopen(os.memfd_create("stream"), "r+b", buffering=0)
    file.write(content)
    file.seek(0)
    return file


def _not_installed(command: str, package: str) -> UnsupportedPhotographError:
    return UnsupportedPhotographError(f"{command} is not installed.", f"Install the Debian package {package}.")


def _accepted(done: subprocess.CompletedProcess[bytes]) -> bytes:
    harmless = done.returncode == WARNED and _EXTRANEOUS.fullmatch(done.stderr.strip())
    if done.stdout and (done.returncode == 0 or harmless):
        return cleaned(done.stdout)
    if _ENDS_EARLY.search(done.stderr):
        raise TruncatedPhotographError("The JPEG's picture data ends too early")
    raise DamagedPhotographError("The stream is not a whole JPEG.", "Take the photograph from the camera again.")
