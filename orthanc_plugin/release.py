"""Meet a permit's obligations and make the bytes that leave: the original, or a copy derived under a profile.

Knows obligations and profiles. Must not decide. A permit whose obligation can't be met here is a no.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dicomwrap.confidentiality import PixelDuty
from orthanc_plugin.config.policyfile import Binding, Policy, Role, User
from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.errors import ReleaseRefusedError
from orthanc_plugin.policy.model import Anonymisable, Decision, Effect, Obligation


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What an obligation is checked against.

    Attributes:
        binding: the recipient of policy.toml.
        reviewed: what the newest review of exactly these bytes found.
        recordable: whether the door writes a disclosure before it sends.
        justified: whether the reason for this release is on record: a grant of emergency access, or the decision that
            a disclosure is in the public interest.
        open_tasks: the work that is on somebody's list because of this very release.
        document: whether it is a document, such as the signed consent form, and no picture.
    """

    binding: Binding
    reviewed: Anonymisable = Anonymisable.UNKNOWN
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
    """What leaves: the bytes, their digest, the UID in them, and the profile's digest when derived."""

    content: bytes
    sha256: str
    sop_instance_uid: str
    profile: str = ""


# The encapsulated documents (PDF, CDA, models) of PS3.4 B.5; the signed consent form is one, with everything in clear.
DOCUMENTS: Final = "1.2.840.10008.5.1.4.1.1.104."

Check = Callable[[Context], str | None]


def _anonymise(context: Context) -> str | None:
    return None if context.binding.profile else f"recipient {context.binding.name} has no anonymisation profile"


def _verify_residual_id(context: Context) -> str | None:
    if context.reviewed is Anonymisable.YES:
        return None
    return "no named person has recorded that the picture shows nothing identifying"


def _record_disclosure(context: Context) -> str | None:
    return None if context.recordable else "this door keeps no record of disclosures"


def _secure_channel(context: Context) -> str | None:
    return None if context.binding.secure_channel else f"recipient {context.binding.name} has no secure channel"


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


def _metadata_only(_context: Context) -> str | None:
    return "only metadata may leave, and every door there is gives pixels with it"


def _tag_purpose(_context: Context) -> str | None:
    return "an identifiable copy must say what it was released for, and such copies can't be made yet"


def _redact_third_parties(_context: Context) -> str | None:
    return "nobody can record yet that other people in the picture were made unrecognisable"


def _serious_harm_check(_context: Context) -> str | None:
    return "nobody can record yet that seeing the picture would do no serious harm"


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


class Release:
    """Makes what leaves.

    Args:
        policy: profiles by name.
        pseudonym_key: the key of all pseudonyms.
    """

    def __init__(self, policy: Policy, pseudonym_key: bytes) -> None:
        self.policy = policy
        self.pseudonym_key = pseudonym_key

    def profile(self, binding: Binding) -> Profile:
        """Return the profile of ``binding``.

        Raises:
            ReleaseRefusedError: it has none.
        """
        choice = self.policy.profile(binding.profile or "")
        if choice is None:
            raise ReleaseRefusedError(f"Recipient {binding.name} has no anonymisation profile.")
        return Profile(
            name=binding.profile or "",
            pseudonym_domain=choice.pseudonym_domain,
            options=choice.options,
            overrides=choice.overrides,
            pixels=choice.pixels,
        )

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
        if decision.effect is Effect.PERMIT_IDENTIFIABLE:
            return Released(
                content=original, sha256=hashlib.sha256(original).hexdigest(), sop_instance_uid=sop_instance_uid
            )
        profile = self.profile(context.binding)
        pseudonyms = Pseudonyms(key=self.pseudonym_key, domain=profile.pseudonym_domain)
        confirmed = context.reviewed is Anonymisable.YES
        if profile.pixels is PixelDuty.CONFIRMED and not confirmed:
            raise ReleaseRefusedError("No named person has confirmed that the picture shows nothing identifying.")
        derived = deidentify(original, profile, pseudonyms, confirmed=confirmed)
        return Released(
            content=derived.content,
            sha256=hashlib.sha256(derived.content).hexdigest(),
            sop_instance_uid=derived.sop_instance_uid,
            profile=profile.digest,
        )
