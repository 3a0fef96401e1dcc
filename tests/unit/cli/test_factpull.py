"""``consentgate retention facts pull``: a FHIR server is asked; all of its answer is taken in, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.fhirserver import MADE, SEARCH, SECOND, FhirSimulator, page, serving
from tests.fakes.pictures import CARE
from tests.fakes.records import activate
from tests.unit.cli.conftest import Shell
from tests.unit.dicomwrap.objects import PATIENT as WHO
from tests.unit.fhir.test_diagnoses import CONDITION, ICD, LAWS, STUDY, SUBJECT, TRIALS
from tests.unit.fhir.test_episodes import PATIENT, SEEN, SYSTEM

TOKEN = "a token of the test"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FhirSimulator]:
    with serving(tmp_path) as found:
        found.says(SEARCH, page(PATIENT, following=SECOND))
        found.says(SECOND, page(SEEN))
        yield found


@pytest.fixture
def office(shell: Shell, server: FhirSimulator) -> Shell:
    """Give a command line with a schedule in force, whose settings name the server."""
    activate(shell.world)
    named(shell, server)
    return shell


def named(shell: Shell, server: FhirSimulator, url: str = "") -> None:
    """Have settings.toml name the server."""
    settings = shell.world.folder / "settings.toml"
    shell.put("token", f"{TOKEN}\n")
    before = settings.read_text().partition("[fact_sources")[0]
    settings.write_text(
        f'{before}[fact_sources.pas]\nurl = "{url or server.url + SEARCH}"\nsystem = "{SYSTEM}"\n'
        f'complete = true\nca = "{server.ca}"\ntoken_file = "token"\n'
    )


def pull(shell: Shell, code: int = 0) -> dict[str, object]:
    found: dict[str, object] = shell.json("retention", "facts", "pull", "pas", "--by", "feed", code=code)
    return found


def fresh(shell: Shell) -> dict[str, object]:
    (row,) = shell.json("retention", "facts", "feeds")
    return dict(row)


def test_every_page_is_taken_in_and_the_source_is_as_fresh_as_the_server_says(
    office: Shell, server: FhirSimulator
) -> None:
    said = pull(office)
    assert (said["applied"], said["failed"], said["fresh_as_of"]) == (1, 0, MADE)
    assert server.asked == [(SEARCH, f"Bearer {TOKEN}"), (SECOND, f"Bearer {TOKEN}")]
    assert fresh(office)["stale"] is False
    assert pull(office)["known"] == 1


def test_half_an_answer_changes_nothing_that_is_known(office: Shell, server: FhirSimulator) -> None:
    before = pull(office)
    server.says(SECOND, {}, 500)
    said = office.fails("retention", "facts", "pull", "pas", "--by", "feed")
    assert "answered 500" in said
    assert "P1" not in said
    assert fresh(office)["told_at"] == before["fresh_as_of"]


def test_what_tells_something_else_is_refused_whole(office: Shell, server: FhirSimulator) -> None:
    server.says(SECOND, page(SEEN, {"resourceType": "Condition"}))
    assert "neither Patient nor Encounter" in office.fails("retention", "facts", "pull", "pas", "--by", "feed")


def test_a_server_that_does_not_answer_is_an_error_with_its_remedy_and_the_source_grows_stale(
    office: Shell, server: FhirSimulator
) -> None:
    pull(office)
    named(office, server, url="https://127.0.0.1:1/Patient")
    said = office.fails("retention", "facts", "pull", "pas", "--by", "feed")
    assert "can't be reached" in said
    assert "Nothing was taken in" in said
    office.world.clock.advance(days=2)
    assert fresh(office)["stale"] is True


@pytest.mark.parametrize(
    "url",
    ["http://fhir.hospital.example/Patient", "https://u:p@fhir.hospital.example/"],
)
def test_an_address_that_is_not_https_is_refused_by_the_settings(
    url: str, office: Shell, server: FhirSimulator
) -> None:
    named(office, server, url=url)
    assert "fact_sources" in office.fails("retention", "facts", "pull", "pas", "--by", "feed")


def test_a_source_that_settings_do_not_name_and_a_token_that_is_not_there_are_told(office: Shell) -> None:
    assert "names no source" in office.fails("retention", "facts", "pull", "lab", "--by", "feed")
    (office.world.folder / "token").unlink()
    assert "can't be read" in office.fails("retention", "facts", "pull", "pas", "--by", "feed")


def test_lines_that_fail_are_kept_for_their_owner_and_the_source_is_not_fresh(
    office: Shell, server: FhirSimulator
) -> None:
    office.world.file(CARE)
    server.says(SEARCH, page({**PATIENT, "identifier": [{"system": SYSTEM, "value": WHO.id}]}, following=SECOND))
    said = pull(office, code=1)
    kept = Path(str(said["errors"]))
    assert (said["failed"], said["fresh_as_of"]) == (1, None)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent == office.world.folder


CONDITIONS = "Condition?_count=500"
STUDIES = "ResearchSubject?_include=ResearchSubject:study"
TERMS = f"""
[fact_sources.pas.diagnoses]
complete = true
[fact_sources.pas.diagnoses.categories."{ICD}"]
"C*" = "CANCER"
"*" = ""
[fact_sources.pas.trials]
system = "{TRIALS.system}"
[fact_sources.pas.trials.regimes."{LAWS}"]
ctimp = "UK_2026"
"""


def asks_more(shell: Shell, terms: str = TERMS) -> None:
    """Have settings.toml ask for diagnoses and trials too."""
    settings = shell.world.folder / "settings.toml"
    settings.write_text(f'{settings.read_text()}also = ["{CONDITIONS}", "{STUDIES}"]\n{terms}')


@pytest.fixture
def clinic(office: Shell, server: FhirSimulator) -> Shell:
    """Give an office whose source is asked for diagnoses and trials, and tells of a cancer and a trial."""
    asks_more(office)
    server.says(f"/{CONDITIONS}", page(CONDITION))
    server.says(f"/{STUDIES}", page(SUBJECT, STUDY))
    return office


def facts(shell: Shell) -> list[dict[str, object]]:
    found: list[dict[str, object]] = shell.json("retention", "facts", "show", "P1", "--issuer", "HOSP")
    return found


def test_diagnoses_and_trials_are_taken_in_with_the_rest(clinic: Shell) -> None:
    assert pull(clinic)["applied"] == 2
    told, trial = facts(clinic)
    assert (told["categories"], told["cancer_diagnosis"]) == (["CANCER"], "2019-04-02")
    assert (trial["trial_id"], trial["trial_regime"], trial["trial_concluded"]) == ("T1", "UK_2026", None)


def test_a_diagnosis_that_the_map_does_not_say_leaves_everything_as_it_was(
    clinic: Shell, server: FhirSimulator
) -> None:
    pull(clinic)
    before, other = facts(clinic), {"coding": [{"system": "urn:local", "code": "17"}]}
    server.says(f"/{CONDITIONS}", page(CONDITION, {**CONDITION, "code": other}))
    said = clinic.fails("retention", "facts", "pull", "pas", "--by", "feed")
    assert "has no code of a system whose categories settings.toml says" in said
    assert facts(clinic) == before


def test_a_category_that_the_schedule_does_not_have_makes_nothing_fresh(office: Shell, server: FhirSimulator) -> None:
    asks_more(office, TERMS.replace("CANCER", "CANCR"))
    server.says(f"/{CONDITIONS}", page(CONDITION))
    server.says(f"/{STUDIES}", page(total=0))
    said = pull(office, code=1)
    assert (said["failed"], said["fresh_as_of"]) == (1, None)


def test_a_cancer_without_a_day_is_refused_because_its_period_counts_from_it(
    clinic: Shell, server: FhirSimulator
) -> None:
    server.says(f"/{CONDITIONS}", page({**CONDITION, "recordedDate": None}))
    assert "say when it was diagnosed" in clinic.fails("retention", "facts", "pull", "pas", "--by", "feed")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("complete = true", "complete = false"),
        ("complete = true", ""),
        ('"C*" = "CANCER"', '"C*" = "CANCER|DENTAL"'),
        ('ctimp = "UK_2026"', 'ctimp = ""'),
        (f'system = "{TRIALS.system}"', ""),
    ],
)
def test_a_map_that_says_too_little_is_refused_by_the_settings(before: str, after: str, office: Shell) -> None:
    assert before in TERMS
    asks_more(office, TERMS.replace(before, after))
    assert "fact_sources" in office.fails("retention", "facts", "pull", "pas", "--by", "feed")


@pytest.mark.parametrize("also", ["https://elsewhere.example/Condition", "//elsewhere.example/Condition", "../x"])
def test_a_further_search_is_never_of_another_server(also: str, office: Shell) -> None:
    settings = office.world.folder / "settings.toml"
    settings.write_text(f'{settings.read_text()}also = ["{also}"]\n')
    assert "fact_sources" in office.fails("retention", "facts", "pull", "pas", "--by", "feed")
