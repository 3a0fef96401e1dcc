"""settings.toml: where things are. Owned by the system administrator; the environment may override it.

Knows paths, addresses and key files. Must not say who may see what (that is policy.toml).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from orthanc_plugin.config.factsources import FactSource
from orthanc_plugin.config.keyplaces import STRICT, KeyPlace, Name, Text
from orthanc_plugin.config.load import read_toml, validated
from orthanc_plugin.config.proxy import ProxySettings
from orthanc_plugin.config.storage import StorageSettings
from orthanc_plugin.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """The database of consents, images, disclosures and the trail, as an SQLAlchemy URL."""

    __pydantic_config__ = STRICT
    database: Text = "sqlite:///registry.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolSettings:
    """The quarantine spool: its folder, and the key file that encrypts it when there is one.

    ``copies_megabytes`` and ``copies_days``: how much is kept in it, sealed, of anonymised copies that were made, and
    for how long; none is where one of them is 0.
    """

    __pydantic_config__ = STRICT
    folder: Text = "quarantine"
    key_file: str | None = None
    copies_megabytes: Annotated[int, Field(ge=0, le=1_000_000)] = 1024
    copies_days: Annotated[int, Field(ge=0, le=366)] = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySettings:
    """Where the pseudonyms' keys are: the first one, more by name, and the names of those that are used no more."""

    __pydantic_config__ = STRICT
    pseudonym: KeyPlace = "keys/pseudonym.key"
    more: dict[Name, KeyPlace] = field(default_factory=dict)
    retired: frozenset[Name] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrthancSettings:
    """How Consentgate reaches its own Orthanc over loopback, and where Orthanc's log is."""

    __pydantic_config__ = STRICT
    url: Text = "http://127.0.0.1:8042"
    user: Text = "consentgate"
    boot_secret: Text = "run/boot.secret"  # noqa: S105 - a path, not a secret
    log: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """Where policy.toml is."""

    __pydantic_config__ = STRICT
    file: Text = "policy.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings:
    """Where retention.toml is, which counts once two people have put it in force."""

    __pydantic_config__ = STRICT
    file: Text = "retention.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailSettings:
    """Where signed heads of the audit trail and certificates are kept, outside the database, and the key that signs."""

    __pydantic_config__ = STRICT
    checkpoints: Text = "trail.checkpoints"
    signing_key: Text = "keys/trail.key"
    certificates: Text = "certificates"


@unique
class Stow(StrEnum):
    """Who may send STOW-RS straight to Orthanc, whose DICOMweb plugin reads it before Consentgate is asked."""

    DIRECT = "direct"
    GUARDED = "guarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadSettings:
    """Whether STOW-RS is taken from accounts themselves, or through the upload guard only."""

    __pydantic_config__ = STRICT
    stow: Stow = Stow.DIRECT


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole file. ``folder`` is where it lies; relative paths in it start there.

    ``custodians``: the file of each one's certificate, by the name that profiles of policy.toml have for them.
    ``fact_sources``: servers that are asked for facts for retention, by the name of the source.
    """

    __pydantic_config__ = STRICT
    registry: RegistrySettings = field(default_factory=RegistrySettings)
    spool: SpoolSettings = field(default_factory=SpoolSettings)
    keys: KeySettings = field(default_factory=KeySettings)
    orthanc: OrthancSettings = field(default_factory=OrthancSettings)
    policy: PolicySettings = field(default_factory=PolicySettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    trail: TrailSettings = field(default_factory=TrailSettings)
    uploads: UploadSettings = field(default_factory=UploadSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    proxy: ProxySettings | None = None
    custodians: dict[Name, Text] = field(default_factory=dict)
    fact_sources: dict[Name, FactSource] = field(default_factory=dict)
    folder: Path = Path()

    def path(self, name: str) -> Path:
        """Return ``name`` as an absolute path, relative to the folder of settings.toml."""
        return (self.folder / name).resolve()

    def database_url(self) -> str:
        """Return the database URL with a relative SQLite path made absolute."""
        prefix = "sqlite:///"
        name = self.registry.database.removeprefix(prefix)
        if not self.registry.database.startswith(prefix) or name.startswith("/") or name == ":memory:":
            return self.registry.database
        return f"{prefix}{self.path(name)}"


# Not the policy, the proxy or custodians: whoever may set the environment may choose neither the rules nor who is
# believed, nor who can re-identify.
OVERRIDABLE: Final = ("registry", "spool", "keys", "orthanc", "trail")


def overridden(values: dict[str, object], environment: Mapping[str, str]) -> dict[str, object]:
    """Return ``values`` with every ``CONSENTGATE_<SECTION>_<KEY>`` of the environment put in its place."""
    result = {section: dict(keys) if isinstance(keys, dict) else keys for section, keys in values.items()}
    for section in OVERRIDABLE:
        prefix = f"CONSENTGATE_{section.upper()}_"
        found = {
            name.removeprefix(prefix).lower(): text for name, text in environment.items() if name.startswith(prefix)
        }
        present = result.setdefault(section, {})
        if found and isinstance(present, dict):
            present.update(found)
    return result


def load_settings(path: Path, environment: Mapping[str, str]) -> Settings:
    """Return the settings at ``path``.

    Raises:
        ConfigurationError: with every fault and its place.
    """
    values, _ = read_toml(path)
    if "folder" in values:
        raise ConfigurationError("settings.toml has 1 fault(s).", problems=("settings.toml: folder: unknown key",))
    return validated(Settings, {**overridden(values, environment), "folder": path.resolve().parent}, path.name)
