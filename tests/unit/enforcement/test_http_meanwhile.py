"""What happens between the decision and its disclosure counts before an original goes out by HTTP."""

from __future__ import annotations

import base64
from pathlib import Path

from orthanc_plugin.archive.remote import Credentials
from orthanc_plugin.enforcement.http import HttpFilter
from tests.fakes.pictures import CARE, UID, consent
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


# So does the first picture's disclosure for the second one.
QUARANTINE_ONE = (
    "CREATE TRIGGER meanwhile AFTER INSERT ON disclosures "
    "BEGIN UPDATE images SET status = 'QUARANTINED' WHERE sop_instance_uid = '2.25.9'; END"
)


def ask(world: World, path: str = "/instances/{0.orthanc_instance}/file") -> bool:
    hook = HttpFilter(world.services, Credentials(user="consentgate", password="p", secret="s"), world.worker()).hook
    account = {"Authorization": "Basic " + base64.b64encode(b"partner:password").decode()}
    return hook(path.format(world.row()), method=GET, ip="", headers=account, get={})


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


def test_pictures_that_leave_together_are_disclosed_together_or_not_at_all(tmp_path: Path) -> None:
    world = make_world(tmp_path, policy=POLICY + PARTNER)
    world.record(consent(CARE, OPINION, explained=TOLD))
    for uid in (UID, "2.25.9"):
        world.file(uid=uid)
    study = "/studies/{0.orthanc_study}/instances"
    assert ask(world, study)
    assert {row["sop_instance_uid"] for row in world.disclosures()} == {UID, "2.25.9"}
    world.sql(QUARANTINE_ONE)
    assert not ask(world, study)
    refused = [(entry["subject"], entry["rules"]) for entry in world.trail()[-2:]]
    assert sorted(refused) == [(UID, ["DECISION_CHANGED"]), ("2.25.9", ["DECISION_CHANGED"])]
    assert len(world.disclosures()) == 2
    world.close()
