"""What left is found by the picture's patient, by recipient, by picture; what tells of who asked is sealed."""

from __future__ import annotations

import hashlib
import json

import pytest
from sqlalchemy import event

from orthanc_plugin.registry import accounts, ledger
from orthanc_plugin.registry.tables import disclosures
from orthanc_plugin.release import Released
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID
from tests.fakes.world import World
from tests.unit.dicomwrap.objects import PATIENT
from tests.unit.lifecycle.steps import leave

NUMBERS = ((PATIENT.id, PATIENT.issuer), ("another", "HOSP"))


@pytest.fixture
def left(world: World) -> World:
    """Give a world in which two copies left."""
    world.file(CARE, TEACHING)
    leave(world, "D1")
    leave(world, "D2", recipient="journal")
    leave(world, "D3", uid="2.25.404")
    return world


def test_what_left_is_found_by_patient_by_recipient_and_by_picture(left: World) -> None:
    with left.services.database.reading() as connection:
        of_patient = [row["disclosure_id"] for row in accounts.of_patient(connection, NUMBERS)]
        to_journal = [row["disclosure_id"] for row in accounts.of_recipient(connection, "journal")]
        of_image = [(row["disclosure_id"], row["patient_id"]) for row in accounts.of_image(connection, "2.25.404")]
        nobody = list(accounts.of_patient(connection, ()))
    assert (of_patient, to_journal, of_image, nobody) == (["D1", "D2"], ["D2"], [("D3", None)], [])


def test_a_patient_s_account_is_found_by_indexes_alone(left: World) -> None:
    said: list[tuple[str, object]] = []
    engine = left.services.database._reader.engine
    event.listen(
        engine, "before_cursor_execute", lambda _c, _k, statement, values, *_: said.append((statement, values))
    )
    with left.services.database.reading() as connection:
        list(accounts.of_patient(connection, NUMBERS))
        statement, values = said[-1]
        explain = "EXPLAIN" if left.on_postgresql else "EXPLAIN QUERY PLAN"
        if left.on_postgresql:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = [str(row) for row in connection.exec_driver_sql(f"{explain} {statement}", values)]
    assert any("images_by_patient_id" in line for line in plan)
    assert any("disclosures_by_image" in line for line in plan)


def test_who_asked_and_under_which_version_is_on_record_and_sealed(world: World) -> None:
    world.file(CARE)
    answer = world.services.gate.authorize(world.request())
    with world.services.database.writing() as connection:
        world.services.begin(connection, answer, Released(content=b"", sha256="a" * 64, sop_instance_uid=UID))
        (seal,) = ledger.seals(connection)
    (row,) = world.disclosures()
    assert (row["requester"], json.loads(str(row["consents"])), json.loads(str(row["consent_versions"]))) == (
        "derm",
        [CONSENT_ID],
        [1],
    )
    for change in (
        "UPDATE disclosures SET requester = 'nobody'",
        "UPDATE disclosures SET consent_versions = '[2]'",
        "UPDATE disclosures SET requester = NULL",
    ):
        before = world.disclosures()[0]
        world.sql(change)
        with world.services.database.reading() as connection:
            assert list(ledger.seals(connection)) != [seal]
        with world.services.database.writing() as connection:
            connection.execute(disclosures.update().values(before))
            assert list(ledger.seals(connection)) == [seal]


def test_a_row_from_before_has_the_seal_that_it_had(left: World) -> None:
    left.sql("DELETE FROM disclosures WHERE disclosure_id != 'D1'")
    left.sql("UPDATE disclosures SET requester = NULL, consent_versions = NULL")
    (row,) = left.disclosures()
    body = json.dumps({name: row[name] for name in ledger.SEALED}, sort_keys=True)
    with left.services.database.reading() as connection:
        assert list(ledger.seals(connection)) == [
            f"disclosure record D1 begun sha256 {hashlib.sha256(body.encode()).hexdigest()}"
        ]
