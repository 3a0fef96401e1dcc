"""DICOM peers of the demonstration, on real associations: a camera, a workstation and a teaching archive.

Knows DIMSE. Listens on 127.0.0.1 only.
"""

from __future__ import annotations

import re
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, VLPhotographicImageStorage
from pynetdicom import AE, build_role, evt
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation

HOST: Final = "127.0.0.1"
CALLED_AET: Final = "CONSENTGATE"
# Study Root Query/Retrieve Information Model, PS3.4 C.6.2.
STUDY_ROOT_FIND: Final = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE: Final = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET: Final = "1.2.840.10008.5.1.4.1.2.2.3"
VERIFICATION: Final = "1.2.840.10008.1.1"
SYNTAXES: Final = [JPEGBaseline8Bit, ExplicitVRLittleEndian]
NO_ASSOCIATION: Final = -1
# dcmtk's: pynetdicom brings a program of the same name into the virtual environment.
STORESCU: Final = "/usr/bin/storescu"


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nobody uses at this moment, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((HOST, 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def port_is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of 127.0.0.1."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except OSError:
            return False
    return True


def listens(port: int) -> bool:
    """Tell whether anybody listens on this port, without knocking: proc(5) lists the sockets in state LISTEN (0A)."""
    tables = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
    said = (each.read_text() for each in tables if each.exists())
    return any(re.search(rf":{port:04X} 0+:0000 0A ", table) for table in said)


@dataclass(kw_only=True)
class Receiver:
    """A storage SCP that keeps what it is sent."""

    aet: str
    port: int
    received: list[Dataset] = field(default_factory=list)

    def __post_init__(self) -> None:
        entity = AE(ae_title=self.aet)
        entity.add_supported_context(VLPhotographicImageStorage, SYNTAXES)
        entity.add_supported_context(VERIFICATION)
        server = entity.start_server((HOST, self.port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)])
        if server is None:
            raise RuntimeError("a server that does not block is always returned")
        self._server = server

    def _store(self, event: evt.Event) -> int:
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        self.received.append(dataset)
        return 0x0000

    def take(self) -> list[Dataset]:
        """Return what has arrived since the last call."""
        found, self.received[:] = list(self.received), []
        return found

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A requesting AE of the archive on ``port``. Every call returns the final DIMSE status, or NO_ASSOCIATION."""

    aet: str
    port: int

    def push(self, file: Path) -> int:
        """Send a file with dcmtk's storescu, as a camera does; return its exit status."""
        command = [STORESCU, "-aet", self.aet, "-aec", CALLED_AET, "-xy", HOST, str(self.port), str(file)]
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode  # noqa: S603

    def _asked(self, model: str, send: str, identifier: Dataset, *arguments: object) -> int:
        entity = AE(ae_title=self.aet)
        entity.add_requested_context(model)
        roles: list[SCP_SCU_RoleSelectionNegotiation] = []
        if send == "send_c_get":
            entity.add_requested_context(VLPhotographicImageStorage, SYNTAXES)
            roles = [build_role(VLPhotographicImageStorage, scp_role=True)]
        association = entity.associate(HOST, self.port, ae_title=CALLED_AET, ext_neg=[*roles])
        if not association.is_established:
            return NO_ASSOCIATION
        answers = list(getattr(association, send)(identifier, *arguments, model))
        association.release()
        status = answers[-1][0] if answers else Dataset()
        return int(status.Status) if "Status" in status else NO_ASSOCIATION

    def move(self, destination: str, level: str = "STUDY", **keys: str) -> int:
        """Ask by C-MOVE that ``destination`` be sent what the keys name."""
        return self._asked(STUDY_ROOT_MOVE, "send_c_move", identifier(level, keys), destination)

    def get(self, level: str = "STUDY", **keys: str) -> int:
        """Ask by C-GET."""
        return self._asked(STUDY_ROOT_GET, "send_c_get", identifier(level, keys))

    def find(self, level: str = "STUDY", **keys: str) -> int:
        """Ask by C-FIND."""
        return self._asked(STUDY_ROOT_FIND, "send_c_find", identifier(level, keys))


def identifier(level: str, keys: dict[str, str]) -> Dataset:
    """Return a query identifier (PS3.4 C.4.2)."""
    found = Dataset()
    found.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(found, keyword, value)
    return found


def wait_until(condition: object, seconds: float, *, pause: float = 0.1) -> bool:
    """Call ``condition`` until it is true or the time is up; tell whether it became true."""
    if not callable(condition):
        raise TypeError("wait_until needs something to call")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(pause)
    return False
