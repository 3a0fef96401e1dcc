"""One destruction at a time on a machine: a second ``apply`` or ``reconcile`` doesn't begin.

Knows a lock that ends with its process. Must not know plans. Two that settle the same line could each undo what the
other writes down. Source: requirements 4, step 7.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dicomwrap.durable import reason_of
from orthanc_plugin.errors import ConsentgateError


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let nobody else in who asks for the same folder, until this ends.

    Raises:
        ConsentgateError: somebody is in, or the folder can't be made or read.
    """
    descriptor = _opened(folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ConsentgateError(
            "Another apply or reconcile is running on this machine.", remedy="Wait for its end, then try again."
        ) from error
    try:
        yield
    finally:
        os.close(descriptor)


def _opened(folder: Path) -> int:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConsentgateError(
            f"The folder of certificates can't be used ({reason_of(error)}).",
            remedy="Run this as Orthanc's user, and mend the rights on the folder named in [trail] of settings.toml.",
        ) from error
