"""Decisions in plain English, for a patient or a clinician who asks why.

Knows how to tell a decision. Must not decide, and names no patient.

Source: requirements 000-17b: when a decision is explained, its citation is returned.
"""

from __future__ import annotations

from typing import Final

from orthanc_plugin.policy.model import Case, Content, Decision, Effect, Obligation
from orthanc_plugin.policy.words import AUDIENCE_WORDS, purpose_words

ANSWER_WORDS: Final[dict[Effect, str]] = {
    Effect.PERMIT_IDENTIFIABLE: "Yes: the picture may be given as it is.",
    Effect.PERMIT_ANONYMISED: "Yes, but only anonymised: a copy that does not show who the patient is.",
    Effect.NEEDS_REVIEW: "Not yet: a person has to look at this first, and nothing is given until then.",
    Effect.DENY: "No: the picture is not given.",
}

NEXT_WORDS: Final[dict[Effect, str]] = {
    Effect.PERMIT_IDENTIFIABLE: "With this answer goes:",
    Effect.PERMIT_ANONYMISED: "With this answer goes:",
    Effect.NEEDS_REVIEW: "What would settle it:",
    Effect.DENY: "What could change the answer, or must happen now:",
}

OBLIGATION_WORDS: Final[dict[Obligation, str]] = {
    Obligation.ANONYMISE: "Remove everything that says whose picture it is before it leaves.",
    Obligation.VERIFY_RESIDUAL_ID: "Have a named person check that nothing in the picture shows who the patient is.",
    Obligation.RECORD_DISCLOSURE: "Enter in the register what was given, to whom and in which form.",
    Obligation.TAG_PURPOSE: "Mark the copy with the purpose it was given for.",
    Obligation.SECURE_CHANNEL: "Send it by an approved, encrypted channel only.",
    Obligation.MINIMUM_NECESSARY: "Give only the pictures that are needed, no others.",
    Obligation.RECORD_JUSTIFICATION: "Write down why this was justified.",
    Obligation.NOTIFY_PATIENT: "Tell the patient.",
    Obligation.NOTIFY_IG: "Tell the information governance team.",
    Obligation.RETROSPECTIVE_REVIEW: "Have somebody else review this within 72 hours.",
    Obligation.SEEK_CONSENT: "Ask the patient, or whoever may decide for them, for consent to this use.",
    Obligation.SEEK_RECONSENT: "Ask the patient whether they agree now; an earlier consent no longer settles it.",
    Obligation.ASSESS_COMPETENCE: "Find out, and record, whether the patient is able to make this decision.",
    Obligation.ENCOURAGE_PARENT_INVOLVEMENT: "Encourage the young person to talk with a parent about it.",
    Obligation.CONSULT_FAMILY: "Ask the family or the executor before anything is given.",
    Obligation.CONSIDER_FAMILY: "Think of what it means to the family, and tell them where that is right.",
    Obligation.LEGAL_REVIEW: "Have the legal team check the order.",
    Obligation.CALDICOTT_REVIEW: "Ask the Caldicott guardian for a recorded decision.",
    Obligation.IG_REVIEW: "Ask the information governance team to look at this.",
    Obligation.SAFEGUARDING_REVIEW: "Ask the safeguarding lead to look at this first.",
    Obligation.VERIFY_IDENTITY: "Check who is asking, with proof of identity.",
    Obligation.REDACT_THIRD_PARTIES: "Hide other people who can be recognised.",
    Obligation.SERIOUS_HARM_CHECK: "Have a clinician check that seeing it would not seriously harm anyone.",
    Obligation.APPLY_OPT_OUT: "Leave the patient's data out: they opted out of such use.",
    Obligation.RESTRICT_VIEW: "Show it to the named roles only.",
    Obligation.QUARANTINE: "Set the picture apart so that nobody uses it.",
    Obligation.RECONCILE_IDENTITY: "Settle first whose picture it is and when they were born.",
    Obligation.METADATA_ONLY: "Show the details of the record only, never the picture.",
    Obligation.PROVIDE_DESTRUCTION_CERTIFICATE: "Give the certificate that tells when and why it was destroyed.",
}


def explain(decision: Decision, case: Case) -> str:
    """Return ``decision`` told in plain English: what was asked, the answer, why, by which rule, and what next."""
    paragraphs = [_asked(case), ANSWER_WORDS[decision.effect], *decision.reasons, _grounds(decision)]
    if decision.consents:
        paragraphs.append(f"Records that counted: {', '.join(decision.consents)}.")
    if decision.obligations:
        paragraphs.append(NEXT_WORDS[decision.effect])
        paragraphs += [OBLIGATION_WORDS[obligation] for obligation in decision.obligations]
    return "\n".join(paragraphs)


def _asked(case: Case) -> str:
    request = case.request
    thing = "the details, not the picture," if request.content is Content.METADATA else "the picture"
    form = "in identifiable form" if request.identifiable else "anonymised"
    whom = AUDIENCE_WORDS[request.recipient.type]
    return f"On {request.as_of.isoformat()} {whom} asked for {thing} for {purpose_words(request.purpose)}, {form}."


def _grounds(decision: Decision) -> str:
    """Name each rule that spoke with the guidance behind it."""
    cited = dict.fromkeys(decision.rules, "")
    cited.update(zip(decision.rules, decision.citations, strict=False))
    told = [f"{rule} ({citation})" if citation else rule for rule, citation in cited.items()]
    return f"Rules: {'; '.join(told)}."
