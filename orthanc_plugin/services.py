"""The services that the hooks and the commands share, built once from the two configuration files.

Knows how the parts fit together. Must not know Orthanc's hooks.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from dicomwrap.terms import Purpose
from orthanc_plugin.audit.checkpoint import CheckpointError
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.clock import Clock, Ids, Ticks, elapsed
from orthanc_plugin.config.policyfile import Binding, Policy, load_policy
from orthanc_plugin.config.proxy import Proxy
from orthanc_plugin.config.settings import Settings, load_settings
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.gate import Answer, Gate
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.model import Anonymisable, Obligation
from orthanc_plugin.registry import images, ledger, reviews, tasks
from orthanc_plugin.registry.engine import Database, open_database
from orthanc_plugin.registry.heads import Heads
from orthanc_plugin.registry.ledger import Disclosure
from orthanc_plugin.registry.schema import require_current
from orthanc_plugin.registry.spool import Spool
from orthanc_plugin.registry.trail import Trail, append
from orthanc_plugin.release import DOCUMENTS, Context, Release, Released

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
    ticks: Ticks
    ids: Ids
    proxy: Proxy | None = None

    def act(self, by: str, door: str, address: str = "") -> Act:
        """Return the act of ``by`` through ``door``, now."""
        return Act(by=by, door=door, at=self.clock(), ids=self.ids, policy=self.policy, address=address)

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
        self.heads.verified = self.ticks()

    def context(self, answer: Answer, binding: Binding) -> Context:
        """Return what the obligations of ``answer`` are checked against."""
        with self.database.reading() as connection:
            return self.context_in(connection, answer, binding)

    def context_in(self, connection: Connection, answer: Answer, binding: Binding) -> Context:
        """Return the same as the caller's own transaction sees it."""
        uid, grant = answer.request.sop_instance_uid, answer.grant
        sop_class_uid, sha256 = images.stored_as(connection, uid) or ("", "")
        reviewed, on_lists = Anonymisable.UNKNOWN, frozenset[str]()
        if answer.decision.obligations:  # nothing else is checked against what people found, or have to do
            reviewed = reviews.outcome(connection, uid, sha256)
            on_lists = tasks.open_kinds(connection, grant.grant_id if grant else uid)
        return Context(
            binding=binding,
            reviewed=reviewed,
            recordable=True,
            justified=grant is not None or answer.purpose == Purpose.PUBLIC_INTEREST,
            open_tasks=on_lists,
            document=sop_class_uid.startswith(DOCUMENTS),
        )

    def disclose(self, answer: Answer, released: Released) -> str:
        """Write the disclosure that precedes a release, if it is still permitted; return its id.

        Raises:
            ReleaseRefusedError: the permit doesn't hold any more, such as after a withdrawal.
            RegistryError: it could not be written, so nothing may leave.
        """
        return self.disclose_all(((answer, released),))[0]

    def disclose_all(self, releases: Iterable[tuple[Answer, Released]]) -> tuple[str, ...]:
        """Write the disclosures of pictures that leave together, all or none; return their ids.

        Raises:
            ReleaseRefusedError: a permit doesn't hold any more, so none of them is written.
            RegistryError: they could not be written, so nothing may leave.
        """
        ready = tuple(releases)

        def confirmed(connection: Connection) -> tuple[str, ...]:
            return tuple(self.begin(connection, self.gate.confirm(connection, answer), copy) for answer, copy in ready)

        return self.database.write(confirmed)

    def begin(self, connection: Connection, answer: Answer, released: Released) -> str:
        """Write the disclosure of a release that begins once the transaction of ``connection`` is committed.

        ``answer`` was taken or confirmed in that transaction.
        """
        request, disclosure_id = answer.request, self.ids()
        disclosure = Disclosure(
            disclosure_id=disclosure_id,
            decision_id=answer.decision_id,
            sop_instance_uid=request.sop_instance_uid,
            released_uid=released.sop_instance_uid,
            recipient=request.requester.recipient,
            door=request.door,
            purpose=answer.purpose,
            form=answer.decision.effect,
            profile=released.profile,
            consents=answer.decision.consents,
            sha256=released.sha256,
            at=self.clock().isoformat(),
        )
        append(connection, [self._begun(answer, disclosure_id, ledger.disclose(connection, disclosure))])
        return disclosure_id

    def _begun(self, answer: Answer, disclosure_id: str, seal: str) -> AuditEvent:
        """Return the trail's entry for a release that begins; its id is the disclosure's."""
        request = answer.request
        return AuditEvent(
            id=disclosure_id,
            at=self.clock(),
            event=EventType.TRANSFER_BEGUN,
            outcome=Outcome.SUCCESS,
            actor=request.requester.actor,
            address=request.requester.address,
            door=request.door,
            subject=request.sop_instance_uid,
            purpose=answer.purpose,
            effect=answer.decision.effect,
            consents=answer.decision.consents,
            policy=self.policy.sha256,
            detail=seal,
        )

    def must_disclose(self, answer: Answer) -> bool:
        """Tell whether the decision demands a record of disclosure."""
        return Obligation.RECORD_DISCLOSURE in answer.decision.obligations


def build(
    settings_path: Path, environment: Mapping[str, str], clock: Clock, ids: Ids, ticks: Ticks = elapsed
) -> Services:
    """Return the services for the configuration at ``settings_path``.

    Raises:
        ConfigurationError: a file has faults, all are named; or binds Consentgate's own account.
        RegistryError: the registry can't be opened or has another schema.
    """
    settings = load_settings(settings_path, environment)
    policy = load_policy(settings.path(settings.policy.file))
    if policy.user(settings.orthanc.user) is not None:
        raise ConfigurationError(
            f"Consentgate's own account '{settings.orthanc.user}' is bound in policy.toml.",
            remedy="Take it out of policy.toml, or give Consentgate another account under [orthanc] in settings.toml.",
        )
    pseudonym_key = read_key(settings.path(settings.keys.pseudonym))
    spool_key = read_key(settings.path(settings.spool.key_file)) if settings.spool.key_file else None
    database = open_database(settings.database_url())
    require_current(database)
    return Services(
        settings=settings,
        policy=policy,
        database=database,
        trail=Trail(database),
        gate=Gate(database, policy, clock, ids, ticks),
        release=Release(policy, pseudonym_key),
        spool=Spool(settings.path(settings.spool.folder), spool_key),
        heads=Heads(settings.path(settings.trail.checkpoints), read_key(settings.path(settings.trail.signing_key))),
        clock=clock,
        ticks=ticks,
        ids=ids,
        proxy=_proxy(settings, policy),
    )


def _proxy(settings: Settings, policy: Policy) -> Proxy | None:
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
