"""What a new policy changes, told in sentences."""

from __future__ import annotations

from pathlib import Path

import pytest

from orthanc_plugin.config.policydiff import differences
from orthanc_plugin.config.policyfile import Policy, load_policy
from tests.fakes.world import POLICY


def load(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    return load_policy(path)


TAKEN_AWAY = (
    "node camera: is taken away; it had AE title DERMCAM at 127.0.0.1, purpose DIRECT_CARE, audience CARE_TEAM, "
    "form IDENTIFIABLE."
)
CAMERA = POLICY[POLICY.index("[[dicom_nodes]]") : POLICY.index("[[dicom_nodes]]", POLICY.index("[[dicom_nodes]]") + 1)]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("# c\n", "# d\n", ()),
        (
            '"REQUIRE_CONSENT"',
            '"GMC17"',
            ("decisions, anonymised_secondary_use_of_care_photographs: was REQUIRE_CONSENT, becomes GMC17.",),
        ),
        ('= "required"', '= "patient"', ("intake, consent_reference: was required, becomes patient.",)),
        (
            'default_issuer = "HOSP"\n',
            'default_issuer = "HOSP"\ndevices = "registered"\nimage_classes = { PERSONAL = ["VIDEO", "PHOTOGRAPH"] }\n',
            (
                "intake, devices: was any, becomes registered.",
                "intake, image_classes PERSONAL: is new; it has PHOTOGRAPH, VIDEO.",
            ),
        ),
        (
            CAMERA,
            "",
            (TAKEN_AWAY,),
        ),
        (
            'aet = "DERMCAM"',
            'aet = "OTHERCAM"',
            ("node camera, aet: was DERMCAM, becomes OTHERCAM.",),
        ),
        ('roles = ["view", "list"]', 'roles = ["view"]', ("user derm, roles: was list, view, becomes view.",)),
        (
            'pseudonym_domain = "teaching"',
            'pseudonym_domain = "other"',
            ("profile teaching, pseudonym_domain: was teaching, becomes other.",),
        ),
        ("retain_safe_private = true", "", ("profile teaching, retain_safe_private: was yes, becomes no.",)),
    ],
)
def test_each_change_is_one_sentence(old: str, new: str, told: tuple[str, ...], tmp_path: Path) -> None:
    before = load(tmp_path, POLICY + "# c\n")
    assert differences(before, load(tmp_path, (POLICY + "# c\n").replace(old, new, 1))) == told


def test_a_new_account_s_sentence_says_how_it_signs_in_and_that_it_is_believed(tmp_path: Path) -> None:
    new = '[[users]]\nname = "inbox"\nsigns_in = "proxy"\npatient_supplied = true\nroles = ["store"]\n'
    added = load(tmp_path, POLICY + new + 'purpose = "DIRECT_CARE"\naudience = "CARE_TEAM"\n')
    assert differences(load(tmp_path, POLICY), added) == (
        (
            "user inbox: is new; it has purpose DIRECT_CARE, audience CARE_TEAM, form IDENTIFIABLE, signs in at the "
            "proxy, believed what patients supplied."
        ),
    )


def test_the_other_way_round_takes_away_what_was_added(tmp_path: Path) -> None:
    extra = '[profiles.research]\npseudonym_domain = "research"\n'
    small, large = load(tmp_path, POLICY), load(tmp_path, POLICY + extra)
    assert differences(small, large) == ("profile research: is new; it has pseudonym_domain research.",)
    assert differences(large, small) == ("profile research: is taken away; it had pseudonym_domain research.",)
