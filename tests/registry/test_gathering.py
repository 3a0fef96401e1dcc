"""A plan reads what dates rest on by the page, an execution one by one: both must find the same."""

from __future__ import annotations

from datetime import date
from itertools import product

import pytest

from orthanc_plugin.config.schedulefile import shipped
from orthanc_plugin.policy.expirymodel import RetentionFacts
from orthanc_plugin.registry import retentiongather
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.stored import UnreadableRowError
from tests.fakes.disposing import Office, office
from tests.fakes.pictures import CARE
from tests.fakes.world import World

NUMBERS = ("A", "B", "C", "D", "E")
ISSUERS = ("HOSP", "OTHER")
PERSON = (
    "INSERT INTO patients (patient_id, issuer, birth_date, capacity, gillick, national_data_opt_out, merged_into_id,"
    " merged_into_issuer) VALUES ('{0}', '{1}', {2}, 'HAS', 'NA', 0, {3}, {4})"
)
TOLD = (
    "INSERT INTO retention_facts (patient_id, issuer, source, trial_id, fact_id, last_contact, open_episode,"
    " categories, trial_regime, told_at, recorded_at, recorded_by) VALUES ('{0}', '{1}', '{2}', '{3}', '{0}{1}{2}{3}',"
    " '20{4:02}-01-01', {5}, '[\"{2}\"]', {6}, '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00', 'x')"
)


@pytest.fixture
def bureau(world: World) -> Office:
    """Give an office: A of HOSP has two further numbers, D isn't on record, nobody tells of B; each told of apart."""
    world.file(CARE)
    made = office(world)
    for number, issuer in product(NUMBERS, ISSUERS):
        into = "'A'" if (number, issuer) in (("C", "HOSP"), ("E", "OTHER")) else "NULL"
        born = "NULL" if number == "A" else f"'19{50 + ord(number) % 9}-02-03'"
        if number != "D":
            world.sql(PERSON.format(number, issuer, born, into, "'HOSP'" if into != "NULL" else "NULL"))
        for year, (source, trial) in enumerate(
            product(("pas", "audit"), ("", "T1")), start=ord(number) % 10 + len(issuer)
        ):
            if number != "B":
                regime = "'CTIMP_2026'" if trial else "NULL"
                world.sql(TOLD.format(number, issuer, source, trial, year, year % 2, regime))
    return made


def rows_of(bureau: Office) -> list[ImageRow]:
    """Return a picture of each number."""
    one = bureau.world.row()
    known = {name: getattr(one, name) for name in one.__slots__}
    return [
        ImageRow(**{**known, "patient_id": number, "issuer": issuer}) for number, issuer in product(NUMBERS, ISSUERS)
    ]


def gathered(bureau: Office, rows: list[ImageRow]) -> tuple[list[RetentionFacts], list[RetentionFacts]]:
    """Return what these dates rest on, read together, and one by one."""
    with bureau.world.services.database.reading() as connection:
        shared = retentiongather.around(connection, shipped(), bureau.world.clock())
        people = retentiongather.people(connection, {(row.patient_id, row.issuer) for row in rows})
        together = [
            retentiongather.facts_of(connection, row, people[(row.patient_id, row.issuer)], shared) for row in rows
        ]
        return together, [retentiongather.gather(connection, row, shared) for row in rows]


def test_what_is_read_by_the_page_is_what_is_read_one_by_one(bureau: Office) -> None:
    bureau.hold()
    rows = rows_of(bureau)
    together, single = gathered(bureau, rows)
    assert together == single
    found = {(row.patient_id, row.issuer): facts for row, facts in zip(rows, together, strict=True)}
    assert found["A", "HOSP"] == found["C", "HOSP"] == found["E", "OTHER"]
    assert len({found[who] for who in found if who[0] != "B"}) == 6
    assert found["B", "HOSP"].contacts == ()
    assert found["D", "HOSP"].dob is None


def test_the_number_alone_names_nobody(bureau: Office) -> None:
    bureau.world.sql("UPDATE retention_facts SET last_contact = '1999-09-09' WHERE issuer = 'OTHER'")
    rows = [row for row in rows_of(bureau) if row.issuer == "HOSP" and row.patient_id in ("B", "E")]
    together, single = gathered(bureau, rows)
    assert together == single
    assert all(date(1999, 9, 9) not in facts.contacts for facts in together)


def test_what_can_t_be_read_stops_the_page_too(bureau: Office) -> None:
    bureau.world.sql("UPDATE patients SET capacity = 'NEW_WORD' WHERE patient_id = 'B'")
    with pytest.raises(UnreadableRowError):
        gathered(bureau, rows_of(bureau))
