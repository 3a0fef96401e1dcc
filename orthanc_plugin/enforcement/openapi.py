"""The description of Consentgate's own REST door, in OpenAPI 3.1.

Knows the shapes of bodies and answers. Must not know what the endpoints do. A contract test holds the table of
endpoints, the table of exits and this description against one another, and real answers against its schemas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from dicomwrap.terms import (
    Audience,
    CapacityResult,
    Competence,
    ConsentLevel,
    ConsentState,
    EvidenceType,
    Explained,
    Form,
    GiverType,
    Purpose,
    PurposeGroup,
    WithdrawalPhase,
)
from orthanc_plugin.enforcement.factschemas import SCHEMAS as OF_FACTS
from orthanc_plugin.enforcement.reply import FHIR, JSON, OK
from orthanc_plugin.enforcement.rest import Endpoint
from orthanc_plugin.enforcement.reviewschemas import PICTURES
from orthanc_plugin.enforcement.reviewschemas import SCHEMAS as OF_REVIEWS
from orthanc_plugin.enforcement.route import PLACEHOLDERS
from orthanc_plugin.enforcement.schemas import DAY, FLAG, MOMENT, NUMBER, TEXT, Schema
from orthanc_plugin.enforcement.schemas import many as _many
from orthanc_plugin.enforcement.schemas import one_of as _one_of
from orthanc_plugin.enforcement.schemas import or_null as _or_null
from orthanc_plugin.enforcement.schemas import record as _object
from orthanc_plugin.policy.accounts import Standing
from orthanc_plugin.policy.model import Effect, Obligation

PAGES: Final = ("text/html", "text/csv", "text/plain")
EVERYBODY: Final = "Every account that policy.toml binds may ask."
FAULTS: Final = {
    "400": "The call is not one that can be read",
    "401": "No account, or not its password (Orthanc answers)",
    "403": "The account does not have the role",
    "404": "There is no such record",
    "409": "The record can't go from where it is to where it was asked to go",
    "413": "The body is too large",
    "422": "Something is missing or wrong; every fault is told",
    "500": "The call failed; ask what is on record before it is sent again",
    "503": "The registry can't be reached; ask what is on record before the call is sent again",
}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


PURPOSE: Final = _one_of(Purpose, PurposeGroup)
TERMS: Final[dict[str, Schema]] = {
    "max_form": _one_of(Form),
    "audience": _many(_one_of(Audience)),
    "named_recipients": _many(TEXT),
    "named_publication": _or_null(TEXT),
    "valid_from": DAY,
    "valid_to": _or_null(DAY),
    "conditions": _many(TEXT),
    "legal_basis": _many(TEXT),
}
GIVER: Final = _object(
    {
        "type": _one_of(GiverType),
        "id": TEXT,
        "competent_at_decision": _one_of(Competence),
        "relationship": TEXT,
        "authority_document": TEXT,
        "competence_assessor": TEXT,
        "has_pr": FLAG,
    },
    ("type",),
)
TESTS: Final = _object(
    {"necessary": FLAG, "best_interests": FLAG, "no_less_restrictive": FLAG, "consulted": _many(TEXT)}
)
DISCUSSION: Final = _object({"note": TEXT, "author": TEXT, "role": TEXT, "at": MOMENT}, ("note", "author"))
CAPACITY: Final = _object(
    {"result": _one_of(CapacityResult), "decision": TEXT, "assessor": TEXT, "on": DAY, "method": TEXT}
)
DOCUMENT: Final = _object(
    dict.fromkeys(("object_uid", "sha256", "form_id", "form_version", "purposes_sha256", "witness"), TEXT)
)
SUPPORT: Final = _object({"interpreter": TEXT, "language": TEXT, "easy_read": FLAG, "carer": TEXT, "aids": _many(TEXT)})
WITHDRAWAL_NOTE: Final = _object({"by": TEXT, "phase": _one_of(WithdrawalPhase), "reason": TEXT, "how_received": TEXT})

CONSENT: Final = _object(
    {
        "id": TEXT,
        "version": NUMBER,
        "patient_id": _or_null(TEXT),
        "issuer": _or_null(TEXT),
        "level": _one_of(ConsentLevel),
        "targets": _many(TEXT),
        "state": _one_of(ConsentState),
        "giver": GIVER,
        "decided_on": DAY,
        "purposes": _many(PURPOSE),
        **TERMS,
        "scopes": _many(_object({"purpose": PURPOSE, "purposes": _many(PURPOSE), **TERMS}, ("max_form", "audience"))),
        "withdrawn_on": _or_null(DAY),
        "withdrawn_purposes": _or_null(_many(PURPOSE)),
        "withdrawn": _many(_object({"purpose": PURPOSE, "on": DAY}, ("purpose", "on"))),
        "tests": _or_null(TESTS),
        "evidence": _or_null(_one_of(EvidenceType)),
        "explained": _many(_one_of(Explained)),
        "discussion": _or_null(DISCUSSION),
        "previous_id": _or_null(TEXT),
        "capacity": _or_null(CAPACITY),
        "document": _or_null(DOCUMENT),
        "retention_told": _or_null(_object({"text": TEXT, "until": _or_null(DAY)}, ("text",))),
        "support": _or_null(SUPPORT),
        "withdrawal": _or_null(WITHDRAWAL_NOTE),
        "source_system": TEXT,
        "state_reason": TEXT,
    },
    ("id", "state", "giver", "decided_on"),
)

WITHDRAWAL: Final[dict[str, Schema]] = {
    "purposes": _many(PURPOSE),
    "on": DAY,
    "phase": _one_of(WithdrawalPhase),
    "reason": TEXT,
    "how_received": TEXT,
}
TASK: Final[dict[str, Schema]] = {
    "task": TEXT,
    "kind": TEXT,
    "subject": TEXT,
    "owner": TEXT,
    "reason": TEXT,
    "opened_at": MOMENT,
    "due_at": _or_null(MOMENT),
    "overdue": FLAG,
}
REFUSAL: Final[dict[str, Schema]] = {
    "decision": TEXT,
    "at": MOMENT,
    "door": TEXT,
    "rules": _many(TEXT),
    "error": TEXT,
    "remedy": TEXT,
}
APPROVAL: Final[dict[str, Schema]] = {"approval": TEXT, "image": TEXT, "approve_by": MOMENT, "received_at": MOMENT}

DISCLOSURE: Final[dict[str, Schema]] = {
    "at": MOMENT,
    "taken_on": _or_null(DAY),
    **dict.fromkeys(("patient_id", "issuer"), _or_null(TEXT)),
    **dict.fromkeys(("disclosure", "decision", "image", "released_uid", "sha256", "profile"), TEXT),
    **dict.fromkeys(("recipient", "recipient_words", "requester", "door", "purpose", "words"), TEXT),
    "form": _one_of(Form),
    "consents": _many(TEXT),
    "standing": _one_of(Standing),
    "live": FLAG,
}
DISCLOSURE_SEARCH: Final[dict[str, Schema]] = {
    **dict.fromkeys(("patient_id", "issuer", "recipient", "image"), TEXT),
    **dict.fromkeys(("since", "until"), DAY),
    "live": FLAG,
}

PART: Final = _object({"ok": FLAG, "detail": TEXT, "busy": FLAG}, ("ok", "detail", "busy"))
DOORS: Final = _object({"open": FLAG, "why": TEXT}, ("open", "why"))
HEALTH: Final[dict[str, Schema]] = {
    "ok": FLAG,
    "doors": DOORS,
    "parts": {"type": "object", "additionalProperties": PART},
    "policy": TEXT,
    "version": TEXT,
    "at": MOMENT,
}

SCHEMAS: Final[dict[str, Schema]] = {
    "Consent": CONSENT,
    "ConsentOnRecord": _object(
        {"consent": _ref("Consent"), "recorded_at": MOMENT, "recorded_by": TEXT},
        ("consent", "recorded_at", "recorded_by"),
    ),
    "ConsentFiled": _object(
        {
            "consents": _many(_ref("ConsentOnRecord")),
            "lacks": _many(TEXT),
            "unknown_patients": _many(TEXT),
            "under_way": TEXT,
        },
        ("consents", "lacks", "unknown_patients"),
    ),
    "ConsentNamed": _object({"consent": TEXT}, ("consent",)),
    "ConsentList": _object({"consents": _many(_ref("ConsentOnRecord"))}, ("consents",)),
    "ConsentSearch": _object({"patient_id": TEXT, "issuer": TEXT}, ("patient_id",)),
    "Withdrawal": _object(WITHDRAWAL),
    "WithdrawalNamed": _object({"consent": TEXT, **WITHDRAWAL}, ("consent",)),
    "Withdrawn": _object(
        {
            "consent": _ref("Consent"),
            "recalls": _many(TEXT),
            "not_recallable": _many(TEXT),
            "tasks": _many(TEXT),
            "under_way": TEXT,
        },
        ("consent", "recalls", "not_recallable", "tasks"),
    ),
    "Question": _object({"image": TEXT, "recipient": TEXT}, ("image", "recipient")),
    "Decision": _object(
        {
            "id": TEXT,
            "decision": _one_of(Effect),
            "obligations": _many(_one_of(Obligation)),
            "reasons": _many(TEXT),
            "rules": _many(TEXT),
        },
        ("id", "decision", "obligations", "reasons", "rules"),
    ),
    "DisclosureSearch": _object(DISCLOSURE_SEARCH),
    "Disclosures": _object({"disclosures": _many(_object(DISCLOSURE, DISCLOSURE))}, ("disclosures",)),
    "ApprovalList": _object({"approvals": _many(_object(APPROVAL, APPROVAL))}, ("approvals",)),
    "ApprovalAnswer": _object(
        {"answer": {"type": "string", "enum": ["APPROVED", "UNABLE", "WITHDRAWN"]}, "reason": TEXT, "refuse": FLAG},
        ("answer",),
    ),
    "ApprovalOutcome": _object({"approval": TEXT, "outcome": TEXT}, ("approval", "outcome")),
    "TaskList": _object({"tasks": _many(_object(TASK, TASK))}, ("tasks",)),
    "Closure": _object({"note": TEXT}, ("note",)),
    "Closed": _object({"task": TEXT, "closed_by": TEXT}, ("task", "closed_by")),
    "Emergency": _object({"image": TEXT, "reason": TEXT, "minutes": NUMBER}, ("image", "reason")),
    "Grant": _object({"grant": TEXT, "account": TEXT, "ends_at": MOMENT}, ("grant", "account", "ends_at")),
    "Refusals": _object(
        {"error": TEXT, "remedy": TEXT, "decision": TEXT, "refusals": _many(_object(REFUSAL, REFUSAL))},
        ("error", "remedy", "decision", "refusals"),
    ),
    "Health": _object(HEALTH, HEALTH),
    **OF_REVIEWS,
    **OF_FACTS,
    "FhirConsent": {"type": "object", "properties": {"resourceType": {"const": "Consent"}}},
    "OpenApi": {"type": "object"},
    "Error": _object({"error": TEXT, "problems": _many(TEXT), "remedy": TEXT}, ("error", "problems", "remedy")),
}
# In which other forms an answer is given when they are asked for.
ALSO: Final[Mapping[str, Schema]] = {
    "Disclosures": {FHIR: {"schema": {"type": "object"}}, **{page: {"schema": TEXT} for page in PAGES}},
}
# Where a consent goes in or out, it may be a FHIR R4 resource as well.
ALSO_FHIR: Final = frozenset({"Consent", "ConsentOnRecord"})


def _content(name: str) -> Schema:
    if name == "Picture":
        return {each: {"schema": {**OF_REVIEWS[name], "contentMediaType": each}} for each in PICTURES}
    media: Schema = {JSON: {"schema": _ref(name)}, **ALSO.get(name, {})}
    return {**media, FHIR: {"schema": _ref("FhirConsent")}} if name in ALSO_FHIR else media


def _operation(endpoint: Endpoint) -> Schema:
    names = [part[1:-1] for part in endpoint.path.split("/") if part.startswith("{")]
    answers: Schema = {
        str(OK): {"description": endpoint.summary, "content": _content(endpoint.gives)},
        **{code: {"description": words, "content": _content("Error")} for code, words in FAULTS.items()},
    }
    answers["401"] = {"description": FAULTS["401"]}
    operation: Schema = {
        "summary": endpoint.summary,
        "description": f"Needs the role `{endpoint.role}` in policy.toml." if endpoint.role else EVERYBODY,
        "operationId": "_".join((endpoint.method.lower(), *endpoint.path.strip("/").replace(".", "_").split("/")[1:]))
        .replace("{", "")
        .replace("}", ""),
        "responses": answers,
        "parameters": [
            {
                "name": name,
                "in": "path",
                "required": True,
                "schema": {"type": "string", "pattern": f"^{PLACEHOLDERS[name]}$"},
            }
            for name in names
        ],
    }
    if endpoint.takes:
        operation["requestBody"] = {"required": True, "content": _content(endpoint.takes)}
    return operation


def description(endpoints: Sequence[Endpoint], version: str) -> Schema:
    """Return the OpenAPI description of ``endpoints``."""
    paths: dict[str, Schema] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Consentgate",
            "version": version,
            "description": "Consents, decisions, approvals, reviews, tasks, facts: for an electronic patient record.",
            "license": {"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        },
        "servers": [{"url": "/"}],
        "security": [{"account": []}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"account": {"type": "http", "scheme": "basic", "description": "An account of Orthanc"}},
        },
    }
