"""What contradicts itself in the facts that a date rests on: then there is no date, for nobody knows which is wrong.

Knows births, contacts, diagnoses and deaths. Must not reckon dates, nor look anything up. Only what can't be is in it:
a contact after the death is in the rules, which take the later of the two.

Source: requirements T-3 (no due date and a task, never a guess).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from orthanc_plugin.policy.expirymodel import DeathMode, RetentionFacts, Rule, Trigger

PERSONAL: Final = frozenset({Trigger.LAST_CONTACT, Trigger.BIRTHDAY, Trigger.CANCER_DIAGNOSIS})


class Doubt(NamedTuple):
    """A contradiction: the fact in which it shows, and what somebody has to find out."""

    field: str
    words: str


def doubts(facts: RetentionFacts) -> Iterator[Doubt]:
    """Give what can't be true together; more contacts or holds settle none of it."""
    born = facts.dob
    if born is None:
        return
    if facts.death_date is not None and facts.death_date < born:
        yield Doubt("death_date", "which is right, the birth or the death before it")
    if any(day < born for day in facts.contacts):
        yield Doubt("contacts", "which is right, the birth or the contact before it")
    if facts.cancer_diagnosis is not None and facts.cancer_diagnosis < born:
        yield Doubt("cancer_diagnosis", "which is right, the birth or the cancer's diagnosis before it")


def concerned(rule: Rule) -> bool:
    """Tell whether the rule's date rests on the patient's life; a promise, a trial or a stub's creation doesn't."""
    return rule.trigger in PERSONAL or rule.on_death.mode is not DeathMode.NONE
