"""A registry that takes the call and never answers: every door says no, and says it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from orthanc_plugin.archive.remote import Credentials
from orthanc_plugin.enforcement.acceptances import Acceptances
from orthanc_plugin.enforcement.commitment import CommitmentScp
from orthanc_plugin.enforcement.http import HttpFilter
from orthanc_plugin.enforcement.ingest import CStoreFilter, Received
from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.enforcement.senders import Senders
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.registry.engine import open_database
from tests.fakes import newer, orthanc
from tests.fakes.instances import instance
from tests.fakes.orthanc import InstanceOrigin, ReceivedInstanceAction
from tests.fakes.pictures import CARE, UID, photograph, photograph_bytes
from tests.fakes.world import World
from tests.unit.enforcement.moving import move_scp
from tests.unit.enforcement.test_http import basic


@pytest.fixture
def silenced(world: World) -> Iterator[World]:
    """Give a world that filed a photograph before its registry fell silent."""
    world.file(CARE)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = open_database(f"postgresql://u:p@127.0.0.1:{silent.getsockname()[1]}/x?connect_timeout=2")
        services = replace(world.services, database=database)
        services.gate.database = database
        yield replace(world, services=services)


def http(world: World) -> bool:
    internal = Credentials(user="consentgate", password="p", secret="s")
    hook = HttpFilter(world.services, internal, world.worker()).hook
    uri = f"/instances/{'-'.join(['0' * 8] * 5)}/file"
    return hook(uri, method=1, ip="", headers={"authorization": basic("derm")}, get={}) is False


def received(world: World) -> bool:
    hook = Received(Intake(world.services), world.worker(), orthanc, Senders(), Acceptances()).hook
    return hook(photograph_bytes(), InstanceOrigin.DICOM_PROTOCOL) == (ReceivedInstanceAction.MODIFY, b"")


def cstore(world: World) -> bool:
    hook = CStoreFilter(world.services, Intake(world.services), world.worker(), Acceptances()).hook
    return hook(instance(photograph())) not in (0, None)


def move(world: World) -> bool:
    scp = move_scp(world)
    with pytest.raises(ConsentgateError):
        scp.create(OriginatorAET="DERMWS", TargetAET="DERMWS", Level="IMAGE", SOPInstanceUID=UID)
    return world.archive.sent == []


def commitment(world: World) -> bool:
    scp = CommitmentScp(world.services, world.archive, world.worker(), world.worker(), newer)
    known = scp.create("job", "2.25.7", ["1.2"], [UID], "DERMCAM", "CONSENTGATE")
    return scp.look_up("1.2", UID, known) == newer.StorageCommitmentFailureReason.PROCESSING_FAILURE


@pytest.mark.parametrize("says_no", [http, received, cstore, move, commitment])
def test_a_silent_registry_shuts_this_door(says_no: Callable[[World], bool], silenced: World) -> None:
    assert says_no(silenced)
