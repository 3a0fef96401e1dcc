"""Anonymisation profiles in policy.toml: what they extend, what they change, and what no policy may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicomwrap.confidentiality import Action, Option, PixelDuty
from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.config.profiles import SHIPPED, Resolved
from orthanc_plugin.errors import ConfigurationError

HEAD = """
[decisions]
anonymised_secondary_use_of_care_photographs = "REQUIRE_CONSENT"
[intake]
personal_device = "reject"
"""


def policy(folder: Path, text: str, name: str = "mine") -> Resolved | None:
    path = folder / "policy.toml"
    path.write_text(HEAD + text)
    return load_policy(path).profile(name)


def test_a_profile_as_policies_have_written_it_so_far_is_the_basic_profile(tmp_path: Path) -> None:
    found = policy(tmp_path, '[profiles.mine]\npseudonym_domain = "d"\nretain_safe_private = true\n')
    assert found == Resolved(
        pseudonym_domain="d",
        options=frozenset({Option.RETAIN_SAFE_PRIVATE}),
        overrides=(),
        pixels=PixelDuty.CONFIRMED,
    )


def test_what_extends_a_profile_has_its_options_and_exceptions_and_a_domain_of_its_own(tmp_path: Path) -> None:
    text = """
    [profiles.mine]
    extends = "base"
    pseudonym_domain = "mine"
    overrides = { FNumber = "X", StudyDescription = "Z" }
    [profiles.base]
    extends = "minimum"
    pseudonym_domain = "base"
    options = ["Retain UIDs"]
    pixels = "none"
    overrides = { FNumber = "K" }
    """
    assert policy(tmp_path, text) == Resolved(
        pseudonym_domain="mine",
        options=frozenset({Option.RETAIN_UIDS}),
        overrides=(
            ("AnatomicRegionSequence", Action.X),
            ("FNumber", Action.X),
            ("PatientOrientation", Action.Z),
            ("SeriesNumber", Action.Z),
            ("StudyDescription", Action.Z),
        ),
        pixels=PixelDuty.NONE,
    )


def test_a_shipped_profile_needs_no_definition_and_gives_way_to_one(tmp_path: Path) -> None:
    assert {policy(tmp_path, "", name) is None for name in SHIPPED} == {False}
    own = policy(tmp_path, '[profiles.teaching]\npseudonym_domain = "own"\n', "teaching")
    assert own is not None
    assert (own.pseudonym_domain, own.options) == ("own", frozenset())


def test_every_shipped_profile_waits_for_a_person_and_has_a_domain_of_its_own(tmp_path: Path) -> None:
    found = [policy(tmp_path, "", name) for name in SHIPPED]
    assert {each.pixels for each in found if each} == {PixelDuty.CONFIRMED}
    assert len({each.pseudonym_domain for each in found if each}) == len(SHIPPED) == 5


FAULTS = {
    'extends = "nobody"': "which is not defined",
    'extends = "mine"': "extends itself",
    'extends = "other"\n[profiles.other]\npseudonym_domain = "o"\nextends = "mine"': "extends itself",
    'options = ["Retain Everything"]': "profiles.mine.options",
    'options = ["Retain Longitudinal Temporal Information Full Dates", '
    '"Retain Longitudinal Temporal Information Modified Dates"]': "can't both",
    'pixels = "whatever"': "profiles.mine.pixels",
    'overrides = { Nonsense = "X" }': "no keyword",
    'overrides = { StudyDescription = "C" }': "profiles.mine.overrides",
    'overrides = { PatientName = "K" }': "never kept",
    'overrides = { PatientBirthDate = "K" }': "never kept",
    'overrides = { GPSLatitude = "K" }': "never kept",
    'overrides = { CameraOwnerName = "K" }': "never kept",
    'overrides = { PixelData = "X" }': "a rule of its own",
    'overrides = { SOPInstanceUID = "K" }': "a rule of its own",
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_profile_that_can_t_be_meant_is_a_fault_with_its_place(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        policy(tmp_path, f'[profiles.mine]\npseudonym_domain = "d"\n{text}\n')
    assert any(FAULTS[text] in problem for problem in caught.value.problems)
    assert all("profiles." in problem for problem in caught.value.problems)
