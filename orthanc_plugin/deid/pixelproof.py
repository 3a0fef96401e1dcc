"""Have another reader look at what was blanked: it must be blank there, and everywhere else what it was.

Knows the reading child and its limits. Must not know how the blanking is done; what the child doesn't call proven is
refused, whatever the cause.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import PIL

from dicomwrap.bitstream.rewrite import LARGE_PAGES
from dicomwrap.bitstream.wipe import Rectangle
from orthanc_plugin.deid import pixelchild
from orthanc_plugin.errors import DeidentificationError

SECONDS: Final = 120
_LIMITS: Final = ("prlimit", f"--as={4 * 1024**3}", f"--cpu={SECONDS}", "--core=0", "--nofile=64", "--")
_CHILD: Final = str(Path(pixelchild.__file__).resolve())
_PILLOW: Final = str(Path(PIL.__file__).resolve().parent.parent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is said of a picture that was blanked in parts, or of which a part was kept.

    Attributes:
        size: its columns and rows.
        mode: its components in Pillow's words.
        fill: what every sample of a blank pixel is.
        boxes: what may have changed, as left, top, right, bottom.
        blank: what must be blank.
        rim: how many pixels about a box a decoder draws otherwise without any block being different.
        kept: the part that was kept, as left, top, right, bottom; empty where nothing was cut off.
    """

    size: tuple[int, int]
    mode: str
    fill: int
    boxes: tuple[tuple[int, int, int, int], ...] = ()
    blank: tuple[tuple[int, int, int, int], ...] = ()
    rim: int = 0
    kept: tuple[int, ...] = ()


def box(rectangle: Rectangle) -> tuple[int, int, int, int]:
    """Return a rectangle as left, top, right, bottom."""
    return rectangle.left, rectangle.top, rectangle.right, rectangle.bottom


def inner(rectangles: Sequence[Rectangle], size: tuple[int, int], rim: int) -> tuple[tuple[int, int, int, int], ...]:
    """Return what of the rectangles no neighbour is drawn into; at the picture's edge there is none."""
    found = []
    for left, top, right, bottom in map(box, rectangles):
        shrunk = (
            left + rim * (left > 0), top + rim * (top > 0),
            right - rim * (right < size[0]), bottom - rim * (bottom < size[1]),
        )  # fmt: skip
        if shrunk[0] < shrunk[2] and shrunk[1] < shrunk[3]:
            found.append(shrunk)
    return tuple(found)


@contextmanager
def proof(before: bytes, claim: Claim) -> Iterator[Callable[[bytes], None]]:
    """Have the original decoded meanwhile; call what is yielded with what was written.

    Raises:
        DeidentificationError: the claim is not proven.
    """
    with _child(before, claim) as child:
        yield lambda after: _proven(_answer(child, after))


def blanked(before: bytes, claim: Claim) -> bytes:
    """Return a picture of JPEG 2000, blank in the boxes, or what is kept of it, as a lossless codestream.

    Raises:
        DeidentificationError: it can't be decoded.
    """
    with _child(before, claim) as child:
        written = _answer(child, b"")
    if not written:
        raise DeidentificationError("The picture can't be decoded, so no part of it can be blanked or cut off.")
    return written


def interpreter(running: str) -> str:
    """Return a Python of our version: the running program, unless that is Orthanc, which has one within."""
    if Path(running).name.startswith("python"):
        return running
    return f"{sys.base_exec_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"


@contextmanager
def _child(before: bytes, claim: Claim) -> Iterator[subprocess.Popen[bytes]]:
    with os.fdopen(os.memfd_create("original"), "r+b", buffering=0) as original:
        original.write(before)
        original.seek(0)
        words = (
            interpreter(sys.executable),
            "-I",
            "-S",
            _CHILD,
            _PILLOW,
            json.dumps(asdict(claim)),
            str(original.fileno()),
        )
        try:
            child = subprocess.Popen(  # noqa: S603 - a fixed command
                (*_LIMITS, *words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                pass_fds=(original.fileno(),), env=LARGE_PAGES, cwd="/",
            )  # fmt: skip
        except OSError as error:
            raise DeidentificationError("The reader that proves a redaction can't be started.") from error
        with child:
            try:
                yield child
            finally:
                child.kill()


def _answer(child: subprocess.Popen[bytes], given: bytes) -> bytes:
    try:
        answer, _ = child.communicate(given, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return answer if child.returncode == 0 else b""


def _proven(answer: bytes) -> None:
    if answer != pixelchild.PROVEN:
        raise DeidentificationError("What was changed in the picture could not be proven by a second reader.")
