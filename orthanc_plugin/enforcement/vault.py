"""Orthanc's files, encrypted on their way to the disk and opened on their way back.

Knows which data key a file gets: its study's, when it is a DICOM object whose study can be told (the object itself, or
its header alone), else one of its own, which goes when the file goes. What can't be opened is given to nobody. Must not
know Orthanc's hooks. Source: requirements 4, step 7; 001-19b (encrypted at rest).
"""

from __future__ import annotations

import re
import struct
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock
from typing import Final

from orthanc_plugin.archive.vault import PlainFileError, VaultFolder, key_of, opened, sealed
from orthanc_plugin.config.storage import PlainFiles
from orthanc_plugin.enforcement.nesting import PREAMBLE, StructureError, places
from orthanc_plugin.lifecycle.datakeys import DataKeys
from orthanc_plugin.lifecycle.keysources import key_source
from orthanc_plugin.registry import storagekeys
from orthanc_plugin.registry.storagekeys import Kind, SiteKey
from orthanc_plugin.services import Services

DOOR: Final = "storage"
ITSELF: Final = "consentgate"
PICTURE: Final = 0x00080018
STUDY: Final = 0x0020000D
PIXEL_DATA: Final = 0x7FE00010
PIXELS: Final = 0x7FE00008  # the first element that can hold them; of the header alone, which is kept too, none follows
LONGEST_UID: Final = 64
LONGEST_HEADER: Final = 64 * 1024  # that is looked up; a longer one is walked through
MOST_HEADERS: Final = 64
_UID: Final = re.compile(rb"[0-9]+(\.[0-9]+)*")


def picture_of(content: bytes) -> str:
    """Return the SOP Instance UID of a DICOM file with pixels, '' of anything else, and where nobody can tell."""
    found = _found(content)
    return _uid(content, found.get(PICTURE)) if any(tag >= PIXELS for tag in found) else ""


def uids_of(content: bytes) -> tuple[str, str]:
    """Return the Study and the SOP Instance UID of a DICOM file, '' where nobody can tell."""
    return _uids(content, _found(content))


def _uids(content: bytes, found: Mapping[int, int]) -> tuple[str, str]:
    return _uid(content, found.get(STUDY)), _uid(content, found.get(PICTURE))


class Headers:
    """What is known of the headers that Orthanc is about to hand in, each right after its picture, as a second file.

    A header is the picture's bytes before its pixels, so a walk through it would tell the same once more.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, tuple[str, str]] = OrderedDict()  # by digest: what is in it stays nowhere
        self._mutex = Lock()

    @property
    def known(self) -> int:
        """Return how many are awaited."""
        return len(self._known)

    def uids_of(self, content: bytes) -> tuple[str, str]:
        """Return the Study and the SOP Instance UID of a DICOM file, '' where nobody can tell."""
        if len(content) <= LONGEST_HEADER:
            with self._mutex:
                uids = self._known.pop(sha256(content).digest(), None)
            if uids is not None:
                return uids
        found = _found(content)
        uids = _uids(content, found)
        pixels = found.get(PIXEL_DATA)
        if pixels is not None and pixels <= LONGEST_HEADER and all(uids):
            self._keep(sha256(content[: _begin(content, pixels)]).digest(), uids)
        return uids

    def _keep(self, header: bytes, uids: tuple[str, str]) -> None:
        with self._mutex:
            self._known[header] = uids
            while len(self._known) > MOST_HEADERS:
                self._known.popitem(last=False)


def _begin(content: bytes, value: int) -> int:
    """Return where the element of the pixels begins whose value begins there (PS3.5 section 7.1)."""
    return value - (12 if content[value - 8 : value - 6] in (b"OB", b"OW") else 8)


def _found(content: bytes) -> dict[int, int]:
    """Return where the elements of a DICOM file's top level are, none of anything else."""
    if content[PREAMBLE : PREAMBLE + 4] != b"DICM":
        return {}
    try:
        return {place.tag: place.start for place in places(content).top}
    except StructureError:
        return {}


def _uid(content: bytes, start: int | None) -> str:
    """Return the UID whose value begins there, '' when it is none; its length is right before it."""
    if start is None:
        return ""
    explicit = content[start - 4 : start - 2] == b"UI"
    (size,) = struct.unpack_from("<H", content, start - 2) if explicit else struct.unpack_from("<I", content, start - 4)
    uid = content[start : start + min(size, LONGEST_UID + 1)].rstrip(b"\0 ")
    return uid.decode("ascii") if len(uid) <= LONGEST_UID and _UID.fullmatch(uid) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault:
    """The files of one archive.

    Attributes:
        keys: those of this process.
        folder: where the files are.
        plain_files: what becomes of those that aren't encrypted.
        headers: what is known of those that come next.
    """

    keys: DataKeys
    folder: VaultFolder
    plain_files: PlainFiles = PlainFiles.REFUSE
    headers: Headers = field(default_factory=Headers)

    def create(self, name: str, content: bytes) -> None:
        """Write a new file.

        Raises:
            ConsentgateError: it isn't written, or not all of it; nothing of it is left.
        """
        self.folder.write(name, *self.encrypted(name, content))

    def encrypted(self, name: str, content: bytes, *, on_record: bool = True) -> tuple[bytes, bytes]:
        """Return what is written of a file: its header, and the rest.

        What isn't ``on_record`` has a key of its own: the last picture on record could be destroyed without it.

        Raises:
            StorageKeyError: there is no key to write it with.
            RegistryError: nobody can tell.
        """
        study, picture = self.headers.uids_of(content) if on_record else ("", "")
        key_id, cipher = (
            self.keys.for_writing(Kind.STUDY, study, picture) if study else self.keys.for_writing(Kind.FILE, name)
        )
        return sealed(name, key_id, cipher, content)

    def read(self, name: str) -> bytes:
        """Return what was put into a file.

        Raises:
            UnreadableFileError: it isn't what was stored, isn't there, or isn't encrypted where it must be.
            StorageKeyError: its key is destroyed or lost.
            RegistryError: its key can't be asked for now.
        """
        content = self.folder.read(name)
        key_id = key_of(content)
        if key_id is not None:
            return opened(name, self.keys.for_reading(key_id), content)
        if self.plain_files is PlainFiles.READ:
            return content
        raise PlainFileError("A stored file is not encrypted, and was not given out.")

    def remove(self, name: str) -> None:
        """Remove a file.

        Raises:
            ArchiveError: it can't be.
        """
        self.folder.remove(name)

    def forget(self, name: str) -> None:
        """Destroy the data key of a file that is removed, if it had one of its own.

        Raises:
            RegistryError: it can't be; 'consentgate retention reconcile' does it then.
        """
        with self.keys.database.reading() as connection:
            own = storagekeys.live(connection, Kind.FILE, name)
        if own is not None:
            self.keys.database.write(lambda connection: self.keys.destroy(connection, Kind.FILE, name))


def site_keys(services: Services, environment: Mapping[str, str]) -> tuple[SiteKey, ...]:
    """Return the site keys of settings.toml.

    Raises:
        ConfigurationError: one of them can't be had.
    """
    places_ = services.settings.storage.site_keys.items()
    return tuple(
        SiteKey(name=name, value=key_source(place, services.settings, environment).read()) for name, place in places_
    )


def data_keys(services: Services, environment: Mapping[str, str], by: str = ITSELF) -> DataKeys:
    """Return the keys that this process has, which makes and destroys data keys as ``by``.

    Raises:
        ConfigurationError: a site key can't be had.
    """
    named = site_keys(services, environment)
    return DataKeys(services.database, named, lambda: services.act(by, DOOR), services.ticks)


def vault(services: Services, environment: Mapping[str, str], folder: VaultFolder) -> Vault:
    """Return the vault of settings.toml.

    Raises:
        ConfigurationError: a site key can't be had.
    """
    keys = data_keys(services, environment)
    return Vault(keys=keys, folder=folder, plain_files=services.settings.storage.plain_files)
