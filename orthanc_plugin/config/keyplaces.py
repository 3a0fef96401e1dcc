"""Where a key may be kept, as settings.toml says it: a file, the environment, a command that prints it, a service.

Knows the shapes. Must not read a key, nor know what one is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

STRICT = ConfigDict(extra="forbid")
Text = Annotated[str, StringConstraints(min_length=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class InEnvironment:
    """A key in a variable of the environment."""

    __pydantic_config__ = STRICT
    environment: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class FromCommand:
    """A key that a command prints within so many seconds."""

    __pydantic_config__ = STRICT
    command: Annotated[tuple[Text, ...], Field(min_length=1)]
    seconds: Annotated[int, Field(strict=True, ge=1, le=60)] = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FromService:
    """A key that a key management service gives out over HTTPS, to whom it knows by a token or a certificate.

    ``answer`` are the names that lead to the key in a JSON answer. Files are PEM, but that of the token.
    """

    __pydantic_config__ = STRICT
    url: Annotated[str, StringConstraints(pattern=r"^https://[^\s@]+$")]
    answer: tuple[Text, ...] = ()
    token_file: Text | None = None
    ca_file: Text | None = None
    certificate_file: Text | None = None
    key_file: Text | None = None
    seconds: Annotated[int, Field(strict=True, ge=1, le=60)] = 10


KeyPlace = Text | InEnvironment | FromCommand | FromService  # a text is a file that the archive's user alone can read
