"""Who asks: from an AE title or a verified account to the binding that policy.toml gives it.

Knows policy.toml's bindings. A purpose is never taken from the request: a request that names another than the binding's
is refused.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace

from dicomwrap.terms import PURPOSE_CODES, Audience, Form
from orthanc_plugin.config.policyfile import Binding, DicomNode, User
from orthanc_plugin.gate import Requester

PURPOSE_HEADERS = ("purpose-of-use", "x-purpose-of-use")
PURPOSE_ARGUMENT = "purpose"


def unknown(actor: str, address: str = "") -> Requester:
    """Return the requester nobody bound: it may have nothing."""
    return Requester(
        actor=actor or "anonymous",
        recipient="unknown",
        purpose="",
        audience=Audience.UNKNOWN_AE,
        form=Form.ANONYMISED,
        verified=False,
        approved_channel=False,
        address=address,
    )


def bound(actor: str, binding: Binding, address: str = "") -> Requester:
    """Return the requester as ``binding`` makes it."""
    return Requester(
        actor=actor,
        recipient=binding.name,
        purpose=binding.purpose,
        audience=binding.audience,
        form=binding.form,
        address=address,
    )


def account(headers: Mapping[str, str]) -> str:
    """Return the account of HTTP basic authentication, which Orthanc has verified before the filter is called.

    A bearer token or anything else that can't be read is no account: ''.
    """
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode("utf-8").partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def other_purpose(binding: Binding, headers: Mapping[str, str], arguments: Mapping[str, str]) -> str | None:
    """Return the purpose that the request names when it isn't the binding's."""
    named = [headers[header] for header in PURPOSE_HEADERS if header in headers]
    named += [arguments[PURPOSE_ARGUMENT]] if PURPOSE_ARGUMENT in arguments else []
    own = {binding.purpose.value, PURPOSE_CODES[binding.purpose]}
    return next((purpose for purpose in named if purpose not in own), None)


def of_node(aet: str, node: DicomNode | None) -> Requester:
    """Return the requester behind an AE title."""
    return unknown(aet) if node is None else bound(aet, node, node.host)


def of_user(name: str, user: User | None, address: str) -> Requester:
    """Return the requester behind an account."""
    return unknown(name, address) if user is None else replace(bound(name, user, address), signed_in=True)
