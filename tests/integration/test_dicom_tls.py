"""DICOM over TLS in front of the guarded Orthanc: who has no certificate that it trusts doesn't even reach a hook."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from pynetdicom import AE

from demo.peers import CALLED_AET, HOST, VERIFICATION, wait_until
from dicomwrap.cli.sending import send
from orthanc_plugin.cli.orthancfile import without_comments
from tests.integration.archive import Archive, started
from tests.unit.dicomwrap.sendable import Certificate, certificate

ECHOED, NO_ANSWER = 0x0000, -1


@dataclass(frozen=True, kw_only=True)
class Guarded:
    """The archive behind TLS, and the certificates of the test: the hospital trusts its own nodes' alone."""

    archive: Archive
    orthanc: Certificate
    node: Certificate
    stranger: Certificate


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("tls")
    theirs, node, stranger = (certificate(folder, name) for name in ("orthanc", "node", "stranger"))
    with started(folder) as archive:
        archive.server.stop()
        require_certificates(archive.server.folder / "orthanc.json", theirs, node)
        archive.server.start()
        yield Guarded(archive=archive, orthanc=theirs, node=node, stranger=stranger)


def require_certificates(file: Path, own: Certificate, trusted: Certificate) -> None:
    configuration = json.loads(without_comments(file.read_text()))
    configuration |= {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(own.cert),
        "DicomTlsPrivateKey": str(own.key),
        "DicomTlsTrustedCertificates": str(trusted.cert),
        "DicomTlsRemoteCertificateRequired": True,
    }
    file.write_text(json.dumps(configuration))


def context(guarded: Guarded, shown: Certificate | None) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(guarded.orthanc.cert))
    if shown is not None:
        made.load_cert_chain(shown.cert, shown.key)
    return made


def echo(guarded: Guarded, aet: str, shown: ssl.SSLContext | None) -> int:
    entity = AE(ae_title=aet)
    entity.connection_timeout = entity.acse_timeout = entity.network_timeout = 10
    entity.add_requested_context(VERIFICATION)
    port = guarded.archive.server.ports.dicom
    association = entity.associate(HOST, port, ae_title=CALLED_AET, tls_args=(shown, HOST) if shown else None)
    if not association.is_established:
        return NO_ANSWER
    status = association.send_c_echo()
    association.release()
    return int(status.get("Status", NO_ANSWER))


def test_a_node_with_a_trusted_certificate_is_answered(guarded: Guarded) -> None:
    assert echo(guarded, "DERMWS", context(guarded, guarded.node)) == ECHOED


@pytest.mark.parametrize("shows", ["none", "a stranger's", "no TLS at all"])
def test_without_a_trusted_certificate_there_is_no_association(guarded: Guarded, shows: str) -> None:
    shown = {
        "none": context(guarded, None),
        "a stranger's": context(guarded, guarded.stranger),
        "no TLS at all": None,
    }
    assert echo(guarded, "DERMWS", shown[shows]) == NO_ANSWER


def test_a_trusted_certificate_alone_binds_nobody(guarded: Guarded) -> None:
    assert echo(guarded, "STRANGER", context(guarded, guarded.node)) == NO_ANSWER


def test_a_photograph_is_stored_over_tls_and_asked_about_as_ever(guarded: Guarded, tmp_path: Path) -> None:
    server, before = guarded.archive.server, guarded.archive.last_entry()
    call = ("--to", f"{CALLED_AET}@{HOST}:{server.ports.dicom}", "--aet", "DERMCAM", "--no-commit", "--json")
    certificates = ("--tls", "--tls-ca", guarded.orthanc.cert, "--tls-cert", guarded.node.cert)
    held = tmp_path / "held.dcm"
    held.write_bytes(guarded.archive.wrapped("C").file.read_bytes())
    done = sent(held, *call, *certificates, "--tls-key", guarded.node.key)
    assert done == "stored"
    assert wait_until(lambda: doors_since(guarded.archive, before), 10)


def sent(*arguments: object) -> str:
    result = CliRunner().invoke(send, [*map(str, arguments)], catch_exceptions=False)
    return str(json.loads(result.stdout)["files"][0]["state"])


def doors_since(archive: Archive, seq: int) -> list[str]:
    return [str(entry["door"]) for entry in archive.entries_since(seq) if entry["event"] == "110107"]
