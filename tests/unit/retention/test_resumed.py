"""An execution that was cut off and taken up by somebody else is certified as done by both."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.retention.certificate import verify
from orthanc_plugin.retention.page import page
from tests.fakes.disposing import DISPOSING, Office, PowerCutError, office
from tests.fakes.pictures import CARE
from tests.fakes.world import World


@pytest.fixture
def bureau(world: World) -> Office:
    """Give the office of a world with a picture that fell due long ago."""
    (world.folder / "policy.toml").write_text(DISPOSING)
    world.services = replace(world.services, policy=load_policy(world.folder / "policy.toml"))
    world.file(CARE)
    return office(world)


@pytest.mark.parametrize(("cut_at", "people"), [(3, ["clerk", "clerk-admin"]), (-1, ["clerk"])], ids=["cut", "whole"])
def test_the_certificate_names_whoever_began_and_whoever_went_on(
    cut_at: int, people: list[str], bureau: Office
) -> None:
    plan = bureau.approved()
    bureau.archive.steps, bureau.archive.cut_at = 0, cut_at
    if cut_at > 0:
        with pytest.raises(PowerCutError):
            bureau.execute(plan, by="clerk")
        bureau.archive.cut_at = -1
    _, certificate = bureau.execute(plan, by=people[-1])
    said = json.loads(certificate.text)
    assert (said["executed"]["by"], said["executed"]["people"]) == ("clerk", people)
    assert [each["executed_by"] for each in said["records"]] == [people[-1]]
    assert f"by {', '.join(people)}, " in page(certificate.text)
    verify(certificate.text.encode(), bureau.world.services.heads.key.public_key())
