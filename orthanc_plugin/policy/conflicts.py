"""R6: what stands when several consents, refusals and withdrawals speak of the same use.

Knows how statements rank. Must not know what follows from the one that stands.

Sources: requirements 2.6 R6, 2.3, 2.4; GMC recordings 9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from dicomwrap.terms import ConsentLevel, Form, GiverType, Purpose
from orthanc_plugin.policy.consent import (
    DENYING,
    PERMITTING,
    Standing,
    names,
    out_of_reach,
    standing,
    withdrawal,
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
    """What all statements come to, each list best or strongest first.

    Attributes:
        denials: every denial, when none of the permits outranks them; nothing is permitted then.
        permits: the permits that stand.
        dormant: statements that reach the recipient but are no permit now (expired, proposed, unassessed, ...).
        parents_disagree: those with parental responsibility said yes and no, and the no isn't plainly the last word.
        parent_objection: the denial of a holder of parental responsibility, even when the patient's own word beats it.
        misses: why consents to this purpose don't reach this recipient.
    """

    denials: tuple[Statement, ...] = ()
    permits: tuple[Statement, ...] = ()
    dormant: tuple[Statement, ...] = ()
    parents_disagree: bool = False
    parent_objection: Statement | None = None
    misses: tuple[str, ...] = ()

    @property
    def denial(self) -> Statement | None:
        """The denial that stands: the patient's own, where there is one."""
        return self.denials[0] if self.denials else None

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
    statements = [
        each
        for purpose in purposes
        for consent in case.consents
        if (each := _read(consent, purpose, case)).standing is not Standing.NOT_COVERED
    ]
    statements.sort(key=_order, reverse=True)
    denials = [each for each in statements if each.denies and each.giver is not GiverType.RELATIVE_NO_AUTHORITY]
    reach = [(each, out_of_reach(each.consent, case.request)) for each in statements]
    reaching = [each for each, miss in reach if whoever or miss is None]
    permits = [each for each in reaching if each.standing in PERMITTING]
    dormant = [each for each in reaching if each.standing in DORMANT]
    dormant += [each for each in statements if each.standing is Standing.PROPOSED]
    misses = dict.fromkeys(miss for each, miss in reach if miss is not None and each.standing in PERMITTING)
    position = _settled(permits, denials, tuple(dormant), tuple(misses))
    if case.patient.dob is None and position.has(Standing.NOT_ASSESSED):
        return replace(position, permits=())  # an adult's own word would count, and might be the narrower one
    return position


def _read(consent: Consent, purpose: Purpose, case: Case) -> Statement:
    """Read one consent for one purpose."""
    as_of = case.request.as_of
    found, gone = standing(consent, purpose, case.patient, as_of), withdrawal(consent, purpose, as_of)
    if gone is None:
        return Statement(consent=consent, standing=found, named=names(consent.purposes, purpose), on=consent.decided_on)
    on = max(consent.decided_on, gone.on)
    return Statement(consent=consent, standing=found, named=gone.purpose is purpose, on=on)


def _settled(
    permits: Sequence[Statement],
    denials: Sequence[Statement],
    dormant: tuple[Statement, ...],
    misses: tuple[str, ...],
) -> Position:
    """Let the patient's own statements speak alone where there are any, else those of the proxies."""
    agreements = [each for each in permits if each.giver is GiverType.PR_HOLDER]
    objections = [each for each in denials if each.giver is GiverType.PR_HOLDER]
    standing_permits = _outranking(permits, denials, parents_agree=not objections)
    denied = bool(denials) and not standing_permits
    return Position(
        denials=tuple(denials) if denied else (),
        permits=standing_permits,
        dormant=dormant,
        parents_disagree=denied and denials[0].giver is GiverType.PR_HOLDER and _disagree(agreements, objections),
        parent_objection=objections[0] if objections else None,
        misses=misses,
    )


def _outranking(
    permits: Sequence[Statement], denials: Sequence[Statement], *, parents_agree: bool
) -> tuple[Statement, ...]:
    """Return the permits that outrank every denial; equal rank denies.

    A parent's permit counts only while no parent denies (``parents_agree``), whatever the dates and even when one
    person said both (requirements R6). A consent that is replaced is void and says nothing any more; a refusal or
    withdrawal is final (requirements 2.4), and falls only when it was entered in error. A permit that may have lapsed,
    for all anyone knows of the patient's age, outranks nothing.
    """
    own = [each for each in permits if each.giver is GiverType.PATIENT]
    if own or (denials and denials[0].giver is GiverType.PATIENT):
        permits, denials = own, [each for each in denials if each.giver is GiverType.PATIENT]
    elif not parents_agree:
        permits = [each for each in permits if each.giver is not GiverType.PR_HOLDER]
    if not denials:
        return tuple(permits)
    sure = (each for each in permits if each.standing is not Standing.AGE_UNKNOWN)
    return tuple(each for each in sure if each.rank > denials[0].rank)


def _disagree(agreements: Sequence[Statement], objections: Sequence[Statement]) -> bool:
    """Tell whether a yes stands against a no of another parent, or was given after every no of one and the same.

    Statements without a giver's id can't be told to be one person's.
    """
    for yes in agreements:
        who = yes.consent.giver.id
        if not who or any(no.consent.giver.id != who for no in objections) or all(yes.on > no.on for no in objections):
            return True
    return False


def _order(statement: Statement) -> tuple[object, ...]:
    """Order the patient's own before all, then by rank, among equals a denial first, then the narrower form.

    The rest of the key tells apart what is left, parts of one consent above all, so that answers never vary with the
    order in which consents come.
    """
    consent, giver = statement.consent, statement.consent.giver
    return (
        giver.type is GiverType.PATIENT,
        statement.rank,
        statement.denies,
        consent.max_form is Form.ANONYMISED,
        consent.id,
        statement.standing,
        giver.type,
        giver.id,
        consent.named_publication or "",
        consent.named_recipients or (),
        consent.tests is not None and consent.tests.passed,
    )
