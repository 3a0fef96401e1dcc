"""Meet a permit's obligations and make the bytes that leave: the original, or a copy derived under a profile.

Knows obligations and profiles. Must not decide. A permit whose obligation can't be met here is a no.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, NamedTuple

from dicomwrap.bitstream.recipes import Recipes
from dicomwrap.confidentiality import PixelDuty
from dicomwrap.consentcopy import stamped_copy
from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.consentstamp import ConsentStamp, stamp_of
from dicomwrap.errors import DicomwrapError
from dicomwrap.terms import PURPOSE_CODES
from orthanc_plugin.config.bindings import Binding, Role, User
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.deid.apply import Derived, deidentify
from orthanc_plugin.deid.crops import Crop, crop
from orthanc_plugin.deid.keys import Key, KeyRing
from orthanc_plugin.deid.pixeldigest import pixels_of
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.deid.regions import Region, region
from orthanc_plugin.deid.vault import Vault
from orthanc_plugin.errors import ReleaseRefusedError
from orthanc_plugin.policy.model import Anonymisable, Decision, Effect, Obligation
from orthanc_plugin.policy.reviewing import Box, Outline, Review, Under


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What an obligation is checked against.

    Attributes:
        binding: the recipient of policy.toml.
        reviewed: what the newest verdict on exactly these bytes, under the recipient's profile, found.
        confirmation: that verdict.
        own: whether it is by whoever asks, where somebody else must have looked.
        alone: whether a named person found that nobody else is shown.
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
    harmless: bool = False
    as_stored: bool = False
    undepicted: bool = False
    consent: ConsentRecord | None = None
    recordable: bool = False
    justified: bool = False
    open_tasks: frozenset[str] = frozenset()
    document: bool = False

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


class Hidden(NamedTuple):
    """What a copy doesn't show: regions that are blanked, and whatever is outside of the crop, when there is one."""

    regions: Sequence[Outline] = ()
    crop: Box | None = None

    def blanked(self) -> tuple[Region, ...]:
        """Return what is blanked."""
        return tuple(region(each) for each in self.regions)

    def kept(self) -> Crop | None:
        """Return what is kept, None for all of it."""
        return None if self.crop is None else crop(list(self.crop))


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
    if context.alone:
        return None
    return "no named person has found that the picture shows nobody else, and of others no original may leave"


def _serious_harm_check(context: Context) -> str | None:
    return None if context.harmless else "nobody has recorded that seeing the picture would do no serious harm"


def _nothing_here(_context: Context) -> str | None:
    return None  # met elsewhere: a task is open, or only the instances named are sent


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
    Obligation.MINIMUM_NECESSARY: _nothing_here,
    Obligation.SEEK_CONSENT: _nothing_here,
    Obligation.SEEK_RECONSENT: _nothing_here,
    Obligation.ENCOURAGE_PARENT_INVOLVEMENT: _nothing_here,
    Obligation.CONSIDER_FAMILY: _nothing_here,
    Obligation.NOTIFY_IG: _nothing_here,
    Obligation.IG_REVIEW: _nothing_here,
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


def _tagged(context: Context, original: bytes) -> Released:
    """Return the copy that says what it was released for, to whom and under which consent; its pixels are the same.

    Raises:
        ReleaseRefusedError: it can't be made.
    """
    binding, record = context.binding, context.consent
    known = stamp_of(record, binding.purpose) if record else ConsentStamp()
    tag = replace(known, release_purpose=PURPOSE_CODES[binding.purpose], recipient=binding.name)
    try:
        made = stamped_copy(original, tag)
    except (DicomwrapError, ValueError) as error:
        raise ReleaseRefusedError(f"The copy can't be marked with its purpose ({type(error).__name__}).") from error
    sha256 = hashlib.sha256(made.content).hexdigest()
    return Released(content=made.content, sha256=sha256, sop_instance_uid=made.sop_instance_uid, consent=record)


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

    def prepare(self, decision: Decision, context: Context, original: bytes, sop_instance_uid: str) -> Released:
        """Return the bytes that may leave under ``decision``.

        Raises:
            ReleaseRefusedError: it is no permit, or an obligation can't be met.
        """
        if not decision.permits:
            raise ReleaseRefusedError("The decision is not a permit.")
        if reasons := unmet(decision, context):
            sentence = "; ".join(reasons)
            raise ReleaseRefusedError(f"{sentence[0].upper()}{sentence[1:]}.")
        if Obligation.TAG_PURPOSE in decision.obligations and decision.effect is Effect.PERMIT_IDENTIFIABLE:
            return _tagged(context, original)
        if decision.effect is Effect.PERMIT_IDENTIFIABLE:
            return Released(
                content=original, sha256=hashlib.sha256(original).hexdigest(), sop_instance_uid=sop_instance_uid
            )
        profile = self.profile(context.binding)
        confirmed = context.reviewed is Anonymisable.YES and not context.own
        if profile.pixels is PixelDuty.CONFIRMED and not confirmed:
            raise ReleaseRefusedError("No named person has confirmed that the picture shows nothing identifying.")
        sha256, found = hashlib.sha256(original).hexdigest(), context.confirmation if confirmed else None
        if found and found.sha256 != sha256:
            raise ReleaseRefusedError("The object is not the one that was looked at.")
        if found and found.pixels and found.pixels != pixels_of(original):
            raise ReleaseRefusedError("The pixels are not those that were looked at.")
        hidden = Hidden(found.regions, found.crop) if found else Hidden()
        derived = self.derived(original, profile, hidden, confirmed=confirmed)
        return Released(
            content=derived.content,
            sha256=hashlib.sha256(derived.content).hexdigest(),
            sop_instance_uid=derived.sop_instance_uid,
            profile=profile.digest,
            review=found.review_id if found else "",
            key=self.keys.of(profile.pseudonym_domain),
        )
