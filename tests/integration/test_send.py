"""``dicomwrap send`` against real archives: Orthanc as it comes, Orthanc under Consentgate, dcmtk's storescp."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydicom import dcmread

from demo.peers import HOST, free_ports
from dicomwrap.cli.sending import send
from tests.integration.archive import Archive
from tests.integration.stock import PASSWORD, USER, Stock, dcmtk, orthanc
from tests.unit.dicomwrap.sendable import Certificate, certificate, photographic


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stock]:
    with orthanc(tmp_path_factory.mktemp("stock")) as running:
        yield running


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("ours"), "camera")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("theirs"), "archive")


@pytest.fixture(scope="module")
def guarded_by_tls(tmp_path_factory: pytest.TempPathFactory, ours: Certificate, theirs: Certificate) -> Iterator[Stock]:
    (listen,) = free_ports(1)
    settings = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(theirs.cert),
        "DicomTlsPrivateKey": str(theirs.key),
        "DicomTlsTrustedCertificates": str(ours.cert),
        "DicomModalities": {"us": {"AET": "DICOMWRAP", "Host": HOST, "Port": listen, "UseDicomTls": True}},
    }
    with orthanc(tmp_path_factory.mktemp("tls"), **settings) as running:
        yield replace(running, listen=listen)


def the_object(file: bytes) -> bytes:
    """Return a file's data set, without the header that each program writes for itself."""
    return file[dcmread(BytesIO(file)).file_meta.FileMetaInformationGroupLength + 144 :]


def run(*arguments: object) -> tuple[int, list[dict[str, object]]]:
    """Return the exit code and what is told of each file."""
    result = CliRunner().invoke(send, [*map(str, arguments), "--json"], catch_exceptions=False)
    return result.exit_code, json.loads(result.stdout)["files"]


def test_orthanc_vouches_for_what_it_took_and_the_files_go(stock: Stock, tmp_path: Path) -> None:
    files = [photographic(tmp_path / f"{number}.dcm", f"2.25.10{number}") for number in range(3)]
    sent = [file.read_bytes() for file in files]
    code, told = run(*files, "--to", stock.node, "--listen", stock.listen, "--delete-source")
    assert (code, {each["state"] for each in told}) == (0, {"committed"})
    assert not any(file.exists() for file in files)
    for each, data in zip(told, sent, strict=True):
        receipt = json.loads(Path(str(each["receipt"])).read_text())
        assert (receipt["sop_instance_uid"], receipt["size"]) == (each["sop_instance_uid"], len(data))
        assert receipt["peer_aet"] == "ARCHIVE"
        assert the_object(stock.file(str(each["sop_instance_uid"]))) == the_object(data)


def test_sending_again_is_harmless_and_keeps_the_receipt(stock: Stock, tmp_path: Path) -> None:
    file = photographic(tmp_path / "a.dcm", "2.25.110")
    call = (file, "--to", stock.node, "--listen", stock.listen, "--receipts", tmp_path / "receipts")
    first, second = run(*call), run(*call)
    assert first == second
    assert [path.name for path in (tmp_path / "receipts").iterdir()] == ["a.dcm.receipt.json"]
    assert (stock.instances().count("2.25.110"), file.exists()) == (1, True)


def test_an_archive_that_does_not_know_us_reports_to_nobody(stock: Stock, tmp_path: Path) -> None:
    file = photographic(tmp_path / "a.dcm", "2.25.111")
    code, (told,) = run(file, "--to", stock.node, "--aet", "STRANGER", "--timeout", 3, "--delete-source")
    assert (code, told["state"], told["receipt"], file.exists()) == (1, "not committed", None, True)


def test_a_report_that_goes_elsewhere_leaves_the_file(stock: Stock, tmp_path: Path) -> None:
    file = photographic(tmp_path / "a.dcm", "2.25.112")
    code, (told,) = run(file, "--to", stock.node, "--timeout", 2, "--delete-source")
    assert (code, told["state"], file.exists()) == (1, "not committed", True)
    assert "the archive took it but doesn't vouch for it yet; kept" in str(told["reason"])
    assert "--listen" in str(told["remedy"])


def test_stow_goes_with_commitment_by_dimse(stock: Stock, tmp_path: Path) -> None:
    files = [photographic(tmp_path / f"{number}.dcm", f"2.25.12{number}") for number in range(2)]
    sent = [the_object(file.read_bytes()) for file in files]
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    login = ("--stow-user", USER, "--stow-password-file", tmp_path / "password")
    call = ("--stow", f"{stock.url}/dicom-web", *login, "--commit", stock.node, "--listen", stock.listen)
    code, told = run(*files, *call, "--delete-source")
    assert (code, [each["state"] for each in told]) == (0, ["committed"] * 2)
    assert [the_object(stock.file(f"2.25.12{number}")) for number in range(2)] == sent
    assert not any(file.exists() for file in files)


@pytest.mark.parametrize(
    ("path", "password", "reason"),
    [
        ("dicom-web", "wrong", "the archive doesn't know the user, or the password or token is wrong (HTTP 401)"),
        ("nowhere", PASSWORD, "there is no STOW-RS service at this address (HTTP 404)"),
    ],
    ids=["wrong password", "wrong path"],
)
def test_what_stow_refuses_is_said_in_words(
    stock: Stock, tmp_path: Path, path: str, password: str, reason: str
) -> None:
    file = photographic(tmp_path / "a.dcm", "2.25.130")
    (tmp_path / "password").write_text(password)
    login = ("--stow-user", USER, "--stow-password-file", tmp_path / "password")
    code, (told,) = run(file, "--stow", f"{stock.url}/{path}", *login, "--no-commit")
    assert (code, told["state"], told["reason"]) == (1, "not stored", reason)


def test_over_tls_both_sides_show_their_certificates(
    guarded_by_tls: Stock, ours: Certificate, theirs: Certificate, tmp_path: Path
) -> None:
    file = photographic(tmp_path / "a.dcm", "2.25.140")
    certificates = ("--tls", "--tls-ca", theirs.cert, "--tls-cert", ours.cert, "--tls-key", ours.key)
    there = (guarded_by_tls.node, "--listen", guarded_by_tls.listen)
    code, (told,) = run(file, "--to", *there, *certificates, "--delete-source")
    assert (code, told["state"], told["deleted"]) == (0, "committed", True)


@pytest.mark.parametrize("trust", ["nobody", "somebody else", "no certificate of ours", "no TLS"])
def test_over_tls_nothing_is_sent_to_or_by_a_stranger(
    guarded_by_tls: Stock, ours: Certificate, theirs: Certificate, tmp_path: Path, trust: str
) -> None:
    file = photographic(tmp_path / "a.dcm", "2.25.141")
    own = ("--tls-cert", ours.cert, "--tls-key", ours.key)
    options = {
        "nobody": ("--tls", *own),
        "somebody else": ("--tls", "--tls-ca", ours.cert, *own),
        "no certificate of ours": ("--tls", "--tls-ca", theirs.cert),
        "no TLS": (),
    }
    code, (told,) = run(file, "--to", guarded_by_tls.node, *options[trust], "--no-commit", "--timeout", 5)
    assert (code, told["state"]) == (1, "not stored")
    assert "2.25.141" not in guarded_by_tls.instances()


def test_storescp_gets_the_very_bytes_of_the_object(tmp_path: Path) -> None:
    file = photographic(tmp_path / "a.dcm", "2.25.150")
    taken = tmp_path / "taken"
    taken.mkdir()
    with dcmtk("storescp", taken, ["--prefer-jpeg8", "--bit-preserving", "--aetitle", "ARCHIVE"]) as port:
        code, _ = run(file, "--to", f"ARCHIVE@{HOST}:{port}", "--no-commit")
    (arrived,) = taken.glob("VL*")
    assert (code, arrived.read_bytes()[-900:]) == (0, file.read_bytes()[-900:])


def test_an_archive_without_jpeg_gets_nothing(tmp_path: Path) -> None:
    file = photographic(tmp_path / "a.dcm", "2.25.151")
    with dcmtk("storescp", tmp_path, ["--prefer-uncompr"]) as port:
        code, (told,) = run(file, "--to", f"ARCHIVE@{HOST}:{port}", "--no-commit")
    assert (code, told["state"]) == (1, "not stored")
    assert "takes none of what we offer" in str(told["reason"])


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--refuse", "rejects the association"),
        ("--abort-during", "the archive broke off, or didn't answer in time"),
        ("--abort-after", "the archive broke off, or didn't answer in time"),
    ],
)
def test_an_archive_that_breaks_off_leaves_the_files(option: str, reason: str, tmp_path: Path) -> None:
    files = [photographic(tmp_path / f"{number}.dcm", f"2.25.16{number}") for number in range(3)]
    with dcmtk("storescp", tmp_path, ["--prefer-jpeg8", option]) as port:
        code, told = run(*files, "--to", f"ARCHIVE@{HOST}:{port}", "--timeout", 5, "--delete-source")
    assert (code, {each["state"] for each in told}) == (1, {"not stored"})
    assert reason in str(told[0]["reason"])
    assert all(file.exists() for file in files)


def test_storescp_over_tls_is_checked_by_its_own_authority(
    theirs: Certificate, ours: Certificate, tmp_path: Path
) -> None:
    file = photographic(tmp_path / "a.dcm", "2.25.170")
    options = ["+tls", str(theirs.key), str(theirs.cert), "+cf", str(ours.cert), "--prefer-jpeg8"]
    with dcmtk("storescp", tmp_path, options) as port:
        own = ("--tls", "--tls-cert", ours.cert, "--tls-key", ours.key, "--no-commit")
        trusted = run(file, "--to", f"ARCHIVE@{HOST}:{port}", *own, "--tls-ca", theirs.cert)
        distrusted = run(file, "--to", f"ARCHIVE@{HOST}:{port}", *own, "--tls-ca", ours.cert)
    assert (trusted[0], distrusted[0]) == (0, 1)
    assert "certificate" in str(distrusted[1][0]["reason"])


def test_consentgate_vouches_for_what_it_filed_and_not_for_what_it_keeps_in_quarantine(
    archive: Archive, tmp_path: Path
) -> None:
    filed = tmp_path / "filed.dcm"
    filed.write_bytes(archive.wrapped("A").file.read_bytes())
    kept = photographic(tmp_path / "kept.dcm", "2.25.180")
    ports = archive.server.ports
    to = ("--to", f"CONSENTGATE@{HOST}:{ports.dicom}", "--aet", "DERMCAM", "--listen", ports.camera)
    code, told = run(filed, kept, *to, "--delete-source")
    assert (code, [each["state"] for each in told]) == (1, ["committed", "not committed"])
    assert (filed.exists(), kept.exists()) == (False, True)
    reason = "the archive took it but doesn't vouch for it yet; kept (no such object instance (0112H))"
    assert (told[1]["reason"], told[1]["receipt"]) == (reason, None)
