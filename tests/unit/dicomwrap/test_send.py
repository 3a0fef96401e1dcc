"""Objects leave by C-STORE, an archive vouches for them, and each thing that goes wrong leaves the files."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

from demo.peers import free_ports
from dicomwrap.cli.sending import send
from dicomwrap.errors import NodeError, NotAnObjectError
from dicomwrap.sending.node import Node, host_and_port
from dicomwrap.sending.parcel import parcel
from dicomwrap.sending.words import failure_words, is_warning, status_words
from tests.unit.dicomwrap.sendable import HOST, Archive, photographic, relay


@pytest.fixture
def archive() -> Iterator[Archive]:
    with Archive().listening() as running:
        yield running


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return photographic(tmp_path / "a.dcm", "2.25.10")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(send, [*map(str, arguments)], catch_exceptions=False)


def run(*arguments: object) -> tuple[int, list[dict[str, object]]]:
    """Return the exit code and what is told of each file."""
    result = call(*arguments, "--json")
    return result.exit_code, json.loads(result.stdout)["files"]


NODES = (
    ("ARCHIVE@pacs.example:104", Node(aet="ARCHIVE", host="pacs.example", port=104)),
    (" A B @127.0.0.1:65535 ", Node(aet="A B", host="127.0.0.1", port=65535)),
    ("X@[::1]:1", Node(aet="X", host="::1", port=1)),
    ("A@B@host:104", Node(aet="A@B", host="host", port=104)),
)
NO_NODES = (
    "", "ARCHIVE", "host:104", "@host:104", "ARCHIVE@:104", "ARCHIVE@host", "ARCHIVE@host:0", "ARCHIVE@host:65536",
    "ARCHIVE@host:+104", "ARCHIVE@host:\N{ARABIC-INDIC DIGIT ONE}", "SEVENTEEN-SIGNS-X@host:1", "A\\B@host:1",
    "\N{LATIN CAPITAL LETTER E WITH ACUTE}@host:1", "A\x07@host:1", "A@::1:104", "A@ho st:104", "A@host/x:104",
)  # fmt: skip


@pytest.mark.parametrize(("text", "node"), NODES, ids=[text for text, _ in NODES])
def test_a_node_is_read_and_written_again(text: str, node: Node) -> None:
    assert Node.parse(text) == node == Node.parse(str(node))


@pytest.mark.parametrize("text", NO_NODES, ids=repr)
def test_what_is_no_node_is_refused_with_the_way_to_write_it(text: str) -> None:
    with pytest.raises(NodeError) as caught:
        Node.parse(text)
    assert "AET@HOST:PORT" in str(caught.value)


def test_an_address_to_listen_on_may_lack_its_host() -> None:
    assert (host_and_port("104"), host_and_port("[::]:104")) == (("", 104), ("::", 104))


@pytest.mark.parametrize(
    ("status", "warning", "words"),
    [
        (0x0000, False, "stored"),
        (0xB000, True, "stored, but data elements were coerced (B000H)"),
        (0xB006, True, "stored, but elements were discarded (B006H)"),
        (0xB123, True, "stored with a warning (B123H)"),
        (0x0001, True, "stored with a warning (0001H)"),
        (0xA700, False, "out of resources (A700H)"),
        (0xA7FF, False, "out of resources (A7FFH)"),
        (0xA900, False, "the object doesn't match its SOP class (A900H)"),
        (0xC123, False, "the archive can't understand the object (C123H)"),
        (0x0124, False, "not authorised (0124H)"),
        (0x4321, False, "a failure of its own kind (4321H)"),
    ],
)
def test_a_status_is_told_in_words(status: int, warning: bool, words: str) -> None:
    assert (is_warning(status), status_words(status)) == (warning, words)
    assert failure_words(None) == "the archive gives no reason"


def test_all_files_go_on_one_association_byte_by_byte(archive: Archive, tmp_path: Path) -> None:
    files = [photographic(tmp_path / f"{number}.dcm", f"2.25.{number}") for number in range(5)]
    code, told = run(*files, "--to", archive.node, "--no-commit")
    assert (code, [each["state"] for each in told], archive.associations) == (0, ["stored"] * 5, 1)
    for number, file in enumerate(files):
        assert file.read_bytes().endswith(archive.held[f"2.25.{number}"])
        assert len(archive.held[f"2.25.{number}"]) > 800


def test_each_kind_is_offered_as_it_is_and_nothing_else(tmp_path: Path) -> None:
    jpeg = photographic(tmp_path / "jpeg.dcm", "2.25.1")
    plain = tmp_path / "plain.dcm"
    dataset = dcmread(jpeg)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "2.25.2"
    dataset.PixelData = bytes(32 * 32 * 3)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(plain)
    with Archive(syntaxes=[JPEGBaseline8Bit, ImplicitVRLittleEndian]).listening() as archive:
        code, told = run(jpeg, plain, "--to", archive.node, "--no-commit")
    assert (code, [each["state"] for each in told]) == (1, ["stored", "not stored"])
    assert str(told[1]["reason"]).startswith("not sent: the archive doesn't take VL Photographic Image Storage as Expl")
    with Archive().listening() as archive:
        assert run(jpeg, plain, "--to", archive.node, "--no-commit")[0] == 0
        assert plain.read_bytes().endswith(archive.held["2.25.2"])


def test_a_refused_file_is_kept_with_its_reason_and_the_others_go_on(archive: Archive, tmp_path: Path) -> None:
    files = [photographic(tmp_path / f"{number}.dcm", f"2.25.{number}") for number in range(3)]
    archive.statuses = {"2.25.0": 0xA700, "2.25.1": 0xB000}
    code, told = run(*files, "--to", archive.node, "--delete-source")
    assert (code, [each["state"] for each in told]) == (1, ["not stored", "committed", "committed"])
    assert (told[0]["reason"], told[0]["receipt"]) == ("out of resources (A700H)", None)
    assert told[1]["warnings"] == ["stored, but data elements were coerced (B000H)"]
    assert [file.exists() for file in files] == [True, False, False]


def test_after_a_broken_association_the_rest_is_kept(archive: Archive, tmp_path: Path) -> None:
    files = [photographic(tmp_path / f"{uid}.dcm", uid) for uid in ("2.25.1", "2.25.666", "2.25.3")]
    code, told = run(*files, "--to", archive.node, "--delete-source", "--timeout", 5)
    assert (code, [each["state"] for each in told]) == (1, ["committed", "not stored", "not stored"])
    assert "broke off" in str(told[1]["reason"])
    assert told[2]["reason"] == "not sent: the archive had broken off the association"
    assert [file.exists() for file in files] == [False, True, True]


@pytest.mark.parametrize("most", [0, 100, 2_000, 200_000])
@pytest.mark.parametrize("cut", [True, False], ids=["cut", "stalled"])
def test_a_connection_that_fails_at_any_place_ends_in_time(
    archive: Archive, tmp_path: Path, most: int, cut: bool
) -> None:
    file = photographic(tmp_path / "a.dcm", "2.25.1")
    dataset = dcmread(file)
    dataset.PixelData += bytes(9_000_000)
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(file)
    with relay(archive.node, most, cut=cut) as node:
        code, (told,) = run(file, "--to", node, "--timeout", 0.5, "--delete-source")
    assert (code, told["state"], told["sop_instance_uid"], file.exists()) == (1, "not stored", "2.25.1", True)


def test_a_closed_port_is_said_and_nothing_is_lost(file: Path) -> None:
    (port,) = free_ports(1)
    code, (told,) = run(file, "--to", f"ARCHIVE@{HOST}:{port}", "--delete-source")
    assert (code, told["state"], file.exists()) == (1, "not stored", True)
    assert told["reason"] == f"ARCHIVE@{HOST}:{port} can't be reached (Connection refused)"


def test_a_wrong_ae_title_is_said(archive: Archive, file: Path) -> None:
    _, (told,) = run(file, "--to", f"OTHER@{HOST}:{archive.node.port}", "--no-commit")
    assert str(told["reason"]).endswith("rejects the association: the AE title that we call is not its own")


def test_an_unknown_host_is_said(file: Path) -> None:
    _, (told,) = run(file, "--to", "ARCHIVE@no-such-host.invalid:104", "--no-commit")
    assert "can't be" in str(told["reason"])


def test_the_report_may_come_on_an_association_of_its_own(archive: Archive, file: Path) -> None:
    (archive.reports_to,) = free_ports(1)
    code, (told,) = run(file, "--to", archive.node, "--listen", f"{HOST}:{archive.reports_to}", "--delete-source")
    assert (code, told["state"], told["deleted"], file.exists()) == (0, "committed", True, False)


def test_a_report_on_something_else_is_passed_over(archive: Archive, file: Path) -> None:
    archive.stray = True
    assert run(file, "--to", archive.node)[1][0]["state"] == "committed"


def test_what_the_archive_does_not_vouch_for_is_kept(archive: Archive, tmp_path: Path) -> None:
    files = [photographic(tmp_path / f"{number}.dcm", f"2.25.{number}") for number in range(2)]
    archive.missing = {"2.25.1": 0x0213}
    code, told = run(*files, "--to", archive.node, "--delete-source")
    assert (code, [each["state"] for each in told]) == (1, ["committed", "not committed"])
    reason = "the archive took it but doesn't vouch for it yet; kept (resource limitation (0213H))"
    assert (told[1]["reason"], told[1]["receipt"], files[1].exists()) == (reason, None, True)


@pytest.mark.parametrize(("silent", "status"), [(True, 0x0000), (False, 0x0110)], ids=["silent", "refused"])
def test_without_a_report_nothing_is_deleted(archive: Archive, file: Path, silent: bool, status: int) -> None:
    archive.silent, archive.action_status = silent, status
    code, (told,) = run(file, "--to", archive.node, "--timeout", 1, "--delete-source")
    assert (code, told["state"], told["receipt"], file.exists()) == (1, "not committed", None, True)
    assert list(file.parent.iterdir()) == [file]


def test_commitment_may_be_asked_of_somebody_else(archive: Archive, file: Path) -> None:
    with Archive().listening() as voucher:
        voucher.held["2.25.10"] = b""
        code, (told,) = run(file, "--to", archive.node, "--commit", voucher.node)
        assert (code, told["state"]) == (0, "committed")
        assert json.loads(Path(str(told["receipt"])).read_text())["peer_port"] == voucher.node.port


def test_a_taken_port_is_said_before_anything_is_sent(archive: Archive, file: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        result = call(file, "--to", archive.node, "--listen", taken.getsockname()[1])
    assert (result.exit_code, archive.held) == (1, {})
    assert "Reports can't be listened for" in result.stderr
    assert "nothing was sent" in result.stderr


USAGE = (
    (("--no-commit",), "Give either --to or --stow"),
    (("--to", "A@h:1", "--stow", "http://h"), "Give either --to or --stow"),
    (("--stow", "https://h"), "give --commit AET@HOST:PORT, or --no-commit"),
    (("--to", "A@h:1", "--commit", "A@h:1", "--no-commit"), "contradict"),
    (("--to", "A@h:1", "--no-commit", "--delete-source"), "nothing is deleted"),
    (("--to", "A@h:1", "--tls-cert", __file__), "--tls-cert needs --tls"),
    (("--to", "A@h:1", "--tls", "--tls-key", __file__), "--tls-key needs --tls-cert"),
    (("--to", "A@h"), "AET@HOST:PORT"),
    (("--to", "A@h:1", "--listen", "x"), "port"),
    (("--to", "A@h:1", "--stow-user", "me"), "need --stow"),
    (("--stow", "https://h", "--no-commit", "--stow-user", "me"), "--stow-password-file"),
    (("--stow", "ftp://h", "--no-commit"), "https://HOST/dicom-web"),
    (("--to", "A@h:1", "--timeout", "0"), "--timeout"),
)


@pytest.mark.parametrize(("options", "said"), USAGE, ids=[said for _, said in USAGE])
def test_a_call_that_contradicts_itself_is_refused_as_a_whole(options: tuple[str, ...], said: str, file: Path) -> None:
    result = call(file, *options)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_two_files_of_one_uid_and_other_content_are_both_kept_back(archive: Archive, tmp_path: Path) -> None:
    one, two = (photographic(tmp_path / f"{shade}.dcm", "2.25.1", shade=shade) for shade in (10, 200))
    other = photographic(tmp_path / "other.dcm", "2.25.2")
    code, told = run(one, two, other, other, "--to", archive.node, "--delete-source")
    assert (code, [each["state"] for each in told]) == (1, ["not stored", "not stored", "committed"])
    assert (one.exists(), two.exists(), set(archive.held)) == (True, True, {"2.25.2"})


def no_objects(folder: Path) -> dict[str, Path]:
    good = photographic(folder / "good.dcm", "2.25.1")
    lying = dcmread(good)
    lying.file_meta.MediaStorageSOPInstanceUID = "2.25.2"
    lying.save_as(folder / "lying.dcm", enforce_file_format=False)
    named = dcmread(good)
    named.SOPInstanceUID = named.file_meta.MediaStorageSOPInstanceUID = "not a uid"
    named.save_as(folder / "named.dcm", enforce_file_format=False)
    (folder / "text.dcm").write_text("no object")
    (folder / "empty.dcm").write_bytes(b"")
    (folder / "short.dcm").write_bytes(good.read_bytes()[:200])
    return {name: folder / f"{name}.dcm" for name in ("lying", "named", "text", "empty", "short", "absent")}


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize("name", ["lying", "named", "text", "empty", "short", "absent"])
def test_what_is_no_object_is_not_sent(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotAnObjectError) as caught:
        parcel(no_objects(tmp_path)[name])
    assert str(tmp_path) not in str(caught.value)
