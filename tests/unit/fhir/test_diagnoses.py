"""Categories and trials from a FHIR Bundle: every code by the hospital's own map, and nothing guessed."""

from __future__ import annotations

import pytest

from orthanc_plugin.fhir.diagnoses import ASSERTED, VERIFICATION, Diagnoses
from orthanc_plugin.fhir.episodes import EpisodesError, told
from orthanc_plugin.fhir.trials import CONCLUDED, GOES_ON, IN_IT, NOT_IN_IT, Trials
from tests.unit.fhir.test_episodes import PATIENT, SEEN, SYSTEM, Json, bundle

ICD = "http://hl7.org/fhir/sid/icd-10"
SNOMED = "http://snomed.info/sct"
LAWS = "https://hospital.example/trial-laws"
TRIALS = Trials(system="https://hospital.example/trials", regimes={LAWS: {"ctimp": "UK_2026", "old": "UK_2004"}})
DIAGNOSES = Diagnoses(
    categories={
        ICD: {"C*": "CANCER", "C44.9": "LONG_TERM", "F*": "MENTAL_HEALTH", "*": ""},
        SNOMED: {"363346000": "CANCER"},
    },
    dated=frozenset({"CANCER"}),
)
CONDITION: Json = {
    "resourceType": "Condition",
    "subject": {"reference": "Patient/a"},
    "code": {"coding": [{"system": ICD, "code": "C43.5"}]},
    "recordedDate": "2019-04-02",
}
STUDY: Json = {
    "resourceType": "ResearchStudy",
    "id": "s",
    "identifier": [{"system": TRIALS.system, "value": "T1"}],
    "status": "active",
    "category": [{"coding": [{"system": LAWS, "code": "ctimp"}]}],
}
SUBJECT: Json = {
    "resourceType": "ResearchSubject",
    "status": "on-study",
    "study": {"reference": "ResearchStudy/s"},
    "individual": {"reference": "Patient/a"},
}


def lines(*resources: Json, trials: Trials | None = None) -> tuple[dict[str, str], ...]:
    return told(bundle(PATIENT, SEEN, *resources), SYSTEM, complete=True, diagnoses=DIAGNOSES, trials=trials)


def of_code(*codes: tuple[str, str], **more: object) -> Json:
    return {**CONDITION, "code": {"coding": [{"system": system, "code": code} for system, code in codes]}, **more}


def verified(code: str) -> Json:
    return {**CONDITION, "verificationStatus": {"coding": [{"system": VERIFICATION, "code": code}]}}


@pytest.mark.parametrize(
    ("conditions", "categories"),
    [
        ((), "none"),
        ((CONDITION,), "CANCER"),
        ((CONDITION, of_code((ICD, "F20.0"))), "CANCER|MENTAL_HEALTH"),
        ((of_code((ICD, "C44.9")),), "LONG_TERM"),  # what is named as it is comes before a beginning
        ((of_code((ICD, "L40.0")),), "none"),
        ((of_code((ICD, "L40.0"), (SNOMED, "363346000")),), "CANCER"),  # either code counts
        ((of_code(("urn:local", "17"), (ICD, "F32")),), "MENTAL_HEALTH"),
        ((verified("provisional"),), "CANCER"),
        ((verified("refuted"),), "none"),
        ((verified("entered-in-error"), of_code((ICD, "F20"))), "MENTAL_HEALTH"),
    ],
)
def test_a_diagnosis_is_of_the_category_that_the_map_says(conditions: tuple[Json, ...], categories: str) -> None:
    (line,) = lines(*conditions)
    assert line["categories"] == categories


@pytest.mark.parametrize(
    ("days", "diagnosed"),
    [
        ({"recordedDate": "2019-04-02"}, "2019-04-02"),
        ({"recordedDate": "2019-04-02", "onsetDateTime": "2021-01-01"}, "2019-04-02"),
        ({"recordedDate": None, "onsetDateTime": "2018-02"}, "2018-02-28"),
        ({"recordedDate": "2019"}, "2019-12-31"),
        ({"extension": [{"url": ASSERTED, "valueDateTime": "2020-05-06T23:30:00Z"}]}, "2020-05-07"),
    ],
)
def test_the_latest_day_that_may_be_the_diagnosis_counts(days: Json, diagnosed: str) -> None:
    (line,) = lines({**CONDITION, **days})
    assert line["cancer_diagnosis"] == diagnosed


def test_of_several_cancers_the_latest_counts_and_other_diagnoses_need_no_day() -> None:
    (line,) = lines(CONDITION, {**CONDITION, "recordedDate": "2022-01-01"}, of_code((ICD, "F20"), recordedDate=None))
    assert (line["cancer_diagnosis"], line["categories"]) == ("2022-01-01", "CANCER|MENTAL_HEALTH")


@pytest.mark.parametrize(
    ("condition", "place"),
    [
        (of_code((SNOMED, "1")), "code.coding: http://snomed.info/sct|1: settings.toml doesn't say its category"),
        (of_code(("urn:local", "17")), "code.coding: has no code of a system"),
        ({**CONDITION, "code": {"text": "melanoma"}}, "code.coding: has no code of a system"),
        ({**CONDITION, "code": None}, "code: is missing"),
        (of_code((ICD, "")), "code"),
        ({**CONDITION, "subject": {"reference": "Patient/b"}}, "subject: refers to no Patient"),
        ({**CONDITION, "recordedDate": None}, "recordedDate: is missing"),
        ({**CONDITION, "recordedDate": "2019-13"}, "recordedDate: must be a day"),
        ({**CONDITION, "recordedDate": "long ago"}, "recordedDate: must be a whole day"),
        ({**CONDITION, "modifierExtension": [{"url": "x"}]}, "modifierExtension: may change"),
        (verified("perhaps"), "verificationStatus: says neither"),
        ({**CONDITION, "verificationStatus": {"text": "sure"}}, "verificationStatus: says neither"),
        (STUDY, "is none of Patient, Encounter, Condition"),
    ],
)
def test_a_diagnosis_that_can_t_be_taken_at_its_word_refuses_everything(condition: Json, place: str) -> None:
    with pytest.raises(EpisodesError) as caught:
        lines(condition)
    assert place in str(caught.value)


def trial(*resources: Json) -> list[dict[str, str]]:
    return [line for line in lines(*resources, trials=TRIALS) if "trial_id" in line]


def test_each_trial_is_a_line_of_its_own_with_its_law_and_its_end() -> None:
    over = {
        **STUDY,
        "id": "t",
        "identifier": [{"system": TRIALS.system, "value": "T0"}],
        "status": "completed",
        "period": {"end": "2024-06-30"},
        "category": None,
        "keyword": [{"coding": [{"system": LAWS, "code": "old"}]}],
    }
    in_both = (SUBJECT, {**SUBJECT, "status": "off-study", "study": {"reference": "ResearchStudy/t"}})
    assert trial(STUDY, over, *in_both) == [
        {"patient_id": "P1", "trial_id": "T0", "trial_regime": "UK_2004", "trial_concluded": "2024-06-30"},
        {"patient_id": "P1", "trial_id": "T1", "trial_regime": "UK_2026", "taken_back": "trial_concluded"},
    ]


@pytest.mark.parametrize(
    ("status", "is_in_it"), [*((each, True) for each in sorted(IN_IT)), *((each, False) for each in sorted(NOT_IN_IT))]
)
def test_whoever_was_only_thought_of_for_a_trial_isn_t_in_it(status: str, is_in_it: bool) -> None:
    assert bool(trial(STUDY, {**SUBJECT, "status": status})) is is_in_it


@pytest.mark.parametrize("status", sorted(GOES_ON))
def test_the_planned_end_of_a_trial_that_goes_on_is_no_end(status: str) -> None:
    (line,) = trial({**STUDY, "status": status, "period": {"end": "2024-06-30"}}, SUBJECT)
    assert "trial_concluded" not in line


@pytest.mark.parametrize(
    ("resources", "place"),
    [
        (({**STUDY, "identifier": []}, SUBJECT), "identifier: must have one of system"),
        (({**STUDY, "category": []}, SUBJECT), "category: must be an array"),
        (({**STUDY, "category": None}, SUBJECT), "category: must have"),
        (({**STUDY, "category": [{"coding": [{"system": LAWS, "code": "EU"}]}]}, SUBJECT), "category: must have"),
        (({**STUDY, "status": "paused"}, SUBJECT), "status: says neither that the trial"),
        *((({**STUDY, "status": each}, SUBJECT), "period: must have an end") for each in sorted(CONCLUDED)),
        (({**STUDY, "status": "completed", "period": {"end": "2024"}}, SUBJECT), "period.end: must be a whole day"),
        ((STUDY, {**SUBJECT, "status": "retired"}), "status: says neither that the patient"),
        ((STUDY, {**SUBJECT, "individual": {"reference": "Patient/b"}}), "individual: refers to no Patient"),
        ((SUBJECT,), "study: refers to no ResearchStudy"),
        ((STUDY, {**SUBJECT, "modifierExtension": [{"url": "x"}]}), "modifierExtension: may change"),
    ],
)
def test_a_trial_that_can_t_be_taken_at_its_word_refuses_everything(resources: tuple[Json, ...], place: str) -> None:
    with pytest.raises(EpisodesError) as caught:
        trial(*resources)
    assert place in str(caught.value)
