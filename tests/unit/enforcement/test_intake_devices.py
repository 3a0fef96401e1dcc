"""Pictures taken with somebody's own phone or tablet: the hospital says whether, and never an intimate one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dicomwrap.consentstamp import DEVICE_REASONS, stamp_of
from dicomwrap.terms import Purpose
from tests.fakes.pictures import CARE, TEACHING, consent, encoded, photograph
from tests.fakes.world import POLICY, World, make_world

ALLOWED = POLICY.replace('personal_device = "reject"', 'personal_device = "allow_with_reason"')
WORDS = "Jane asked for it"


def taken_with(device_class: str, reason: str = "", confidentiality: str = "N") -> bytes:
    stamp = stamp_of(consent(CARE, TEACHING), Purpose.DIRECT_CARE, confidentiality=confidentiality)
    return encoded(photograph(stamp=replace(stamp, device_class=device_class, device_reason=reason)))


@pytest.mark.parametrize(
    ("policy", "content", "told"),
    [
        (POLICY, taken_with("PERSONAL", "URGENT_CARE"), "pictures from personal devices are not filed"),
        (POLICY, taken_with("PERSONAL"), "pictures from personal devices are not filed"),
        (POLICY, taken_with("personal", "URGENT_CARE"), "pictures from personal devices are not filed"),
        (POLICY, taken_with("MY PHONE", "URGENT_CARE"), "pictures from personal devices are not filed"),
        (ALLOWED, taken_with("PERSONAL"), "it needs the code of a reason (no reason given)"),
        (ALLOWED, taken_with("PERSONAL", WORDS), "it needs the code of a reason (a reason that is no code)"),
        (ALLOWED, taken_with("MY PHONE"), "it needs the code of a reason"),
        (ALLOWED, taken_with("PERSONAL", "URGENT_CARE", "R"), "intimate pictures are never filed"),
        (ALLOWED, taken_with("PERSONAL", "URGENT_CARE", "V"), "intimate pictures are never filed"),
    ],
)
def test_a_picture_from_a_personal_device_is_kept_and_not_filed(
    policy: str, content: bytes, told: str, tmp_path: Path
) -> None:
    world = make_world(tmp_path, policy=policy)
    world.record(consent(CARE, TEACHING))
    verdict = world.receive(content)
    assert [reason.partition(":")[0] for reason in verdict.reasons] == ["PERSONAL_DEVICE"]
    assert told in verdict.reasons[0]
    (held,) = world.held()
    assert (world.services.spool.get(held.spool_name), world.rows()) == (content, [])
    assert "Jane" not in str(world.trail())
    world.close()


@pytest.mark.parametrize("reason", DEVICE_REASONS)
def test_where_it_is_allowed_the_reason_lets_it_in_and_is_in_the_trail(reason: str, tmp_path: Path) -> None:
    world = make_world(tmp_path, policy=ALLOWED)
    world.record(consent(CARE, TEACHING))
    content = taken_with("PERSONAL", reason)
    assert world.receive(content).content == content
    entry = world.trail()[-1]
    assert (entry["effect"], entry["reasons"]) == ("ACCEPTED", [f"PERSONAL_DEVICE: {reason}"])
    world.close()


@pytest.mark.parametrize("device_class", ["", "ORGANISATION"])
def test_the_hospital_s_own_devices_are_not_asked_for_a_reason(device_class: str, world: World) -> None:
    world.record(consent(CARE, TEACHING))
    content = taken_with(device_class)
    assert world.receive(content).content == content
    assert world.trail()[-1]["reasons"] == []
