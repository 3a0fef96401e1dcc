"""Storage commitment by nodes that report on an association of their own: to the port of the Orthanc that sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEGBaseline8Bit, VLPhotographicImageStorage
from pynetdicom import AE, build_role, evt

from demo.peers import CALLED_AET, HOST
from dicomwrap.sending.commitment import PUSH_MODEL
from orthanc_plugin.archive.remote import RemoteControl, read_credentials
from orthanc_plugin.registry import outbox
from tests.integration import stock
from tests.integration.couriers import Trial, trial, verified

COUNT = 3
NO_SUCH_OBJECT = 0x0112
NODE = '"AET": "DERMWS"'


def committing(folder: Path) -> None:
    """Have the workstation be asked, and let it report."""
    policy, configuration = folder / "policy.toml", folder / "orthanc.json"
    policy.write_text(policy.read_text().replace('aet = "DERMWS"\n', 'aet = "DERMWS"\ncommitment = true\n', 1))
    before, node, after = configuration.read_text().partition(NODE)
    after = after.replace('"AllowEventReport": false', '"AllowEventReport": true', 1)
    configuration.write_text(before + node + after)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    with trial(tmp_path_factory.mktemp("vouching"), COUNT, prepare=committing) as made:
        yield made


@pytest.fixture
def ward(running: Trial) -> Iterator[Trial]:
    running.empty()
    yield running
    running.stop()


def rows(ward: Trial) -> dict[str, tuple[str, str]]:
    """Return where each picture stands, and why."""
    with ward.database.reading() as connection:
        found = outbox.listed(connection)
    return {str(row["sop_instance_uid"]): (str(row["state"]), str(row["reason"])) for row in found}


def test_another_orthanc_that_reports_on_an_association_of_its_own_is_heard(ward: Trial, tmp_path: Path) -> None:
    ports = ward.archive.server.ports
    us = {"us": {"AET": CALLED_AET, "Host": HOST, "Port": ports.dicom}}
    ward.queue(tuple(ward.files))
    with stock.orthanc(tmp_path, DicomAet="DERMWS", DicomPort=ports.workstation, DicomModalities=us) as other:
        ward.once()
        assert set(other.instances()) == set(ward.files)
    assert rows(ward) == dict.fromkeys(ward.files, ("DELIVERED", ""))
    assert verified(ward.archive)


def report(port: int, asked: Dataset, missing: str) -> None:
    """Report one of the instances as missing, on an association of the node's own."""
    told = Dataset()
    told.TransactionUID = asked.TransactionUID
    told.ReferencedSOPSequence, told.FailedSOPSequence = [], []
    for each in asked.ReferencedSOPSequence:
        if str(each.ReferencedSOPInstanceUID) == missing:
            each.FailureReason = NO_SUCH_OBJECT
            told.FailedSOPSequence.append(each)
        else:
            told.ReferencedSOPSequence.append(each)
    entity = AE(ae_title="DERMWS")
    entity.add_requested_context(PUSH_MODEL)
    made = entity.associate(HOST, port, ae_title=CALLED_AET, ext_neg=[build_role(PUSH_MODEL, scp_role=True)])
    made.send_n_event_report(told, 2, PUSH_MODEL, "1.2.840.10008.1.20.1.1")
    made.release()


def test_a_liar_is_caught_and_nobody_but_ourselves_can_read_the_report(ward: Trial) -> None:
    server, missing = ward.archive.server, next(iter(ward.files))
    transactions: list[str] = []

    def asked(event: evt.Event) -> tuple[int, None]:
        transactions.append(str(event.action_information.TransactionUID))
        Timer(0.1, report, [server.ports.dicom, event.action_information, missing]).start()
        return 0x0000, None

    node = AE(ae_title="DERMWS")
    node.add_supported_context(VLPhotographicImageStorage, [JPEGBaseline8Bit])
    node.add_supported_context(PUSH_MODEL)
    handlers = [(evt.EVT_C_STORE, lambda _event: 0x0000), (evt.EVT_N_ACTION, asked)]
    listening = node.start_server((HOST, server.ports.workstation), block=False, evt_handlers=handlers)
    assert listening is not None
    ward.queue(tuple(ward.files))
    try:
        ward.once()
    finally:
        listening.shutdown()
    told = rows(ward)
    assert {uid for uid, (state, _) in told.items() if state == "WAITING"} == {missing}
    assert "does not vouch" in told[missing][1]
    outcomes = {(row["sop_instance_uid"], row["outcome"]) for row in ward.disclosures()}
    assert (missing, "SENT") in outcomes
    path = f"/storage-commitment/{transactions[0]}"
    for account in ("admin", "derm"):
        assert server.ask("GET", path, account).status_code == 403
    control = RemoteControl(server.url, read_credentials(server.folder / "run" / "boot.secret", "consentgate"))
    heard = control.commitment(transactions[0])
    assert heard is not None
    assert heard["RemoteAET"] == "DERMWS"
