"""The script of an Orthanc that is measured: a storage area in Python, plain, or Consentgate's, which encrypts.

Run by Orthanc, for ``benchmarks.storing``. The plain one is what every one in Python has to do: nothing but to write,
synchronise and read. No door is guarded.
"""

from __future__ import annotations

import os
from pathlib import Path

import orthanc

from orthanc_plugin.clock import new_id, now
from orthanc_plugin.enforcement.storage import open_storage
from orthanc_plugin.services import build

FOLDER = Path(os.environ["STORING_FOLDER"])
SETTINGS = os.environ.get("STORING_SETTINGS", "")


def path(name: str) -> Path:
    """Return where a file is."""
    return FOLDER / name[:2] / name[2:4] / name


def create(name: str, _kind: object, content: bytes) -> None:
    """Write a file."""
    path(name).parent.mkdir(parents=True, exist_ok=True)
    with path(name).open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def read(name: str, _kind: object) -> bytes:
    """Return a file."""
    return path(name).read_bytes()


def remove(name: str, _kind: object) -> None:
    """Remove a file."""
    path(name).unlink()


if SETTINGS:
    hooks = open_storage(build(Path(SETTINGS), os.environ, now, new_id), os.environ, str(FOLDER))
    if hooks is None:
        raise SystemExit("the settings don't encrypt")
    hooks.register(orthanc)
else:
    orthanc.RegisterStorageArea(create, read, remove)
