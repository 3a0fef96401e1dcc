"""Copies at places of deposit of records that are destroyed here: a withdrawal can't have those back, and says so.

Knows how a patient's stubs lead to what a place has. Must not know what follows. The place has the record by now, and
keeps it as archives do (UK GDPR 17(3)(d), 89); the patient is told where it is.

Sources: requirements 2.9 (recall, or the patient told), 4 step 11; UK GDPR 19.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.terms import ConsentLevel
from orthanc_plugin.policy.eventmodel import Recall
from orthanc_plugin.registry import disposals, ledger, patients, stubs, transfers
from orthanc_plugin.registry.plans import uid_sha256
from orthanc_plugin.registry.transfers import State, Transfer


def beyond(connection: Connection, record: ConsentRecord) -> tuple[str, ...]:
    """Return the disclosures to places of deposit of what a consent speaks of, where the source is destroyed."""
    return tuple(
        str(row["disclosure_id"])
        for transfer in _transfers(connection, record)
        for name in ledger.of_decision(connection, transfer.place, transfer.transfer_id)
        if Recall(str((row := ledger.get(connection, name))["recall"])) is Recall.NONE
        and _covers(record, transfer, str(row["sop_instance_uid"]))
    )


def _transfers(connection: Connection, record: ConsentRecord) -> Iterator[Transfer]:
    """Give the patient's records that a place has in our stead."""
    numbers = patients.numbers(connection, (record.patient_id or "", record.issuer or ""))
    found = (
        line for stub in stubs.of_patient(connection, numbers) for line in disposals.lines_of(connection, stub.stub_id)
    )
    for plan_id, line in dict.fromkeys(found):
        moved = transfers.listed(connection, plan_id)
        yield from (each for each in moved if each.line == line and each.state is State.RECEIVED)


def _covers(record: ConsentRecord, transfer: Transfer, sop_instance_uid: str) -> bool:
    """Tell whether a consent speaks of a picture of which little is left; where nobody can tell, it does."""
    if record.level is ConsentLevel.IMAGE:
        return sop_instance_uid in record.targets
    if record.level is ConsentLevel.STUDY and record.targets:
        return transfer.study_sha256 in map(uid_sha256, record.targets)
    return True
