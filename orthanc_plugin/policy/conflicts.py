"""R6: what stands when several consents, refusals and withdrawals speak of the same use.

Knows how statements rank. Must not know what follows from the one that stands.

Sources: requirements 2.6 R6, 2.3, 2.4; GMC recordings 9.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from dicomwrap.terms import ConsentLevel, GiverType, Purpose
from orthanc_plugin.policy.consent import (
    DENYING,
    PERMITTING,
    Standing,
    names,
    out_of_reach,
    standing,
    withdrawn_words,
)
from orthanc_plugin.policy.model import Case, Consent

FINENESS: Final[dict[ConsentLevel, int]] = {
    ConsentLevel.PATIENT: 0,
    ConsentLevel.STUDY: 1,
    ConsentLevel.SERIES: 2,
    ConsentLevel.IMAGE: 3,
}

# No permits, but they say what to do next. A proposal does so whomever it names.
DORMANT: Final = frozenset({Standing.NOT_ASSESSED, Standing.EXPIRED, Standing.LAPSED_AT_18, Standing.EXECUTOR_AGREES})

Rank = tuple[int, bool, date]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One consent read for one purpose. ``named``: the purpose itself, not a group. ``on``: the day it dates from."""

    consent: Consent
    standing: Standing
    named: bool
    on: date

    @property
    def denies(self) -> bool:
        """Tell whether it is a refusal or a withdrawal."""
        return self.standing in DENYING

    @property
    def giver(self) -> GiverType:
        """Who spoke."""
        return self.consent.giver.type

    @property
    def rank(self) -> Rank:
        """Level before purpose before date."""
        return (FINENESS[self.consent.level], self.named, self.on)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What all statements come to.

    Attributes:
        denial: the denial that stands; nothing is permitted then.
        permits: the permits that stand, best first.
        dormant: statements that reach the recipient but are no permit now (expired, proposed, unassessed, ...).
        parents_disagree: one holder of parental responsibility permits, another denies.
        parent_objection: the denial of a holder of parental responsibility, even when the patient's own word beats it.
        misses: why consents to this purpose don't reach this recipient.
    """

    denial: Statement | None = None
    permits: tuple[Statement, ...] = ()
    dormant: tuple[Statement, ...] = ()
    parents_disagree: bool = False
    parent_objection: Statement | None = None
    misses: tuple[str, ...] = ()

    def has(self, *standings: Standing) -> bool:
        """Tell whether some dormant statement stands so."""
        return any(statement.standing in standings for statement in self.dormant)

    def dormant_consents(self, *standings: Standing) -> tuple[Consent, ...]:
        """Return the consents behind the dormant statements that stand so."""
        return tuple(statement.consent for statement in self.dormant if statement.standing in standings)


def weigh(case: Case, *purposes: Purpose, whoever: bool = False) -> Position:
    """Return what the statements on ``purposes`` come to.

    Args:
        case: the case.
        purposes: the purposes asked about; more than one are weighed as one use.
        whoever: count permits for any recipient, not only for the one who asks.
    """
    statements = [_read(consent, purpose, case) for purpose in purposes for consent in case.consents]
    denials = [each for each in statements if each.denies and each.giver is not GiverType.RELATIVE_NO_AUTHORITY]
    reaching = [each for each in statements if whoever or out_of_reach(each.consent, case.request) is None]
    permits = [each for each in reaching if each.standing in PERMITTING]
    dormant = [each for each in reaching if each.standing in DORMANT]
    dormant += [each for each in statements if each.standing is Standing.PROPOSED]
    parents = [each for each in (*denials, *reaching) if each.giver is GiverType.PR_HOLDER]
    position = _settled(permits, denials, _last_words(parents), tuple(dormant), _misses(statements, case))
    if case.patient.dob is None and position.has(Standing.NOT_ASSESSED):
        return replace(position, permits=())  # an adult's own word would count, and might be the narrower one
    return position


def _read(consent: Consent, purpose: Purpose, case: Case) -> Statement:
    """Read one consent for one purpose."""
    as_of = case.request.as_of
    found = standing(consent, purpose, case.patient, as_of)
    if found is not Standing.WITHDRAWN:
        return Statement(consent=consent, standing=found, named=names(consent.purposes, purpose), on=consent.decided_on)
    return Statement(
        consent=consent,
        standing=found,
        named=names(withdrawn_words(consent, as_of), purpose),
        on=max(consent.decided_on, consent.withdrawn_on or as_of),
    )


def _misses(statements: Iterable[Statement], case: Case) -> tuple[str, ...]:
    """Say why consents to the purpose don't reach the recipient."""
    found = (out_of_reach(each.consent, case.request) for each in statements if each.standing in PERMITTING)
    return tuple(dict.fromkeys(miss for miss in found if miss is not None))


def _settled(
    permits: Sequence[Statement],
    denials: Sequence[Statement],
    parents: Sequence[Statement],
    dormant: tuple[Statement, ...],
    misses: tuple[str, ...],
) -> Position:
    """Let the patient's own statements speak alone where there are any, else those of the proxies."""
    own_permits = [each for each in permits if each.giver is GiverType.PATIENT]
    own_denials = [each for each in denials if each.giver is GiverType.PATIENT]
    objections = [each for each in parents if each.denies]
    split = bool(objections) and len(objections) < len(parents)
    if own_permits or own_denials:
        ranked = _ranked(own_permits, own_denials)
    else:
        others = [each for each in (*permits, *denials) if each.giver is not GiverType.PR_HOLDER]
        voices = [*others, *(objections or [each for each in parents if each.standing in PERMITTING])]
        ranked = _ranked([each for each in voices if not each.denies], [each for each in voices if each.denies])
    denial, standing_permits = ranked
    return Position(
        denial=denial,
        permits=standing_permits,
        dormant=dormant,
        parents_disagree=split and denial is not None and denial.giver is GiverType.PR_HOLDER,
        parent_objection=max(objections, key=_order, default=None),
        misses=misses,
    )


def _last_words(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """Return each parent's own last word on the use; a word that lapsed when the child became 18 is one too.

    Statements without a giver's id can't be told to be one person's.
    """
    words: dict[str, list[Statement]] = {}
    for place, statement in enumerate(statements):
        if statement.denies or statement.standing in PERMITTING or statement.standing is Standing.LAPSED_AT_18:
            words.setdefault(statement.consent.giver.id or f"unnamed {place}", []).append(statement)
    return tuple(max(spoken, key=_order) for spoken in words.values())


def _ranked(
    permits: Sequence[Statement], denials: Sequence[Statement]
) -> tuple[Statement | None, tuple[Statement, ...]]:
    """Return the denial that stands, or the permits that outrank every denial; equal rank denies.

    A permit that may have lapsed, for all anyone knows of the patient's age, outranks nothing.
    """
    strongest = max(denials, key=_order, default=None)
    if strongest is not None:
        sure = (each for each in permits if each.standing is not Standing.AGE_UNKNOWN)
        permits = [each for each in sure if each.rank > strongest.rank]
    if permits:
        return None, tuple(sorted(permits, key=_order, reverse=True))
    return strongest, ()


def _order(statement: Statement) -> tuple[Rank, bool, bool, str]:
    """Order by rank; among equals a denial first, then the narrower form, then the id, so that answers never vary."""
    return (statement.rank, statement.denies, statement.consent.max_form.value == "ANONYMISED", statement.consent.id)
