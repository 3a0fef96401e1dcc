"""Who is refused a copy as a person gets nothing of it: no picture, and no page that tells of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from orthanc_plugin.audit.event import Outcome
from orthanc_plugin.lifecycle import people
from orthanc_plugin.lifecycle.ownfolder import own_folder
from orthanc_plugin.lifecycle.subjectaccess import AccessRefusedError
from tests.fakes.pictures import CARE, UID, consent
from tests.fakes.world import POLICY, World, make_world
from tests.unit.cli.conftest import Shell
from tests.unit.cli.test_subjectaccess import STAFF, checked, copied
from tests.unit.dicomwrap.objects import PATIENT
from tests.unit.lifecycle.steps import acting

WHO = (PATIENT.id, PATIENT.issuer)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path, policy=POLICY + STAFF)
    yield made
    made.close()


def someone(shell: Shell, audience: str) -> None:
    """Have somebody who isn't the patient ask, and everything be checked."""
    asker = ("--issuer", PATIENT.issuer, "--as", audience, "--handover", "ENCRYPTED")
    shell.json("subject-access", "open", PATIENT.id, *asker, "--note", "by letter", "--by", "records")
    checked(shell)


def died(world: World) -> None:
    with acting(world) as (connection, act):
        people.tell(connection, act, people.Told(who=WHO, facts={"death_date": date(2026, 1, 1)}, reason="x"))


@pytest.mark.parametrize(
    ("audience", "dead", "why"),
    [
        ("PR_HOLDER", False, "has not been asked whether a parent may see"),
        ("EXECUTOR", False, "Only the patient"),
        ("PATIENT", True, "the one who asks is not the executor"),
    ],
)
def test_whoever_may_not_see_the_record_gets_no_page_of_it_either(
    audience: str, dead: bool, why: str, shell: Shell, tmp_path: Path
) -> None:
    shell.world.file(CARE)
    if dead:
        died(shell.world)
    someone(shell, audience)
    with copied(shell) as copy, pytest.raises(AccessRefusedError, match=why), own_folder(tmp_path / "own") as folder:
        copy.fill(folder)
    assert [*tmp_path.glob("*own*")] == []
    assert shell.world.disclosures() == []
    assert (shell.world.trail()[-1]["outcome"], shell.world.trail()[-1]["subject"]) == (Outcome.REFUSED, UID)


def test_the_patient_s_wish_that_no_executor_has_access_keeps_every_page_back(shell: Shell, tmp_path: Path) -> None:
    shell.world.file(CARE)
    noted = {"id": "urn:x:no", "state": "REFUSED"}
    shell.world.record(consent({**CARE, "purpose": "SUBJECT_ACCESS", "audience": ["EXECUTOR"]}, **noted))
    died(shell.world)
    someone(shell, "EXECUTOR")
    with copied(shell) as copy, pytest.raises(AccessRefusedError), own_folder(tmp_path / "own") as folder:
        copy.fill(folder)
    assert [*tmp_path.glob("*own*")] == []
