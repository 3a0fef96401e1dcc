"""Detectors that do what a detector must not; each looks at a picture in the looking child."""

from __future__ import annotations

import mmap
import os
import signal
import socket
import time

from PIL import Image

from orthanc_plugin.deid.detectorchild import Box


def bright(picture: Image.Image) -> list[Box]:
    """Find what is bright: an honest detector without packages."""
    box = picture.convert("L").point(lambda value: 255 * (value > 160)).getbbox()
    return [] if box is None else [box]


def hanging(_: Image.Image) -> list[Box]:
    while True:
        time.sleep(60)


def killed(_: Image.Image) -> list[Box]:
    os.kill(os.getpid(), signal.SIGSEGV)
    return []


def greedy(_: Image.Image) -> list[Box]:
    taken = []
    while True:
        taken.append(mmap.mmap(-1, 1024**3))


def nameless(_: Image.Image) -> list[Box]:
    return [(0.0, 0.0, float("nan"), 1.0)]


def _garbled(words: bytes) -> None:
    for number in range(3, 64):
        try:
            os.write(number, words)
        except OSError:
            continue
    os._exit(0)


def babbling(_: Image.Image) -> list[Box]:
    _garbled(b"nothing to see here")
    return []


def boundless(_: Image.Image) -> list[Box]:
    _garbled(b"[[0, 0, 1e999, 1]]")
    return []


def shouting(_: Image.Image) -> list[Box]:
    _garbled(b"[" * 4 * 1024**2)
    return []


def crowded(picture: Image.Image) -> list[Box]:
    return [(0.0, 0.0, 1.0, 1.0)] * 10_000


def calling(picture: Image.Image) -> list[Box]:
    """See something exactly when no socket can be had."""
    try:
        socket.create_connection(("127.0.0.1", 9), timeout=1)
    except PermissionError:
        return [(0.0, 0.0, 8.0, 8.0)]
    except OSError:
        return []
    return []
