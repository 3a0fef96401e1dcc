"""Meet a permit's obligations and make the bytes that leave: the original, or a copy derived under a profile.

Knows obligations and profiles. Must not decide. A permit whose obligation can't be met here is a no.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from dicomwrap.bitstream.recipes import Recipes
from dicomwrap.confidentiality import PixelDuty
from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.consentstamp import ConsentStamp, stamp_of
from dicomwrap.terms import PURPOSE_CODES
from orthanc_plugin.config.bindings import Binding, Role, User
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.deid.apply import Derived, deidentify
from orthanc_plugin.deid.hidden import Hidden as Hidden
from orthanc_plugin.deid.identifiable import identifiable, require_looked_at
from orthanc_plugin.deid.keys import Key, KeyRing
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.deid.vault import Vault
from orthanc_plugin.errors import ReleaseRefusedError
from orthanc_plugin.policy.model import Anonymisable, Decision, Effect, Obligation
from orthanc_plugin.policy.reviewing import Review, Under


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What an obligation is checked against.

    Attributes:
        binding: the recipient of policy.toml.
        reviewed: what the newest verdict on exactly these bytes, under the recipient's profile, found.
        confirmation: that verdict.
        own: whether it is by whoever asks, where somebody else must have looked.
        alone: whether a named person found that nobody else is shown.
        others: what two persons have agreed to hide of other people, where the decision demands that.
        harmless: whether a named person found, for this request, that seeing it would do no serious harm.
        as_stored: whether the door gives the stored bytes and can't give a copy.
        undepicted: whether the door tells of the picture and can't show it.
        consent: the consent that permits the purpose, where a copy has to carry it.
        recordable: whether the door writes a disclosure before it sends.
        justified: whether the reason for this release is on record: a grant of emergency access, or the decision that
            a disclosure is in the public interest.
        open_tasks: the work that is on somebody's list because of this very release.
        document: whether it is a document, such as the signed consent form, that wasn't checked for whoever asks.
    """

    binding: Binding
    reviewed: Anonymisable = Anonymisable.UNKNOWN
    confirmation: Review | None = None
    own: bool = False
    alone: bool = False
    others: Review | None = None
    harmless: bool = False
    as_stored: bool = False
    undepicted: bool = False
    consent: ConsentRecord | None = None
    recordable: bool = False
    justified: bool = False
    open_tasks: frozenset[str] = frozenset()
    document: bool = False

    @property
    def confirmed(self) -> bool:
        """Tell whether somebody else than whoever asks found that the picture doesn't tell who the patient is."""
        return self.reviewed is Anonymisable.YES and not self.own

    @property
    def reads_documents(self) -> bool:
        """Tell whether the recipient is an account that handles consents; a node never is."""
        return isinstance(self.binding, User) and Role.CONSENT in self.binding.roles


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What leaves: the bytes, their digest and UID; when derived, the profile's digest and the id of the verdict.

    ``consent`` is the one that the copy says it was released under.
    """

    content: bytes
    sha256: str
    sop_instance_uid: str
    profile: str = ""
    review: str = ""
    key: Key | None = None
    consent: ConsentRecord | None = None


LOOKING: Final = "looked at"  # a pseudonym domain that no profile can have: names have no blanks


# The encapsulated documents (PDF, CDA, models) of PS3.4 B.5; the signed consent form is one, with everything in clear.
# A key object names the patient, and pictures that whoever asks may not know of.
DOCUMENTS: Final = ("1.2.840.10008.5.1.4.1.1.104.", "1.2.840.10008.5.1.4.1.1.88.59")

Check = Callable[[Context], str | None]


def _anonymise(context: Context) -> str | None:
    return None if context.binding.profile else f"recipient {context.binding.name} has no anonymisation profile"


def _verify_residual_id(context: Context) -> str | None:
    if context.own:
        return "whoever asks has confirmed the picture themselves, and somebody else must look at it"
    if context.reviewed is Anonymisable.YES:
        return None
    return "no named person has recorded that the picture shows nothing identifying"


def _record_disclosure(context: Context) -> str | None:
    return None if context.recordable else "this door keeps no record of disclosures"


def _secure_channel(context: Context) -> str | None:
    return None if context.binding.secured else f"recipient {context.binding.name} has no secure channel"


def _record_justification(context: Context) -> str | None:
    return None if context.justified else "no reason for this release is on record"


def _notify_patient(context: Context) -> str | None:
    return None if Obligation.NOTIFY_PATIENT in context.open_tasks else "nobody has been asked to tell the patient"


def _retrospective_review(context: Context) -> str | None:
    if Obligation.RETROSPECTIVE_REVIEW in context.open_tasks:
        return None
    return "nobody has been asked to review this emergency access"


def _restrict_view(context: Context) -> str | None:
    if context.binding.may_view_intimate:
        return None
    return f"{context.binding.name} is not one of the named roles that intimate pictures are shown to"


def _metadata_only(context: Context) -> str | None:
    return None if context.undepicted else "only metadata may leave: what a search tells, and no picture"


def _tag_purpose(context: Context) -> str | None:
    if context.as_stored:
        return "an identifiable copy must say what it was released for; ask for it by C-MOVE, a send or an archive"
    return None


def _redact_third_parties(context: Context) -> str | None:
    if context.others is not None and context.as_stored:
        return "others are hidden in copies only; ask for one by C-MOVE, a send or an archive"
    if context.others is not None or context.alone:
        return None
    return "no named person has found that the picture shows nobody else, and of others no original may leave"


def _serious_harm_check(context: Context) -> str | None:
    return None if context.harmless else "nobody has recorded that seeing the picture would do no serious harm"


def _nothing_here(_context: Context) -> str | None:
    return None


# Met elsewhere: a task is open, or only the instances named are sent.
ELSEWHERE: Final = (
    Obligation.MINIMUM_NECESSARY, Obligation.SEEK_CONSENT, Obligation.SEEK_RECONSENT, Obligation.CONSIDER_FAMILY,
    Obligation.ENCOURAGE_PARENT_INVOLVEMENT, Obligation.NOTIFY_IG, Obligation.IG_REVIEW,
)  # fmt: skip
FULFIL: Final[dict[Obligation, Check]] = {
    Obligation.ANONYMISE: _anonymise,
    Obligation.VERIFY_RESIDUAL_ID: _verify_residual_id,
    Obligation.RECORD_DISCLOSURE: _record_disclosure,
    Obligation.SECURE_CHANNEL: _secure_channel,
    Obligation.RECORD_JUSTIFICATION: _record_justification,
    Obligation.NOTIFY_PATIENT: _notify_patient,
    Obligation.RETROSPECTIVE_REVIEW: _retrospective_review,
    Obligation.RESTRICT_VIEW: _restrict_view,
    Obligation.METADATA_ONLY: _metadata_only,
    Obligation.TAG_PURPOSE: _tag_purpose,
    Obligation.REDACT_THIRD_PARTIES: _redact_third_parties,
    Obligation.SERIOUS_HARM_CHECK: _serious_harm_check,
    **dict.fromkeys(ELSEWHERE, _nothing_here),
}


def unmet(decision: Decision, context: Context) -> tuple[str, ...]:
    """Return why the obligations of ``decision`` can't be met; empty when all are.

    Whatever was decided, a document leaves to nobody but an account with the role consent.
    """
    reasons = []
    if context.document and not context.reads_documents:
        reasons.append("it is a document such as a signed consent form, which only an account with role consent gets")
    for obligation in decision.obligations:
        check = FULFIL.get(obligation)
        reason = f"obligation {obligation} can't be met yet" if check is None else check(context)
        if reason is not None:
            reasons.append(reason)
    return tuple(reasons)


def require(decision: Decision, context: Context) -> None:
    """Let pass a permit whose obligations can be met, and nothing else.

    Raises:
        ReleaseRefusedError: it is none, or one of them can't.
    """
    if not decision.permits:
        raise ReleaseRefusedError("The decision is not a permit.")
    if reasons := unmet(decision, context):
        sentence = "; ".join(reasons)
        raise ReleaseRefusedError(f"{sentence[0].upper()}{sentence[1:]}.")


def _identifiable(decision: Decision, context: Context, original: bytes, sop_instance_uid: str) -> Released:
    """Return the original, or the copy in which others are hidden and that says what it was released for.

    Raises:
        ReleaseRefusedError: it can't be made.
    """
    binding, others, tag = context.binding, context.others, None
    record = context.consent if Obligation.TAG_PURPOSE in decision.obligations else None
    if Obligation.TAG_PURPOSE in decision.obligations:
        known = stamp_of(record, binding.purpose) if record else ConsentStamp()
        tag = replace(known, release_purpose=PURPOSE_CODES[binding.purpose], recipient=binding.name)
    made = identifiable(original, sop_instance_uid, others, tag)
    sha256, uid = hashlib.sha256(made.content).hexdigest(), made.sop_instance_uid
    review = others.review_id if others else ""
    return Released(content=made.content, sha256=sha256, sop_instance_uid=uid, review=review, consent=record)


class Release:
    """Makes what leaves.

    Args:
        policy: profiles by name.
        keys: the pseudonyms' keys.
        vault: locks what re-identification needs into copies, for custodians.
        known: remembers how pictures' streams came out, where somebody does.
    """

    def __init__(self, policy: Policy, keys: KeyRing, vault: Vault, known: Recipes | None = None) -> None:
        self.policy = policy
        self.keys = keys
        self.vault = vault
        self._copied = partial(deidentify, vault=vault, known=known)
        self._digests: dict[str, str] = {}

    def profile(self, binding: Binding) -> Profile:
        """Return the profile of ``binding``.

        Raises:
            ReleaseRefusedError: it has none.
        """
        found = self.named(binding.profile or "")
        if found is None:
            raise ReleaseRefusedError(f"Recipient {binding.name} has no anonymisation profile.")
        return found

    def named(self, name: str) -> Profile | None:
        """Return the profile of this name, None when there is none."""
        choice = self.policy.profile(name)
        if choice is None:
            return None
        return Profile(
            name=name,
            pseudonym_domain=choice.pseudonym_domain,
            options=choice.options,
            overrides=choice.overrides,
            pixels=choice.pixels,
            custodians=choice.custodians,
        )

    def under(self, name: str) -> Under:
        """Return the profile of this name as it is, without a digest when there is none.

        The policy doesn't change here.
        """
        if name not in self._digests:
            profile = self.named(name)
            self._digests[name] = profile.digest if profile else ""
        return Under(name, self._digests[name])

    def derived(self, original: bytes, profile: Profile, hidden: Hidden, *, confirmed: bool) -> Derived:
        """Return the copy of ``original`` under ``profile`` with what is hidden blanked and cut off.

        Raises:
            DeidentificationError: it can't be made, or not be proven clean.
            ConfigurationError: the key of its pseudonyms can't be had.
        """
        domain = profile.pseudonym_domain
        pseudonyms = Pseudonyms(key=self.keys.of(domain).value, domain=domain)
        blanked, kept = hidden.blanked(), hidden.kept()
        return self._copied(original, profile, pseudonyms, confirmed=confirmed, regions=blanked, crop=kept)

    def shown(self, original: bytes, profile: Profile, hidden: Hidden, nonce: str) -> bytes:
        """Return the copy as it is looked at: with the picture that would leave, and nothing else of what would.

        ``nonce`` is used once. Nobody can tell by two such copies, nor by one and a released one, whose they are; no
        custodian can open one.

        Raises:
            DeidentificationError: it can't be made, or not be proven clean.
        """
        plain = replace(profile, custodians=(), pseudonym_domain=LOOKING)
        pseudonyms = Pseudonyms(key=hashlib.sha256(nonce.encode()).digest(), domain=LOOKING)
        return self._copied(original, plain, pseudonyms, regions=hidden.blanked(), crop=hidden.kept()).content

    def looked_at(self, context: Context) -> tuple[Profile, Review | None]:
        """Return the recipient's profile, and the verdict that its copy is made by, None where there need be none.

        Raises:
            ReleaseRefusedError: there is no profile, or somebody must look at the picture first.
        """
        profile = self.profile(context.binding)
        if profile.pixels is PixelDuty.CONFIRMED and not context.confirmed:
            raise ReleaseRefusedError("No named person has confirmed that the picture shows nothing identifying.")
        return profile, context.confirmation if context.confirmed else None

    def prepare(self, decision: Decision, context: Context, original: bytes, sop_instance_uid: str) -> Released:
        """Return the bytes that may leave under ``decision``.

        Raises:
            ReleaseRefusedError: it is no permit, or an obligation can't be met.
        """
        require(decision, context)
        if decision.effect is Effect.PERMIT_IDENTIFIABLE:
            return _identifiable(decision, context, original, sop_instance_uid)
        profile, found = self.looked_at(context)
        if found:
            require_looked_at(original, found)
        hidden = Hidden(found.regions, found.crop) if found else Hidden()
        derived = self.derived(original, profile, hidden, confirmed=context.confirmed)
        return Released(
            content=derived.content,
            sha256=hashlib.sha256(derived.content).hexdigest(),
            sop_instance_uid=derived.sop_instance_uid,
            profile=profile.digest,
            review=found.review_id if found else "",
            key=self.keys.of(profile.pseudonym_domain),
        )
