"""What routes would do with a picture of the registry or a case, as a dry run: nothing is recorded, nothing is sent.

Knows routes, recipients and how a decision is taken. Must not queue, release or write anything. Of a case only the
decision is known: whether people found what an obligation demands is on record of pictures alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from orthanc_plugin.clock import hospital_day
from orthanc_plugin.config.bindings import Destination, DicomNode
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.config.recipients import Recipient
from orthanc_plugin.enforcement.dryrun import DOOR, would
from orthanc_plugin.errors import UnknownImageError, UnknownRecordError
from orthanc_plugin.gate import AccessRequest, asked
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.model import Case, Decision
from orthanc_plugin.policy.routing import Matched, Route, Routed, matching
from orthanc_plugin.registry import images, recalls, routable
from orthanc_plugin.sending.asking import bound
from orthanc_plugin.sending.courier import MISTAKEN
from orthanc_plugin.sending.destinations import demands_tls, objection
from orthanc_plugin.services import Services

UNSEEN: Final = "TLS is demanded, and nobody can tell without a running Orthanc whether it is sent to by TLS"
Answer = Callable[[Destination], tuple[Decision, tuple[str, ...] | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """Which AE titles the running Orthanc is set to send to by TLS; ``titles`` is None when none runs."""

    titles: frozenset[str] | None

    def secured(self, destination: Destination) -> bool | None:
        """Tell whether a destination would be sent to by TLS; None when nobody can."""
        if isinstance(destination, Recipient):
            return destination.url.startswith("https:")
        if self.titles is None:
            return None
        return isinstance(destination, DicomNode) and destination.aet in self.titles


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a route would do with a picture.

    Attributes:
        matched: whether it matches, and why.
        destination: to whom it would go.
        decision: what would be decided.
        unmet: why a permit would still release nothing; None where nobody can tell, as of a case.
        against: why nothing at all may leave to the recipient, '' when something may.
        remedy: what to do about that.
        opens: when it would be sent; None when never.
    """

    matched: Matched
    destination: Destination
    decision: Decision
    unmet: tuple[str, ...] | None
    against: str
    remedy: str
    opens: datetime | None

    @property
    def sends(self) -> bool:
        """Tell whether the picture would go, now or when the window opens."""
        return self.matched.matches and self.decision.permits and not self.unmet and not self.against


def chosen(policy: Policy, name: str | None) -> tuple[Route, ...]:
    """Return the route of this name, or all.

    Raises:
        UnknownRecordError: there is none.
    """
    found = tuple(route for route in policy.routes if name in (None, route.name))
    if name is not None and not found:
        known = ", ".join(route.name for route in policy.routes) or "none"
        raise UnknownRecordError(f"policy.toml has no route '{name}'.", remedy=f"It has: {known}.")
    return found


def of_image(services: Services, uid: str, routes: Iterable[Route], channels: Channels) -> tuple[Trial, ...]:
    """Return what each route would do now with a picture of the registry.

    Raises:
        UnknownImageError: the registry doesn't know the picture.
        RegistryError: the registry can't be read.
    """
    with services.database.reading() as connection:
        row = images.get(connection, uid)
        if row is None:
            raise UnknownImageError("The image is not known to the registry.")
        (picture,) = routable.routed(connection, (row,))

    def answer(destination: Destination) -> tuple[Decision, tuple[str, ...]]:
        found = would(services, uid, destination)
        with services.database.reading() as connection:
            again = recalls.mistaken(connection, destination.name, (uid,))
        return found.decision, (*found.unmet, *([MISTAKEN] if again else []))

    return _tried(services.policy, routes, picture, services.clock(), answer, channels)


def of_case(
    policy: Policy, case: Case, picture: Routed, routes: Iterable[Route], at: datetime, channels: Channels
) -> tuple[Trial, ...]:
    """Return what each route would do with a case at a moment, under the switches of ``policy``."""

    def answer(destination: Destination) -> tuple[Decision, None]:
        request = AccessRequest(requester=bound(destination.name, destination), sop_instance_uid=case.id, door=DOOR)
        return decide(replace(case, switches=policy.switches, request=asked(request, at))), None

    return _tried(policy, routes, picture, at, answer, channels)


def _tried(
    policy: Policy, routes: Iterable[Route], picture: Routed, at: datetime, answer: Answer, channels: Channels
) -> tuple[Trial, ...]:
    return tuple(_trial(policy, each, at, answer, channels) for each in matching(routes, picture, at))


def _trial(policy: Policy, matched: Matched, at: datetime, answer: Answer, channels: Channels) -> Trial:
    destination = policy.recipient(matched.route.recipient)
    if destination is None:  # a policy with such a route isn't loaded
        raise UnknownRecordError(f"policy.toml has no recipient '{matched.route.recipient}'.")
    decision, unmet = answer(destination)
    opens = matched.route.opening(at)
    against, remedy = _against(destination, opens or at, channels)
    return Trial(
        matched=matched,
        destination=destination,
        decision=decision,
        unmet=unmet,
        against=against,
        remedy=remedy,
        opens=opens,
    )


def _against(destination: Destination, at: datetime, channels: Channels) -> tuple[str, str]:
    """Return why nothing may leave to a destination and what to do about it, if that is so."""
    secured = channels.secured(destination)
    found = objection(destination, hospital_day(at), secured=secured is not False)
    if found is not None:
        return found.reason, found.remedy
    if secured is None and demands_tls(destination):
        return UNSEEN, "Start Orthanc, then ask again."
    return "", ""
