"""Small DICOM objects to send, made without dicomwrap, and what plays the other side."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Event, Thread, Timer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, VLPhotographicImageStorage
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association

from dicomwrap.sending.commitment import PUSH_MODEL
from dicomwrap.sending.node import Node

HOST = "127.0.0.1"
INSTANCE = "1.2.840.10008.1.20.1.1"
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def photographic(path: Path, uid: str, *, study: str = "2.25.1", name: str = "Doe^Jane", shade: int = 90) -> Path:
    """Write a VL Photographic Image that holds a baseline JPEG."""
    picture = io.BytesIO()
    Image.new("RGB", (32, 32), (shade, 60, 30)).save(picture, "JPEG")
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.SOPClassUID, dataset.SOPInstanceUID = VLPhotographicImageStorage, uid
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, f"{study}.1"
    dataset.PatientID, dataset.PatientName, dataset.Modality = "P1", name, "XC"
    dataset.Rows = dataset.Columns = 32
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PhotometricInterpretation, dataset.LossyImageCompression = "YBR_FULL_422", "01"
    dataset.PixelData = encapsulate([picture.getvalue()])
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path, enforce_file_format=True)
    return path


class Archive:
    """A storage and commitment SCP that answers as it is told.

    Attributes:
        statuses: C-STORE's answer by SOP instance; success when it isn't there.
        missing: SOP instances that it doesn't vouch for, with the failure reason.
        held: what it was sent, the bytes of each data set.
        reports_to: where reports go; None sends them on the association that asked.
        silent: whether it never reports.
        stray: whether a report on something else comes first.
        action_status: its answer to the question itself.
    """

    def __init__(self, *, syntaxes: Sequence[str] = (JPEGBaseline8Bit, ExplicitVRLittleEndian)) -> None:
        self.statuses: dict[str, int] = {}
        self.missing: dict[str, int] = {}
        self.held: dict[str, bytes] = {}
        self.reports_to: int | None = None
        self.silent = False
        self.stray = False
        self.action_status = 0x0000
        self.associations = 0
        self.node = Node(aet="ARCHIVE", host=HOST, port=1)
        self._syntaxes = [*syntaxes]

    @contextmanager
    def listening(self) -> Iterator[Archive]:
        """Listen on a free port until the end."""
        entity = AE(ae_title="ARCHIVE")
        entity.require_called_aet = True
        entity.add_supported_context(VLPhotographicImageStorage, self._syntaxes)
        entity.add_supported_context(PUSH_MODEL)
        handlers = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_N_ACTION, self._asked),
            (evt.EVT_ACCEPTED, self._counted),
        ]
        server = entity.start_server((HOST, 0), block=False, evt_handlers=handlers)
        assert server is not None
        self.node = Node(aet="ARCHIVE", host=HOST, port=int(server.server_address[1]))
        try:
            yield self
        finally:
            server.shutdown()

    def _counted(self, _event: evt.Event) -> None:
        self.associations += 1

    def _store(self, event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        if uid == "2.25.666":
            event.assoc.abort()
            return 0x0110
        self.held[uid] = event.request.DataSet.getvalue()
        return self.statuses.get(uid, 0x0000)

    def _asked(self, event: evt.Event) -> tuple[int, None]:
        if not self.silent and self.action_status == 0x0000:
            found = self._information(event.action_information)
            report = self._report_here if self.reports_to is None else self._report_anew
            Timer(0.1, report, [event.assoc, found]).start()
        return self.action_status, None

    def _report_here(self, made: Association, found: Dataset) -> None:
        if self.stray:
            other = Dataset()
            other.TransactionUID = "1.2.3"
            made.send_n_event_report(other, 1, PUSH_MODEL, INSTANCE)
        made.send_n_event_report(found, _kind(found), PUSH_MODEL, INSTANCE)

    def _report_anew(self, _asked_on: Association, found: Dataset) -> None:
        assert self.reports_to is not None
        entity = AE(ae_title="ARCHIVE")
        entity.add_requested_context(PUSH_MODEL)
        roles = [build_role(PUSH_MODEL, scp_role=True)]
        made = entity.associate(HOST, self.reports_to, ae_title="DICOMWRAP", ext_neg=[*roles])
        made.send_n_event_report(found, _kind(found), PUSH_MODEL, INSTANCE)
        made.release()

    def _information(self, asked: Dataset) -> Dataset:
        found = Dataset()
        found.TransactionUID = asked.TransactionUID
        found.ReferencedSOPSequence, failed = [], []
        for each in asked.ReferencedSOPSequence:
            uid = str(each.ReferencedSOPInstanceUID)
            if uid in self.held and uid not in self.missing:
                found.ReferencedSOPSequence.append(each)
            else:
                each.FailureReason = self.missing.get(uid, 0x0112)
                failed.append(each)
        if failed:
            found.FailedSOPSequence = failed
        return found


def _kind(found: Dataset) -> int:
    return 2 if "FailedSOPSequence" in found else 1


@contextmanager
def relay(node: Node, most: int, *, cut: bool) -> Iterator[Node]:
    """Stand before ``node`` and let ``most`` bytes through; then break the connection, or read no more."""
    with socket.create_server((HOST, 0)) as server:
        done = Event()
        Thread(target=_relay, args=(server, node, most, cut, done), daemon=True).start()
        try:
            yield Node(aet=node.aet, host=HOST, port=server.getsockname()[1])
        finally:
            done.set()


def _relay(server: socket.socket, node: Node, most: int, cut: bool, done: Event) -> None:
    near, _ = server.accept()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with near, socket.create_connection((node.host, node.port)) as far:
        Thread(target=_pour, args=(far, near), daemon=True).start()
        passed = 0
        while passed < most and (data := near.recv(min(4096, most - passed))):
            far.sendall(data)
            passed += len(data)
        if not cut:
            done.wait(30)
        far.shutdown(socket.SHUT_RDWR)


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(4096):
            sink.sendall(data)


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate that vouches for itself, and its key, as PEM files."""

    cert: Path
    key: Path


def certificate(folder: Path, name: str, *, host: str = HOST) -> Certificate:
    """Make a certificate for this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    found = Certificate(cert=folder / f"{name}.crt", key=folder / f"{name}.key")
    found.cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    found.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return found
