"""How the hospital speaks in recalls: ``[recall]`` of policy.toml.

Knows the words. Must not know copies or recipients. Source: requirements 2.9; PS3.16 CID 7010 (extensible).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import StringConstraints

from orthanc_plugin.config.bindings import STRICT, Words

Coded = Annotated[str, StringConstraints(min_length=1, max_length=16, pattern=r"^[^\\\s]+$")]
Meaning = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\\]+$", strip_whitespace=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallTitle:
    """A title of rejection notes that the hospital has agreed on with its recipients."""

    __pydantic_config__ = STRICT
    value: Coded
    scheme: Coded
    meaning: Meaning


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallTerms:
    """Who writes, where answers go, and the title of rejection notes after withdrawal, refusal or a wrong recipient.

    Without a title of its own the hospital's notes are ``Rejected for Patient Safety Reasons`` (113037, DCM), which
    every archive that knows IHE IOCM hides.
    """

    __pydantic_config__ = STRICT
    organisation: Words = ""
    reply_to: Words = ""
    title: RecallTitle | None = None
