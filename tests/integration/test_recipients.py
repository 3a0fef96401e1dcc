"""A recipient of a running Orthanc that expired, or must be sent to by TLS: nothing leaves until it is as demanded."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from pydicom.uid import JPEGBaseline8Bit, VLPhotographicImageStorage
from pynetdicom import AE, evt

from demo.peers import HOST, Receiver, wait_until
from orthanc_plugin.cli.orthancfile import without_comments
from tests.integration.archive import Archive, started
from tests.unit.dicomwrap.sendable import Certificate, certificate

SUCCESS, SOUND, FORBIDDEN, BAD_GATEWAY = 0x0000, 200, 403, 502
ROUTE = """
[[routes]]
name = "to-the-ward"
recipient = "dermatology-workstation"
purpose = "DIRECT_CARE"
owner = "dermatology department"
"""


@dataclass(frozen=True, kw_only=True)
class Ward:
    """The archive, with nobody at the workstation, and the certificates of the test."""

    archive: Archive
    ours: Certificate
    theirs: Certificate
    stranger: Certificate

    def configure(self, *, by_tls: bool) -> None:
        """Demand TLS of the workstation, have the teaching archive expire, and start with what Orthanc is to do."""
        server = self.archive.server
        server.stop()
        policy, orthanc = server.folder / "policy.toml", server.folder / "orthanc.json"
        if ROUTE not in policy.read_text():
            text = policy.read_text().replace('aet = "DERMWS"\n', 'aet = "DERMWS"\ntls_required = true\n')
            text = text.replace('aet = "TEACHING"\n', 'aet = "TEACHING"\nexpires = 2001-01-01\n')
            before, name, after = text.partition('name = "derm"')
            policy.write_text(before + name + after.replace('roles = ["', 'roles = ["send", "', 1) + ROUTE)
        options = json.loads(without_comments(orthanc.read_text()))
        options["DicomModalities"]["dermatology"]["UseDicomTls"] = by_tls
        options |= {
            "DicomTlsCertificate": str(self.ours.cert),
            "DicomTlsPrivateKey": str(self.ours.key),
            "DicomTlsTrustedCertificates": str(self.theirs.cert),
        }
        orthanc.write_text(json.dumps(options))
        server.start()
        assert wait_until(lambda: server.ask("GET", "/consentgate/health", "admin").status_code == SOUND, 60)

    @property
    def uid(self) -> str:
        return str(self.archive.wrapped("A").sop_instance_uid)

    def send(self) -> httpx.Response:
        name = self.archive.wrapped("A").orthanc_instance or self.archive.journey._orthanc_instance("A")
        content = json.dumps([name]).encode()
        return self.archive.server.ask("POST", "/modalities/dermatology/store", "derm", content=content)

    def trial(self) -> dict[str, object]:
        done = self.archive.server.consentgate("route", "test", self.uid, "--json")
        assert done.returncode == 0, done.stderr
        (row,) = json.loads(done.stdout)["routes"]
        return dict(row)

    @contextmanager
    def listening(self, own: Certificate) -> Iterator[list[str]]:
        """Have the workstation listen by TLS with a certificate; give what it was sent."""
        held: list[str] = []
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self.ours.cert))
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(own.cert, own.key)
        entity = AE(ae_title="DERMWS")
        entity.add_supported_context(VLPhotographicImageStorage, [JPEGBaseline8Bit])

        def store(event: evt.Event) -> int:
            held.append(str(event.request.AffectedSOPInstanceUID))
            return SUCCESS

        port = self.archive.server.ports.workstation
        handlers = [(evt.EVT_C_STORE, store)]
        server = entity.start_server((HOST, port), block=False, evt_handlers=handlers, ssl_context=context)
        assert server is not None
        try:
            yield held
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    folder: Path = tmp_path_factory.mktemp("recipients")
    ours, theirs, stranger = (certificate(folder, name) for name in ("ours", "theirs", "stranger"))
    with started(folder) as archive:
        archive.journey.at_workstation.stop()
        yield Ward(archive=archive, ours=ours, theirs=theirs, stranger=stranger)
        archive.journey.at_workstation = Receiver(aet="DERMWS", port=archive.server.ports.workstation)


def test_nothing_leaves_to_who_expired_or_is_not_tls_and_by_tls_it_does(ward: Ward) -> None:
    ward.configure(by_tls=False)
    archive, made = ward.archive, ward.archive.wrapped("A")
    before = archive.last_entry()
    refused = ward.send()
    assert (refused.status_code, "UseDicomTls" in refused.json()["remedy"]) == (FORBIDDEN, True), refused.text
    assert archive.journey.workstation.move("DERMWS", StudyInstanceUID=made.study_instance_uid) != SUCCESS
    assert archive.journey.teaching.move("TEACHING", StudyInstanceUID=made.study_instance_uid) != SUCCESS
    told = [(each["rules"], each["subject"]) for each in archive.entries_since(before) if each["effect"] == "DENY"]
    assert told == [
        (["CHANNEL_NOT_SECURE"], "dermatology-workstation"),
        (["CHANNEL_NOT_SECURE"], "dermatology-workstation"),
        (["RECIPIENT_EXPIRED"], "teaching-archive"),
    ]
    tasks = json.loads(archive.server.consentgate("task", "list", "--json").stdout)
    assert [each["subject"] for each in tasks if each["kind"] == "NOTIFY_IG"] == ["dermatology-workstation"]
    trial = ward.trial()
    assert (trial["matches"], trial["sends"]) == (True, False)
    assert str(trial["recipient_refused"]).startswith("policy.toml demands TLS of dermatology-workstation")
    checked = archive.server.consentgate("preflight", str(archive.server.folder / "orthanc.json"))
    assert "It must be sent to by TLS and isn't" in checked.stdout
    assert "Its last day was 2001-01-01" in checked.stdout

    ward.configure(by_tls=True)
    assert ward.trial()["sends"] is True
    with ward.listening(ward.stranger) as held:
        given = ward.send()
        assert given.status_code == BAD_GATEWAY, given.text
        assert held == [], "its certificate comes from nobody who is trusted"
    with ward.listening(ward.theirs) as held:
        given = ward.send()
        assert given.status_code == SOUND, given.text
        assert archive.journey.workstation.move("DERMWS", StudyInstanceUID=made.study_instance_uid) == SUCCESS
    assert held == [ward.uid, ward.uid]
