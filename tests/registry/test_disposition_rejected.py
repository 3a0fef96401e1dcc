"""A picture that another archive rejects while it is being destroyed comes back held back, should it be kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dicomwrap.iod.keyobject import PATIENT_SAFETY
from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.lifecycle import rejecting
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry.disposals import State
from orthanc_plugin.registry.plans import Plan
from tests.fakes.disposing import OFFICERS, Office, PowerCutError, office
from tests.fakes.keying import KEYING, OLD_ARCHIVE, listing, pushed
from tests.fakes.pictures import CARE, UID
from tests.fakes.world import World


@pytest.fixture
def bureau(world: World) -> Office:
    """Give the office of a world with one picture that fell due long ago."""
    policy = world.folder / "policy.toml"
    policy.write_text(KEYING + OFFICERS)
    world.services = replace(world.services, policy=load_policy(policy))
    world.file(CARE)
    return office(world)


def interrupted(bureau: Office) -> Plan:
    """Begin to destroy the picture, and stop before its file is gone."""
    plan, delete = bureau.approved(), bureau.archive.delete

    def cut(_name: str) -> None:
        raise PowerCutError

    bureau.archive.delete = cut  # type: ignore[method-assign]
    with pytest.raises(PowerCutError):
        bureau.execute(plan)
    bureau.archive.delete = delete  # type: ignore[method-assign]
    return plan


@pytest.mark.parametrize(("lifted", "status"), [(False, ImageStatus.REJECTED), (True, ImageStatus.RESTRICTED)])
def test_what_is_rejected_while_a_run_is_interrupted_comes_back_so(
    bureau: Office, lifted: bool, status: ImageStatus
) -> None:
    plan, world = interrupted(bureau), bureau.world
    pushed(world, listing(world, PATIENT_SAFETY), OLD_ARCHIVE)
    assert world.row().status is ImageStatus.QUARANTINED
    if lifted:
        with world.services.database.writing() as connection:
            rejecting.lift(connection, bureau.act("officer"), UID, "looked at")
    bureau.hold()
    (outcome,), _ = bureau.execute(plan)
    assert outcome.state is State.DROPPED
    assert world.row().status is status
