"""What would be decided now, for a recipient of policy.toml and a picture of the registry; nothing is recorded.

Knows bindings and the facts at hand. Must not release or write anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from dicomwrap.terms import Purpose
from orthanc_plugin.config.bindings import Binding, Role, User
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.gate import AccessRequest, Answer, asked
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.model import BreakGlass, Case, Decision
from orthanc_plugin.registry import facts
from orthanc_plugin.release import unmet
from orthanc_plugin.sending.asking import bound
from orthanc_plugin.services import Services

DOOR = "dry run"
IN_AN_EMERGENCY = "an emergency that is only asked about"


@dataclass(frozen=True, slots=True, kw_only=True)
class Would:
    """What a recipient would be told: the case, the decision, and which obligations could not be met."""

    binding: Binding
    case: Case
    decision: Decision
    unmet: tuple[str, ...]

    @property
    def released(self) -> bool:
        """Tell whether something would leave."""
        return self.decision.permits and not self.unmet


def recipients(policy: Policy) -> Iterator[Binding]:
    """Give every destination and user that could receive a picture at all, a user once for each purpose."""
    yield from policy.destinations
    yield from (use for user in policy.users for use in user.uses() if Role.VIEW in use.roles)


def recipient(policy: Policy, name: str) -> Binding:
    """Return the node, recipient or user of this name.

    Raises:
        UnknownRecordError: policy.toml has none.
    """
    everybody: tuple[Binding, ...] = (*policy.dicom_nodes, *policy.recipients, *policy.users)
    found = next((binding for binding in everybody if binding.name == name), None)
    if found is None:
        names = ", ".join(binding.name for binding in everybody)
        raise UnknownRecordError(f"policy.toml has no recipient '{name}'.", remedy=f"It has: {names}.")
    return found


def would(services: Services, image: str, binding: Binding, *, emergency: bool = False) -> Would:
    """Return what would be decided now if ``binding`` asked for ``image``.

    Raises:
        UnknownImageError: the registry doesn't know the image.
        RegistryError: the registry can't be read.
    """
    request = AccessRequest(requester=bound(binding.name, binding), sop_instance_uid=image, door=DOOR)
    question = asked(request, services.clock())
    if emergency:
        glass = BreakGlass(reason=IN_AN_EMERGENCY, by_clinician=True)
        question = replace(question, purpose=Purpose.EMERGENCY_CARE, identifiable=True, break_glass=glass)
    with services.database.reading() as connection:
        under = services.release.under(binding.profile or "")
        case = facts.case(connection, image, question, services.policy.switches, image, under)
    decision = decide(case)
    context = services.context(Answer(request=request, decision=decision, decision_id=""), binding)
    return Would(
        binding=binding, case=case, decision=decision, unmet=unmet(decision, context) if decision.permits else ()
    )


def may_break_the_glass(binding: Binding) -> bool:
    """Tell whether ``binding`` is an account that could be granted emergency access."""
    return isinstance(binding, User) and Role.BREAK_GLASS in binding.roles
