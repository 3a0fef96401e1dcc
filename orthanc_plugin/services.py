"""The services that the hooks and the commands share, built once from the two configuration files.

Knows how the parts fit together. Must not know Orthanc's hooks.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orthanc_plugin.audit.checkpoint import CheckpointError
from orthanc_plugin.clock import Clock, Ids
from orthanc_plugin.config.policyfile import Binding, Policy, load_policy
from orthanc_plugin.config.settings import Settings, load_settings
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.gate import Answer, Gate
from orthanc_plugin.policy.model import Obligation
from orthanc_plugin.registry import images, ledger, reviews
from orthanc_plugin.registry.engine import Database, open_database
from orthanc_plugin.registry.heads import Heads
from orthanc_plugin.registry.ledger import Disclosure
from orthanc_plugin.registry.schema import require_current
from orthanc_plugin.registry.spool import Spool
from orthanc_plugin.registry.trail import Trail
from orthanc_plugin.release import Context, Release, Released

KEY_BYTES = 32


def read_key(path: Path) -> bytes:
    """Return the key in ``path`` (64 hexadecimal digits).

    Raises:
        ConfigurationError: it can't be read, is no key, or others may read it.
    """
    try:
        key = bytes.fromhex(path.read_text().strip())
        open_to_others = path.stat().st_mode & 0o077
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"Key file {path.name} can't be used ({type(error).__name__}).",
            remedy=f"Put 64 hexadecimal digits into {path}; the demo's keys are made by bin/serve.",
        ) from error
    if len(key) != KEY_BYTES or open_to_others:
        raise ConfigurationError(
            f"Key file {path.name} is not a key of {KEY_BYTES} bytes that only its owner can read.",
            remedy=f"Run: chmod 600 {path}",
        )
    return key


def make_key(path: Path) -> None:
    """Write a fresh key to ``path`` unless there is a file already."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that is shared."""

    settings: Settings
    policy: Policy
    database: Database
    trail: Trail
    gate: Gate
    release: Release
    spool: Spool
    heads: Heads
    clock: Clock
    ids: Ids

    def sign_head(self) -> None:
        """Sign the trail's last entry, unless it is signed already.

        Raises:
            CheckpointError: what was signed before is no longer in the trail, so nothing more is signed.
        """
        signed = self.heads.signed()
        for seq, digest in sorted(signed.items())[-1:]:
            entry = self.trail.entry(seq)
            if entry is None or entry.digest != digest:
                raise CheckpointError("The trail is not the one whose head was signed.")
        head = self.trail.head()
        if head is not None and head.seq not in signed:
            self.heads.sign(head.seq, head.digest, self.clock().isoformat())

    def context(self, answer: Answer, binding: Binding) -> Context:
        """Return what the obligations of ``answer`` are checked against."""
        uid = answer.request.sop_instance_uid
        with self.database.reading() as connection:
            row = images.get(connection, uid)
            reviewed = reviews.outcome(connection, uid, row.sha256 if row else "")
        return Context(binding=binding, reviewed=reviewed, recordable=True)

    def disclose(self, answer: Answer, released: Released) -> str:
        """Write the disclosure that precedes a release; return its id.

        Raises:
            RegistryError: it could not be written, so nothing may leave.
        """
        disclosure = Disclosure(
            disclosure_id=self.ids(),
            decision_id=answer.decision_id,
            sop_instance_uid=answer.request.sop_instance_uid,
            released_uid=released.sop_instance_uid,
            recipient=answer.request.requester.recipient,
            door=answer.request.door,
            purpose=answer.request.requester.purpose,
            form=answer.decision.effect,
            profile=released.profile,
            consents=answer.decision.consents,
            sha256=released.sha256,
            at=self.clock().isoformat(),
        )
        with self.database.writing() as connection:
            ledger.disclose(connection, disclosure)
        return disclosure.disclosure_id

    def must_disclose(self, answer: Answer) -> bool:
        """Tell whether the decision demands a record of disclosure."""
        return Obligation.RECORD_DISCLOSURE in answer.decision.obligations


def build(settings_path: Path, environment: Mapping[str, str], clock: Clock, ids: Ids) -> Services:
    """Return the services for the configuration at ``settings_path``.

    Raises:
        ConfigurationError: a file has faults; all are named.
        RegistryError: the registry can't be opened or has another schema.
    """
    settings = load_settings(settings_path, environment)
    policy = load_policy(settings.path(settings.policy.file))
    pseudonym_key = read_key(settings.path(settings.keys.pseudonym))
    spool_key = read_key(settings.path(settings.spool.key_file)) if settings.spool.key_file else None
    database = open_database(settings.database_url())
    require_current(database)
    return Services(
        settings=settings,
        policy=policy,
        database=database,
        trail=Trail(database),
        gate=Gate(database, policy, clock, ids),
        release=Release(policy, pseudonym_key),
        spool=Spool(settings.path(settings.spool.folder), spool_key),
        heads=Heads(settings.path(settings.trail.checkpoints), read_key(settings.path(settings.trail.signing_key))),
        clock=clock,
        ids=ids,
    )
