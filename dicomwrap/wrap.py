"""Wrap a photograph into a DICOM object, and put the object on disk whole or not at all.

Knows the order of things: build, stamp, write, read back, check, publish. Must not know options, consents' meaning or
the clock. The file is PS3.10; it has its name only when every byte of it is written.
"""

from __future__ import annotations

import errno
import os
import struct
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dicomwrap import conformance
from dicomwrap.consentblock import stamp_elements
from dicomwrap.consentstamp import ConsentStamp
from dicomwrap.elements import Elements
from dicomwrap.encoding import Part10
from dicomwrap.errors import ConformanceError, OutputError
from dicomwrap.iod.modules import Circumstances
from dicomwrap.iod.vl_photographic import vl_photographic
from dicomwrap.photograph import CaptureFacts, Photograph

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

    from dicomwrap.iod.dermoscopic import Dermoscopy

FRAME_READ_BACK: Final = 1 << 14  # the frame's tables and its header; the rest is the frame itself
_OWNER_ONLY: Final = 0o600
_NO_NAMELESS_FILES: Final = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL)
_MOST_BUFFERS: Final = 512  # below every system's IOV_MAX


def wrap(
    photograph: Photograph,
    about: Circumstances,
    consent: ConsentStamp,
    *,
    dermoscopy: Dermoscopy | None = None,
    key: bytes | None = None,
) -> Part10:
    """Return the photograph as an object that carries its consent stamp; no side effects.

    Args:
        photograph: what a reader returned; its frame goes in byte for byte.
        about: whose, where, when, of what.
        consent: what the object says of its consent.
        dermoscopy: how the lesion was looked at; then the object is a Dermoscopic Photography Image.
        key: seals the stamp so that nobody without it can make another.
    """
    return stamped(_built(photograph, about, dermoscopy), consent, about.wrapping.sop_instance_uid, key)


def _built(photograph: Photograph, about: Circumstances, dermoscopy: Dermoscopy | None) -> Part10:
    if dermoscopy is None:
        return vl_photographic(photograph, about)
    from dicomwrap.iod.dermoscopic import dermoscopic

    return dermoscopic(photograph, about, dermoscopy)


def stamped(built: Part10, consent: ConsentStamp, sop_instance_uid: str, key: bytes | None = None) -> Part10:
    """Return an object with a consent stamp."""
    return replace(built, elements=Elements(built.elements | stamp_elements(consent, sop_instance_uid, key)))


def time_warnings(facts: CaptureFacts, at: datetime) -> tuple[str, ...]:
    """Say what is doubtful about the time of capture, for a photograph wrapped at ``at``."""
    taken = facts.taken_at
    if taken is None:
        return ("the camera says no time of capture; the time of wrapping is written",)
    if taken > at.replace(tzinfo=None) + timedelta(days=1):
        return ("the camera's clock is ahead: the time of capture lies in the future",)
    return ()


def encoded(built: Part10) -> bytes:
    """Return the object as a file's bytes, checked.

    Raises:
        ConformanceError: the object breaks a promise.
    """
    data = b"".join(_pieces(built))
    conformance.check(data)
    return data


def as_dataset(built: Part10) -> FileDataset:
    """Return the object as pydicom reads it, for whoever works with pydicom.

    Raises:
        ConformanceError: the object breaks a promise.
    """
    from io import BytesIO

    from pydicom import dcmread

    return dcmread(BytesIO(encoded(built)))


def write(built: Part10, path: Path, *, durable: bool = False) -> None:
    """Put the object at ``path``, which must be free. Readable by its owner only.

    Args:
        built: the object.
        path: where to.
        durable: return only when the file would survive a power cut. A photograph must not be deleted before.

    Raises:
        ConformanceError: the object breaks a promise; nothing is left behind.
        OutputError: the place is taken or can't be written to; nothing is left behind.
    """
    _publish(_pieces(built), path, durable=durable, checked=True)


def publish(data: bytes, path: Path) -> None:
    """Make ``data`` appear at ``path`` whole or not at all, and last through a power cut.

    Raises:
        OutputError: the place is taken or can't be written to; nothing is left behind.
    """
    _publish((data,), path, durable=True, checked=False)


def _pieces(built: Part10) -> tuple[bytes | memoryview, ...]:
    try:
        return built.pieces()
    except (KeyError, TypeError, ValueError, struct.error) as error:
        raise ConformanceError((f"can't be encoded ({error})",)) from error


def _publish(pieces: tuple[bytes | memoryview, ...], path: Path, *, durable: bool, checked: bool) -> None:
    try:
        descriptor, temporary = _opened(path)
        try:
            _fill(descriptor, pieces, durable=durable, checked=checked)
            _take_name(descriptor, temporary, path)
        finally:
            os.close(descriptor)
            if temporary is not None:
                temporary.unlink(missing_ok=True)
        if durable:
            _sync(path.parent)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise OutputError(f"{path} can't be written ({reason})") from error


def _opened(path: Path) -> tuple[int, Path | None]:
    """Open a new file in the folder of ``path``, which is made when it isn't there."""
    try:
        return _nameless(path.parent)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _nameless(path.parent)


def _nameless(folder: Path) -> tuple[int, Path | None]:
    """Open a file without a name, of which a crash leaves nothing; where no file system can, one with a new name."""
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, _OWNER_ONLY), None
    except OSError as error:
        if error.errno not in _NO_NAMELESS_FILES:
            raise
    temporary = folder / f".dicomwrap-{os.getpid():x}-{os.urandom(6).hex()}.part"
    return os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER_ONLY), temporary


def _fill(descriptor: int, pieces: tuple[bytes | memoryview, ...], *, durable: bool, checked: bool) -> None:
    _write_all(descriptor, pieces)
    if checked:
        _check_written(descriptor, len(pieces[0]), sum(len(piece) for piece in pieces))
    if durable:
        os.fsync(descriptor)


def _write_all(descriptor: int, pieces: tuple[bytes | memoryview, ...]) -> None:
    left = [memoryview(piece) for piece in pieces if len(piece)]
    while left:
        done = os.writev(descriptor, left[:_MOST_BUFFERS])
        while left and done >= len(left[0]):
            done -= len(left.pop(0))
        if done:
            left[0] = left[0][done:]


def _check_written(descriptor: int, header: int, total: int) -> None:
    """Check the file as it lies on the disk: its length, and what header and frame say of each other."""
    if os.fstat(descriptor).st_size != total:
        raise ConformanceError(("the file has another length than the object",))
    conformance.check(os.pread(descriptor, header + FRAME_READ_BACK, 0), total)


def _sync(folder: Path) -> None:
    from dicomwrap.durable import sync_folder

    sync_folder(folder)


def _take_name(descriptor: int, temporary: Path | None, path: Path) -> None:
    """Give the file its name; a link, unlike a rename, never replaces what is there."""
    try:
        # naming a directory, though the path is absolute, makes Python follow the link: linkat(AT_SYMLINK_FOLLOW)
        os.link(temporary or f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor)
    except OSError as error:
        if isinstance(error, FileExistsError) or path.exists() or path.is_symlink():
            taken = OutputError(f"{path} is already there", "Choose another --out; nothing is ever overwritten.")
            raise taken from error
        if temporary is None:
            raise
        temporary.rename(path)  # a file system without links
