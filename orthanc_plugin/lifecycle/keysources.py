"""From where settings.toml says that a key is kept to what reads it there.

Knows settings, the ways to read a key, and who must have one: custodians a certificate, a reverse proxy its secret.
"""

from __future__ import annotations

from collections.abc import Mapping

from orthanc_plugin.config.keyplaces import FromCommand, FromService, InEnvironment, KeyPlace
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.config.proxy import Proxy
from orthanc_plugin.config.settings import Settings
from orthanc_plugin.deid.keys import CommandKey, EnvironmentKey, FileKey, KeySource, read_key
from orthanc_plugin.deid.keyservice import ServiceKey
from orthanc_plugin.deid.vault import Vault
from orthanc_plugin.errors import ConfigurationError


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


def require_custodians(policy: Policy, vault: Vault) -> None:
    """Refuse a policy that has custodians whose certificates nobody knows.

    Raises:
        ConfigurationError: it has.
    """
    named = {name for profile in policy.profiles.values() for name in profile.custodians or ()}
    if unknown := sorted(named - set(vault.files)):
        raise ConfigurationError(
            f"policy.toml has custodian(s) without a certificate: {', '.join(unknown)}.",
            remedy="Name the file of each one's certificate under [custodians] in settings.toml.",
        )


def proxy_of(settings: Settings, policy: Policy) -> Proxy | None:
    """Return the reverse proxy that is believed when it names people, if there is one.

    Raises:
        ConfigurationError: its secret can't be used, or its account is somebody else's.
    """
    if settings.proxy is None:
        return None
    account = settings.proxy.account
    if account == settings.orthanc.user or policy.user(account) is not None:
        raise ConfigurationError(
            f"The proxy's account '{account}' is Consentgate's own, or is bound in policy.toml.",
            remedy="Give the proxy an account of its own in orthanc.json, and name that in settings.toml.",
        )
    return Proxy(settings=settings.proxy, secret=read_key(settings.path(settings.proxy.secret_file)).hex())
