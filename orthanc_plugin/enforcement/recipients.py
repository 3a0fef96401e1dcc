"""What preflight has to say of those whom pictures are sent to, and of routes.

Knows policy.toml and Orthanc's modalities. Must not know pictures. Nothing here keeps Orthanc from starting: who may
not be sent to is sent nothing in any case (``sending.destinations``).

Sources: requirements 001-8 (a destination has an owner and expires), 001-19a (TLS).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Final

from orthanc_plugin.config.bindings import Destination, DicomNode
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.enforcement.finding import Finding, warned
from orthanc_plugin.sending.destinations import BY_TLS, RENEW, demands_tls

SOON: Final = timedelta(days=30)


def recipient_findings(policy: Policy, modalities: Mapping[str, object], today: date | None) -> Iterator[Finding]:
    """Say which recipients nobody answers for, which get nothing now or soon, and which routes are over.

    Args:
        policy: policy.toml.
        modalities: Orthanc's, by name.
        today: at the hospital; None when only what doesn't depend on it is asked.
    """
    by_tls = {
        str(each.get("AET")) for each in modalities.values() if isinstance(each, dict) and each.get("UseDicomTls")
    }
    for each in policy.destinations:
        place = f"policy.toml: {each.name}"
        if not each.owner:
            yield warned(place, "Nobody answers for what is sent to it.", 'Name its owner: owner = "...".')
        if isinstance(each, DicomNode) and demands_tls(each) and each.aet not in by_tls:
            yield warned(place, "It must be sent to by TLS and isn't, so nothing leaves to it.", BY_TLS)
    if today is not None:
        yield from _over(policy, today)


def _over(policy: Policy, today: date) -> Iterator[Finding]:
    """Say what is over, or soon."""
    for each in policy.destinations:
        yield from _lasting(f"policy.toml: {each.name}", each, today)
    for route in policy.routes:
        if route.expires is not None and route.expires < today:
            problem = f"Its last day was {route.expires.isoformat()}, so it sends nothing."
            yield warned(f"policy.toml: route {route.name}", problem, "Take it out, or set a later 'expires'.")


def _lasting(place: str, destination: Destination, today: date) -> Iterator[Finding]:
    """Say whether a destination's last day is over, or near."""
    last = destination.expires
    if last is None or last > today + SOON:
        return
    day = last.isoformat()
    over = destination.expired(today)
    yield warned(
        place, f"Its last day was {day}, so nothing leaves to it." if over else f"Its last day is {day}.", RENEW
    )
