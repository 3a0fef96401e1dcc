"""Our own C-STORE SCU: the very bytes arrive, each answer is told as it was given, and every wait ends."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian, VLPhotographicImageStorage
from pynetdicom import AE, evt

from demo.peers import wait_until
from orthanc_plugin.archive import storescu
from orthanc_plugin.archive.peers import peers
from orthanc_plugin.archive.port import NothingSentError, NotOfferedError, NotTakenError
from orthanc_plugin.archive.storescu import NotReachedError, Parcel, StoreScu
from orthanc_plugin.archive.upperlayer import Peer, PeerSilentError
from orthanc_plugin.errors import ArchiveError, ConfigurationError
from tests.unit.dicomwrap.sendable import HOST, Archive, Certificate, certificate, photographic, relay

ABORTS = "2.25.666"


@pytest.fixture
def archive() -> Iterator[Archive]:
    with Archive().listening() as listening:
        yield listening


def peer_of(archive: Archive, seconds: float = 10) -> Peer:
    return Peer(aet=archive.node.aet, host=HOST, port=archive.node.port, calling="CONSENTGATE", seconds=seconds)


def photograph(folder: Path, uid: str) -> bytes:
    return photographic(folder / f"{uid}.dcm", uid).read_bytes()


def test_the_very_bytes_of_each_data_set_arrive_on_one_association(archive: Archive, tmp_path: Path) -> None:
    scu = StoreScu(peer_of(archive))
    contents = {f"2.25.{number}": photograph(tmp_path, f"2.25.{number}") for number in range(5)}
    assert [scu.store(content) for content in contents.values()] == [""] * 5
    scu.close()
    assert archive.held == {uid: bytes(Parcel.of(content).data) for uid, content in contents.items()}
    assert all(content.endswith(archive.held[uid]) for uid, content in contents.items())
    assert archive.associations == 1


@pytest.mark.parametrize("longest", [1024, 16382, 65536, 0])
def test_an_object_goes_in_as_many_pieces_as_the_node_needs(longest: int, tmp_path: Path) -> None:
    held: list[bytes] = []
    lengths: list[int] = []
    entity = AE(ae_title="ARCHIVE")
    entity.maximum_pdu_size = longest
    entity.add_supported_context(VLPhotographicImageStorage, ["1.2.840.10008.1.2.4.50"])

    def store(event: evt.Event) -> int:
        held.append(event.request.DataSet.getvalue())
        return 0x0000

    handlers = [(evt.EVT_C_STORE, store), (evt.EVT_PDU_RECV, lambda event: lengths.append(event.pdu.pdu_length))]
    server = entity.start_server((HOST, 0), block=False, evt_handlers=handlers)
    assert server is not None
    content = photograph(tmp_path, "2.25.1") + bytes(3_000_000)
    peer = Peer(aet="ARCHIVE", host=HOST, port=server.server_address[1], calling="CONSENTGATE", seconds=30)
    scu = StoreScu(peer)
    try:
        scu.store(content)
    finally:
        scu.close()
        server.shutdown()
    assert held == [bytes(Parcel.of(content).data)]
    assert longest == 0 or max(lengths) <= longest


def test_what_the_node_refuses_is_told_and_the_next_one_goes_on_the_same_association(
    archive: Archive, tmp_path: Path
) -> None:
    archive.statuses = {"2.25.1": 0xA900, "2.25.2": 0xB007, "2.25.4": 0xA700}
    scu = StoreScu(peer_of(archive))
    with pytest.raises(NotTakenError, match="doesn't match its SOP class") as refused:
        scu.store(photograph(tmp_path, "2.25.1"))
    assert not isinstance(refused.value, NothingSentError)  # the node has read it all
    assert "B007" in scu.store(photograph(tmp_path, "2.25.2"))
    assert scu.store(photograph(tmp_path, "2.25.3")) == ""
    with pytest.raises(NotTakenError, match="out of resources"):
        scu.store(photograph(tmp_path, "2.25.4"))
    scu.close()
    assert archive.associations == 1


def test_a_transfer_syntax_that_the_node_does_not_take_is_never_converted(tmp_path: Path) -> None:
    with Archive(syntaxes=[ExplicitVRLittleEndian]).listening() as archive:
        scu = StoreScu(peer_of(archive))
        with pytest.raises(NotOfferedError, match="transfer syntax"):
            scu.store(photograph(tmp_path, "2.25.1"))
        scu.close()
    assert archive.held == {}


def test_a_node_that_breaks_off_in_the_middle_is_called_anew_for_the_next(archive: Archive, tmp_path: Path) -> None:
    scu = StoreScu(peer_of(archive))
    scu.store(photograph(tmp_path, "2.25.1"))
    with pytest.raises(PeerSilentError) as broken:
        scu.store(photograph(tmp_path, ABORTS))
    assert not isinstance(broken.value, NothingSentError)
    assert scu.store(photograph(tmp_path, "2.25.2")) == ""
    scu.close()
    assert (set(archive.held), archive.associations) == ({"2.25.1", "2.25.2"}, 2)


def test_an_association_that_the_node_ended_while_nothing_was_sent_is_opened_anew(tmp_path: Path) -> None:
    with answering(ACCEPT, STORED, b"") as peer:
        scu = StoreScu(peer)
        assert scu.store(photograph(tmp_path, "2.25.1")) == ""
        wait_gone(scu)
        with pytest.raises(PeerSilentError):  # there is nobody any more, and that is how it is told
            scu.store(photograph(tmp_path, "2.25.2"))


@pytest.mark.parametrize("cut", [True, False], ids=["breaks off", "reads no more"])
def test_a_node_that_stops_in_the_middle_of_an_object_is_given_up(
    cut: bool, archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storescu, "SLOWEST", 1 << 30)
    content = photograph(tmp_path, "2.25.1") + bytes(5_000_000)
    with relay(archive.node, 50_000, cut=cut) as node:
        scu = StoreScu(replace(peer_of(archive, 0.3), port=node.port))
        with pytest.raises(PeerSilentError):
            scu.store(content)
        scu.close()
    assert archive.held == {}


def test_a_node_that_is_away_or_does_not_know_us_is_told_apart_from_one_that_refuses(
    archive: Archive, tmp_path: Path
) -> None:
    content = photograph(tmp_path, "2.25.1")
    with socket.create_server((HOST, 0)) as closed:
        port = closed.getsockname()[1]
    for peer in (replace(peer_of(archive), port=port), replace(peer_of(archive), aet="ELSEWHERE")):
        with pytest.raises(NotReachedError):
            StoreScu(peer).store(content)


ACCEPT = bytes.fromhex("0200000000b8") + struct.pack(">H", 1) + bytes(2) + b"A" * 32 + bytes(32)
ACCEPT += bytes.fromhex("10000015") + b"1.2.840.10008.3.1.1.1"
ACCEPT += bytes.fromhex("2100001e01000000") + bytes.fromhex("40000016") + b"1.2.840.10008.1.2.4.50"
ACCEPT += (
    bytes.fromhex("50000025")
    + bytes.fromhex("5100000400004000")
    + bytes.fromhex("52000019")
    + b"1.2.3.4.5.6.7.8.9.10.1123"
)
ACCEPT = ACCEPT[:2] + struct.pack(">I", len(ACCEPT) - 6) + ACCEPT[6:]


def response(**changes: int) -> bytes:
    """Return a C-STORE-RSP as a P-DATA-TF."""
    values = {"field": 0x8001, "responded": 1, "status": 0} | changes
    elements = {0x0100: values["field"], 0x0120: values["responded"], 0x0800: 0x0101, 0x0900: values["status"]}
    said = b"".join(struct.pack("<HHIH", 0, element, 2, value) for element, value in elements.items())
    said = struct.pack("<HHII", 0, 0, 4, len(said)) + said
    return struct.pack(">BxIIBB", 4, len(said) + 6, len(said) + 2, 1, 3) + said


STORED = response()


@contextmanager
def answering(*answers: bytes, seconds: float = 2) -> Iterator[Peer]:
    """Give a node that says these things, whatever it hears, and then hangs up at b'' or stays silent."""
    with socket.create_server((HOST, 0)) as server:
        done = threading.Event()

        def serve() -> None:
            with suppress(OSError), server.accept()[0] as near:
                for answer in answers:
                    if not answer:
                        near.shutdown(socket.SHUT_WR)
                        break
                    near.recv(1 << 16)
                    near.sendall(answer)
                done.wait(30)
            server.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield Peer(aet="NODE", host=HOST, port=server.getsockname()[1], calling="CONSENTGATE", seconds=seconds)
        finally:
            done.set()


def wait_gone(scu: StoreScu) -> None:
    association = scu._open
    assert association is not None
    assert wait_until(lambda: association.gone, 30)


LIES: dict[str, tuple[bytes, ...]] = {
    "no association": (),
    "hangs up": (b"",),
    "rejects": (bytes.fromhex("03000000000400010107"),),
    "an acceptance that is none": (b"\x02\0\0\0\0\x04oops",),
    "an acceptance of four gigabytes": (b"\x02\0\xff\xff\xff\xff",),
    "noise": (b"HTTP/1.1 400 Bad Request\r\n\r\n",),
    "never an answer": (ACCEPT,),
    "aborts": (ACCEPT, bytes.fromhex("07000000000400000000")),
    "releases": (ACCEPT, bytes.fromhex("05000000000400000000")),
    "answers another message": (ACCEPT, response(responded=7)),
    "answers another service": (ACCEPT, response(field=0x8020)),
    "a fragment longer than its PDU": (ACCEPT, bytes.fromhex("04000000000a000000ff0103") + bytes(4)),
    "a fragment of nothing": (ACCEPT, bytes.fromhex("040000000006000000000103")),
    "a data set in place of a command": (ACCEPT, bytes.fromhex("04000000000a000000060102") + bytes(4)),
    "a command that never ends": (ACCEPT, (bytes.fromhex("040000000fa600000fa20101") + bytes(4000)) * 6),
    "a command of nothing": (ACCEPT, bytes.fromhex("040000000006000000020103")),
}


@pytest.mark.parametrize("lie", LIES)
def test_whatever_a_node_says_instead_of_yes_is_not_taken_for_one(lie: str, tmp_path: Path) -> None:
    with answering(*LIES[lie], seconds=0.5) as peer:
        scu = StoreScu(peer)
        with pytest.raises(ArchiveError):
            scu.store(photograph(tmp_path, "2.25.1"))
        scu.close()


def test_the_made_up_node_is_believed_when_it_says_yes(tmp_path: Path) -> None:
    with answering(ACCEPT, STORED) as peer:
        assert StoreScu(peer).store(photograph(tmp_path, "2.25.1")) == ""


@pytest.mark.parametrize("content", [b"", b"x" * 500, bytes(128) + b"DICM" + b"\x02\0\x10\0UI\xff\xff"])
def test_what_is_no_object_of_a_file_is_not_sent(content: bytes, archive: Archive) -> None:
    with pytest.raises(NotOfferedError, match="header"):
        StoreScu(peer_of(archive)).store(content)
    assert archive.associations == 0


def configuration(port: int, **more: object) -> dict[str, object]:
    node = {"AET": "ARCHIVE", "Host": HOST, "Port": port, **more}
    return {"DicomAet": "CONSENTGATE", "DicomModalities": {"ward": node}}


def test_nodes_are_called_as_orthanc_is_configured_to() -> None:
    plain = peers(configuration(104) | {"DicomScuTimeout": 7})["ward"]
    assert plain == Peer(aet="ARCHIVE", host=HOST, port=104, calling="CONSENTGATE", seconds=7.0)
    own = peers(configuration(104, LocalAet="US", Timeout=3) | {"DicomScuTimeout": 7})["ward"]
    assert (own.calling, own.seconds) == ("US", 3.0)
    assert peers({"DicomModalities": {"ward": {"AET": "A"}}})["ward"].seconds == 10.0
    assert peers({}) == {}


@contextmanager
def storing_by_tls(own: Certificate, trusted: Certificate) -> Iterator[tuple[int, list[str]]]:
    held: list[str] = []
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(trusted.cert))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(own.cert, own.key)
    entity = AE(ae_title="ARCHIVE")
    entity.add_supported_context(VLPhotographicImageStorage, ["1.2.840.10008.1.2.4.50"])

    def store(event: evt.Event) -> int:
        held.append(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    server = entity.start_server((HOST, 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)], ssl_context=context)
    assert server is not None
    try:
        yield server.server_address[1], held
    finally:
        server.shutdown()


def by_tls(trusted: Certificate, own: Certificate) -> dict[str, object]:
    return {
        "DicomTlsTrustedCertificates": str(trusted.cert),
        "DicomTlsCertificate": str(own.cert),
        "DicomTlsPrivateKey": str(own.key),
    }


def test_over_tls_both_ends_show_certificates_and_a_stranger_gets_nothing(tmp_path: Path) -> None:
    ours, theirs, stranger = (certificate(tmp_path, name) for name in ("ours", "theirs", "stranger"))
    content = photograph(tmp_path, "2.25.1")
    with storing_by_tls(theirs, ours) as (port, held):
        node = configuration(port, UseDicomTls=True)
        scu = StoreScu(peers(node | by_tls(theirs, ours))["ward"])
        assert scu.store(content) == ""
        scu.close()
        assert (held, scu.secured) == (["2.25.1"], True)
        for files in (by_tls(stranger, ours), by_tls(theirs, stranger)):
            with pytest.raises(PeerSilentError):
                StoreScu(replace(peers(node | files)["ward"], seconds=5)).store(content)
        plain = peers(configuration(port))["ward"]
        assert not StoreScu(plain).secured
        with pytest.raises(PeerSilentError):
            StoreScu(replace(plain, seconds=1)).store(content)
    assert held == ["2.25.1"]


@pytest.mark.parametrize("missing", ["DicomTlsTrustedCertificates", "DicomTlsCertificate", "DicomTlsPrivateKey"])
def test_tls_without_its_certificates_does_not_start(missing: str, tmp_path: Path) -> None:
    made = by_tls(certificate(tmp_path, "theirs"), certificate(tmp_path, "ours"))
    del made[missing]
    with pytest.raises(ConfigurationError, match="UseDicomTls"):
        peers(configuration(104, UseDicomTls=True) | made)
