"""What an account was refused a moment ago, in words that a clinician understands, with the decision id.

Orthanc's HTTP filter can only answer an empty 403, so the reason is fetched afterwards, by a person's program or by the
reverse proxy in the same breath (docs/who-asks.md). Knows the trail and its words. Must not tell one account of
another's refusals, nor name a picture or a patient: whoever may know more finds it by the decision id. Where a request
could be made up from a patient's number, the answer is the same whether or not there is such a patient.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from orthanc_plugin.audit.event import EventType, Outcome
from orthanc_plugin.enforcement.exits import METHODS, ROUTES, classify
from orthanc_plugin.enforcement.reply import Reply
from orthanc_plugin.enforcement.rest import Call
from orthanc_plugin.enforcement.route import Kind
from orthanc_plugin.enforcement.withheld import NOTHING
from orthanc_plugin.policy.explain import OBLIGATION_WORDS
from orthanc_plugin.policy.model import Obligation
from orthanc_plugin.services import Services

MINUTES: Final = 5
MOST: Final = 10
LOOKED_THROUGH: Final = 2000  # entries of the trail, so that a busy archive is not held up
REFUSED_HEADER: Final = "x-consentgate-refused"  # "METHOD path" of the request that was refused, as the proxy knows it
ASK: Final = "If you think this is wrong, give the decision id to the information governance team."
DPO: Final = "Ask the data protection officer, who binds accounts to roles and purposes in policy.toml."
TRY_AGAIN: Final = "Try again in a minute; if it stays so, tell the system administrator."
REMEDIES: Final[Mapping[str, str]] = {
    "UNKNOWN_ROUTE": "Use another way: DICOMweb for pictures, /consentgate/openapi.json for everything else.",
    "FORBIDDEN_ROUTE": "Nobody may do this here; the reason says what to do instead.",
    "ROLE_MISSING": DPO,
    "UNKNOWN_USER": DPO,
    "PURPOSE_NOT_BOUND": "Name one of these purposes in the header X-Purpose-Of-Use, or leave the header out.",
    "IDENTITY_NOT_TRUSTED": "Sign in at the hospital's usual address; tell the system administrator if you did.",
    "COMPRESSED_BODY": "Send it as it is.",
    "UNGUARDED_UPLOAD": "Send it to the hospital's usual address, or by C-STORE.",
    "GATE_CLOSED": TRY_AGAIN,
    "FAIL_CLOSED": TRY_AGAIN,
    "DECISION_CHANGED": "Ask again: something about the consent changed at this very moment.",
    "UNKNOWN_IMAGE": "It may not have arrived yet, or wait in quarantine: ask whoever looks after the archive.",
}
# Where patients can be named by what is made of their number: in these paths, and in bodies.
GUESSABLE: Final = frozenset(
    f"{route.method} {route.path}"
    for route in ROUTES
    if "{patient}" in route.path or (route.kind is Kind.BODY and not route.subject)
)
# Rules that say something of pictures, and name none.
OF_PICTURES: Final = (["UNKNOWN_IMAGE"], ["TOO_MANY"])
# A call of ours that says itself what is wrong with it, such as an option that is not honoured, is no decision.
AS_ASKED: Final = "The request can't be met in the form in which it was made."
NONE: Final = f"No refusal of this account is on record for the last {MINUTES} minutes."


def refusal(services: Services, call: Call) -> Reply:
    """Say what the account was refused in the last minutes, newest first: the reason, what to do, and the decision."""
    door = _door(call)
    found = [_row(entry) for entry in _newest(services, call.requester.actor, door)]
    none = {"error": AS_ASKED if door else NONE, "remedy": ASK, "decision": ""}
    newest: Mapping[str, object] = found[0] if found else none
    first = {key: newest[key] for key in ("error", "remedy", "decision")}
    return Reply(payload={**first, "refusals": found})


def _door(call: Call) -> str:
    """Return the exit that the proxy says the refusal was at, '' when it says none."""
    method, _, path = call.headers.get(REFUSED_HEADER, "").partition(" ")
    if not path:
        return ""
    match = classify("GET" if method == "HEAD" else method, path, {})
    return match.door if match else f"{method} (unlisted route)"


def _newest(services: Services, actor: str, door: str) -> Iterator[Mapping[str, object]]:
    """Give the refusals of ``actor`` in the last minutes, at ``door`` when one is named."""
    since, told = services.clock() - timedelta(minutes=MINUTES), list[str]()
    for entry in reversed(services.trail.tail(LOOKED_THROUGH)):
        if datetime.fromisoformat(str(entry["at"])) < since or len(told) == MOST:
            return
        refused = entry["event"] == EventType.ACCESS_CONTROL_DECISION and entry["outcome"] == Outcome.REFUSED
        if not refused or entry["actor"] != actor or not _by_http(entry) or door not in ("", entry["door"]):
            continue
        key = str(entry["door"] if _is_kept_back(entry) else entry["id"])
        if key not in told:  # how many pictures were refused is kept back too
            told.append(key)
            yield entry


def _by_http(entry: Mapping[str, object]) -> bool:
    """Tell whether it was refused at an HTTP door: behind any other there was no account, whatever its name."""
    return str(entry["door"]).partition(" ")[0] in METHODS.values()


def _is_kept_back(entry: Mapping[str, object]) -> bool:
    """Tell whether the reason would say that somebody is a patient here."""
    about_pictures = bool(entry["subject"]) or entry["rules"] in OF_PICTURES
    return about_pictures and entry["door"] in GUESSABLE


def _row(entry: Mapping[str, object]) -> dict[str, object]:
    if _is_kept_back(entry):
        same = {"rules": [], "error": _sentences([NOTHING]), "remedy": ASK}
        return {"decision": entry["id"], "at": entry["at"], "door": entry["door"], **same}
    return {
        "decision": entry["id"],
        "at": entry["at"],
        "door": entry["door"],
        "rules": _texts(entry["rules"]),
        "error": _sentences(_texts(entry["reasons"])),
        "remedy": _remedy(entry),
    }


def _remedy(entry: Mapping[str, object]) -> str:
    """Say what to do: what the decision demands of people, or what the door's rule means."""
    demanded = [OBLIGATION_WORDS[Obligation(each)] for each in _texts(entry["obligations"])]
    by_rule = [REMEDIES[rule] for rule in _texts(entry["rules"]) if rule in REMEDIES]
    return " ".join((*by_rule, *demanded, ASK))


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _sentences(reasons: list[str]) -> str:
    return " ".join(f"{reason[:1].upper()}{reason[1:].rstrip('.')}." for reason in reasons)
