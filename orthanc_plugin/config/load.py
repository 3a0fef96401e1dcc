"""Read a TOML file into frozen dataclasses, and report all its faults at once with their place.

Knows TOML and pydantic. Must not know what the settings mean.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from orthanc_plugin.errors import ConfigurationError

T = TypeVar("T")


def read_toml(path: Path) -> tuple[dict[str, object], bytes]:
    """Return the parsed file and its bytes.

    Raises:
        ConfigurationError: the file can't be read or isn't TOML; the message has the line.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{path.name} can't be read: {error.strerror}.",
            remedy=f"Put a readable file at {path}; 'bin/serve DIR' writes a commented one.",
        ) from error
    return parsed(raw, path.name), raw


def parsed(raw: bytes, name: str) -> dict[str, object]:
    """Return what a file's bytes say.

    Raises:
        ConfigurationError: it isn't TOML; the message has the line.
    """
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{name} is not valid TOML.", problems=(f"{name}: {error}",)) from error


def validated(kind: type[T], values: dict[str, object], name: str) -> T:
    """Return ``values`` as ``kind``.

    Raises:
        ConfigurationError: with every fault and its place.
    """
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        problems = tuple(
            f"{name}: {'.'.join(str(part) for part in fault['loc']) or 'file'}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)
        )
        raise ConfigurationError(f"{name} has {len(problems)} fault(s).", problems=problems) from error
