"""policy.toml: every fault at once, each with its place."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from dicomwrap.terms import FORBIDDEN_AUDIENCES
from orthanc_plugin.config.bindings import Role, Verb
from orthanc_plugin.config.policyfile import Admission, BeforeFiling, ConsentReference, Policy, load_policy
from orthanc_plugin.errors import ConfigurationError
from tests.fakes.world import POLICY

DECISIONS = '[decisions]\nanonymised_secondary_use_of_care_photographs = "REQUIRE_CONSENT"\n'
INTIMATE = '[intake.image_classes]\nPERSONAL = ["PHOTOGRAPH", "INTIMATE"]\n'
STATED = DECISIONS + '[intake]\npersonal_device = "reject"\n'
NODE = """
[[dicom_nodes]]
name = "{name}"
aet = "{aet}"
host = "{host}"
may = {may}
purpose = "{purpose}"
audience = "{audience}"
"""
GOOD = {
    "name": "ws",
    "aet": "WS",
    "host": "127.0.0.1",
    "may": '["move"]',
    "purpose": "DIRECT_CARE",
    "audience": "CARE_TEAM",
}


def node(**changes: str) -> str:
    return NODE.format(**{**GOOD, **changes})


def load(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    return load_policy(path)


def problems(tmp_path: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text)
    assert caught.value.remedy
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    return caught.value.problems


def test_a_good_file_says_who_may_have_what(tmp_path: Path) -> None:
    policy = load(tmp_path, POLICY)
    assert policy.sha256 == hashlib.sha256(POLICY.encode()).hexdigest()
    teaching = policy.node("TEACHING")
    assert teaching is not None
    assert (teaching.profile, teaching.may) == ("teaching", {Verb.MOVE, Verb.RECEIVE})
    derm = policy.user("derm")
    assert derm is not None
    assert derm.roles == {Role.VIEW, Role.LIST}


def test_what_is_not_said_has_the_answer_that_is_documented(tmp_path: Path) -> None:
    policy = load(tmp_path, STATED + node())
    assert policy.intake.consent_reference is ConsentReference.REQUIRED
    intake = policy.intake
    assert (intake.operators, intake.devices, intake.image_classes) == (Admission.ANY, Admission.ANY, {})
    assert (intake.max_transfer_delay_hours, intake.immediate_upload_minutes) == (24, 60)
    bound = policy.node("WS")
    assert bound is not None
    assert not bound.secure_channel
    assert (policy.node("WS "), policy.node("ws"), policy.node(""), policy.user("")) == (bound, None, None, None)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "decisions"),
        ("[decisions]\n", "decisions.anonymised_secondary_use_of_care_photographs"),
        (DECISIONS.replace("REQUIRE_CONSENT", "ANYTHING"), "decisions.anonymised_secondary_use_of_care_photographs"),
        (DECISIONS + "[wishes]\n", "wishes"),
        (DECISIONS + "[intake]\nwish = 1\n", "intake.wish"),
        (DECISIONS + '[intake]\nconsent_reference = "maybe"\n', "intake.consent_reference"),
        (DECISIONS + '[intake]\npersonal_device = "sometimes"\n', "intake.personal_device"),
        (DECISIONS + '[intake]\noperators = "some"\n', "intake.operators"),
        (DECISIONS + '[intake]\ndevices = ""\n', "intake.devices"),
        (DECISIONS + "[intake]\nmax_transfer_delay_hours = 0\n", "intake.max_transfer_delay_hours"),
        (DECISIONS + '[intake]\nmax_transfer_delay_hours = "24"\n', "intake.max_transfer_delay_hours"),
        (DECISIONS + "[intake]\nimmediate_upload_minutes = 1441\n", "intake.immediate_upload_minutes"),
        (DECISIONS + '[intake.image_classes]\nTOY = ["VIDEO"]\n', "intake.image_classes"),
        (DECISIONS + '[intake.image_classes]\nMANAGED = ["SELFIE"]\n', "intake.image_classes"),
        (DECISIONS + node(aet="TOO-LONG-AE-TITLE"), "dicom_nodes.0.aet"),
        (DECISIONS + node(aet="WITH SPACE"), "dicom_nodes.0.aet"),
        (DECISIONS + node(aet=""), "dicom_nodes.0.aet"),
        (DECISIONS + node(host=""), "dicom_nodes.0.host"),
        (DECISIONS + node(may='["everything"]'), "dicom_nodes.0.may"),
        (DECISIONS + node(purpose="CURIOSITY"), "dicom_nodes.0.purpose"),
        (DECISIONS + node(audience="EVERYBODY"), "dicom_nodes.0.audience"),
        (DECISIONS + node(name=""), "dicom_nodes.0.name"),
        (DECISIONS + node() + "wish = 1\n", "dicom_nodes.0.wish"),
        (DECISIONS + '[[users]]\nname = "u"\n', "users.0.roles"),
        (DECISIONS + "[profiles.p]\n", "profiles.p.pseudonym_domain"),
        (DECISIONS + '[profiles.p]\npseudonym_domain = "d"\nwish = 1\n', "profiles.p.wish"),
        ('sha256 = "0"\n' + DECISIONS, "sha256"),
    ],
)
def test_a_fault_is_named_with_its_place(text: str, place: str, tmp_path: Path) -> None:
    assert any(problem.startswith(f"policy.toml: {place}") for problem in problems(tmp_path, text))


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    text = node(aet="", purpose="CURIOSITY") + node(host="") + "[intake]\nwish = 1\n"
    places = ("decisions", "dicom_nodes.0.aet", "dicom_nodes.0.purpose", "dicom_nodes.1.host", "intake.wish")
    places += ("intake.personal_device",)
    found = problems(tmp_path, text)
    assert len(found) == len(places)
    assert all(any(f": {place}" in problem for problem in found) for place in places)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (node() + node(name="other"), "AE title 'WS' is there 2 times"),
        (node() + node(aet="WS2"), "name 'ws' is there 2 times"),
        (node() + 'form = "ANONYMISED"\n', "form ANONYMISED needs a profile"),
        (node() + 'profile = "p"\n', "profile 'p' is not defined (defined: minimum, publication, "),
        (INTIMATE, "INTIMATE may never be taken with a PERSONAL device"),
        *(
            (node(audience=audience), f"audience {audience} may never receive")
            for audience in sorted(FORBIDDEN_AUDIENCES)
        ),
    ],
)
def test_parts_that_don_t_fit_one_another_are_told(text: str, words: str, tmp_path: Path) -> None:
    assert any(words in problem for problem in problems(tmp_path, STATED + text))


def test_all_that_does_not_fit_is_told_at_once(tmp_path: Path) -> None:
    text = STATED + node() + 'form = "ANONYMISED"\n' + node(audience="SOCIAL_MEDIA")
    assert len(problems(tmp_path, text)) == 4


def test_bad_toml_is_told_with_its_line(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, DECISIONS + "[intake\n")
    assert "line 3" in problem


@pytest.mark.parametrize("intake", ["", "[intake]\n", '[intake]\ndefault_issuer = "HOSP"\n'])
def test_what_becomes_of_pictures_from_personal_devices_has_to_be_said(intake: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, DECISIONS + intake)
    assert caught.value.problems == ("policy.toml: intake.personal_device: Field required",)
    assert 'Write personal_device = "reject"' in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_can_t_be_read_says_what_to_do(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load_policy(path)
    assert "policy.toml" in str(caught.value)


CLINICIAN = """
[[users]]
name = "registrar"
roles = {roles}
purpose = "DIRECT_CARE"
audience = "{audience}"
"""


def test_emergency_access_and_approval_are_off_or_short_unless_said_otherwise(tmp_path: Path) -> None:
    policy = load(tmp_path, STATED + CLINICIAN.format(roles='["view"]', audience="CARE_TEAM"))
    assert (policy.break_glass.minutes, policy.approval.window_minutes) == (60, 30)
    assert policy.approval.before_filing is BeforeFiling.NEVER
    assert not any(user.may_view_intimate or Role.BREAK_GLASS in user.roles for user in policy.users)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[break_glass]\nminutes = 0\n", "break_glass.minutes"),
        ("[break_glass]\nminutes = 241\n", "break_glass.minutes"),
        ('[break_glass]\nminutes = "60"\n', "break_glass.minutes"),
        ("[break_glass]\nminutes = true\n", "break_glass.minutes"),
        ("[approval]\nwindow_minutes = 0\n", "approval.window_minutes"),
        ('[approval]\nbefore_filing = "sometimes"\n', "approval.before_filing"),
        ("[approval]\nwish = 1\n", "approval.wish"),
        (CLINICIAN.format(roles='["break-glass"]', audience="CARE_TEAM"), "needs the role view"),
        (CLINICIAN.format(roles='["view", "break-glass"]', audience="TRUST_STUDENTS"), "for clinicians"),
    ],
)
def test_emergency_access_or_approval_that_could_not_work_is_told(text: str, place: str, tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, STATED + text)
    assert place in problem
