"""What FHIR R4 ResearchSubject and ResearchStudy tell of trials that a patient takes, or has taken, part in.

Knows both resources, and that the law a trial is under is said by a map that is data. Must not know the laws. Whoever
was only thought of for a trial isn't in it; whoever has left it was. Marketing authorisations aren't in FHIR.

Sources: requirements T-12 (trial membership); FHIR R4 ResearchSubject (status), ResearchStudy (status, period).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from dicomwrap.consentfields import Fields
from orthanc_plugin.fhir.elements import LONGEST_URI, codings, day_at, objects, plain, single

NOT_IN_IT: Final = frozenset({"candidate", "potential-candidate", "ineligible", "not-registered"})
IN_IT: Final = frozenset(
    {
        "eligible",
        "screening",
        "pending-on-study",
        "on-study",
        "on-study-intervention",
        "on-study-observation",
        "follow-up",
        "off-study",
        "withdrawn",
    }
)
CONCLUDED: Final = frozenset({"completed", "administratively-completed", "withdrawn", "disapproved"})
GOES_ON: Final = frozenset(
    {
        "active",
        "approved",
        "in-review",
        "closed-to-accrual",
        "closed-to-accrual-and-intervention",
        "temporarily-closed-to-accrual",
        "temporarily-closed-to-accrual-and-intervention",
    }
)
LONGEST_STATUS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """How trials are read.

    Attributes:
        system: of the identifier that is the trial's number here.
        regimes: by code system, what law each code of a study's category or keyword says that it is under.
    """

    system: str
    regimes: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial: its number, the law it is under, and the day on which it was concluded, if it was."""

    number: str
    regime: str
    concluded: date | None


def study(fields: Fields, terms: Trials) -> Trial:
    """Return what a ResearchStudy is; what is wrong with it is a fault."""
    plain(fields)
    numbers = {
        each.text("value") for each in objects(fields, "identifier") if each.text("system", LONGEST_URI) == terms.system
    }
    number = numbers.pop() if len(numbers) == 1 else None
    if number is None:
        fields.fault("identifier", f"must have one of system {terms.system}, and only one")
    laws = set(_laws(fields, terms))
    if len(laws) != 1:
        fields.fault("category", "must have, it or the keywords, one code that settings.toml says the law of")
    return Trial(number or "", laws.pop() if len(laws) == 1 else "", _concluded(fields))


def _laws(fields: Fields, terms: Trials) -> Iterator[str]:
    for concept in (*objects(fields, "category"), *objects(fields, "keyword")):
        for system, code in codings(concept):
            if code in terms.regimes.get(system, {}):
                yield terms.regimes[system][code]


def _concluded(fields: Fields) -> date | None:
    status, period = fields.text("status", LONGEST_STATUS), single(fields, "period", "")
    end = day_at(period, "end") if period else None
    if status in CONCLUDED:
        if end is None:
            fields.fault("period", "must have an end, for the trial is concluded")
        return end
    if status not in GOES_ON:
        fields.fault("status", "says neither that the trial goes on nor that it is concluded")
    return None


def takes_part(fields: Fields) -> bool:
    """Tell whether a ResearchSubject is, or was, in the trial."""
    plain(fields)
    status = fields.text("status", LONGEST_STATUS)
    if status not in IN_IT | NOT_IN_IT:
        fields.fault("status", "says neither that the patient is or was in the trial, nor that they never were")
    return status in IN_IT
