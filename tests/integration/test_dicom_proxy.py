"""docker/nginx-dicom.conf before the guarded Orthanc: a node is its certificate; the title of another opens nothing.

Of the sample only addresses, ports, fingerprints and paths are changed, so that what the tests hold is what is shipped.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import JPEGBaseline8Bit, VLPhotographicImageStorage
from pynetdicom import AE, evt

from demo.peers import CALLED_AET, HOST, STUDY_ROOT_MOVE, VERIFICATION, free_ports, identifier
from demo.server import ROOT
from tests.integration.archive import Archive, started
from tests.integration.proxied import NGINX, running
from tests.unit.dicomwrap.sendable import Certificate, certificate

SUCCESS, NO_ANSWER = 0x0000, -1
CAMERA, WORKSTATION = "127.0.1.2", "127.0.1.3"


@dataclass(frozen=True, kw_only=True)
class Ward:
    """The archive behind the proxy, and who has which certificate."""

    archive: Archive
    port: int
    receiving: int
    held: dict[str, Certificate]

    def called(self, aet: str, shows: str, send: str, *arguments: object, context: str = VERIFICATION) -> int:
        """Call as ``aet`` with somebody's certificate; return the last status."""
        entity = AE(ae_title=aet)
        entity.connection_timeout = entity.acse_timeout = entity.network_timeout = 60
        entity.add_requested_context(context, [JPEGBaseline8Bit] if context == VLPhotographicImageStorage else None)
        tls = ssl.create_default_context(cafile=str(self.held["archive"].cert))
        tls.load_cert_chain(self.held[shows].cert, self.held[shows].key)
        association = entity.associate(HOST, self.port, ae_title=CALLED_AET, tls_args=(tls, HOST))
        if not association.is_established:
            return NO_ANSWER
        answer = getattr(association, send)(*arguments)
        status = answer if isinstance(answer, Dataset) else list(answer)[-1][0]
        association.release()
        return int(status.get("Status", NO_ANSWER))


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    folder = tmp_path_factory.mktemp("ward")
    held = {name: certificate(folder, name) for name in ("archive", "camera", "workstation", "other", "stranger")}
    with started(folder) as archive:
        archive.server.stop()
        port, forwarded, receiving = free_ports(3)
        bind_addresses(archive, forwarded)
        archive.server.start()
        file = configured(folder, archive, held, {"2762 ssl": port, "11112": forwarded, "10.0.0.7:2762": receiving})
        with running([NGINX, "-c", str(file), "-g", "daemon off;"], port, folder / "nginx.out"):
            yield Ward(archive=archive, port=port, receiving=receiving, held=held)


def bind_addresses(archive: Archive, forwarded: int) -> None:
    """Give the camera and the workstation the addresses that stand for their certificates."""
    for name in ("policy.toml", "orthanc.json"):
        file = archive.server.folder / name
        said = file.read_text()
        for aet, address in (("DERMCAM", CAMERA), ("DERMWS", WORKSTATION)):
            before, mark, after = said.partition(f'"{aet}"')
            said = before + mark + after.replace('"127.0.0.1"', f'"{address}"', 1)
        file.write_text(said.replace(str(archive.server.ports.workstation), str(forwarded)))


def configured(folder: Path, archive: Archive, held: dict[str, Certificate], ports: dict[str, int]) -> Path:
    (folder / "nodes.pem").write_text(
        "".join(held[name].cert.read_text() for name in ("camera", "workstation", "other"))
    )
    text = (ROOT / "docker" / "nginx-dicom.conf").read_text()
    replaced = {
        "listen 2762 ssl": f"listen {HOST}:{ports['2762 ssl']} ssl",
        f"{WORKSTATION}:11112": f"{WORKSTATION}:{ports['11112']}",
        "10.0.0.7:2762": f"{HOST}:{ports['10.0.0.7:2762']}",
        "127.0.0.1:4242": f"{HOST}:{archive.server.ports.dicom}",
        "FINGERPRINT-OF-THE-CAMERA": fingerprint(held["camera"]),
        "FINGERPRINT-OF-THE-WORKSTATION": fingerprint(held["workstation"]),
        "workstation.example": "workstation",  # the common name that it has
        "/etc/consentgate/tls": str(folder),
        f"{folder}/archive.crt": str(held["archive"].cert),
        f"{folder}/archive.key": str(held["archive"].key),
        "/run/consentgate-dicom": str(folder),
    }
    for old, new in replaced.items():
        assert old in text, old
        text = text.replace(old, new)
    (folder / "nginx-dicom.conf").write_text(text)
    return folder / "nginx-dicom.conf"


def fingerprint(of: Certificate) -> str:
    return hashlib.sha1(ssl.PEM_cert_to_DER_cert(of.cert.read_text())).hexdigest()  # noqa: S324 - as nginx has it


@contextmanager
def workstation(ward: Ward, shows: str) -> Iterator[list[str]]:
    """Have a workstation listen that shows somebody's certificate; give what it is sent."""
    taken: list[str] = []

    def store(event: evt.Event) -> int:
        taken.append(str(event.request.AffectedSOPInstanceUID))
        return SUCCESS

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(ward.held[shows].cert, ward.held[shows].key)
    tls.load_verify_locations(ward.held["archive"].cert)
    tls.verify_mode = ssl.CERT_REQUIRED
    entity = AE(ae_title="DERMWS")
    entity.add_supported_context(VLPhotographicImageStorage, [JPEGBaseline8Bit])
    server = entity.start_server(
        (HOST, ward.receiving), block=False, ssl_context=tls, evt_handlers=[(evt.EVT_C_STORE, store)]
    )
    assert server is not None
    try:
        yield taken
    finally:
        server.shutdown()


@pytest.mark.parametrize(
    ("aet", "shows", "answer"),
    [
        ("DERMCAM", "camera", SUCCESS),
        ("DERMWS", "workstation", SUCCESS),
        ("DERMWS", "camera", NO_ANSWER),
        ("DERMCAM", "workstation", NO_ANSWER),
        ("DERMCAM", "other", NO_ANSWER),  # trusted, and stands for nobody
        ("DERMCAM", "stranger", NO_ANSWER),
        ("TEACHING", "camera", NO_ANSWER),
    ],
)
def test_an_ae_title_is_answered_only_with_its_own_certificate(ward: Ward, aet: str, shows: str, answer: int) -> None:
    assert ward.called(aet, shows, "send_c_echo") == answer


def test_past_the_proxy_no_title_is_answered(ward: Ward) -> None:
    for each in (ward.archive.journey.camera, ward.archive.journey.workstation):
        assert each.find(StudyInstanceUID="1.2.3") == NO_ANSWER


def test_a_photograph_comes_in_and_goes_out_by_tls_to_the_right_certificate_alone(ward: Ward) -> None:
    made = ward.archive.wrapped("A")
    stored = ward.called("DERMCAM", "camera", "send_c_store", str(made.file), context=VLPhotographicImageStorage)
    assert stored == SUCCESS
    asked = (identifier("STUDY", {"StudyInstanceUID": made.study_instance_uid}), "DERMWS", STUDY_ROOT_MOVE)
    with workstation(ward, "workstation") as taken:
        assert ward.called("DERMWS", "workstation", "send_c_move", *asked, context=STUDY_ROOT_MOVE) == SUCCESS
        assert taken == [made.sop_instance_uid]
    with workstation(ward, "stranger") as taken:
        assert ward.called("DERMWS", "workstation", "send_c_move", *asked, context=STUDY_ROOT_MOVE) != SUCCESS
        assert taken == []
