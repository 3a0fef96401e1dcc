"""``consentgate retention destroyed``: of a number that nobody has here, nothing is assured."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orthanc_plugin.config.policyfile import load_policy
from tests.fakes.disposing import DISPOSING, Office, office
from tests.fakes.pictures import CARE
from tests.unit.cli.conftest import Shell


@pytest.fixture
def bureau(shell: Shell) -> Office:
    """Give the office of a world with a picture that fell due long ago."""
    policy = shell.put("policy.toml", DISPOSING)
    shell.world.services = replace(shell.world.services, policy=load_policy(policy))
    shell.world.file(CARE)
    return office(shell.world)


@pytest.mark.parametrize("more", [(), ("--issuer", "ELSEWHERE")], ids=["number", "issuer"])
def test_a_number_that_nobody_has_is_told_so_and_is_no_word_on_what_was_destroyed(
    more: tuple[str, ...], shell: Shell, bureau: Office
) -> None:
    number = "TYPO" if not more else bureau.world.row().patient_id
    said = shell.fails("retention", "destroyed", number, *more)
    assert "Nobody of this number is on record, and nothing was destroyed under it. Check the number" in said
    assert number not in said
    result = shell("retention", "destroyed", number, *more, "--json")
    assert (result.exit_code, json.loads(result.stdout), said) == (1, [], result.stderr)


def test_of_a_patient_on_record_it_is_said_that_nothing_was_destroyed(shell: Shell, bureau: Office) -> None:
    row = bureau.world.row()
    result = shell("retention", "destroyed", row.patient_id, "--issuer", row.issuer)
    assert (result.exit_code, "Nothing of this patient's was destroyed" in result.stderr) == (0, True)


def test_whoever_is_known_by_what_was_destroyed_alone_is_told_of_it(shell: Shell, bureau: Office) -> None:
    row = bureau.world.row()
    bureau.execute(bureau.approved())
    bureau.world.sql("DELETE FROM patients")
    (stub,) = shell.json("retention", "destroyed", row.patient_id, "--issuer", row.issuer)
    assert stub["objects"] == 1
