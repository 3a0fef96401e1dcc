"""What each call of Consentgate's REST door does.

Knows the life cycle's functions and the shape of bodies. Must not know HTTP beyond a status, and decides nothing. Every
change is one write transaction that leaves its trail entry. What it dropped from the spool goes after the commit, and
the trail's head is signed then; if that fails the answer is still what was done, and the log says what is left to do.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date
from typing import Final

from dicomwrap.consentfile import as_mapping, read_consent
from dicomwrap.consentrecord import ConsentRecord, Withdrawal
from dicomwrap.terms import Purpose, PurposeGroup, WithdrawalPhase
from dicomwrap.version import VERSION
from orthanc_plugin.config.bindings import Role
from orthanc_plugin.enforcement import accounts
from orthanc_plugin.enforcement.dryrun import recipient, would
from orthanc_plugin.enforcement.factcalls import CALLS as OF_FACTS
from orthanc_plugin.enforcement.health import health
from orthanc_plugin.enforcement.openapi import description
from orthanc_plugin.enforcement.reply import BASE, FHIR, CallError, Reply
from orthanc_plugin.enforcement.rest import Call, Endpoint, act, text
from orthanc_plugin.enforcement.reviewcalls import CALLS
from orthanc_plugin.enforcement.told import refusal
from orthanc_plugin.errors import UnknownImageError
from orthanc_plugin.fhir.consent import Filing, to_fhir
from orthanc_plugin.fhir.document import read_document
from orthanc_plugin.fhir.reading import from_fhir
from orthanc_plugin.lifecycle import approval, duties, emergency, withdrawal
from orthanc_plugin.lifecycle.approval import Answer
from orthanc_plugin.lifecycle.receiving import receive, record_new, take_in
from orthanc_plugin.policy.cases import answer as decision_as_mapping
from orthanc_plugin.policy.model import Decision, Effect
from orthanc_plugin.registry import consentrows, images, quarantine, tasks
from orthanc_plugin.registry.consentrows import Recorded
from orthanc_plugin.registry.stopping import WORDS as UNDER_WAY
from orthanc_plugin.registry.stopping import forget, overtaken
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

WORDS: Final[dict[str, Purpose | PurposeGroup]] = {word.value: word for word in (*Purpose, *PurposeGroup)}
PHASES: Final = {phase.value: phase for phase in WithdrawalPhase}
APPROVALS: Final = {"APPROVED": Answer.PATIENT_APPROVED, "UNABLE": Answer.PATIENT_UNABLE}


def on_record(each: Recorded) -> dict[str, object]:
    """Return a recorded version as the door tells it."""
    return {"consent": as_mapping(each.record), "recorded_at": each.recorded_at, "recorded_by": each.recorded_by}


def record_consent(services: Services, call: Call) -> Reply:
    """Record the consent or refusal in the body: Consentgate's own JSON, or FHIR R4, which may hold several."""
    by = act(services, call)
    said = _said(call)
    forget()
    step = receive if call.brings(FHIR) else record_new
    with services.database.writing() as connection:
        received = take_in(connection, by, said, step)
        filed = [on_record(consentrows.versions(connection, each.record.id)[-1]) for each in received]
    _after(services, *(name for each in received for name in each.consequences.spool_names))
    lacks = [f"{each.record.id}: {gap}" for each in received for gap in each.gaps]
    unknown = [each.record.id for each in received if each.unknown_patient]
    return Reply(payload={"consents": filed, "lacks": lacks, "unknown_patients": unknown, **_under_way()})


def _said(call: Call) -> list[ConsentRecord]:
    if call.brings(FHIR):
        return [record for resource in read_document(call.body) for record in from_fhir(resource)]
    try:
        return [read_consent(call.body.decode("utf-8"))]
    except UnicodeDecodeError as error:
        raise CallError("The body is not UTF-8.") from error


def _after(services: Services, *spool_names: str) -> None:
    """Do what follows a commit; a failure is no answer to the call, whose change is on record."""
    try:
        for name in spool_names:
            services.spool.drop(name)
        services.sign_head()
    except Exception:  # the heartbeat signs again, and has the spool swept
        logger.exception("a change is on record; the spool or the trail's signed heads are not up to date yet")


def _under_way() -> dict[str, object]:
    """Say that a picture was about to leave at that moment, where its sender could not be waited for."""
    return {"under_way": UNDER_WAY} if overtaken() else {}


def _named(call: Call, *known: str) -> tuple[str, dict[str, object]]:
    """Return the consent that is meant, by the path or else by the body, and the body's fields.

    Other systems' ids may hold what no path can.
    """
    if "consent" in call.names:
        return call.names["consent"], call.fields(*known)
    values = call.fields("consent", *known)
    return text(values, "consent"), values


def one_consent(services: Services, call: Call) -> Reply:
    """Give the newest version; as a FHIR R4 Consent when that is asked for."""
    consent_id, _ = _named(call)
    with services.database.reading() as connection:
        found = consentrows.versions(connection, consent_id)[-1]
    if not call.wants(FHIR):
        return Reply(payload=on_record(found))
    filing = Filing(
        recorded_at=found.recorded_at,
        recorded_by=found.recorded_by,
        organization=services.policy.intake.default_issuer,
        policy=services.policy.sha256,
    )
    return Reply(payload=to_fhir(found.record, filing), media=FHIR)


def history(services: Services, call: Call) -> Reply:
    """Give every version, oldest first."""
    consent_id, _ = _named(call)
    with services.database.reading() as connection:
        found = consentrows.versions(connection, consent_id)
    return Reply(payload={"consents": [on_record(each) for each in found]})


def search(services: Services, call: Call) -> Reply:
    """Give a patient's consents, each in its newest version."""
    values = call.fields("patient_id", "issuer")
    patient = text(values, "patient_id", most=64)
    issuer = text(values, "issuer", needed=False, most=64) or services.policy.intake.default_issuer
    with services.database.reading() as connection:
        found = consentrows.listed(connection, patient, issuer)
    return Reply(payload={"consents": [on_record(each) for each in found]})


def withdraw(services: Services, call: Call) -> Reply:
    """Withdraw a consent, wholly or for some purposes; no release under it begins after the answer."""
    consent_id, values = _named(call, "purposes", "on", "phase", "reason", "how_received")
    by = act(services, call)
    note = Withdrawal(
        phase=_phase(values),
        reason=text(values, "reason", needed=False),
        how_received=text(values, "how_received", needed=False),
    )
    forget()
    with services.database.writing() as connection:
        done = withdrawal.withdraw(connection, by, consent_id, _purposes(values), on=_day(values) or by.day, note=note)
    found = done.consequences
    _after(services, *found.spool_names)
    opened = [f"CONFIRM_RECALL:{each}" for each in found.recalls]
    opened += [f"TELL_PATIENT_NOT_RECALLABLE:{each}" for each in found.not_recallable]
    opened += [f"PROPOSE_DISPOSAL:{each}" for each in found.proposed]
    return Reply(
        payload={
            "consent": as_mapping(done.record),
            "recalls": list(found.recalls),
            "not_recallable": list(found.not_recallable),
            "tasks": opened,
            **_under_way(),
        }
    )


def _phase(values: Mapping[str, object]) -> WithdrawalPhase:
    word = text(values, "phase", needed=False) or WithdrawalPhase.LATER.value
    if word not in PHASES:
        raise CallError(f"phase: expected one of {', '.join(PHASES)}.")
    return PHASES[word]


def _purposes(values: Mapping[str, object]) -> tuple[Purpose | PurposeGroup, ...]:
    """Return the purposes named; none means all, so a list that is there must name some."""
    if "purposes" not in values:
        return ()
    named = values["purposes"]
    if not isinstance(named, list) or not named or any(word not in WORDS for word in named if isinstance(word, str)):
        raise CallError(f"purposes: expected a list of {', '.join(WORDS)}; leave it out to withdraw all.")
    if not all(isinstance(word, str) for word in named):
        raise CallError("purposes: expected a list of text.")
    return tuple(WORDS[word] for word in named)


def _day(values: Mapping[str, object]) -> date | None:
    said = text(values, "on", needed=False, most=10)
    try:
        return date.fromisoformat(said) if said else None
    except ValueError as error:
        raise CallError("on: expected a date such as 2026-11-20.") from error


def decide(services: Services, call: Call) -> Reply:
    """Say what would be decided now on a picture for a recipient of policy.toml; nothing is released."""
    values = call.fields("image", "recipient")
    binding = recipient(services.policy, text(values, "recipient", most=64))
    if services.gate.closed is not None:
        reason = f"the gate is closed: {services.gate.closed}"
        shut = Decision(effect=Effect.DENY, reasons=(reason,), rules=("GATE_CLOSED",))
        return Reply(payload=decision_as_mapping(text(values, "image", most=64), shut))
    found = would(services, text(values, "image", most=64), binding)
    told = decision_as_mapping(found.case.id, found.decision)
    if found.unmet:
        told = {**told, "decision": Effect.DENY.value, "reasons": [*told["reasons"], *found.unmet]}
    return Reply(payload=told)


def approvals(services: Services, _call: Call) -> Reply:
    """Give the photographs that wait for the patient's approval."""
    with services.database.reading() as connection:
        waiting = quarantine.listed(connection, quarantine.Status.AWAITING_PATIENT_APPROVAL)
    rows = [
        {
            "approval": held.quarantine_id,
            "image": held.sop_instance_uid,
            "approve_by": held.approve_by,
            "received_at": held.received_at,
        }
        for held in waiting
    ]
    return Reply(payload={"approvals": rows})


def answer_approval(services: Services, call: Call) -> Reply:
    """Record what the patient said of a photograph that waits; what is taken back is deleted unfiled."""
    values = call.fields("answer", "reason", "refuse")
    said, reason, held_id = text(values, "answer"), text(values, "reason", needed=False), call.names["approval"]
    if said not in {*APPROVALS, "WITHDRAWN"}:
        raise CallError(f"answer: expected one of {', '.join((*APPROVALS, 'WITHDRAWN'))}.")
    refuse = values.get("refuse", False)
    if not isinstance(refuse, bool) or (refuse and said in APPROVALS):
        raise CallError("refuse: expected true or false, and true with the answer WITHDRAWN only.")
    gone: tuple[str, ...] = ()
    with services.database.writing() as connection:
        if said in APPROVALS:
            approval.approve(connection, act(services, call), held_id, APPROVALS[said], reason)
        else:
            gone = approval.withdraw(connection, act(services, call), held_id, reason, refuse=refuse).leftover
    _after(services, *gone)
    return Reply(payload={"approval": held_id, "outcome": said})


def list_tasks(services: Services, call: Call) -> Reply:
    """Give the open tasks, the most urgent first; `?owner=ROLE` narrows."""
    now = services.clock()
    with services.database.reading() as connection:
        found = tasks.listed(connection, owner=call.arguments.get("owner"))
    keys = ("kind", "subject", "owner", "reason", "opened_at", "due_at")
    rows = [
        {
            "task": each["task_id"],
            **{key: each[key] for key in keys},
            "overdue": bool(each["due_at"] and str(each["due_at"]) < now.isoformat()),
        }
        for each in found
    ]
    return Reply(payload={"tasks": rows})


def close_task(services: Services, call: Call) -> Reply:
    """Close a task with a note of what was done or found."""
    note = text(call.fields("note"), "note")
    with services.database.writing() as connection:
        duties.close(connection, act(services, call), call.names["task"], note)
    _after(services)
    return Reply(payload={"task": call.names["task"], "closed_by": call.user.name})


def break_glass(services: Services, call: Call) -> Reply:
    """Give the account emergency access to one patient, named by one of their pictures; somebody else reviews it."""
    values = call.fields("image", "reason", "minutes")
    minutes = values.get("minutes")
    if minutes is not None and (not isinstance(minutes, int) or isinstance(minutes, bool)):
        raise CallError("minutes: expected a whole number.")
    with services.database.writing() as connection:
        row = images.get(connection, text(values, "image", most=64))
        if row is None:
            raise UnknownImageError("The image is not known to the registry.")
        whose = (row.patient_id, row.issuer)
        given = emergency.grant(
            connection, act(services, call), call.user.name, whose, minutes=minutes, reason=text(values, "reason")
        )
    _after(services)
    told = {"grant": given.grant_id, "account": given.account, "ends_at": given.ends_at.isoformat()}
    return Reply(payload=told)


def openapi(_services: Services, _call: Call) -> Reply:
    """Give this description."""
    return Reply(payload=description(ENDPOINTS, VERSION))


_CONSENTS: Final = f"{BASE}/consents"
_CONSENT: Final = f"{_CONSENTS}/{{consent}}"

_ASK, _DO = "GET", "POST"

_OWN: Final = tuple(
    Endpoint(
        method=method,
        path=path,
        role=role,
        summary=(handler.__doc__ or "").strip().splitlines()[0],
        takes=takes,
        gives=gives,
        handler=handler,
    )
    for method, path, role, takes, gives, handler in (
        (_ASK, f"{BASE}/openapi.json", Role.CONSENT, "", "OpenApi", openapi),
        (_DO, _CONSENTS, Role.CONSENT, "Consent", "ConsentFiled", record_consent),
        (_DO, f"{_CONSENTS}/search", Role.CONSENT, "ConsentSearch", "ConsentList", search),
        (_DO, f"{_CONSENTS}/get", Role.CONSENT, "ConsentNamed", "ConsentOnRecord", one_consent),
        (_DO, f"{_CONSENTS}/history", Role.CONSENT, "ConsentNamed", "ConsentList", history),
        (_DO, f"{_CONSENTS}/withdrawal", Role.CONSENT, "WithdrawalNamed", "Withdrawn", withdraw),
        (_ASK, _CONSENT, Role.CONSENT, "", "ConsentOnRecord", one_consent),
        (_ASK, f"{_CONSENT}/history", Role.CONSENT, "", "ConsentList", history),
        (_DO, f"{_CONSENT}/withdrawal", Role.CONSENT, "Withdrawal", "Withdrawn", withdraw),
        (_DO, f"{BASE}/decisions", Role.CONSENT, "Question", "Decision", decide),
        (_DO, f"{BASE}/disclosures/search", Role.CONSENT, "DisclosureSearch", "Disclosures", accounts.search),
        (_ASK, f"{BASE}/approvals", Role.CONSENT, "", "ApprovalList", approvals),
        (_DO, f"{BASE}/approvals/{{approval}}", Role.CONSENT, "ApprovalAnswer", "ApprovalOutcome", answer_approval),
        (_ASK, f"{BASE}/tasks", Role.TASKS, "", "TaskList", list_tasks),
        (_DO, f"{BASE}/tasks/{{task}}/closure", Role.TASKS, "Closure", "Closed", close_task),
        (_ASK, f"{BASE}/refusal", None, "", "Refusals", refusal),
        (_ASK, f"{BASE}/health", Role.ADMIN, "", "Health", health),
        (_DO, f"{BASE}/break-glass", Role.BREAK_GLASS, "Emergency", "Grant", break_glass),
    )
)
ENDPOINTS: Final[tuple[Endpoint, ...]] = (*_OWN, *CALLS, *OF_FACTS)
