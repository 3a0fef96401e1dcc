"""The policy, held against a second reading of its rules that was written without it.

Where the policy differs by choice, ``DELIBERATE`` names the cases and the reason; everywhere else the two decide alike,
and nowhere does the policy release more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from orthanc_plugin.policy.cases import parse_case
from orthanc_plugin.policy.decide import decide
from tests.properties.second_reading import Answer
from tests.properties.second_reading import decide as second_reading
from tests.properties.second_reading_consents import ALL_SECONDARY, PROXIES, Facts, age, deceased, public_domain, valid

# The usual number, or more where a profile asks for more.
OFTEN: Final = settings(
    max_examples=max(400, settings().max_examples), suppress_health_check=[HealthCheck.filter_too_much]
)
USUAL: Final = {
    "DIRECT_CARE": ["CARE_TEAM", "CARE_TEAM", "TRUST_CLINICIAN"],
    "SECOND_OPINION": ["NAMED_COLLEAGUE", "PARTNER_ORG_CLINICIAN", "TRUST_CLINICIAN"],
    "EMERGENCY_CARE": ["CARE_TEAM", "TRUST_CLINICIAN"],
    "LOCAL_AUDIT": ["CARE_TEAM", "TRUST_CLINICIAN"],
    "TEACHING": ["TRUST_STUDENTS", "EXTERNAL_AUDIENCE", "JOURNAL"],
    "RESEARCH": ["RESEARCH_TEAM", "COMMERCIAL_PARTNER"],
    "PUBLICATION": ["JOURNAL"],
    "PUBLIC_MEDIA": ["MEDIA"],
    "SUBJECT_ACCESS": ["PATIENT", "PR_HOLDER", "EXECUTOR"],
    "LEGAL_DISCLOSURE": ["COURT", "POLICE"],
    "PUBLIC_INTEREST": ["POLICE"],
    "RECORDS_MANAGEMENT": ["RECORDS_OFFICER", "CARE_TEAM"],
    "AI_TRAINING": ["TRUST_STUDENTS"],
}
AUTHORITIES: Final = {
    "RESEARCH": ["SECTION_251", "MCA_S30_APPROVAL"],
    "LEGAL_DISCLOSURE": ["COURT_ORDER", "STATUTE", "CORONER"],
    "PUBLIC_INTEREST": ["PUBLIC_INTEREST"],
}
GIVERS: Final = [*["PATIENT"] * 5, *["PR_HOLDER"] * 4, *PROXIES, "EXECUTOR", "RELATIVE_NO_AUTHORITY"]
STATES: Final = [*["GIVEN"] * 5, "REFUSED", "WITHDRAWN", "EXPIRED", "PROPOSED", "SUPERSEDED", "ENTERED_IN_ERROR"]
# Around the birthdays that matter, both sides of the day, the leap day's too.
BIRTHS: Final = [*["1950-01-01", "1980-06-15"] * 2, "2008-02-29", "2008-11-20", "2008-11-21"]
YOUNG_BIRTHS: Final = ["2010-11-20", "2010-11-21", "2011-01-05", "2012-02-29", "2018-06-06", "2024-01-02"]
CLINICIANS: Final = ("CARE_TEAM", "TRUST_CLINICIAN", "NAMED_COLLEAGUE", "PARTNER_ORG_CLINICIAN")
IN_THE_TRUST: Final = ("TRUST_STUDENTS", "TRUST_CLINICIAN", "CARE_TEAM")
SERVED: Final = {"PERMIT_ANONYMISED": 1, "PERMIT_IDENTIFIABLE": 2}
SELDOM: Final = st.sampled_from([False, False, False, False, True])
MOSTLY: Final = st.sampled_from([True, True, True, True, False])
SWITCH: Final = "anonymised_secondary_use_of_care_photographs"
THREE_TESTS: Final = ("necessary", "best_interests", "no_less_restrictive")


def one(*values: object) -> st.SearchStrategy[object]:
    return st.sampled_from(values)


PATIENTS: Final = st.fixed_dictionaries(
    {
        "id": st.just("P1"),
        "dob": st.sampled_from(BIRTHS) | st.sampled_from(YOUNG_BIRTHS),
        "death_date": one(None, None, None, "2026-02-02", "2025-02-28"),
        "capacity": one("HAS", "HAS", "LACKS", "LACKS", "UNKNOWN"),
        "gillick": one("COMPETENT", "NOT_COMPETENT", "NOT_ASSESSED"),
        "national_data_opt_out": st.booleans(),
    }
)
IMAGES: Final = st.fixed_dictionaries(
    {
        "id": st.just("IMG1"),
        "type": one(*["CLINICAL_PHOTO"] * 4, "XRAY", "XRAY", "KEY_OBJECT"),
        "made_on": one("1994-06-01", "2019-01-10", "2025-03-01"),
        "made_for": one("CARE", "CARE", "SECONDARY"),
        "source": one("DEPARTMENT", "DEPARTMENT", "PATIENT_SUPPLIED"),
        "shows": st.just([]),
        "anonymisable": one("YES", "YES", "YES", "NO", "UNKNOWN"),
        "intimate": SELDOM,
        "covert": SELDOM,
        "familial": SELDOM,
        "legacy": SELDOM,
        "status": one(*["ACTIVE"] * 6, "RESTRICTED", "REJECTED", "QUARANTINED", "DISPOSED"),
        "others": one(*[None] * 6, "PROPOSED", "HIDDEN", "CHANGING"),
    }
)


def asked_about(purpose: str) -> str:
    """Return the purpose a consent would speak of."""
    return {"AI_TRAINING": "TEACHING", "EMERGENCY_CARE": "DIRECT_CARE"}.get(purpose, purpose)


@cache
def consents(purpose: str, kind: str) -> st.SearchStrategy[Facts]:
    """Return consents that mostly speak of the use and the recipient asked about."""
    asked = asked_about(purpose)
    group = "ALL_SECONDARY" if purpose in ALL_SECONDARY else "ALL"
    return st.fixed_dictionaries(
        {
            "id": one("C1", "C2", "C3"),
            "level": one("IMAGE", "IMAGE", "STUDY", "PATIENT"),
            "state": one(*STATES),
            "giver": st.fixed_dictionaries(
                {
                    "type": one(*GIVERS),
                    "id": one("someone-1", "someone-2", ""),
                    "competent_at_decision": one("YES", "YES", "NO", "NOT_ASSESSED"),
                }
            ),
            "decided_on": one("2020-05-05", "2024-01-01", "2025-03-01", "2026-01-01"),
            "valid_from": st.just("2018-01-01"),
            "valid_to": one(None, None, None, "2026-11-19", "2026-11-20"),
            "withdrawn_on": one("2026-01-01", "2026-02-01"),
            "withdrawn_purposes": one(None, ["PUBLICATION"]),
            "purposes": one([asked], [asked], [group], ["DIRECT_CARE", asked], ["PUBLICATION"]),
            "max_form": one("IDENTIFIABLE", "IDENTIFIABLE", "ANONYMISED"),
            "audience": one([kind, "CARE_TEAM"], [kind, "CARE_TEAM"], [kind], ["EXTERNAL_AUDIENCE"]),
            "named_recipients": one(None, None, None, ["someone-1"]),
            "named_publication": one(None, "someone-1", "someone-1", "someone-2"),
            "tests": st.none() | st.fixed_dictionaries(dict.fromkeys(THREE_TESTS, MOSTLY)),
            "evidence": st.just("SIGNED_FORM"),
        }
    ).map(coherent)


@cache
def stepwise(purpose: str, kind: str) -> st.SearchStrategy[Facts]:
    """Return consents of which several uses were withdrawn, each on a day of its own, now or to come."""
    words = st.permutations([asked_about(purpose), "RESEARCH", "ALL_SECONDARY", "PUBLICATION"]).map(dict.fromkeys)
    days = st.lists(one("2025-06-01", "2026-01-01", "2026-02-01", "2026-11-21"), min_size=1, max_size=3)
    steps = st.builds(zip, words, days).map(lambda pairs: [{"purpose": word, "on": on} for word, on in pairs])
    states = one("GIVEN", "GIVEN", "WITHDRAWN", "WITHDRAWN", "EXPIRED", "SUPERSEDED")
    return st.builds(lambda each, **more: {**each, **more}, consents(purpose, kind), withdrawn=steps, state=states)


def coherent(consent: Facts) -> Facts:
    """Let only what was withdrawn, or replaced by less, bear a date of withdrawal."""
    taken_back = consent["state"] == "WITHDRAWN" or (consent["state"] == "SUPERSEDED" and consent["withdrawn_purposes"])
    return consent if taken_back else {**consent, "withdrawn_on": None, "withdrawn_purposes": None}


@cache
def authorities(purpose: str) -> st.SearchStrategy[Facts]:
    return st.fixed_dictionaries(
        {
            "type": one(*AUTHORITIES.get(purpose, ["EXECUTOR", "COVERT_AUTHORISATION"])),
            "verified": MOSTLY,
            "covers_image": MOSTLY,
            "approved_by": one(None, "approver-1", "requester-1"),
            "requested_by": st.just("requester-1"),
            "notify_prohibited": SELDOM,
        }
    )


@cache
def cases_for(purpose: str, kind: str) -> st.SearchStrategy[Facts]:
    reason = st.fixed_dictionaries({"reason": one("bleeding", "bleeding", " "), "by_clinician": MOSTLY})
    recipient = {
        "type": st.just(kind),
        "id": one("someone-1", "someone-2"),
        "verified": one(*[True] * 9, False),
        "approved_channel": one(*[True] * 9, False),
    }
    request = {
        "as_of": one("2026-11-20", "2026-11-20", "2026-02-28", "2026-03-01"),
        "purpose": st.just(purpose),
        "recipient": st.fixed_dictionaries(recipient),
        "identifiable": one(True, True, False),
        "content": one("PIXELS", "METADATA"),
        "break_glass": reason if purpose == "EMERGENCY_CARE" else st.none(),
    }
    return st.fixed_dictionaries(
        {
            "id": st.just("T-1"),
            "patient": PATIENTS,
            "image": IMAGES,
            "consents": st.lists(
                st.one_of(consents(purpose, kind), consents(purpose, kind), stepwise(purpose, kind)), max_size=3
            ),
            "authorities": st.lists(authorities(purpose), max_size=2),
            "policy": st.fixed_dictionaries({SWITCH: one("REQUIRE_CONSENT", "GMC17")}),
            "request": st.fixed_dictionaries(request),
        }
    )


ASKED: Final = [(purpose, kind) for purpose, kinds in USUAL.items() for kind in (*kinds, *kinds, "COURT", "UNKNOWN_AE")]
CASES: Final = st.sampled_from(ASKED).flatmap(lambda asked: cases_for(*asked))


def recipient_of(case: Facts) -> Facts:
    return dict(case["request"]["recipient"])


def beyond_care(case: Facts) -> bool:
    purpose = case["request"]["purpose"]
    return purpose in ALL_SECONDARY and (purpose != "LOCAL_AUDIT" or recipient_of(case)["type"] != "CARE_TEAM")


def spoken_by(case: Facts, *givers: str) -> bool:
    return any(consent["giver"]["type"] in givers for consent in case["consents"])


def unverified(case: Facts) -> bool:
    """2.6 asks for a proven identity in R3 only; the policy sends nothing to anybody without."""
    return not recipient_of(case)["verified"]


def no_emergency(case: Facts) -> bool:
    """R7 names no recipients and no dead; the policy opens an emergency to clinicians, for the living."""
    return case["request"]["purpose"] == "EMERGENCY_CARE" and (
        deceased(case) or recipient_of(case)["type"] not in CLINICIANS
    )


def strangers_access(case: Facts) -> bool:
    """R3 doesn't say what others get while the patient lives, nor how an executor is proven: denied, or reviewed."""
    if case["request"]["purpose"] != "SUBJECT_ACCESS":
        return False
    unproven = any(each["type"] == "EXECUTOR" and not valid(each) for each in case["authorities"])
    return unproven if deceased(case) else recipient_of(case)["type"] not in ("PATIENT", "PR_HOLDER")


def intimate_without_its_own_consent(case: Facts) -> bool:
    """003-62a: an intimate photograph without a consent for itself gets neither the GMC17 nor the pre-1997 path."""
    return beyond_care(case) and case["image"]["intimate"] and case["image"]["type"] == "CLINICAL_PHOTO"


def taught_in_public(case: Facts) -> bool:
    """A journal or the media make public whatever the purpose says; the policy asks for what a publication needs."""
    return recipient_of(case)["type"] in ("JOURNAL", "MEDIA") and not public_domain(case)


def research_by_proxy(case: Facts) -> bool:
    """000-33c has research on adults approved under section 30, where R9 (e) has the three tests do instead."""
    return case["request"]["purpose"] == "RESEARCH" and spoken_by(case, *PROXIES)


def nobody_recorded_incapacity(case: Facts) -> bool:
    """2.3 has proxies for an adult lacking capacity; where that isn't recorded the policy asks for it."""
    return case["patient"]["capacity"] == "UNKNOWN" and age(case) >= 16 and spoken_by(case, *PROXIES)


def the_team_by_name(case: Facts) -> bool:
    """R6 "named recipient, if any": names on a form are of those beside the team, whom they don't exclude."""
    named = any(consent["named_recipients"] for consent in case["consents"])
    return recipient_of(case)["type"] == "CARE_TEAM" and named


def executors_consent(case: Facts) -> bool:
    """2.3 has the executor only add authority; the policy reads one recorded as a consent so, too."""
    return spoken_by(case, "EXECUTOR")


def unassessed_and_dead(case: Facts) -> bool:
    """Nobody can assess the dead; what they agreed to counts as nothing known of their wishes."""
    return deceased(case) and any(
        consent["giver"]["competent_at_decision"] == "NOT_ASSESSED" for consent in case["consents"]
    )


def outside_the_collection(case: Facts) -> bool:
    """R9 (f) "trust teaching collection": made by the trust, and shown in it."""
    image = case["image"]
    within = image["source"] == "DEPARTMENT" and recipient_of(case)["type"] in IN_THE_TRUST
    old = image["legacy"] and image["made_for"] == "SECONDARY" and image["made_on"] < "1997"
    return old and case["request"]["purpose"] == "TEACHING" and not within


MORE_OPEN: Final[tuple[Callable[[Facts], bool], ...]] = (
    the_team_by_name,
    unassessed_and_dead,
)
DELIBERATE: Final[tuple[Callable[[Facts], bool], ...]] = (
    unverified,
    no_emergency,
    strangers_access,
    intimate_without_its_own_consent,
    taught_in_public,
    research_by_proxy,
    nobody_recorded_incapacity,
    executors_consent,
    outside_the_collection,
)


def of_the_policy(case: Facts) -> Answer:
    decision = decide(parse_case(case))
    return decision.effect.value, frozenset(obligation.value for obligation in decision.obligations)


@given(CASES)
@OFTEN
def test_the_policy_never_releases_more_than_the_second_reading(case: Facts) -> None:
    assume(not any(differs(case) for differs in MORE_OPEN))
    ours, theirs = of_the_policy(case)[0], second_reading(case)[0]
    assert SERVED.get(ours, 0) <= SERVED.get(theirs, 0), (ours, theirs)


@given(CASES)
@OFTEN
def test_the_policy_and_the_second_reading_agree(case: Facts) -> None:
    assume(not any(differs(case) for differs in (*MORE_OPEN, *DELIBERATE)))
    decision, obligations = of_the_policy(case)
    wanted, named = second_reading(case)
    assert (decision, named - obligations) == (wanted, frozenset())
