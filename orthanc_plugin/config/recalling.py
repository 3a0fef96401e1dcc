"""How copies are had back from a recipient, as policy.toml says.

Knows bindings. Must not know what is recalled. Whoever isn't a destination of policy.toml, such as an account by HTTP,
a place of deposit or one that was taken out since, gets a letter: a person has to find out who holds the copy.
"""

from __future__ import annotations

from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.policy.recalling import Method


def method(policy: Policy, recipient: str) -> Method:
    """Return how a recipient is reached."""
    known = policy.recipient(recipient)
    return Method.LETTER if known is None else Method[known.recall.name]


def addressee(policy: Policy, recipient: str) -> str:
    """Return whom a letter goes to: as policy.toml says, else the recipient's owner, else the person or account.

    A place of deposit is written to at its address.
    """
    known = policy.recipient(recipient)
    if known is not None:
        return known.letter_to or known.owner or known.name
    place = policy.disposition.place(recipient)
    if place is not None:
        return f"{place.name}, {place.address}"
    user = policy.user(recipient)
    return (user.person if user else "") or recipient
