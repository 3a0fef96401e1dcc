"""Keys: where each is kept, and which one a domain's pseudonyms are made with.

Knows files, the environment and a command, such as a key management service's own, that prints a key. Must not know
what a key is for, nor keep one anywhere but in memory. Source: PS3.15 E.1.1 (a pseudonym is stable where it must be),
NIST SP 800-57 part 1, 5.3 and 8.3 (a key has a period of use; one that is compromised is used no more).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from orthanc_plugin.errors import ConfigurationError

KEY_BYTES: Final = 32
FIRST: Final = "pseudonym"  # the key of every domain for which the policy names no other
RENAME: Final = "Name another key of settings.toml for the domain, under [pseudonym_keys] in policy.toml."
_MARK: Final = b"consentgate key mark"


class KeySource(Protocol):
    """Where a key is kept."""

    def read(self) -> bytes:
        """Return the key.

        Raises:
            ConfigurationError: it can't be had, or is none.
        """


@dataclass(frozen=True, slots=True)
class FileKey:
    """A key in a file that only its owner can read."""

    path: Path

    def read(self) -> bytes:
        """Return the key."""
        return read_key(self.path)


@dataclass(frozen=True, slots=True)
class EnvironmentKey:
    """A key in a variable of the environment."""

    name: str
    environment: Mapping[str, str] = field(repr=False)

    def read(self) -> bytes:
        """Return the key."""
        key = key_of(self.environment.get(self.name, ""))
        if key is None:
            raise ConfigurationError(
                f"The environment's {self.name} is no key.", remedy=f"Set it to {2 * KEY_BYTES} hexadecimal digits."
            )
        return key


@dataclass(frozen=True, slots=True)
class CommandKey:
    """A key that a command prints, such as the client of a key management service; no shell reads the command."""

    command: tuple[str, ...]
    seconds: int

    def read(self) -> bytes:
        """Return the key; what the command says besides is told to nobody."""
        try:
            done = subprocess.run(  # noqa: S603 - the administrator's own command, as a list
                self.command, capture_output=True, check=False, timeout=self.seconds, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.TimeoutExpired, ValueError) as error:
            raise self._useless(type(error).__name__) from None
        key = key_of(done.stdout.decode("ascii", "replace"))
        if done.returncode or key is None:
            raise self._useless(f"exit status {done.returncode}" if done.returncode else "it printed something else")
        return key

    def _useless(self, why: str) -> ConfigurationError:
        name = Path(self.command[0]).name
        return ConfigurationError(
            f"The command {name} gave no key ({why}).",
            remedy=f"Run it by hand: it must print {2 * KEY_BYTES} hexadecimal digits within {self.seconds} s.",
        )


def key_of(text: str) -> bytes | None:
    """Return the key that is written so, None when it is none."""
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        return None
    return key if len(key) == KEY_BYTES else None


def read_key(path: Path) -> bytes:
    """Return the key in ``path`` (64 hexadecimal digits).

    Raises:
        ConfigurationError: it can't be read, is no key, or others may read it.
    """
    try:
        key = key_of(path.read_text())
        open_to_others = path.stat().st_mode & 0o077
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"Key file {path.name} can't be used ({type(error).__name__}).",
            remedy=f"Put 64 hexadecimal digits into {path}; the demo's keys are made by bin/serve.",
        ) from error
    if key is None or not any(key):
        raise ConfigurationError(
            f"Key file {path.name} has no key of {KEY_BYTES} bytes in it, or one of nothing but zeros.",
            remedy=f"Put it back from a backup, or make one: (umask 077; openssl rand -hex {KEY_BYTES} > {path})",
        )
    if open_to_others:
        raise ConfigurationError(f"Others may read the key file {path.name}.", remedy=f"Run: chmod 600 {path}")
    return key


def make_key(path: Path) -> None:
    """Write a fresh key to ``path`` unless there is a file already."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key that pseudonyms are made with, and the name it is known by."""

    name: str
    value: bytes = field(repr=False)

    @property
    def mark(self) -> str:
        """Return what tells this key from others, and from which it can't be found out."""
        return hmac.new(self.value, _MARK, hashlib.sha256).hexdigest()[:32]


class KeyRing:
    """The keys of a hospital's pseudonyms.

    Each domain has one key, so that a patient's pseudonym in it is the same for years; a key is read once.

    Args:
        sources: where each key is kept, by name.
        domains: the key's name for each domain that doesn't use the first one.
        retired: names of keys that make no pseudonyms any more.
    """

    def __init__(
        self, sources: Mapping[str, KeySource], domains: Mapping[str, str], retired: frozenset[str] = frozenset()
    ) -> None:
        self.sources = sources
        self.domains = domains
        self.retired = retired
        self._read: dict[str, Key] = {}

    def name(self, domain: str) -> str:
        """Return the name of a domain's key."""
        return self.domains.get(domain, FIRST)

    def of(self, domain: str) -> Key:
        """Return a domain's key.

        Raises:
            ConfigurationError: it is retired or unknown, or can't be had.
        """
        if faults := tuple(self.faults((domain,))):
            raise ConfigurationError(faults[0][0].upper() + faults[0][1:] + ".", remedy=RENAME)
        return self.key(self.name(domain))

    def key(self, name: str) -> Key:
        """Return a key by its name, retired or not.

        Raises:
            ConfigurationError: it can't be had.
        """
        found = self._read.get(name)
        if found is None:
            found = self._read[name] = Key(name=name, value=self.sources[name].read())
        return found

    def faults(self, domains: Iterable[str]) -> Iterable[str]:
        """Say which of these domains have no key to use."""
        for domain in domains:
            name = self.name(domain)
            if name not in self.sources:
                yield f"pseudonym domain {domain} has key {name!r}, which settings.toml doesn't have"
            elif name in self.retired:
                yield f"pseudonym domain {domain} has key {name!r}, which is retired"
