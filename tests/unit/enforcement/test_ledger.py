"""Every door that gives a picture leaves a disclosure, or, to the team that treats the patient, its decision alone.

And every door obeys what an identifiable copy for a secondary use must say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from dicomwrap.consenttags import read_stamp
from dicomwrap.terms import Purpose
from orthanc_plugin.enforcement.exits import ROUTES
from orthanc_plugin.enforcement.route import Kind, Route
from orthanc_plugin.policy.model import Decision
from orthanc_plugin.release import Context, Released
from orthanc_plugin.sending.packing import Packed, Packer, Refusal
from tests.fakes.core import CoreSimulator
from tests.fakes.exits import Asking
from tests.fakes.pictures import CARE, CONSENT_ID, UID
from tests.fakes.world import POLICY, World, make_world
from tests.unit.enforcement.moving import move_scp
from tests.unit.enforcement.test_http import Door, file_of

USES = {
    "derm": 'purpose = "DIRECT_CARE"\naudience = "CARE_TEAM"\n',
    "partner": 'purpose = "SECOND_OPINION"\naudience = "PARTNER_ORG_CLINICIAN"\nsecure_channel = true\n',
    "atlas": 'purpose = "TEACHING"\naudience = "TRUST_STUDENTS"\n',
}
SCOPES = (
    CARE,
    {"purpose": "SECOND_OPINION", "max_form": "IDENTIFIABLE", "audience": ["PARTNER_ORG_CLINICIAN"]},
    {"purpose": "TEACHING", "max_form": "IDENTIFIABLE", "audience": ["TRUST_STUDENTS"]},
)
FILES = [row for row in ROUTES if row.kind is Kind.IMAGE]


def policy(use: str) -> str:
    bound = f'[[users]]\nname = "{use}-user"\nroles = ["view", "send"]\n{USES[use]}'
    node = f'[[dicom_nodes]]\nname = "{use}-node"\naet = "OUTSIDE"\nhost = "127.0.0.1"\nmay = ["move", "receive"]\n'
    return f"{POLICY}\n{bound}{node}{USES[use]}"


@pytest.fixture(params=[*USES])
def use(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(use: str, tmp_path: Path) -> Iterator[World]:
    """Give a world whose consent covers each use, in identifiable form."""
    made = make_world(tmp_path, policy=policy(use))
    made.file(*SCOPES)
    yield made
    made.close()


def moved(world: World, _use: str) -> bytes:
    scp = move_scp(world)
    asked = {"Level": "IMAGE", "SOPInstanceUID": UID}
    scp.hook(OriginatorAET="OUTSIDE", TargetAET="OUTSIDE", SourceAET="X", OriginatorID=1, **asked)
    return world.archive.sent[-1][1]


def stored(world: World, use: str) -> bytes:
    asking = Asking(world=world)
    answer = asking.post("/modalities/outside/store", [asking.instance()], f"{use}-user")
    assert answer.status == 200, answer.content
    return world.archive.sent[-1][1]


def archived(world: World, use: str) -> bytes:
    answer = Asking(world=world).get(f"/studies/{world.row().orthanc_study}/archive", f"{use}-user")
    assert answer.status == 200, answer.content
    return answer.zip.read("00001.dcm")


@pytest.mark.parametrize("door", [moved, stored, archived])
def test_what_is_sent_or_packed_is_in_the_ledger_with_who_asked(
    door: Callable[[World, str], bytes], use: str, world: World
) -> None:
    content = door(world, use)
    (row,) = world.disclosures()
    assert row["recipient"] == (f"{use}-user" if door is archived else f"{use}-node")
    assert row["requester"] == ("OUTSIDE" if door is moved else f"{use}-user")
    original, copy = dcmread(BytesIO(world.archive.objects[world.row().orthanc_instance])), dcmread(BytesIO(content))
    assert copy.get_item("PixelData").value == original.get_item("PixelData").value
    assert (row["released_uid"], row["form"]) == (copy.SOPInstanceUID, "PERMIT_IDENTIFIABLE")
    found = read_stamp(copy)
    assert found is not None
    tagged = use == "atlas"
    assert (copy.SOPInstanceUID != UID) is tagged
    assert (found.release_purpose, found.recipient) == (("TRAIN", str(row["recipient"])) if tagged else ("", ""))
    assert found.record_id == CONSENT_ID


def path_of(row: Route, world: World) -> tuple[str, dict[str, str]]:
    image = world.row()
    names = {
        "instance": image.orthanc_instance,
        "study_uid": image.study_instance_uid,
        "series_uid": image.series_instance_uid,
        "instance_uid": image.sop_instance_uid,
        **dict.fromkeys(("frame", "frames"), "1"),
        **dict.fromkeys(("rest", "name"), "x"),
    }
    return f"{row.method} {row.path.format_map(names)}", {"objectUID": UID} if row.path == "/wado" else {}


def test_each_row_of_the_table_that_gives_a_picture_is_in_the_ledger_where_the_decision_demands_it(
    use: str, world: World
) -> None:
    door, passed = Door(world, world.worker()), []
    for row in FILES:
        before = len(world.disclosures()), len(world.trail())
        request, arguments = path_of(row, world)
        passed.append(door.ask(f"{use}-user", request, arguments=arguments))
        assert len(world.disclosures()) - before[0] == (use == "partner"), row.path
        assert len(world.trail()) > before[1], row.path
    assert set(passed) == {use != "atlas"}
    if use == "atlas":
        assert "ask for it by C-MOVE" in str(world.trail()[-1]["reasons"])


def test_whole_studies_by_dicomweb_are_in_the_ledger_too(use: str, world: World) -> None:
    asking = Asking(world=world, core=CoreSimulator(archive=world.archive))
    answer = asking.get(f"/dicom-web/studies/{world.row().study_instance_uid}", f"{use}-user")
    assert (answer.status == 200) is (use != "atlas")
    assert len(world.disclosures()) == (use == "partner")
    assert [entry for entry in world.trail() if entry["event"] == "110147"] != []


def test_a_refused_original_can_be_had_as_a_copy(tmp_path: Path) -> None:
    world = make_world(tmp_path, policy=policy("atlas"))
    world.file(*SCOPES)
    assert Door(world, world.worker()).ask("atlas-user", file_of(world)) is False
    assert archived(world, "atlas")
    world.close()


@pytest.mark.parametrize("use", ["atlas"], indirect=True)
def test_a_copy_that_names_another_version_of_the_consent_than_the_ledger_never_leaves(world: World) -> None:
    prepare = world.services.release.prepare

    def slowly(decision: Decision, context: Context, original: bytes, uid: str) -> Released:
        made = prepare(decision, context, original, uid)
        world.clock.advance(minutes=1)
        world.withdraw(CONSENT_ID, Purpose.SECOND_OPINION)
        return made

    world.services.release.prepare = slowly  # type: ignore[method-assign]
    packer, node = Packer(world.services, world.archive), "atlas-node"
    refused = packer.pack(world.requester(node), world.row(), world.binding(node), "C-MOVE")
    assert isinstance(refused, Refusal)
    assert "consent that the copy names changed" in refused.reasons[0]
    assert world.disclosures() == []
    world.services.release.prepare = prepare  # type: ignore[method-assign]
    packed = packer.pack(world.requester(node), world.row(), world.binding(node), "C-MOVE")
    assert isinstance(packed, Packed)
    stamp = read_stamp(dcmread(BytesIO(packed.released.content)))
    assert stamp is not None
    assert (stamp.record_version, world.disclosures()[0]["consent_versions"]) == ("2", "[2]")
