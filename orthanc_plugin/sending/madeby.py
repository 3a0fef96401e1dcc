"""By which code copies are made, proven and checked for leaks: a digest of that code itself.

Knows where the code lies. A copy that is kept was checked by the code of its time and isn't checked again, so one of
other code counts for nothing: neither version nor number is raised at each change of a check. Source: ADR 59.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import dicomwrap
from orthanc_plugin import deid, release

OTHERS: Final = ("ahocorasick-rs", "av", "numpy", "pillow", "pydicom")  # libraries that read, write and check pictures
COMPILED: Final = "__pycache__"


@cache
def made_by() -> str:
    """Return it, as the code was when this process first asked; where nobody can tell, what no other process says."""
    folders = (Path(str(dicomwrap.__file__)).parent, Path(str(deid.__file__)).parent)
    try:
        return digest_of(folders, Path(release.__file__))
    except OSError:
        return os.urandom(32).hex()


def digest_of(folders: tuple[Path, ...], *more: Path) -> str:
    """Return the digest of every file of these folders, of ``more`` files, and of the libraries' versions.

    Raises:
        OSError: one can't be read, or a folder has none.
    """
    told = hashlib.sha256()
    for name in OTHERS:
        told.update(f"{name} {_version(name)}\0".encode())
    for folder in folders:
        files = sorted(each for each in folder.rglob("*") if each.is_file() and COMPILED not in each.parts)
        if not files:
            raise FileNotFoundError(folder)
        for file in files:
            told.update(str(file.relative_to(folder)).encode() + b"\0" + _of_file(file))
    for file in more:
        told.update(_of_file(file))
    return told.hexdigest()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _of_file(file: Path) -> bytes:
    return hashlib.sha256(file.read_bytes()).digest()
