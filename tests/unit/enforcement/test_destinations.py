"""By no door does anything leave to a recipient that expired, or without TLS where policy demands it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from dicomwrap.terms import Audience, Purpose
from orthanc_plugin.config.bindings import Destination
from orthanc_plugin.config.recipients import Kind, Recipient
from orthanc_plugin.enforcement.cmove import MoveRefusedError
from orthanc_plugin.enforcement.dryrun import recipient, recipients, would
from orthanc_plugin.enforcement.finding import Finding
from orthanc_plugin.enforcement.options import Severity
from orthanc_plugin.enforcement.recipients import recipient_findings
from orthanc_plugin.enforcement.reviewing import binding_of
from orthanc_plugin.sending.asking import bound
from orthanc_plugin.sending.delivery import Courier
from orthanc_plugin.sending.destinations import DestinationRefusedError, demands_tls, objection
from tests.fakes.configuration import modality
from tests.fakes.exits import Asking, world_with_senders
from tests.fakes.pictures import CARE, UID
from tests.fakes.world import MODALITIES, POLICY, World, make_world
from tests.unit.enforcement.moving import move_scp

TODAY = date(2026, 11, 22)
YESTERDAY = TODAY - timedelta(days=1)
ELSEWHERE = "192.0.2.7"
REFUSED = [
    ({"expires": YESTERDAY}, "RECIPIENT_EXPIRED", "the last day of workstation as a recipient was 2026-11-21"),
    ({"tls_required": True}, "CHANNEL_NOT_SECURE", "policy.toml demands TLS of workstation"),
    ({"secure_channel": True, "host": ELSEWHERE}, "CHANNEL_NOT_SECURE", "policy.toml demands TLS of workstation"),
]
Door = Callable[[World], str]


def binding(world: World, **changes: object) -> World:
    """Return the world with the workstation bound otherwise."""
    policy = world.services.policy
    nodes = tuple(replace(node, **changes) if node.name == "workstation" else node for node in policy.dicom_nodes)  # type: ignore[arg-type]
    changed = replace(policy, dicom_nodes=nodes)
    gate = world.services.gate
    gate.policy = changed
    return replace(world, services=replace(world.services, policy=changed))


def by_cmove(world: World) -> str:
    scp = move_scp(world)
    with pytest.raises(MoveRefusedError) as caught:
        scp.hook(OriginatorAET="DERMWS", TargetAET="DERMWS", Level="IMAGE", SOPInstanceUID=UID)
    return caught.value.remedy


def by_store(world: World) -> str:
    asking = Asking(world=world)
    given = asking.post("/modalities/dermatology/store", [asking.instance()])
    assert given.status == 403
    return str(given.json["remedy"])


def by_courier(world: World) -> str:
    courier = Courier(world.services, world.archive, MODALITIES, world.worker())
    node = world.services.policy.node("DERMWS")
    assert node is not None
    with pytest.raises(DestinationRefusedError) as caught:
        list(courier.deliver(bound("courier", node), [world.row()], node, "courier"))
    return caught.value.remedy


DOORS = {"C-MOVE": by_cmove, "POST /modalities/{modality}/store": by_store, "courier": by_courier}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a world with a picture that its ward may have."""
    found = world_with_senders(tmp_path)
    found.file(CARE)
    yield found
    found.close()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("changes", "rule", "reason"), REFUSED)
def test_nothing_leaves_and_the_trail_says_why(
    world: World, door: str, changes: dict[str, object], rule: str, reason: str
) -> None:
    changed = binding(world, **changes)
    remedy = DOORS[door](changed)
    assert changed.archive.sent == []
    assert changed.archive.open == 0, "no association is left open"
    assert changed.disclosures() == []
    entry = changed.trail()[-1]
    assert (entry["rules"], entry["subject"], entry["door"], entry["effect"]) == ([rule], "workstation", door, "DENY")
    assert str(entry["reasons"]).startswith(f"['{reason}")
    assert remedy.endswith(".")


@pytest.mark.parametrize(("changes", "rule", "reason"), REFUSED)
def test_an_insecure_channel_is_information_governance_s_once(
    world: World, changes: dict[str, object], rule: str, reason: str
) -> None:
    changed = binding(world, **changes)
    for door in DOORS.values():
        door(changed)
    told = [(task["kind"], task["subject"]) for task in changed.tasks()]
    assert told == ([("NOTIFY_IG", "workstation")] if rule == "CHANNEL_NOT_SECURE" else [])
    assert all(str(task["reason"]).startswith(reason) for task in changed.tasks())


@pytest.mark.parametrize(
    "changes",
    [
        {"expires": TODAY},
        {"tls_required": True},
        {"secure_channel": True, "host": ELSEWHERE},
    ],
)
def test_until_its_last_day_and_by_tls_it_leaves(world: World, changes: dict[str, object]) -> None:
    changed = binding(world, **changes)
    changed.archive.by_tls.add("dermatology")
    asking = Asking(world=changed)
    assert asking.post("/modalities/dermatology/store", [asking.instance()]).status == 200
    move_scp(changed).hook(OriginatorAET="DERMWS", TargetAET="DERMWS", Level="IMAGE", SOPInstanceUID=UID)
    assert len(changed.archive.sent) == 2


def test_what_stays_on_this_machine_is_a_secure_channel_unless_tls_is_demanded(world: World) -> None:
    here = world.services.policy.destinations[0]
    assert not demands_tls(replace(here, secure_channel=True))
    assert demands_tls(replace(here, secure_channel=True, tls_required=True))
    assert not demands_tls(here)


def test_a_medium_is_encrypted_by_those_who_allowed_it_and_has_no_tls() -> None:
    folder = Recipient(
        name="medium",
        kind=Kind.FOLDER,
        folder="/media/court",
        purpose=Purpose.LEGAL_DISCLOSURE,
        audience=Audience.COURT,
        secure_channel=True,
    )
    assert not demands_tls(folder)
    assert demands_tls(replace(folder, kind=Kind.STOW)), "which policy.toml then wants by https"


def test_the_day_is_the_hospital_s_at_midnight_in_summer(world: World) -> None:
    late = binding(world, expires=date(2027, 6, 30))
    late.clock.at = late.clock.at.replace(year=2027, month=6, day=30, hour=22, minute=59)
    move_scp(late).hook(OriginatorAET="DERMWS", TargetAET="DERMWS", Level="IMAGE", SOPInstanceUID=UID)
    late.clock.advance(minutes=1)  # 23:00 UTC is midnight in London
    assert by_courier(late)
    assert len(late.archive.sent) == 1


def test_an_unwritten_refusal_lets_nothing_leave_either(world: World) -> None:
    changed = binding(world, expires=YESTERDAY)
    changed.stop_the_trail()
    scp = move_scp(changed)
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is, the move fails
        scp.hook(OriginatorAET="DERMWS", TargetAET="DERMWS", Level="IMAGE", SOPInstanceUID=UID)
    assert changed.archive.sent == []


@pytest.mark.parametrize("secured", [True, False])
def test_expiry_comes_before_the_channel(world: World, *, secured: bool) -> None:
    node = replace(world.services.policy.destinations[0], expires=YESTERDAY, tls_required=True)
    found = objection(node, TODAY, secured=secured)
    assert found is not None
    assert found.rule == "RECIPIENT_EXPIRED"


def findings(world: World, tls: bool = False, today: date | None = TODAY, **changes: Any) -> list[Finding]:  # noqa: ANN401
    policy = binding(world, **changes).services.policy
    ward = {**modality("DERMWS"), "UseDicomTls": tls}
    return list(recipient_findings(policy, {"dermatology": ward}, today))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"owner": ""}, "Nobody answers for what is sent to it."),
        ({"expires": YESTERDAY}, "Its last day was 2026-11-21, so nothing leaves to it."),
        ({"expires": TODAY}, "Its last day is 2026-11-22."),
        ({"expires": TODAY + timedelta(days=30)}, "Its last day is 2026-12-22."),
        ({"tls_required": True}, "It must be sent to by TLS and isn't, so nothing leaves to it."),
        ({"secure_channel": True, "host": ELSEWHERE}, "It must be sent to by TLS and isn't, so nothing leaves to it."),
    ],
)
def test_preflight_tells_of_a_recipient_that_gets_nothing_now_or_soon(
    world: World, changes: dict[str, object], problem: str
) -> None:
    (found,) = findings(world, **changes)
    assert (found.severity, found.option, found.problem) == (Severity.WARN, "policy.toml: workstation", problem)
    assert found.remedy


@pytest.mark.parametrize(
    ("changes", "tls", "today"),
    [
        ({}, False, TODAY),
        ({"expires": TODAY + timedelta(days=31)}, False, TODAY),
        ({"expires": YESTERDAY}, False, None),
        ({"tls_required": True}, True, TODAY),
        ({"secure_channel": True}, False, TODAY),
    ],
)
def test_preflight_has_nothing_to_say_of_others(
    world: World, changes: dict[str, object], tls: bool, today: date | None
) -> None:
    assert findings(world, tls, today, **changes) == []


def test_every_destination_of_a_policy_is_looked_at(world: World) -> None:
    policy = world.services.policy
    assert {each.name for each in policy.destinations} == {"workstation", "teaching-archive"}
    assert all(isinstance(each, Destination) for each in policy.destinations)


STORE = """
[[recipients]]
name = "store"
kind = "stow"
url = "https://pacs.example/dicom-web"
owner = "ward"
expires = {expires}
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"
"""


def world_with_a_store(folder: Path, expires: date) -> World:
    """Return a world with a recipient that is no DICOM node, and a picture."""
    found = make_world(folder, policy=POLICY.replace("[profiles", STORE.format(expires=expires) + "[profiles", 1))
    found.file(CARE)
    return found


def test_a_recipient_that_is_no_node_is_asked_about_and_told_of_like_one(tmp_path: Path) -> None:
    world = world_with_a_store(tmp_path, TODAY)
    policy = world.services.policy
    store = recipient(policy, "store")
    assert store in recipients(policy)
    assert binding_of(policy, "store", "DIRECT_CARE") is store
    assert would(world.services, UID, store).released
    world.close()


@pytest.mark.parametrize(("expires", "leaves"), [(TODAY, True), (YESTERDAY, False)])
def test_what_a_route_hands_to_a_recipient_is_held_to_its_last_day(
    tmp_path: Path, expires: date, *, leaves: bool
) -> None:
    world = world_with_a_store(tmp_path, expires)
    store = world.services.policy.recipients[0]
    courier = Courier(world.services, world.archive, {}, world.worker())
    way = world.archive.sending("store")
    handovers = courier.hand(bound("route x", store), [world.row()], store, "courier", way)
    if leaves:
        assert [each.delivered for each in handovers] == [True]
    else:
        with pytest.raises(DestinationRefusedError, match="the last day of store"):
            next(handovers)
    assert (len(world.archive.sent), world.archive.open) == (int(leaves), 0)
    assert (world.trail()[-1]["rules"] == ["RECIPIENT_EXPIRED"]) is not leaves
    world.close()


@pytest.mark.parametrize(
    ("url", "released"),
    [("https://a.example", True), ("http://127.0.0.1", False)],
)
def test_who_is_outside_the_trust_is_sent_to_by_a_channel_that_is_secure(
    tmp_path: Path, url: str, *, released: bool
) -> None:
    text = STORE.format(expires=TODAY).replace("https://pacs.example/dicom-web", url)
    text = text.replace('"DIRECT_CARE"', '"TEACHING"').replace('"CARE_TEAM"', '"EXTERNAL_AUDIENCE"')
    text += 'form = "ANONYMISED"\nprofile = "teaching"\n'
    policy = POLICY.replace("REQUIRE_CONSENT", "GMC17").replace("[profiles", text + "[profiles", 1)
    world = make_world(tmp_path, policy=policy)
    world.file(CARE)
    world.review()
    found = would(world.services, UID, world.services.policy.recipients[0])
    assert found.decision.permits
    assert found.unmet == (() if released else ("recipient store has no secure channel",))
    world.close()
