"""Which records may be past their date at all, so that the others needn't be looked at one by one.

Knows when a schedule's floor makes a date impossible. Must not reckon dates: whoever is left is looked at in full.
It leaves out nobody who could be due: it goes by the patient's last contact under the picture's own number, and where
the schedule has no floor that counts from the last contact, it leaves out nobody at all.

Sources: requirements T-4 (the general rule is always a floor), T-12.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

from sqlalchemy import Connection, Select, and_, exists, or_, select, tuple_

from orthanc_plugin.policy.expirymodel import DeathMode, Kept, Rule, Schedule, Trigger
from orthanc_plugin.policy.model import ImageStatus, MadeFor
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.retentiontables import retention_facts
from orthanc_plugin.registry.tables import images, patients

LIVE: Final = select(images.c.study_instance_uid).where(images.c.status != ImageStatus.DISPOSED)
_merged = patients.c.merged_into_id.is_not(None)
_MERGED: Final = select(patients.c.patient_id, patients.c.issuer).where(_merged)
_SURVIVORS: Final = select(patients.c.merged_into_id, patients.c.merged_into_issuer).where(_merged)
# Those whom other facts than their own number's may speak of, and what wasn't made for care.
OTHERS: Final = (
    LIVE.where(images.c.made_for != MadeFor.CARE),
    *(LIVE.where(tuple_(images.c.patient_id, images.c.issuer).in_(whose)) for whose in (_MERGED, _SURVIVORS)),
)


def studies(connection: Connection, schedule: Schedule, as_of: date) -> Iterator[str]:
    """Give the Study Instance UIDs of what may be past its date, each once, in order."""
    years = min((each for rule in schedule.rules if (each := _floor(rule)) is not None), default=None)
    parts = (LIVE,) if years is None else (_old(_cutoff(as_of, years)), *OTHERS)
    found = (connection.execute(part, execution_options=IN_PARTS).scalars() for part in parts)
    yield from sorted({str(study) for each in found for study in each})  # quicker than a union, which walks all records


def _floor(rule: Rule) -> int | None:
    """Return after how many years from the last contact the rule lets any picture made for care be due, at the least.

    None where it isn't such a floor.
    """
    applies = rule.applies
    asked = (applies.category, applies.regime, applies.age_from, applies.age_below)
    general = Kept.IMAGE in applies.objects and applies.made_for in (None, MadeFor.CARE) and not any(asked)
    counts = rule.floor and rule.trigger is Trigger.LAST_CONTACT and not rule.ends_on_withdrawal
    deaths = [each for each in (rule.on_death, rule.on_death_alternative) if each is not None]
    if not (general and counts) or any(each.mode is DeathMode.REPLACE for each in deaths) or rule.periods_at_age:
        return None
    restarts = [each.period.years for each in deaths if each.mode is DeathMode.RESTART]
    return min(rule.period.years, *restarts) if restarts else rule.period.years


def _old(cutoff: str) -> Select[tuple[str]]:
    """Ask for the records of numbers that are told of, and of which nothing told is too recent."""
    told, other = retention_facts.alias("told"), retention_facts.alias("other")
    recent = or_(other.c.last_contact >= cutoff, other.c.first_contact >= cutoff, other.c.open_episode == 1)
    old = or_(told.c.last_contact < cutoff, told.c.first_contact < cutoff)
    again = and_(other.c.patient_id == told.c.patient_id, other.c.issuer == told.c.issuer)
    same = and_(told.c.patient_id == images.c.patient_id, told.c.issuer == images.c.issuer)
    return LIVE.join(told, same).where(old, ~exists().where(again, recent))


def _cutoff(as_of: date, years: int) -> str:
    """Return the first day of last contact that is too recent for certain."""
    try:
        return as_of.replace(year=max(as_of.year - years, 1)).isoformat()
    except ValueError:  # 29 February, in a year that has none
        return date(as_of.year - years, 3, 1).isoformat()
