"""An archive in memory that implements the production ports, and lets a test look on while something is sent."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field

from orthanc_plugin.archive.port import Left, NothingSentError, NotTakenError, nobody
from orthanc_plugin.errors import ArchiveError, NotInArchiveError


@dataclass(kw_only=True)
class ArchiveSimulator:
    """An ``ImageArchive`` and an ``ArchiveControl``.

    Attributes:
        objects: stored bytes by Orthanc identifier.
        sent: modality and bytes of everything that left.
        watcher: called with modality and bytes while an object is being sent, before it counts as sent.
        caller: called with the modality while its node is called.
        silent: modalities that don't confirm what they are sent.
        unreachable: modalities with which there is no association.
        known_modalities: what Orthanc says of its DICOM modalities.
        known_peers: what Orthanc says of its peers.
        loaded: the plugins Orthanc has loaded.
        index: what the archive's index has of objects, by Orthanc identifier.
        stopped: how often Orthanc was told to stop.
        open: how many associations are open.
        name: what the archive's index calls itself, '' for one that is new.
        refused: what a recipient refuses after it was sent.
        by_tls: modalities that are sent to by TLS.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    watcher: Callable[[str, bytes], None] = lambda _modality, _content: None
    caller: Callable[[str], None] = lambda _modality: None
    silent: set[str] = field(default_factory=set)
    unreachable: set[str] = field(default_factory=set)
    known_modalities: dict[str, dict[str, object]] = field(default_factory=dict)
    known_peers: dict[str, object] = field(default_factory=dict)
    loaded: tuple[str, ...] = ("python", "dicom-web")
    index: dict[str, dict[str, str]] = field(default_factory=dict)
    stopped: int = 0
    open: int = 0
    name: str = ""
    refused: set[bytes] = field(default_factory=set)
    by_tls: set[str] = field(default_factory=set)

    def read(self, orthanc_instance: str) -> bytes:
        """Return the stored bytes, or fail as the real adapter does."""
        if orthanc_instance not in self.objects:
            raise NotInArchiveError("Orthanc answered 404.")
        return self.objects[orthanc_instance]

    def store(self, content: bytes) -> str:
        """Keep the object under a name made from its place."""
        name = f"stored-{len(self.objects)}"
        self.objects[name] = content
        return name

    def sending(self, modality: str) -> SendingSimulator:
        """Return what sends to a modality."""
        self.open += 1
        return SendingSimulator(archive=self, modality=modality)

    def modalities(self) -> dict[str, dict[str, object]]:
        """Return the effective modalities."""
        return deepcopy(self.known_modalities)

    def peers(self) -> dict[str, object]:
        """Return the effective peers."""
        return deepcopy(self.known_peers)

    def plugins(self) -> tuple[str, ...]:
        """Return the loaded plugins."""
        return self.loaded

    def instances(self) -> tuple[str, ...]:
        """Return every stored instance."""
        return tuple(self.objects)

    def indexed(self, orthanc_instance: str) -> dict[str, str]:
        """Return what the index has."""
        return self.index[orthanc_instance]

    def named(self, fresh: str) -> str:
        """Return the archive's name, given once."""
        self.name = self.name or fresh
        return self.name

    def shut_down(self) -> None:
        """Count that Orthanc was told to stop."""
        self.stopped += 1


@dataclass(kw_only=True)
class SendingSimulator:
    """An association with a recipient."""

    archive: ArchiveSimulator
    modality: str
    called: bool = False

    @property
    def secured(self) -> bool:
        """Tell whether it goes by TLS."""
        return self.modality in self.archive.by_tls

    def reach(self, content: bytes) -> bool:
        """Call the node once; what happens meanwhile is the caller's."""
        del content
        if self.modality in self.archive.unreachable:
            raise NothingSentError("The node can't be reached.")
        called, self.called = not self.called, True
        if called:
            self.archive.caller(self.modality)
        return called

    def store(self, content: bytes, left: Left = nobody) -> str:
        """Let the watcher look while the bytes go."""
        if self.modality in self.archive.unreachable:
            raise NothingSentError("The node can't be reached.")
        left()
        self.archive.watcher(self.modality, content)
        if self.modality in self.archive.silent:
            raise ArchiveError("The node does not answer.")
        if content in self.archive.refused:
            raise NotTakenError("The node refuses the object.")
        self.archive.sent.append((self.modality, content))
        return ""

    def close(self) -> None:
        """End it."""
        self.archive.open -= 1
