"""What happens between the decision and its disclosure counts before an original goes out by HTTP."""

from __future__ import annotations

import base64
from pathlib import Path

from orthanc_plugin.archive.remote import Credentials
from orthanc_plugin.enforcement.http import HttpFilter
from tests.fakes.pictures import CARE, consent
from tests.fakes.world import POLICY, World, make_world

GET = 1
TOLD = ["WHY", "USE", "STORAGE", "DISPOSAL", "TRANSMISSION"]
OPINION = {"purpose": "SECOND_OPINION", "max_form": "IDENTIFIABLE", "audience": ["PARTNER_ORG_CLINICIAN"]}
PARTNER = """
[[users]]
name = "partner"
roles = ["view"]
purpose = "SECOND_OPINION"
audience = "PARTNER_ORG_CLINICIAN"
secure_channel = true
"""
# The decision's own entry in the trail is what the picture's fate changes with.
QUARANTINE = "CREATE TRIGGER meanwhile AFTER INSERT ON trail BEGIN UPDATE images SET status = 'QUARANTINED'; END"


def ask(world: World) -> bool:
    hook = HttpFilter(world.services, Credentials(user="consentgate", password="p", secret="s"), world.worker()).hook
    account = {"Authorization": "Basic " + base64.b64encode(b"partner:password").decode()}
    return hook(f"/instances/{world.row().orthanc_instance}/file", method=GET, ip="", headers=account, get={})


def test_an_original_whose_permit_didn_t_last_until_its_disclosure_stays_in(tmp_path: Path) -> None:
    world = make_world(tmp_path, policy=POLICY + PARTNER)
    world.record(consent(CARE, OPINION, explained=TOLD))
    world.file()
    assert ask(world)
    assert len(world.disclosures()) == 1
    world.sql(QUARANTINE)
    assert not ask(world)
    assert world.last_rules() == ["DECISION_CHANGED"]
    assert len(world.disclosures()) == 1
    world.close()
