"""Bags (BagIt, RFC 8493): a folder with what is in it, digests of every file, and tags that say whose it is.

Knows files and the Library of Congress' ``bagit``. Must not know what is put in. A bag is made in a folder of its own
beside its place, validated by the library, brought to the disk, and only then given its name: half a bag never has it.

Source: requirements 4, step 11 (fixity); RFC 8493 2.1 to 2.2.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import bagit

from dicomwrap.durable import Disk, reason_of, sync_folder
from orthanc_plugin.errors import ConsentgateError

OWNER_ONLY: Final = 0o700
CHECKSUMS: Final = ("sha256", "sha512")
TAG_MANIFEST: Final = "tagmanifest-sha256.txt"
IDENTIFIER: Final = "External-Identifier"
OXUM: Final = "Payload-Oxum"


class BagError(ConsentgateError):
    """A bag can't be made, or doesn't hold."""

    remedy = "See that the place's folder is there (mounted), has room, and may be written to; then run it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Bagged:
    """A bag that is whole: the digest of its tag manifest, and how many bytes its payload has."""

    sha256: str
    size: int


def require_folder(folder: Path) -> None:
    """Refuse a place that isn't there: a medium that is not mounted must not fill this machine's disk.

    Raises:
        BagError: it isn't.
    """
    if not folder.is_dir():
        raise BagError("The folder of the place of deposit isn't there.")


def discard(folder: Path, name: str) -> None:
    """Remove what a run that was cut off has left of a bag of this name; what has the name stays."""
    shutil.rmtree(_part(folder, name), ignore_errors=True)


def put_aside(folder: Path, name: str) -> None:
    """Take a bag from where a place would find it, and remove it: it names a patient, and isn't to be handed over.

    Raises:
        BagError: it is still there.
    """
    try:
        if (folder / name).exists():
            discard(folder, name)
            (folder / name).rename(_part(folder, name))
            sync_folder(folder)
    except OSError as error:
        words = f"A bag that isn't to be handed over can't be put aside ({reason_of(error)})."
        raise BagError(words, remedy="Take it out of the place's folder yourself, then run this again.") from error
    discard(folder, name)


def _part(folder: Path, name: str) -> Path:
    return folder / f".{name}.part"


def make(
    folder: Path,
    name: str,
    files: Iterable[tuple[str, bytes]],
    tags: Mapping[str, str],
    holds: Set[str] = frozenset(),
) -> Bagged:
    """Make a bag of this name in ``folder``, or take up one that is whole, and hand it over.

    Raises:
        BagError: it can't be written, or the library finds that it isn't valid.
    """
    found = prepare(folder, name, files, tags, holds)
    hand_over(folder, name)
    return found


def hand_over(folder: Path, name: str) -> None:
    """Give a bag that was prepared its name, under which its place finds it; nothing where it has that already.

    Raises:
        BagError: it can't be.
    """
    try:
        if not (folder / name).exists():
            _part(folder, name).rename(folder / name)
            sync_folder(folder)
    except OSError as error:
        raise BagError(f"The bag can't be handed over ({_reason(error)}).") from error


def prepare(
    folder: Path,
    name: str,
    files: Iterable[tuple[str, bytes]],
    tags: Mapping[str, str],
    holds: Set[str] = frozenset(),
) -> Bagged:
    """Make a bag whole, on the disk, under a hidden name; what a run that was cut off left goes.

    One that has its name already, because a run was cut off right after, is taken up.

    Args:
        folder: where it is to lie.
        name: what it is called.
        files: what goes into it, by the names in it.
        tags: what bag-info.txt says.
        holds: SHA-256 of files that must be in it, whoever has put it there.

    Raises:
        BagError: it can't be written, or the library finds that it isn't valid.
    """
    require_folder(folder)
    place, part = folder / name, _part(folder, name)
    try:
        if place.exists():
            return _whole(place, tags[IDENTIFIER], holds)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=OWNER_ONLY)
        put = {f"data/{path}": _put(part / path, content) for path, content in files}
        _require_same(bagit.make_bag(str(part), dict(tags), checksums=CHECKSUMS), put)
        found = _whole(part, tags[IDENTIFIER], holds)
        _to_disk(part)
        sync_folder(folder)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)  # what is in half a bag names a patient
        if isinstance(error, OSError | bagit.BagError):
            raise BagError(f"The bag can't be made ({_reason(error)}).") from error
        raise
    return found


def _reason(error: Exception) -> str:
    return reason_of(error) if isinstance(error, OSError) else type(error).__name__


def _put(path: Path, content: bytes) -> str:
    path.parent.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
    Disk().put_new(path, content)
    return hashlib.sha256(content).hexdigest()


def _require_same(bag: bagit.Bag, put: Mapping[str, str]) -> None:
    """Refuse a bag of other bytes than were put in: the library takes the digests of what it reads."""
    if _payload(bag) != put:
        raise BagError("What the place's folder gives back isn't what was put into the bag.")


def _payload(bag: bagit.Bag) -> dict[str, str]:
    return {path: digests["sha256"] for path, digests in bag.payload_entries().items()}


def _whole(place: Path, identifier: str, holds: Set[str]) -> Bagged:
    """Return what a bag comes to, once the library has read every byte of it again."""
    bag = bagit.Bag(str(place))
    bag.validate()
    if not holds <= {*_payload(bag).values()}:
        raise BagError("The bag at its place has not all of the pictures.", remedy="Move it away, then run this again.")
    if bag.info.get(IDENTIFIER) != identifier:
        raise BagError("Another bag lies at its place.", remedy="Move it away, then run this again.")
    manifest = (place / TAG_MANIFEST).read_bytes()
    return Bagged(sha256=hashlib.sha256(manifest).hexdigest(), size=int(str(bag.info[OXUM]).partition(".")[0]))


def _to_disk(part: Path) -> None:
    """Bring what the library wrote to the disk; what we put in is there."""
    for path in part.glob("*.txt"):
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    for folder in (*(path for path in part.rglob("*") if path.is_dir()), part):
        sync_folder(folder)
