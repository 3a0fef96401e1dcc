"""The account of disclosures by HTTP: who has had which photographs, for what, when, and what they hold now.

Knows the call's fields and the forms of the answer. Must not know rows. Whose pictures they are stands in the body, for
servers and proxies log paths. Source: requirements 004-15a.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.clock import hospital_day
from orthanc_plugin.enforcement.reply import FHIR, CallError, Reply
from orthanc_plugin.enforcement.rest import Call, text
from orthanc_plugin.fhir.account import to_fhir
from orthanc_plugin.lifecycle import accounts
from orthanc_plugin.lifecycle.accountpages import as_csv, as_html, as_text, mapping
from orthanc_plugin.lifecycle.accounts import Account, Narrowing
from orthanc_plugin.registry import patients
from orthanc_plugin.services import Services

WRITERS: Final = {"text/html": as_html, "text/csv": as_csv, "text/plain": as_text}
NAMING: Final = ("patient_id", "recipient", "image")
ONE: Final = "Name one of patient_id (with issuer), recipient and image."


def search(services: Services, call: Call) -> Reply:
    """Give the account of what left: of a patient, to a recipient, or of a picture; in the form that is asked for."""
    values = call.fields(*NAMING, "issuer", "since", "until", "live")
    with services.database.reading() as connection:
        account = _account(services, connection, values)
    now, organization = services.clock(), services.policy.intake.default_issuer or "The hospital"
    if call.wants(FHIR):
        return Reply(content=json.dumps(to_fhir(account, now, organization)).encode(), media=FHIR)
    for media, write in WRITERS.items():
        if call.wants(media):
            return Reply(content=write(account, hospital_day(now)).encode(), media=media)
    return Reply(payload={"disclosures": [mapping(entry) for entry in account]})


def _account(services: Services, connection: Connection, values: Mapping[str, object]) -> Account:
    named = [name for name in NAMING if values.get(name)]
    if len(named) != 1:
        raise CallError(ONE)
    name, policy, narrowing = text(values, named[0], most=64), services.policy, _narrowing(values)
    if named[0] == "recipient":
        return accounts.of_recipient(connection, policy, name, narrowing)
    if named[0] == "image":
        return accounts.of_image(connection, policy, name, narrowing)
    issuer = text(values, "issuer", needed=False, most=64)
    return accounts.of_patient(connection, policy, patients.key(name, issuer, policy.intake.default_issuer), narrowing)


def _narrowing(values: Mapping[str, object]) -> Narrowing:
    live = values.get("live", False)
    if not isinstance(live, bool):
        raise CallError("live: expected true or false.")
    return Narrowing(since=_day(values, "since"), until=_day(values, "until"), live=live)


def _day(values: Mapping[str, object], name: str) -> date | None:
    said = text(values, name, needed=False, most=10)
    try:
        return date.fromisoformat(said) if said else None
    except ValueError as error:
        raise CallError(f"{name}: expected a date such as 2026-11-20.") from error
