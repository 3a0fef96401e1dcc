"""Nobody is seen before they were born: such a line is refused, and what came to be told so gives no date."""

from __future__ import annotations

import pytest

from orthanc_plugin.lifecycle import retaining, scheduling
from orthanc_plugin.policy.expirymodel import Status
from orthanc_plugin.registry import retentionfacts
from tests.fakes.pictures import CARE
from tests.fakes.records import SEEN, activate, fed, standing
from tests.fakes.sheets import errors
from tests.fakes.world import World


@pytest.fixture
def office(world: World) -> World:
    activate(world)
    return world


def known_of(world: World, patient: str = "P9") -> tuple[retentionfacts.Recorded, ...]:
    with world.services.database.reading() as connection:
        return retentionfacts.of(connection, [(patient, "HOSP")])


BORN = {**SEEN, "patient_id": "P9", "birth_date": "1970-03-03"}
UNBORN = [
    ("last_contact", {"last_contact": "1965-01-01"}),
    ("first_contact", {"first_contact": "1970-03-02"}),
    ("cancer_diagnosis", {"cancer_diagnosis": "1965-01-01"}),
]


@pytest.mark.parametrize(("field", "changes"), UNBORN, ids=[row[0] for row in UNBORN])
@pytest.mark.parametrize("on_record", [True, False], ids=["birth on record", "birth in the line"])
def test_a_day_before_the_birth_is_refused_with_the_remedy(
    field: str, changes: dict[str, str], office: World, *, on_record: bool
) -> None:
    if on_record:
        fed(office, {"patient_id": "P9", "birth_date": "1970-03-03"}, source="registration")
    before = known_of(office)
    found = fed(office, {**(BORN if not on_record else {**BORN, "birth_date": ""}), **changes})
    assert (found.report.applied, found.report.failed, found.feed) == (0, 1, None)
    assert found.report.errors is not None
    (row,) = errors(found.report.errors)
    assert (row["field"], "correct whichever" in row["remedy"]) == (field, True)
    assert "1970-03-03" not in row["remedy"]
    assert known_of(office) == before


def test_a_day_of_birth_is_a_day_of_care(office: World) -> None:
    born = {**BORN, "first_contact": "1970-03-03", "last_contact": "1970-03-03", "cancer_diagnosis": "1970-03-03"}
    assert fed(office, born).feed is not None


def test_a_refused_line_puts_nobody_on_record(office: World) -> None:
    fed(office, {**BORN, "last_contact": "1965-01-01"})
    assert office.sql("SELECT count(*) FROM patients WHERE patient_id = 'P9'") == [(0,)]


def test_what_two_sources_contradict_each_other_in_gives_no_date_and_a_task_in_words(office: World) -> None:
    office.file(CARE)
    office.sql("UPDATE patients SET birth_date = NULL")
    fed(office, {**SEEN, "last_contact": "1965-03-04", "categories": "LONG_TERM"})
    fed(office, {"patient_id": "P1", "birth_date": "1970-05-06"}, source="registry")
    found = standing(office)
    assert (found.status, found.due_date) == (Status.UNRESOLVED, None)
    shared = office.services
    with shared.database.writing() as connection:
        schedule = scheduling.in_force(connection)
        gaps = tuple(retaining.gaps(connection, schedule, office.clock()))
        retaining.ask(connection, shared.act("officer", "test"), gaps)
    ((reason,),) = office.sql("SELECT reason FROM tasks WHERE kind = 'COMPLETE_RETENTION_FACTS'")
    assert "the birth or the contact before it" in str(reason)
