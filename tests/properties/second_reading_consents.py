"""The second reading's facts: ages, authorities, and what each consent comes to (R6, givers, states).

Knows requirements 2.3, 2.4 and R6 of 2.6, read literally over the plain objects of the case format. Must not know the
policy, nor what a rule makes of the consent that stands (``second_reading``).

Source: requirements 2.3, 2.4, 2.6; GMC "Making and using visual and audio recordings of patients" 9, 28 to 35.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final, NamedTuple

Facts = dict[str, Any]

ALL_SECONDARY: Final = ("LOCAL_AUDIT", "TEACHING", "RESEARCH", "PUBLICATION", "PUBLIC_MEDIA")
PUBLIC_DOMAIN: Final = ("PUBLICATION", "PUBLIC_MEDIA")
FOR_ADULTS: Final = ("LPA_HW", "DEPUTY")
PROXIES: Final = (*FOR_ADULTS, "COURT", "CONSULTEE", "BEST_INTERESTS")
LEVELS: Final = ("PATIENT", "STUDY", "SERIES", "IMAGE")
LIVE: Final = ("GOOD", "RECONSENT", "REGAINED")
VOID: Final = ("SUPERSEDED", "ENTERED_IN_ERROR")


class Statement(NamedTuple):
    """One consent as it stands for one request: for or against, how it ranks, what became of it."""

    consent: Facts
    day: str
    named: bool
    standing: str

    @property
    def giver(self) -> str:
        return str(self.consent["giver"]["type"])

    @property
    def rank(self) -> tuple[int, bool, str]:
        return LEVELS.index(self.consent["level"]), self.named, self.day


def deceased(case: Facts) -> bool:
    died = case["patient"]["death_date"]
    return died is not None and died <= case["request"]["as_of"]


def age(case: Facts, on: str | None = None) -> int:
    """Return the age in full years; a birth date of 29 February comes round on 1 March of common years.

    The text doesn't say whether the dead have birthdays; here they have none.
    """
    born = date.fromisoformat(case["patient"]["dob"])
    day = date.fromisoformat(on or min(case["request"]["as_of"], case["patient"]["death_date"] or "9999"))
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def young_when_made(case: Facts) -> bool:
    return age(case, case["image"]["made_on"]) < 18


def implicit(case: Facts) -> bool:
    return bool(case["image"]["type"] != "CLINICAL_PHOTO")


def public_domain(case: Facts) -> bool:
    return case["request"]["purpose"] in PUBLIC_DOMAIN


def valid(each: Facts) -> bool:
    return bool(each["verified"] and each["covers_image"])


def authority(case: Facts, kind: str) -> bool:
    return any(each["type"] == kind and valid(each) for each in case["authorities"])


def capable(case: Facts) -> bool:
    """Tell whether the patient decides: by capacity from 16 on, by competence before."""
    patient = case["patient"]
    return bool(patient["capacity"] == "HAS" if age(case) >= 16 else patient["gillick"] == "COMPETENT")


def covers(case: Facts, words: list[str]) -> tuple[bool, bool]:
    """Tell whether ``words`` cover the purpose, and whether by its own name."""
    purpose = case["request"]["purpose"]
    # R7 speaks of "care use" in an emergency
    named = purpose in words or (purpose == "EMERGENCY_CARE" and "DIRECT_CARE" in words)
    return named or "ALL" in words or ("ALL_SECONDARY" in words and purpose in ALL_SECONDARY), named


def denials(case: Facts) -> list[Statement]:
    """Return what speaks against the request, the strongest first."""
    found = (denial_of(case, consent) for consent in case["consents"])
    return sorted((denial for denial in found if denial), key=preference, reverse=True)


def denial_of(case: Facts, consent: Facts) -> Statement | None:
    """Return the consent as a denial, None when it is none."""
    if consent["giver"]["type"] == "RELATIVE_NO_AUTHORITY":
        return None
    found = []
    for words, day in taken_back(case, consent):
        covered, named = covers(case, words)
        found += [Statement(consent, max(day, consent["decided_on"]), named, "DENIAL")] if covered else []
    return max(found, key=lambda denial: denial.rank, default=None)


def taken_back(case: Facts, consent: Facts) -> list[tuple[list[str], str]]:
    """Return what the consent denies, each with the day from which it does.

    Each purpose withdrawn counts "from its own date". One that is in force denies what was withdrawn by then, one that
    was replaced what was withdrawn by name.
    """
    state, as_of = consent["state"], case["request"]["as_of"]
    if state == "REFUSED":
        return [(consent["purposes"], consent["decided_on"])]
    if state in ("PROPOSED", "ENTERED_IN_ERROR"):
        return []
    steps = [([step["purpose"]], step["on"]) for step in consent.get("withdrawn", ())]
    if state in ("GIVEN", "EXPIRED"):
        return [step for step in steps if step[1] <= as_of]
    if steps or (state == "SUPERSEDED" and not consent["withdrawn_purposes"]):
        return steps
    return [(consent["withdrawn_purposes"] or consent["purposes"], consent["withdrawn_on"] or as_of)]


def permits(case: Facts) -> list[Statement]:
    """Return what speaks for the request or once did, the best first; the narrower form first among equals."""
    found = []
    for consent in case["consents"]:
        covered, named = covers(case, consent["purposes"])
        proposed = consent["state"] == "PROPOSED"  # the text has only permits match the audience
        if covered and (proposed or matches(case, consent)) and not denial_of(case, consent):
            found.append(Statement(consent, consent["decided_on"], named, standing(case, consent)))
    return sorted(found, key=preference, reverse=True)


def preference(each: Statement) -> tuple[object, ...]:
    return each.giver == "PATIENT", each.rank, each.consent["max_form"] == "ANONYMISED", each.consent["id"]


def matches(case: Facts, consent: Facts) -> bool:
    recipient, names = case["request"]["recipient"], consent["named_recipients"]
    if case["request"]["purpose"] == "EMERGENCY_CARE":
        return True  # R7 asks whether care use was refused, not by whom it would be
    if recipient["type"] not in consent["audience"] or (names is not None and recipient["id"] not in names):
        return False
    return not public_domain(case) or consent["named_publication"] in (None, recipient["id"])


def standing(case: Facts, consent: Facts) -> str:
    """Return GOOD, RECONSENT, REGAINED, UNASSESSED, LAPSED, EXPIRED, PROPOSED or NOTHING."""
    as_of, state = case["request"]["as_of"], consent["state"]
    if state in ("REFUSED", *VOID) or max(consent["decided_on"], consent["valid_from"]) > as_of:
        return "NOTHING"
    if state == "PROPOSED":
        return "PROPOSED"
    worth = worth_of(case, consent)
    ended = consent["valid_to"] is not None and consent["valid_to"] < as_of
    # the nightly job stores what lapsed at 18 as expired; that alone changes nothing
    ended |= state == "EXPIRED" and worth != "LAPSED"
    return "EXPIRED" if ended and worth != "NOTHING" else worth


def worth_of(case: Facts, consent: Facts) -> str:
    """Return what the giver's word is worth (2.3)."""
    giver, purpose = consent["giver"]["type"], case["request"]["purpose"]
    if giver == "PATIENT":
        return patients_own(case, consent)
    if giver == "PR_HOLDER":
        return parents(case)
    too_young = giver in FOR_ADULTS and age(case) < 16
    not_research = giver == "CONSULTEE" and purpose != "RESEARCH"
    not_care = giver == "BEST_INTERESTS" and purpose not in ("DIRECT_CARE", "SECOND_OPINION")
    if giver not in PROXIES or too_young or not_research or not_care:
        return "NOTHING"
    return "REGAINED" if capable(case) else "GOOD"


def patients_own(case: Facts, consent: Facts) -> str:
    born, died = case["patient"]["dob"], case["patient"]["death_date"] or "9999"
    if not born <= consent["decided_on"] <= died:
        return "NOTHING"
    competent = consent["giver"]["competent_at_decision"]
    if competent in ("YES", "NO"):
        return "GOOD" if competent == "YES" else "NOTHING"
    return "GOOD" if age(case, consent["decided_on"]) >= 16 else "UNASSESSED"


def parents(case: Facts) -> str:
    if age(case) >= 18:
        return "LAPSED"
    return "RECONSENT" if capable(case) or age(case) >= 16 else "GOOD"


def beats(permit: Statement, denial: Statement) -> bool:
    """Tell whether a permit outranks a denial: first by who spoke, then by level, name and day."""
    if permit.giver == "PATIENT" and denial.giver != "PATIENT":
        return True
    if denial.giver == "PATIENT" and permit.giver != "PATIENT":
        return False
    # "between two PR holders a denial beats a permit at any date"; one who says both is read as two
    return permit.rank > denial.rank and not permit.giver == denial.giver == "PR_HOLDER"


def parents_disagree(case: Facts, against: list[Statement]) -> bool:
    """Tell whether a parent's denial is the strongest, and isn't the last word of the one who also agreed."""
    if against[0].giver != "PR_HOLDER":
        return False
    objections = [denial for denial in against if denial.giver == "PR_HOLDER"]
    agreed = [permit for permit in live(case) if permit.giver == "PR_HOLDER"]
    return any(not changed_to_no(permit, objections) for permit in agreed)


def changed_to_no(permit: Statement, objections: list[Statement]) -> bool:
    one_person = {each.consent["giver"]["id"] for each in (permit, *objections)}
    return len(one_person) == 1 and "" not in one_person and permit.day <= max(denial.day for denial in objections)


def live(case: Facts) -> list[Statement]:
    """Return the permits of today; where the patient's own word is among them, no proxy's counts beside it."""
    found = [permit for permit in permits(case) if permit.standing in LIVE]
    return [permit for permit in found if permit.giver == "PATIENT"] or found


def parent_objects(case: Facts) -> bool:
    return any(denial.giver == "PR_HOLDER" for denial in denials(case))


def surviving(case: Facts) -> list[Statement]:
    """Return the permits that beat every denial, the best first."""
    against = denials(case)
    return [permit for permit in live(case) if all(beats(permit, denial) for denial in against)]


def standing_denials(case: Facts) -> list[Statement]:
    """Return the denials, unless a permit beats all of them."""
    return [] if surviving(case) else denials(case)
