"""Where facts for retention are asked for by themselves: FHIR servers (``[fact_sources.NAME]`` of settings.toml).

Knows addresses, certificates and tokens' files. Must not say what facts mean, nor which must be fresh (retention.toml
does). Whatever goes by HTTP goes by TLS, but to this machine itself. Not overridable by the environment: who may set
that may not choose who is believed.

Sources: requirements T-12; 003-77b (TLS with a trust-issued certificate).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

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


# Beside the first search's address, so that it is the same server's.
Beside = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z]{1,63}(\?[^\s#]*)?$")]
Word = Annotated[str, StringConstraints(pattern=r"^[^|\s]{0,64}$")]
System = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Codes = dict[System, Annotated[dict[Text, Word], Field(min_length=1)]]
Laws = dict[System, Annotated[dict[Text, Annotated[Word, Field(min_length=1)]], Field(min_length=1)]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosesTold:
    """How a server's diagnoses (Condition) are read.

    Attributes:
        complete: true, for the searches must give every one of each patient: no other tells that there are no more.
        categories: by code system, the schedule's category of each code, '' for none; a code may end in '*', for all
            that begin so.
    """

    __pydantic_config__ = STRICT
    complete: Literal[True]
    categories: Annotated[Codes, Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialsTold:
    """How a server's trials (ResearchSubject, ResearchStudy) are read.

    Attributes:
        system: of the identifier that is the trial's number here.
        regimes: by code system, the schedule's word for the law that each code of a study's category says.
    """

    __pydantic_config__ = STRICT
    system: Text
    regimes: Annotated[Laws, Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FactSource:
    """One FHIR server.

    Attributes:
        url: the search for patients with their encounters, as the server takes it.
        also: further searches of the same server, such as ``Condition?_count=500``.
        system: of the identifier that is the patient's number here.
        complete: the search gives every encounter of each of its patients: without an open one nobody is under care.
        diagnoses: how diagnoses are read; without it none may be in an answer.
        trials: how trials are read; without it none may be in an answer.
        ca: a PEM file of the certificates that its own must come from; those that the system trusts unless given.
        token_file: the file whose first line is the bearer token; none is sent unless given.
    """

    __pydantic_config__ = STRICT
    url: Annotated[Text, AfterValidator(_address)]
    system: Text
    also: tuple[Beside, ...] = ()
    complete: bool = False
    diagnoses: DiagnosesTold | None = None
    trials: TrialsTold | None = None
    ca: str = ""
    token_file: str = ""
