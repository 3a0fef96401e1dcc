"""From where settings.toml says that a key is kept to what reads it there.

Knows settings and the ways to read a key. Must not read one.
"""

from __future__ import annotations

from collections.abc import Mapping

from orthanc_plugin.config.keyplaces import FromCommand, FromService, InEnvironment, KeyPlace
from orthanc_plugin.config.settings import Settings
from orthanc_plugin.deid.keys import CommandKey, EnvironmentKey, FileKey, KeySource
from orthanc_plugin.deid.keyservice import ServiceKey


def key_source(place: KeyPlace, settings: Settings, environment: Mapping[str, str]) -> KeySource:
    """Return where a key of settings.toml is kept."""
    match place:
        case InEnvironment():
            return EnvironmentKey(place.environment, environment)
        case FromCommand():
            return CommandKey(place.command, place.seconds)
        case FromService():
            return _service(place, settings)
        case str():
            return FileKey(settings.path(place))


def _service(place: FromService, settings: Settings) -> ServiceKey:
    own = (place.certificate_file, place.key_file or place.certificate_file)
    return ServiceKey(
        url=place.url,
        seconds=place.seconds,
        answer=place.answer,
        token=settings.path(place.token_file) if place.token_file else None,
        authority=settings.path(place.ca_file) if place.ca_file else None,
        certificate=(settings.path(own[0]), settings.path(own[1])) if own[0] and own[1] else None,
    )
