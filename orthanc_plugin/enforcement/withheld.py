"""What is told of pictures that a request named and that don't leave: how many, why, and by which decisions.

Knows resources and refusals. Names nothing but what the request named. Where that can be made up from a patient's
number and nothing of it leaves, the answer is the same whether or not there is such a patient: that somebody was
photographed here is itself confidential.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from orthanc_plugin.enforcement.packing import Refusal
from orthanc_plugin.enforcement.resources import Named
from orthanc_plugin.enforcement.rest import FORBIDDEN, Reply

NOTHING: Final = "nothing of it is known here, or nothing of it may leave for this purpose"
REMEDY: Final = "Ask for what the patient has consented to; the decisions are explained by 'consentgate explain'."


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """What stays of one named resource; ``pictures`` is None where not even their number is told."""

    named: Named
    pictures: int | None
    decisions: tuple[str, ...]
    reasons: tuple[str, ...]

    def told(self) -> dict[str, object]:
        """Return it by the resource's place among those named."""
        number = {} if self.pictures is None else {"pictures": self.pictures}
        why = {"reasons": list(self.reasons), "decisions": list(self.decisions)}
        return {"named": self.named.position, **number, **why}

    def told_by_name(self) -> dict[str, object]:
        """Return it by the resource's name: for whoever named it, not for what travels on with the pictures."""
        return {"resource": self.named.resource, **self.told()}


def withheld(named: Named, refusals: Sequence[Refusal], *, left: int) -> Withheld | None:
    """Return what is told of the refused pictures behind ``named``; None when there are none.

    Args:
        named: the resource.
        refusals: the pictures that stay.
        left: how many pictures of it have left.
    """
    if not refusals:
        return None
    decisions = tuple(each.decision_id for each in refusals)
    if named.guessable and not left:
        return Withheld(named=named, pictures=None, decisions=decisions[:1], reasons=(NOTHING,))
    reasons = dict.fromkeys(reason for each in refusals for reason in each.reasons)
    return Withheld(named=named, pictures=len(refusals), decisions=decisions, reasons=tuple(reasons))


def nothing_leaves(stays: Iterable[Withheld], message: str) -> Reply:
    """Return the answer when all that was named stays."""
    payload = {"error": message, "refused": [each.told_by_name() for each in stays], "remedy": REMEDY}
    return Reply(status=FORBIDDEN, payload=payload)
