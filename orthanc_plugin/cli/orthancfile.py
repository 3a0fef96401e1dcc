"""Orthanc's configuration files as Orthanc reads them: comments, variables of the environment, folders.

Knows the files. Must not know what the options mean. Source: OrthancConfiguration.cpp; run on 1.10.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orthanc_plugin.errors import ConfigurationError

_STRING_OR_COMMENT: Final = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_VARIABLE: Final = re.compile(r"\$\{([^}:]+)(?::-([^}]*))?\}")


def without_comments(text: str) -> str:
    """Return Orthanc's JSON without the comments it allows; strings are left alone."""
    return _STRING_OR_COMMENT.sub(lambda found: found[0] if found[0].startswith('"') else " ", text)


def substituted(text: str, environment: Mapping[str, str]) -> str:
    """Return the text with ``${NAME}`` and ``${NAME:-default}`` replaced; a variable that isn't there is empty."""
    return _VARIABLE.sub(lambda found: environment.get(found[1], found[2] or ""), text)


def read_configuration(path: Path, environment: Mapping[str, str]) -> dict[str, object]:
    """Return Orthanc's configuration: one file, or the JSON files of a folder together.

    Raises:
        ConfigurationError: a file can't be read or isn't JSON, or two files say the same option.
    """
    merged: dict[str, object] = {}
    for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
        values = _read(file, environment)
        if twice := sorted(merged.keys() & values.keys()):
            raise ConfigurationError(
                f"{file.name} says {', '.join(twice)} again, which another file of the folder has said.",
                remedy="Orthanc does not start on that: say each option in one file.",
            )
        merged |= values
    return merged


def _read(file: Path, environment: Mapping[str, str]) -> dict[str, object]:
    try:
        value = json.loads(without_comments(substituted(file.read_text(encoding="utf-8"), environment)))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file.name} can't be read as Orthanc's configuration: {error}.") from error
    return value if isinstance(value, dict) else {}
