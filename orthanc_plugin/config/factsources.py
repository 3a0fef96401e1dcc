"""Where facts for retention are asked for by themselves: FHIR servers (``[fact_sources.NAME]`` of settings.toml).

Knows addresses, certificates and tokens' files. Must not say what facts mean, nor which must be fresh (retention.toml
does). Whatever goes by HTTP goes by TLS, but to this machine itself. Not overridable by the environment: who may set
that may not choose who is believed.

Sources: requirements T-12; 003-77b (TLS with a trust-issued certificate).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from orthanc_plugin.config.keyplaces import STRICT, Text


def _address(value: str) -> str:
    """Refuse an address that isn't https, unless it is this machine's, or that has an account or a fragment in it."""
    parts = urlsplit(value)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.fragment:
        raise ValueError("must be an address such as https://fhir.hospital.example/Patient?..., without account")
    if parts.scheme == "http" and not _is_here(parts.hostname):
        raise ValueError("must be https: patients' facts go by TLS")
    return value


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class FactSource:
    """One FHIR server.

    Attributes:
        url: the search for patients with their encounters, as the server takes it.
        system: of the identifier that is the patient's number here.
        complete: the search gives every encounter of each of its patients: without an open one nobody is under care.
        ca: a PEM file of the certificates that its own must come from; those that the system trusts unless given.
        token_file: the file whose first line is the bearer token; none is sent unless given.
    """

    __pydantic_config__ = STRICT
    url: Annotated[Text, AfterValidator(_address)]
    system: Text
    complete: bool = False
    ca: str = ""
    token_file: str = ""
