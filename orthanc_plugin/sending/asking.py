"""Who receives, as its binding in policy.toml makes the requester: the same for the doors and for the courier.

Knows bindings. Must not decide. Source: purpose of use as of HL7 v3 PurposeOfUse, by way of policy.toml.
"""

from __future__ import annotations

from orthanc_plugin.config.bindings import Binding
from orthanc_plugin.gate import Requester


def bound(actor: str, binding: Binding, address: str = "") -> Requester:
    """Return the requester as ``binding`` makes it."""
    return Requester(
        actor=actor,
        recipient=binding.name,
        purpose=binding.purpose,
        audience=binding.audience,
        form=binding.form,
        address=address,
        profile=binding.profile or "",
    )
