"""An independent second reading of the decision rules, which the policy is held against.

Knows requirements 2.6 to 2.8, read literally and written over the plain objects of the case format (2.8). Must not
know the policy and imports nothing of it: the reading was made first and compared afterwards, so that a rule misread
on either side shows as a disagreement. Where the text leaves a choice open the reading follows the policy; where the
two part on purpose, ``test_second_reading`` says why. It knows well-formed cases with a birth date only.

Source: requirements 2.6 (R0 to R9), 2.7; GMC "Making and using visual and audio recordings of patients".
"""

from __future__ import annotations

from typing import Final

from tests.properties.second_reading_consents import (
    ALL_SECONDARY,
    Facts,
    Statement,
    age,
    authority,
    capable,
    deceased,
    implicit,
    live,
    parent_objects,
    parents_disagree,
    permits,
    public_domain,
    standing_denials,
    surviving,
    valid,
    young_when_made,
)

Answer = tuple[str, frozenset[str]]

CARE: Final = {
    "DIRECT_CARE": ("CARE_TEAM",),
    "SECOND_OPINION": ("NAMED_COLLEAGUE", "PARTNER_ORG_CLINICIAN", "TRUST_CLINICIAN"),
    "LOCAL_AUDIT": ("CARE_TEAM",),
}
OTHER_PURPOSES: Final = (
    "EMERGENCY_CARE",
    "SUBJECT_ACCESS",
    "LEGAL_DISCLOSURE",
    "PUBLIC_INTEREST",
    "RECORDS_MANAGEMENT",
)
NEVER: Final = ("SOCIAL_MEDIA", "PERSONAL_DEVICE", "UNKNOWN_AE")
INSIDE: Final = ("CARE_TEAM", "TRUST_CLINICIAN", "TRUST_STUDENTS", "RECORDS_OFFICER", "PATIENT")
TESTED: Final = ("LPA_HW", "DEPUTY", "COURT")
SEEK: Final = "SEEK_CONSENT"
AGAIN: Final = "SEEK_RECONSENT"
AFTER_DENIAL: Final = {"REFUSED": "QUARANTINE", "WITHDRAWN": "IG_REVIEW"}


def answer(decision: str, *obligations: str) -> Answer:
    return decision, frozenset(obligations)


NONE: Final = answer("COUNTS_AS_NO_CONSENT")


def decide(case: Facts) -> Answer:
    """Return the decision and the obligations that the text names for ``case``."""
    decided = fail_closed(case) or beside_consent(case) or covert(case) or break_glass(case)
    if decided is None:
        own_team = case["request"]["recipient"]["type"] == "CARE_TEAM"
        purpose = case["request"]["purpose"]
        is_care = purpose in CARE and (purpose != "LOCAL_AUDIT" or own_team)
        decided = care(case) if is_care else secondary(case)
    return handed_out(case, *decided)


def handed_out(case: Facts, decision: str, obligations: frozenset[str]) -> Answer:
    if decision.startswith("PERMIT") and case["request"]["recipient"]["type"] not in INSIDE:
        obligations |= {"SECURE_CHANNEL", "RECORD_DISCLOSURE"}
    return others_hidden(case, decision, obligations)


def others_hidden(case: Facts, decision: str, obligations: frozenset[str]) -> Answer:
    """2.8 has the obligation and R3 alone names it; who is in a picture with the patient is so whoever asks."""
    said, request = case["image"].get("others"), case["request"]
    treating = request["purpose"] in ("DIRECT_CARE", "EMERGENCY_CARE")
    no_matter = said is None or request["content"] == "METADATA" or (treating and said == "PROPOSED")
    if no_matter or decision != "PERMIT_IDENTIFIABLE":
        return decision, obligations
    if said != "HIDDEN" and not treating:
        return answer("NEEDS_REVIEW", "REDACT_THIRD_PARTIES", *obligations)
    return answer(decision, "REDACT_THIRD_PARTIES", *obligations)


# R0 to R5, R7


def fail_closed(case: Facts) -> Answer | None:
    request, recipient = case["request"], case["request"]["recipient"]
    if request["purpose"] not in (*CARE, *ALL_SECONDARY, *OTHER_PURPOSES):
        return answer("DENY")
    if case["image"]["status"] == "DISPOSED":
        return answer("DENY", "PROVIDE_DESTRUCTION_CERTIFICATE")
    if recipient["type"] in NEVER or not recipient["approved_channel"]:
        return answer("DENY", "NOTIFY_IG")
    if case["image"]["status"] == "QUARANTINED":
        return answer("DENY", "RECONCILE_IDENTITY")
    not_a_picture = case["image"]["type"] == "KEY_OBJECT" and request["purpose"] != "DIRECT_CARE"
    if case["image"]["status"] == "REJECTED" or not_a_picture:
        return answer("DENY")
    return None


def beside_consent(case: Facts) -> Answer | None:
    purpose = case["request"]["purpose"]
    if purpose == "LEGAL_DISCLOSURE":
        return law(case)
    if purpose == "PUBLIC_INTEREST":
        return public_interest(case)
    if purpose == "SUBJECT_ACCESS":
        return subject_access(case)
    if purpose == "RECORDS_MANAGEMENT":
        return records_management(case)
    return None


def told(case: Facts, relied_on: list[Facts]) -> set[str]:
    forbidden = any(each["notify_prohibited"] for each in relied_on)
    return set() if deceased(case) or forbidden else {"NOTIFY_PATIENT"}


def law(case: Facts) -> Answer:
    orders = [each for each in case["authorities"] if each["type"] in ("COURT_ORDER", "STATUTE", "CORONER")]
    good = [each for each in orders if valid(each)]
    if good:
        return answer("PERMIT_IDENTIFIABLE", "MINIMUM_NECESSARY", *told(case, good))
    not_covering = orders and all(each["verified"] for each in orders)
    return answer("DENY" if not_covering else "NEEDS_REVIEW", "LEGAL_REVIEW")


def public_interest(case: Facts) -> Answer:
    claims = [each for each in case["authorities"] if each["type"] == "PUBLIC_INTEREST" and valid(each)]
    good = [each for each in claims if each["approved_by"] and each["approved_by"] != each["requested_by"]]
    if good:
        return answer("PERMIT_IDENTIFIABLE", "MINIMUM_NECESSARY", "RECORD_JUSTIFICATION", *told(case, good))
    return answer("NEEDS_REVIEW", "CALDICOTT_REVIEW")


def subject_access(case: Facts) -> Answer:
    kind = case["request"]["recipient"]["type"]
    if deceased(case):
        return access_after_death(case)
    if kind == "PATIENT":
        return own_record(case)
    if kind != "PR_HOLDER":
        return answer("NEEDS_REVIEW", "IG_REVIEW")  # the text names "others" only beside the dead
    if any(permit.giver == "PATIENT" for permit in live(case)) and not standing_denials(case):
        return own_record(case)
    if age(case) >= 16 or capable(case):
        return answer("NEEDS_REVIEW", SEEK)
    if case["patient"]["gillick"] == "NOT_ASSESSED":  # the text speaks of children found competent or not
        return answer("NEEDS_REVIEW", "ASSESS_COMPETENCE")
    return own_record(case)


def access_after_death(case: Facts) -> Answer:
    if case["request"]["recipient"]["type"] != "EXECUTOR":
        return answer("NEEDS_REVIEW", "IG_REVIEW")
    noted = any(denial.giver == "PATIENT" for denial in standing_denials(case))
    return answer("DENY", "IG_REVIEW") if noted else own_record(case)


def own_record(case: Facts) -> Answer:
    if case["request"]["recipient"]["verified"]:
        return answer("PERMIT_IDENTIFIABLE", "REDACT_THIRD_PARTIES", "SERIOUS_HARM_CHECK")
    return answer("NEEDS_REVIEW", "VERIFY_IDENTITY")


def records_management(case: Facts) -> Answer:
    if case["request"]["recipient"]["type"] != "RECORDS_OFFICER":
        return answer("DENY")
    metadata = case["request"]["content"] == "METADATA"
    return answer("PERMIT_IDENTIFIABLE" if metadata else "DENY", "METADATA_ONLY")


def covert(case: Facts) -> Answer | None:
    if case["image"]["covert"] and not authority(case, "COVERT_AUTHORISATION"):
        return answer("DENY", "QUARANTINE", "NOTIFY_IG")
    return None


def break_glass(case: Facts) -> Answer | None:
    given = case["request"]["break_glass"]
    if case["request"]["purpose"] != "EMERGENCY_CARE":
        return answer("DENY", "NOTIFY_IG") if given else None
    if not given or not given["reason"].strip() or not given["by_clinician"]:
        return answer("DENY", "NOTIFY_IG")
    if capable(case) and any(denial.giver == "PATIENT" for denial in standing_denials(case)):
        return answer("DENY", "NOTIFY_IG")
    named = ("RECORD_JUSTIFICATION", "RETROSPECTIVE_REVIEW", "NOTIFY_IG", "NOTIFY_PATIENT")
    return answer("PERMIT_IDENTIFIABLE", *named)


# R8


def care(case: Facts) -> Answer:
    request, image, purpose = case["request"], case["image"], case["request"]["purpose"]
    if request["recipient"]["type"] not in CARE[purpose]:
        return answer("DENY")
    if image["intimate"] and image["source"] == "PATIENT_SUPPLIED" and young_when_made(case):
        return answer("NEEDS_REVIEW", "SAFEGUARDING_REVIEW", "RESTRICT_VIEW")
    if against := standing_denials(case):
        return refused_care(case, against)
    if implicit(case) or purpose == "LOCAL_AUDIT":
        return care_permit(case, None)
    return care_by_consent(case)


def refused_care(case: Facts, against: list[Statement]) -> Answer:
    if parents_disagree(case, against):
        return answer("NEEDS_REVIEW", "IG_REVIEW")
    if case["request"]["purpose"] != "DIRECT_CARE":
        return answer("DENY")
    states = {denial.consent["state"] for denial in against}
    return answer("DENY", *(name for state, name in AFTER_DENIAL.items() if state in states))


def care_by_consent(case: Facts) -> Answer:
    standings = {permit.standing for permit in permits(case)}
    lapsed = [permit for permit in permits(case) if permit.standing == "LAPSED"]
    for permit in surviving(case) + lapsed:
        return care_permit(case, permit, *([] if permit.standing == "GOOD" else [AGAIN]))
    gaps = {"EXPIRED": AGAIN, "UNASSESSED": "ASSESS_COMPETENCE"}
    if found := [gaps[standing] for standing in sorted(standings) if standing in gaps]:
        return answer("NEEDS_REVIEW", *found)
    return answer("DENY", SEEK) if "PROPOSED" in standings else care_without_consent(case)


def care_without_consent(case: Facts) -> Answer:
    if case["request"]["purpose"] == "SECOND_OPINION":
        return answer("DENY", SEEK)
    if case["image"]["legacy"] or case["image"]["source"] == "PATIENT_SUPPLIED":
        return care_permit(case, None, SEEK)
    return answer("NEEDS_REVIEW", SEEK)


def care_permit(case: Facts, permit: Statement | None, *also: str) -> Answer:
    opinion, image = case["request"]["purpose"] == "SECOND_OPINION", case["image"]
    obligations = {
        *also,
        *(["MINIMUM_NECESSARY"] if opinion else []),
        *(["RESTRICT_VIEW"] if image["intimate"] else []),
    }
    limited = opinion and permit is not None and permit.consent["max_form"] == "ANONYMISED"
    if case["request"]["identifiable"] and not limited:
        return answer("PERMIT_IDENTIFIABLE", *obligations)
    if image["anonymisable"] != "YES":
        return answer("NEEDS_REVIEW", "VERIFY_RESIDUAL_ID", *also)
    return answer("PERMIT_ANONYMISED", "ANONYMISE", "VERIFY_RESIDUAL_ID", *obligations)


# R9


def secondary(case: Facts) -> Answer:
    request, own = case["request"], [permit for permit in surviving(case) if permit.giver == "PATIENT"]
    if not implicit(case) and case["image"]["intimate"] and young_when_made(case):
        return answer("DENY")
    if standing_denials(case):
        return answer("DENY")
    if own and age(case) < 18 and parent_objects(case) and request["identifiable"] and public_domain(case):
        return answer("NEEDS_REVIEW", "ENCOURAGE_PARENT_INVOLVEMENT")
    if request["purpose"] == "RESEARCH" and request["identifiable"] and not own and authority(case, "SECTION_251"):
        if case["patient"]["national_data_opt_out"]:
            return answer("DENY", "APPLY_OPT_OUT")
        return answer("PERMIT_IDENTIFIABLE", "MINIMUM_NECESSARY", "RECORD_DISCLOSURE", "TAG_PURPOSE")
    return by_consent(case)


def by_consent(case: Facts) -> Answer:
    found = surviving(case)
    defects = [(permit, defect_of(case, permit)) for permit in found]
    for permit, defect in defects:
        if defect is None:
            return used(case, permit)
    standings = {permit.standing for permit in permits(case)}
    if not implicit(case) and "UNASSESSED" in standings and not found:
        return answer("NEEDS_REVIEW", "ASSESS_COMPETENCE")
    if implicit(case) and found and found[0].standing == "RECONSENT":
        return used(case, found[0])  # "except RECONSENT": a further defect doesn't open what that keeps closed
    first = defects[0][1] if defects else NONE
    if first is not None and first != NONE and not implicit(case):
        return first
    again = {"EXPIRED", "LAPSED"} & standings
    return without_consent(case, *([SEEK] if found or not again else []), *([AGAIN] if again else []))


def defect_of(case: Facts, permit: Statement) -> Answer | None:
    """Return what is answered to a consent with a defect; NONE when it counts as no consent."""
    consent, tests = permit.consent, permit.consent["tests"]
    if permit.standing == "REGAINED":
        return answer("DENY", AGAIN)
    if case["image"]["intimate"] and consent["level"] != "IMAGE":
        return NONE
    # "identifiable if named" (2.7); the media must be named for either form (000-14)
    must_be_named = case["request"]["identifiable"] or case["request"]["purpose"] == "PUBLIC_MEDIA"
    unnamed = consent["named_publication"] is None and consent["named_recipients"] is None
    if public_domain(case) and must_be_named and unnamed:
        return NONE
    if permit.giver == "PR_HOLDER":
        return answer("DENY") if tests and not all(tests.values()) else None
    if permit.giver == "CONSULTEE":
        return None if authority(case, "MCA_S30_APPROVAL") else answer("DENY")
    return answer("DENY") if permit.giver in TESTED and not (tests and all(tests.values())) else None


def used(case: Facts, permit: Statement) -> Answer:
    again = [AGAIN] if permit.standing == "RECONSENT" else []
    if again and case["request"]["identifiable"]:
        return answer("NEEDS_REVIEW", AGAIN)
    if not case["request"]["identifiable"] or permit.consent["max_form"] == "ANONYMISED":
        return anonymised(case, *again)
    if deceased(case) and public_domain(case) and not authority(case, "EXECUTOR"):
        return answer("NEEDS_REVIEW", "CONSULT_FAMILY")
    family = ["CONSIDER_FAMILY"] if deceased(case) and not public_domain(case) else []
    return answer("PERMIT_IDENTIFIABLE", "RECORD_DISCLOSURE", "TAG_PURPOSE", *family)


def without_consent(case: Facts, *seek: str) -> Answer:
    image, public = case["image"], public_domain(case)
    collection = image["legacy"] and image["made_for"] == "SECONDARY" and image["made_on"] < "1997"
    switch = case["policy"]["anonymised_secondary_use_of_care_photographs"]
    by_gmc17 = switch == "GMC17" and image["made_for"] == "CARE" and not public
    if implicit(case) or (collection and case["request"]["purpose"] == "TEACHING") or by_gmc17:
        return anonymised(case)
    if not deceased(case):
        return answer("DENY", *seek)
    if case["request"]["identifiable"] or public:
        return answer("DENY", "IG_REVIEW")
    return answer("NEEDS_REVIEW", "CONSULT_FAMILY")


def anonymised(case: Facts, *also: str) -> Answer:
    image = case["image"]
    if image["anonymisable"] == "NO":
        return answer("DENY", "IG_REVIEW" if deceased(case) else SEEK, *also)
    if deceased(case) and image["familial"] and public_domain(case):
        return answer("NEEDS_REVIEW", "CONSULT_FAMILY", *also)
    if image["anonymisable"] != "YES":
        return answer("NEEDS_REVIEW", "VERIFY_RESIDUAL_ID", *also)
    return answer("PERMIT_ANONYMISED", "ANONYMISE", "VERIFY_RESIDUAL_ID", "RECORD_DISCLOSURE", *also)
