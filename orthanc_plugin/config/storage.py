"""``[storage]`` of settings.toml: whether Orthanc's files are encrypted, and where the site keys are.

Knows places of keys. Must not know what is encrypted with them. The environment can't override it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Annotated

from pydantic import Field

from orthanc_plugin.config.keyplaces import STRICT, KeyPlace, Name


@unique
class PlainFiles(StrEnum):
    """What becomes of a file that isn't encrypted: refused, or read while an archive that was plain is migrated."""

    REFUSE = "refuse"
    READ = "read"


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """The section.

    Attributes:
        encryption: whether Orthanc's files are encrypted.
        plain_files: whether those that aren't are read.
        site_keys: where each key is that wraps the data keys, by name.
    """

    __pydantic_config__ = STRICT
    encryption: Annotated[bool, Field(strict=True)] = False
    plain_files: PlainFiles = PlainFiles.REFUSE
    site_keys: dict[Name, KeyPlace] = field(default_factory=dict)
