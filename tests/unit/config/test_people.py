"""Who may be bound to several purposes, which proxy is believed, and how a change of either is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from orthanc_plugin.config.policydiff import differences
from orthanc_plugin.config.policyfile import Policy, load_policy
from orthanc_plugin.deid.keys import make_key
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.services import build
from tests.fakes.lecturer import LECTURER
from tests.fakes.world import POLICY, SETTINGS, World, counted_ids

AUDIT = LECTURER[LECTURER.index('[[users.also]]\npurpose = "LOCAL_AUDIT"') :]
TEACHING_TOLD = (
    "purpose TEACHING, audience TRUST_STUDENTS, form ANONYMISED, profile teaching, secure_channel no, "
    "may_view_intimate no, roles view"
)
AUDIT_TOLD = (
    "purpose LOCAL_AUDIT, audience TRUST_CLINICIAN, form IDENTIFIABLE, profile nothing, secure_channel no, "
    "may_view_intimate no, roles list"
)


def load(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    return load_policy(path)


def problems(tmp_path: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text)
    return caught.value.problems


def test_an_account_has_its_own_use_first_and_each_other_with_its_own_terms(tmp_path: Path) -> None:
    policy = load(tmp_path, POLICY + LECTURER)
    lecturer, derm = policy.user("lecturer"), policy.user("derm")
    assert lecturer is not None
    assert derm is not None
    assert [use.purpose for use in lecturer.uses()] == ["DIRECT_CARE", "TEACHING", "LOCAL_AUDIT"]
    assert {use.name for use in lecturer.uses()} == {"lecturer"}
    assert [use.may_view_intimate for use in lecturer.uses()] == [True, False, False]
    assert derm.uses() == (derm,)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"LOCAL_AUDIT"', '"TEACHING"', "lecturer: purpose 'TEACHING' is there 2 times"),
        ('name = "lecturer"', 'name = "lecturer"\nsigns_in = "both"', "signs_in"),
        ('name = "lecturer"', 'name = "lecturer"\npatient_supplied = true', "patient_supplied needs the role store"),
        ('roles = ["list"]', 'roles = ["reject"]', "lecturer: reject needs store beside it"),
        ('"LOCAL_AUDIT"', '"DIRECT_CARE"', "lecturer: purpose 'DIRECT_CARE' is there 2 times"),
        ('"LOCAL_AUDIT"', '"CURIOSITY"', "also.1.purpose"),
        ('profile = "teaching"\n', "", "lecturer: form ANONYMISED needs a profile"),
        ('profile = "teaching"', 'profile = "other"', "lecturer: profile 'other' is not defined"),
        ('roles = ["list"]', "", "also.1.roles"),
        ('roles = ["list"]', 'roles = ["list"]\nname = "other"', "also.1.name"),
        ('roles = ["list"]', 'roles = ["list"]\nalso = []', "also.1.also"),
        ('roles = ["list"]', 'roles = ["break-glass"]', "lecturer: role break-glass needs the role view"),
        (
            'profile = "teaching"\nroles = ["view"]',
            'profile = "teaching"\nroles = ["view", "break-glass"]',
            "lecturer: role break-glass is for clinicians",
        ),
        ('audience = "TRUST_CLINICIAN"', 'audience = "SOCIAL_MEDIA"', "audience SOCIAL_MEDIA may never receive"),
    ],
)
def test_another_use_is_checked_like_the_first(old: str, new: str, words: str, tmp_path: Path) -> None:
    assert old in LECTURER
    assert any(words in problem for problem in problems(tmp_path, POLICY + LECTURER.replace(old, new, 1)))


def test_a_node_has_one_use(tmp_path: Path) -> None:
    node = '[[dicom_nodes]]\nname = "n"\naet = "N"\nhost = "h"\nmay = ["move"]\npurpose = "TEACHING"\n'
    text = POLICY + node + 'audience = "TRUST_STUDENTS"\n[[dicom_nodes.also]]\npurpose = "DIRECT_CARE"\n'
    assert any("also" in problem for problem in problems(tmp_path, text))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            LECTURER,
            LECTURER.replace(AUDIT, ""),
            f"user lecturer, also: was {TEACHING_TOLD}; {AUDIT_TOLD}, becomes {TEACHING_TOLD}.",
        ),
        (
            LECTURER.replace(AUDIT, ""),
            LECTURER.replace(AUDIT, "").replace("TRUST_STUDENTS", "TRUST_CLINICIAN"),
            (
                f"user lecturer, also: was {TEACHING_TOLD}, becomes "
                f"{TEACHING_TOLD.replace('TRUST_STUDENTS', 'TRUST_CLINICIAN')}."
            ),
        ),
        (
            LECTURER,
            LECTURER.replace('"lecturer"\n', '"lecturer"\nsigns_in = "proxy"\n'),
            "user lecturer, signs_in: was orthanc, becomes proxy.",
        ),
        (
            "",
            LECTURER.replace(AUDIT, ""),
            (
                "user lecturer: is new; it has purpose DIRECT_CARE, audience CARE_TEAM, form IDENTIFIABLE, "
                f"also {TEACHING_TOLD}."
            ),
        ),
    ],
)
def test_a_change_of_the_uses_is_one_sentence(before: str, after: str, told: str, tmp_path: Path) -> None:
    old = load(tmp_path, POLICY + before)
    assert differences(old, load(tmp_path, POLICY + after)) == (told,)


PROXY = """
[proxy]
account = "proxy"
addresses = ["127.0.0.1", "10.1.0.0/16"]
secret_file = "keys/proxy.key"
"""


def with_proxy(world: World, section: str, mode: int = 0o600, **environment: str) -> str:
    """Return why the services of ``world`` can't be built with this section, or the proxy's secret when they can."""
    key = world.folder / "keys" / "proxy.key"
    make_key(key)
    key.chmod(mode)
    (world.folder / "settings.toml").write_text(SETTINGS + section)
    try:
        services = build(world.folder / "settings.toml", environment, world.clock, counted_ids())
    except ConfigurationError as error:
        return str(error)
    services.database.close()
    return services.proxy.secret if services.proxy else ""


def test_the_proxy_is_known_by_its_account_its_addresses_and_its_secret(world: World) -> None:
    secret = with_proxy(world, PROXY)
    assert secret == (world.folder / "keys" / "proxy.key").read_text().strip()
    assert with_proxy(world, "") == ""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('account = "proxy"\n', "", "proxy.account"),
        ('account = "proxy"', 'account = ""', "proxy.account"),
        ('account = "proxy"', 'account = "derm"', "bound in policy.toml"),
        ('account = "proxy"', 'account = "consentgate"', "Consentgate's own"),
        ('secret_file = "keys/proxy.key"\n', "", "proxy.secret_file"),
        ('"keys/proxy.key"', '"keys/none.key"', "none.key"),
        ('addresses = ["127.0.0.1", "10.1.0.0/16"]\n', "", "proxy.addresses"),
        ('["127.0.0.1", "10.1.0.0/16"]', "[]", "proxy.addresses"),
        ('"10.1.0.0/16"', '"anywhere"', "proxy.addresses"),
        ('"10.1.0.0/16"', '"10.1.2.3/16"', "proxy.addresses"),
        ("[proxy]", '[proxy]\nuser_header = "X User"', "proxy.user_header"),
        ("[proxy]", '[proxy]\nuser_header = ""', "proxy.user_header"),
        ("[proxy]", '[proxy]\nsecret = "here"', "proxy.secret"),
    ],
)
def test_half_a_proxy_is_none_and_is_told(old: str, new: str, words: str, world: World) -> None:
    assert words in with_proxy(world, PROXY.replace(old, new, 1))


def test_a_secret_that_others_may_read_is_not_used(world: World) -> None:
    assert "chmod 600" in with_proxy(world, PROXY, mode=0o640)


def test_consentgate_s_own_account_is_bound_to_nothing(world: World) -> None:
    bound = '[[users]]\nname = "consentgate"\nroles = ["view"]\npurpose = "DIRECT_CARE"\naudience = "CARE_TEAM"\n'
    (world.folder / "policy.toml").write_text(POLICY + bound)
    assert "Consentgate's own account 'consentgate' is bound" in with_proxy(world, "")


def test_the_environment_makes_nobody_the_proxy(world: World) -> None:
    named = {"CONSENTGATE_PROXY_ACCOUNT": "derm", "CONSENTGATE_PROXY_ADDRESSES": "0.0.0.0/0"}
    assert with_proxy(world, "", **named) == ""


CHAIN = """
[[users]]
name = "jdoe"
person = "Jane Doe"
roles = ["admin"]
purpose = "RECORDS_MANAGEMENT"
audience = "RECORDS_OFFICER"
[[users]]
name = "jane-2"
person = "J. Doe-Smith"
roles = ["admin"]
purpose = "RECORDS_MANAGEMENT"
audience = "RECORDS_OFFICER"
[[users]]
name = "night"
person = "J. Doe-Smith"
roles = ["admin"]
purpose = "RECORDS_MANAGEMENT"
audience = "RECORDS_OFFICER"
[[disposition.officers]]
person = "records clerk"
accounts = ["jdoe", "jane-2"]
may = ["propose"]
"""
DEPOSIT = """
[exports]
allowed = true
approved_by = ["admin", "governance"]
[[disposition.places]]
name = "County Record Office"
owner = "records clerk"
address = "Castle Street 1"
folder = "/srv/deposit"
signatories = ["{}"]
"""


@pytest.mark.parametrize(
    "one", ["jdoe", "Jane Doe", "records clerk", "jane-2", "JANE-2 ", "j. d\u043ee-smith", "night"]
)
@pytest.mark.parametrize("other", ["jdoe", "J. Doe-Smith", "Night", "Records  Clerk"])
def test_one_person_is_one_through_however_many_of_their_accounts(one: str, other: str, tmp_path: Path) -> None:
    policy = load(tmp_path, POLICY + CHAIN)
    assert policy.one_person(one, other)
    assert policy.one_person(other, one)
    assert not policy.one_person(one, "derm")


@pytest.mark.parametrize("name", ["records clerk", "Jane Doe", "J. Doe-Smith", "night", "N\u0130GHT"])
def test_no_officer_signs_a_place_s_receipts_under_another_name_of_theirs(name: str, tmp_path: Path) -> None:
    found = problems(tmp_path, POLICY + CHAIN + DEPOSIT.format(name))
    words = "disposition.places: records clerk is an officer here, and signs no receipt for County Record Office"
    assert found == (f"policy.toml: {words}",)
    load(tmp_path, POLICY + CHAIN + DEPOSIT.format("M. Archivist"))


@pytest.mark.parametrize("name", ["derm", "DERM ", "workstation"])
def test_no_place_of_deposit_bears_the_name_of_somebody_who_is_recalled_from_otherwise(
    name: str, tmp_path: Path
) -> None:
    text = POLICY + CHAIN + DEPOSIT.format("M. Archivist").replace("County Record Office", name)
    (found,) = problems(tmp_path, text)
    assert f"disposition.places: {name.strip()}: a node, recipient or user has this name" in found
