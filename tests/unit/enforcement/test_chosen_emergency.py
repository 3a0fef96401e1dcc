"""Emergency access of an account with several purposes: it belongs to the use that has the role, and to no other."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_plugin.archive.remote import Credentials
from orthanc_plugin.enforcement.http import HttpFilter
from tests.fakes.caller import Caller
from tests.fakes.pictures import CARE, UID
from tests.fakes.world import POLICY, World, make_world

INTERNAL = Credentials(user="consentgate", password="p", secret="s")
REASON = "Unconscious in resus, is the wound the old one?"
LOCUM = """
[[users]]
name = "locum"
roles = ["view"]
purpose = "TEACHING"
audience = "TRUST_CLINICIAN"

[[users.also]]
purpose = "LOCAL_AUDIT"
audience = "TRUST_CLINICIAN"
roles = ["view", "break-glass"]
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path, policy=POLICY + LOCUM)
    made.file(CARE)
    yield made
    made.close()


def sees(world: World, purpose: str) -> bool:
    said = {"Authorization": "Basic " + base64.b64encode(b"locum:p").decode(), "X-Purpose-Of-Use": purpose}
    hook = HttpFilter(world.services, INTERNAL, world.worker()).hook
    return hook(f"/instances/{world.row().orthanc_instance}/file", method=1, ip="10.0.0.7", headers=said, get={})


def test_it_is_asked_for_and_used_under_the_purpose_that_has_the_role(world: World) -> None:
    caller, wanted = Caller(world=world), {"image": UID, "reason": REASON}
    assert caller.post("break-glass", wanted, "locum").status == 403
    assert not sees(world, "LOCAL_AUDIT")
    assert caller.post("break-glass", wanted, "locum", x_purpose_of_use="LOCAL_AUDIT").status == 200
    assert sees(world, "LOCAL_AUDIT")
    assert world.trail()[-1]["purpose"] == "EMERGENCY_CARE"
    assert not sees(world, "TEACHING")
    assert world.trail()[-1]["purpose"] == "TEACHING"
