"""The services that the hooks and the commands share, built once from the two configuration files.

Knows how the parts fit together. Must not know Orthanc's hooks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from dicomwrap.terms import Purpose
from orthanc_plugin.audit.checkpoint import CheckpointError
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.clock import Clock, Ids, Ticks, elapsed
from orthanc_plugin.config.bindings import Binding
from orthanc_plugin.config.policyfile import Policy, load_policy
from orthanc_plugin.config.proxy import Proxy
from orthanc_plugin.config.settings import Settings, load_settings
from orthanc_plugin.deid.keys import FIRST, RENAME, FileKey, KeyRing, read_key
from orthanc_plugin.deid.vault import Vault
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.gate import AccessRequest, Answer, DecisionChangedError, Gate, Permits
from orthanc_plugin.lifecycle import linkage, policies
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.keysources import key_source, proxy_of, require_custodians
from orthanc_plugin.lifecycle.linkage import Leaving, LinkageError
from orthanc_plugin.policy.access import EVERY_CHECK, nobody_else
from orthanc_plugin.policy.model import Anonymisable, Effect, Obligation
from orthanc_plugin.policy.reviewing import OTHERS
from orthanc_plugin.registry import access, consentrows, hidings, images, ledger, pseudonymkeys, reviews, tasks
from orthanc_plugin.registry.engine import Database, open_database
from orthanc_plugin.registry.heads import Heads
from orthanc_plugin.registry.ledger import Disclosure
from orthanc_plugin.registry.schema import require_current
from orthanc_plugin.registry.spool import Spool
from orthanc_plugin.registry.streamrecipes import StreamRecipes
from orthanc_plugin.registry.trail import Trail, append
from orthanc_plugin.release import DOCUMENTS, Context, Release, Released
from orthanc_plugin.retention import withdrawals

# Met by the binding and the door alone, whatever was found or done about the picture.
SETTLED: Final = frozenset(
    {Obligation.RECORD_DISCLOSURE, Obligation.SECURE_CHANNEL, Obligation.RESTRICT_VIEW, Obligation.MINIMUM_NECESSARY}
)


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
            with self.database.reading() as connection:
                folder, since = self.settings.path(self.settings.trail.certificates), max(signed, default=0)
                withdrawals.remember(connection, folder, self.heads.key, since, self.heads.path)
            self.heads.sign(head.seq, head.digest, self.clock().isoformat())
        self.heads.verified = self.ticks()

    def context(self, answer: Answer, binding: Binding) -> Context:
        """Return what the obligations of ``answer`` are checked against."""
        with self.database.reading() as connection:
            return self.context_in(connection, answer, binding)

    def context_in(
        self, connection: Connection, answer: Answer, binding: Binding, *, as_stored: bool = False
    ) -> Context:
        """Return the same as the caller's own transaction sees it; ``as_stored`` where the door can give no copy."""
        if answer.standing is not None and SETTLED.issuperset(answer.decision.obligations):
            document = answer.standing.sop_class_uid.startswith(DOCUMENTS)  # met by the binding, or by nothing at all
            return Context(binding=binding, as_stored=as_stored, recordable=True, document=document)
        uid, grant = answer.request.sop_instance_uid, answer.grant
        sop_class_uid, sha256 = images.stored_as(connection, uid) or ("", "")
        found, others, on_lists, alone = None, None, frozenset[str](), False
        checked = access.checked(connection, answer.request.requester.recipient, uid, sha256)
        if answer.decision.obligations:  # nothing else is checked against what people found, or have to do
            found = reviews.verdict(connection, uid, sha256, self.release.under(binding.profile or ""))
            on_lists = tasks.open_kinds(connection, grant.grant_id if grant else uid)
        if Obligation.REDACT_THIRD_PARTIES in answer.decision.obligations:
            asker = answer.request.requester
            said = reviews.answered(connection, uid, sha256, OTHERS, lambda each: self.gate.is_own(each, asker))
            alone, others = nobody_else(checked, said), hidings.confirmed(connection, uid, sha256)
        tagged = answer.decision.consents if Obligation.TAG_PURPOSE in answer.decision.obligations else ()
        return Context(
            binding=binding,
            consent=consentrows.permitting(connection, tagged, answer.purpose),
            reviewed=found.outcome if found else Anonymisable.UNKNOWN,
            confirmation=found,
            own=found is not None and self.gate.is_own(found, answer.request.requester),
            alone=alone,
            others=others,
            harmless=Obligation.SERIOUS_HARM_CHECK in (checked or ()),
            as_stored=as_stored,
            recordable=True,
            justified=grant is not None or answer.purpose == Purpose.PUBLIC_INTEREST,
            open_tasks=on_lists,
            document=sop_class_uid.startswith(DOCUMENTS) and not EVERY_CHECK.issubset(checked or ()),
        )

    def disclose(self, answer: Answer, released: Released) -> str:
        """Write the disclosure that precedes a release, if it is still permitted; return its id.

        Raises:
            ReleaseRefusedError: the permit doesn't hold any more, such as after a withdrawal.
            RegistryError: it could not be written, so nothing may leave.
        """
        return self.disclose_all(((answer, released),))[0]

    def disclose_all(
        self, releases: Iterable[tuple[Answer, Released]], also: Callable[[Connection, str], None] = lambda *_: None
    ) -> tuple[str, ...]:
        """Write the disclosures of pictures that leave together, and what ``also`` adds to each, all or none.

        Raises:
            ReleaseRefusedError: a permit doesn't hold any more, so none of them is written.
            RegistryError: they could not be written, so nothing may leave.
        """
        ready = tuple(releases)

        def confirmed(connection: Connection) -> tuple[str, ...]:
            begun = tuple(self.begin(connection, self.holding(connection, *each), each[1]) for each in ready)
            for each in begun:
                also(connection, each)
            return begun

        try:
            return self.database.write(confirmed)
        except LinkageError as error:  # what was refused took its own transaction with it, so the task has another
            picture = error.picture
            asker = next(each.request.requester for each, _ in ready if each.request.sop_instance_uid == picture)
            who = (asker.actor, asker.recipient)
            self.database.write(lambda connection: linkage.ask(connection, self.ids, picture, *who, self.clock()))
            raise

    def holding(self, connection: Connection, answer: Answer, copy: Released, permits: Permits | None = None) -> Answer:
        """Return what holds now of a copy that may still leave, and that would still be made as it was.

        Raises:
            DecisionChangedError: it may not, or would be made otherwise, such as after another review.
        """
        now = self.gate.confirm(connection, answer, permits)
        if now.decision.effect is Effect.PERMIT_IDENTIFIABLE:
            self._require_as_agreed(connection, now, copy)
        if now.decision.effect is Effect.PERMIT_ANONYMISED:
            self._require_as_confirmed(connection, answer.request, copy)
        elif Obligation.TAG_PURPOSE in now.decision.obligations:
            consent = consentrows.permitting(connection, now.decision.consents, now.purpose)
            if consent != copy.consent:
                raise DecisionChangedError("The consent that the copy names changed before the release began.")
        return now

    def _require_as_agreed(self, connection: Connection, now: Answer, copy: Released) -> None:
        """Refuse an identifiable copy in which others aren't hidden as two persons have agreed by now."""
        if not copy.review and Obligation.REDACT_THIRD_PARTIES not in now.decision.obligations:
            return
        uid = now.request.sop_instance_uid
        _, sha256 = images.stored_as(connection, uid) or ("", "")
        agreed = hidings.confirmed(connection, uid, sha256)
        if copy.review != (agreed.review_id if agreed else ""):
            raise DecisionChangedError("What is hidden of others was changed before the release began.")

    def _require_as_confirmed(self, connection: Connection, request: AccessRequest, copy: Released) -> None:
        """Refuse a copy that isn't made by the newest verdict on the picture, under the profile as it is now."""
        _, sha256 = images.stored_as(connection, request.sop_instance_uid) or ("", "")
        under = self.release.under(request.requester.profile)
        found = reviews.verdict(connection, request.sop_instance_uid, sha256, under)
        if found is None or found.review_id != copy.review:
            raise DecisionChangedError("Somebody looked at the picture again before the release began.")
        if not under.digest or copy.profile != under.digest or copy.key is None:
            raise DecisionChangedError("The copy isn't made under the recipient's profile as it is now.")

    def begin(self, connection: Connection, answer: Answer, released: Released) -> str:
        """Write the disclosure of a release that begins once the transaction of ``connection`` is committed.

        ``answer`` was taken or confirmed in that transaction.
        """
        if answer.decision.effect is Effect.PERMIT_ANONYMISED:
            policies.require_in_force(connection, self.policy)
            self._require_pseudonymous(connection, answer, released)
        return self.begin_together(connection, ((answer, released),))[0]

    def begin_together(self, connection: Connection, releases: Sequence[tuple[Answer, Released]]) -> list[str]:
        """Write the disclosures of originals that begin to leave together; copies that tell nobody go one by one."""
        policies.require_in_force(connection, self.policy)
        version = cache(partial(consentrows.newest_version, connection))
        begun = [self._disclosure(answer, copy, version) for answer, copy in releases]
        told = zip(releases, begun, ledger.disclose_all(connection, begun), strict=True)
        append(connection, [self._begun(answer, each.disclosure_id, seal, copy) for (answer, copy), each, seal in told])
        return [each.disclosure_id for each in begun]

    def _disclosure(self, answer: Answer, released: Released, version: Callable[[str], int]) -> Disclosure:
        """Return the disclosure of a release that begins now; ``version`` gives that of a consent."""
        request = answer.request
        return Disclosure(
            disclosure_id=self.ids(),
            decision_id=answer.decision_id,
            sop_instance_uid=request.sop_instance_uid,
            released_uid=released.sop_instance_uid,
            recipient=request.requester.recipient,
            requester=request.requester.actor,
            door=request.door,
            purpose=answer.purpose,
            form=answer.decision.effect,
            profile=released.profile,
            consents=answer.decision.consents,
            consent_versions=tuple(map(version, answer.decision.consents)),
            sha256=released.sha256,
            at=self.clock().isoformat(),
        )

    def _require_pseudonymous(self, connection: Connection, answer: Answer, released: Released) -> None:
        """Refuse a copy that could tell who it is together with others, or by a key that isn't the known one.

        Raises:
            ReleaseRefusedError: it could, or was.
        """
        request, at = answer.request, self.clock()
        leaving = Leaving(
            picture=request.sop_instance_uid, profile=released.profile, audience=request.requester.audience
        )
        linkage.check(connection, self.policy, leaving, at)
        if released.key is not None:
            seal = pseudonymkeys.confirm(connection, released.key.name, released.key.mark, at)
            if seal is not None:
                act = self.act(request.requester.actor, request.door, request.requester.address)
                told = act.event(
                    EventType.APPLICATION_ACTIVITY, "PSEUDONYM_KEY_FIRST_USED", subject=released.key.name, detail=seal
                )
                append(connection, [told])

    def _begun(self, answer: Answer, disclosure_id: str, seal: str, copy: Released) -> AuditEvent:
        """Return the trail's entry for a release that begins; its id is the disclosure's."""
        request = answer.request
        hidden = copy.review and answer.decision.effect is Effect.PERMIT_IDENTIFIABLE
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
            reasons=(f"others hidden by review {copy.review}",) if hidden else (),
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
    written = load_policy(settings.path(settings.policy.file))
    database = open_database(settings.database_url())
    require_current(database)
    policy = policies.in_force(database, written)
    if policy.user(settings.orthanc.user) is not None:
        raise ConfigurationError(
            f"Consentgate's own account '{settings.orthanc.user}' is bound in policy.toml.",
            remedy="Take it out of policy.toml, or give Consentgate another account under [orthanc] in settings.toml.",
        )
    keys = _keys(settings, policy, environment)
    vault = Vault({name: settings.path(file) for name, file in settings.custodians.items()}, clock)
    require_custodians(policy, vault)
    spool_key = read_key(settings.path(settings.spool.key_file)) if settings.spool.key_file else None
    seed = read_key(settings.path(settings.trail.signing_key))
    release = Release(policy, keys, vault, StreamRecipes(database, seed))
    return Services(
        settings=settings,
        policy=policy,
        database=database,
        trail=Trail(database),
        gate=Gate(database, policy, clock, ids, ticks, release.under),
        release=release,
        spool=Spool(settings.path(settings.spool.folder), spool_key),
        heads=Heads(settings.path(settings.trail.checkpoints), seed),
        clock=clock,
        ticks=ticks,
        ids=ids,
        proxy=proxy_of(settings, policy),
    )


def _keys(settings: Settings, policy: Policy, environment: Mapping[str, str]) -> KeyRing:
    """Return the pseudonyms' keys; those in files are read now, so that a fault is found when it can be mended.

    Raises:
        ConfigurationError: a file can't be used, or a domain that somebody is bound to has no key.
    """
    places = {FIRST: settings.keys.pseudonym, **settings.keys.more}
    sources = {name: key_source(place, settings, environment) for name, place in places.items()}
    ring = KeyRing(sources, policy.pseudonym_keys, settings.keys.retired)
    profiles = (policy.profile(binding.profile or "") for binding in policy.bindings)
    domains = {*policy.pseudonym_keys, *(profile.pseudonym_domain for profile in profiles if profile)}
    if problems := tuple(ring.faults(sorted(domains))):
        raise ConfigurationError("A pseudonym domain has no key that may be used.", problems=problems, remedy=RENAME)
    for name, source in sources.items():
        if isinstance(source, FileKey) and name not in settings.keys.retired:
            ring.key(name)
    return ring
