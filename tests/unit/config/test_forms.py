"""The hospital's consent forms: what a level agrees to, and what policy.toml may not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from orthanc_plugin.config.forms import UnknownFormError, level_of, narrowings
from orthanc_plugin.config.policyfile import Policy, load_policy
from orthanc_plugin.errors import ConfigurationError

DECISIONS = (
    '[decisions]\nanonymised_secondary_use_of_care_photographs = "REQUIRE_CONSENT"\n'
    '[intake]\npersonal_device = "reject"\n'
)
CARE = '{purpose = "DIRECT_CARE", max_form = "IDENTIFIABLE", audience = ["CARE_TEAM"]}'
TEACHING = '{purpose = "TEACHING", max_form = "ANONYMISED", audience = ["TRUST_STUDENTS"]}'
JOURNAL = 'purpose = "PUBLICATION", max_form = "ANONYMISED", audience = ["JOURNAL"]'


def form(*levels: str) -> str:
    """Return a form whose levels have these scopes, lettered from A."""
    lines = ["[forms.F]", 'title = "Photographs"', 'version = "2026"']
    for letter, scopes in zip("ABCDE", levels, strict=False):
        lines += [f"[forms.F.levels.{letter}]", f'label = "Level {letter}"', f"scopes = [{scopes}]"]
    return "\n".join(lines) + "\n"


def load(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "policy.toml"
    path.write_text(DECISIONS + text)
    return load_policy(path)


def test_levels_have_the_letters_and_the_order_of_the_hospital(tmp_path: Path) -> None:
    forms = load(tmp_path, form(CARE, f"{CARE}, {TEACHING}")).forms
    assert list(forms["F"].levels) == ["A", "B"]
    found, level = level_of(forms, "F", "B", "2026")
    assert (found.version, level.label, level.names_a_publication) == ("2026", "Level B", False)
    assert [scope.purpose for scope in level.scopes] == ["DIRECT_CARE", "TEACHING"]


def test_a_policy_without_forms_is_one(tmp_path: Path) -> None:
    assert load(tmp_path, "").forms == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (form(), "forms.F.levels"),
        (form(""), "forms.F.levels.A: a level needs at least one scope"),
        (form(f"{CARE}, {CARE}"), "DIRECT_CARE is there 2 times"),
        (form(CARE.replace('"CARE_TEAM"', "")), "audience is empty"),
        (form(CARE.replace("CARE_TEAM", "SOCIAL_MEDIA")), "audience SOCIAL_MEDIA may never receive"),
        (form(CARE.replace("CARE_TEAM", "EVERYBODY")), "forms.F.levels.A.scopes.0.audience.0"),
        (form(CARE.replace("DIRECT_CARE", "CURIOSITY")), "forms.F.levels.A.scopes.0.purpose"),
        (form(CARE.replace("IDENTIFIABLE", "ANY")), "forms.F.levels.A.scopes.0.max_form"),
        (form(CARE.replace("}", ", wish = 1}")), "forms.F.levels.A.scopes.0.wish"),
        (form(f"{{{JOURNAL}}}"), "PUBLICATION: publication needs a named use"),
        (form(TEACHING.replace("TEACHING", "ALL_SECONDARY")), "ALL_SECONDARY: publication needs a named use"),
        ("[forms.F]\nlevels = {}\n", "forms.F.title"),
        ('[forms.F]\ntitle = "t"\nversion = "1"\nlevels = {}\n', "forms.F: a form needs at least one level"),
        (form(CARE).replace("F.levels.A", 'F.levels."A level"'), "forms.F.levels"),
        (form(CARE).replace("2026", " "), "forms.F.version"),
    ],
)
def test_a_form_that_says_too_little_or_the_unknown_is_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text)
    assert any(words in problem for problem in caught.value.problems)


@pytest.mark.parametrize("named", ["named_publication_required = true", 'named_recipients = ["BMJ"]'])
def test_publication_is_named_by_the_form_or_with_the_patient(named: str, tmp_path: Path) -> None:
    forms = load(tmp_path, form(f"{{{JOURNAL}, {named}}}")).forms
    assert forms["F"].levels["A"].names_a_publication is ("required" in named)


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        ((CARE, f"{CARE}, {TEACHING}"), ()),
        ((f"{CARE}, {TEACHING}", CARE), ("level B leaves out TEACHING, which level A has",)),
        ((CARE, TEACHING), ("level B leaves out DIRECT_CARE, which level A has",)),
    ],
)
def test_a_level_that_narrows_is_told_but_allowed(
    levels: tuple[str, ...], said: tuple[str, ...], tmp_path: Path
) -> None:
    assert narrowings(load(tmp_path, form(*levels)).forms["F"]) == said


@pytest.mark.parametrize(
    ("form_id", "level", "version", "words"),
    [
        ("G", "A", None, "no form 'G'; it has: F"),
        ("F", "Z", None, "no level 'Z'; it has: A"),
        ("F", "", None, "no level ''"),
        ("F", "A", "2019", "version 2026, not in the one that was signed"),
    ],
)
def test_a_form_that_is_not_there_is_told(
    form_id: str, level: str, version: str | None, words: str, tmp_path: Path
) -> None:
    with pytest.raises(UnknownFormError, match=words) as caught:
        level_of(load(tmp_path, form(CARE)).forms, form_id, level, version)
    assert caught.value.remedy
