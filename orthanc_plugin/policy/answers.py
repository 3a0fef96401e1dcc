"""How a rule says its answer.

Knows how a decision is put together: rule, reason, obligations, citation. Must not decide.
"""

from __future__ import annotations

from collections.abc import Iterable

from orthanc_plugin.policy.citations import CITATIONS, Rule
from orthanc_plugin.policy.model import Consent, Decision, Effect, Obligation


def answer(
    effect: Effect, rule: Rule, reason: str, *obligations: Obligation, consents: Iterable[Consent] = ()
) -> Decision:
    """Return the decision of one rule for one reason."""
    return Decision(
        effect=effect,
        obligations=tuple(sorted(set(obligations))),
        reasons=(reason,),
        rules=(rule.value,),
        citations=(CITATIONS[rule],),
        consents=tuple(dict.fromkeys(consent.id for consent in consents)),
    )


def deny(rule: Rule, reason: str, *obligations: Obligation, consents: Iterable[Consent] = ()) -> Decision:
    """Return a denial."""
    return answer(Effect.DENY, rule, reason, *obligations, consents=consents)


def review(rule: Rule, reason: str, *obligations: Obligation, consents: Iterable[Consent] = ()) -> Decision:
    """Return a question for a person; nothing is released until it is settled."""
    return answer(Effect.NEEDS_REVIEW, rule, reason, *obligations, consents=consents)


def permit(rule: Rule, reason: str, *obligations: Obligation, consents: Iterable[Consent] = ()) -> Decision:
    """Return a permit to release the picture as it is."""
    return answer(Effect.PERMIT_IDENTIFIABLE, rule, reason, *obligations, consents=consents)


def joined(first: Decision, then: Decision) -> Decision:
    """Return what ``first`` leads to: the effect of ``then``, with the reasons and obligations of both."""
    rules = dict(zip(first.rules + then.rules, first.citations + then.citations, strict=True))
    return Decision(
        effect=then.effect,
        obligations=tuple(sorted(set(first.obligations + then.obligations))),
        reasons=tuple(dict.fromkeys(first.reasons + then.reasons)),
        rules=tuple(rules),
        citations=tuple(rules.values()),
        consents=tuple(dict.fromkeys(first.consents + then.consents)),
    )


def obliged(decision: Decision, rule: Rule, reason: str, *obligations: Obligation) -> Decision:
    """Return ``decision`` with more to do, because of ``rule``."""
    return joined(decision, answer(decision.effect, rule, reason, *obligations))
