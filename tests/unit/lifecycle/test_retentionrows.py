"""Files of facts for retention: each line wholly or not at all, resumable, and fresh only when nothing failed."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

import pytest

from orthanc_plugin.config.schedulefile import shipped
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle import retentionrows
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.registry import patients, retentionfacts
from tests.fakes.records import SEEN, activate, fed
from tests.fakes.sheets import errors, sheet
from tests.fakes.world import World

CUT_OFF_AT = 2  # calls: whether the file is newest, the file, the first line
TRIAL = {
    "patient_id": "P1",
    "trial_id": "T1",
    "trial_regime": "UK_2026",
    "trial_concluded": "2026-06-30",
    "ma_open_at_expiry": "no",
}


@pytest.fixture
def office(world: World) -> World:
    activate(world)
    return world


def told(world: World, patient: str = "P1") -> tuple[retentionfacts.Recorded, ...]:
    with world.services.database.reading() as connection:
        return retentionfacts.of(connection, [(patient, "HOSP")])


def fresh(world: World) -> dict[str, retentionfacts.Feed]:
    with world.services.database.reading() as connection:
        return retentionfacts.feeds(connection)


def test_what_a_source_tells_replaces_its_own_word_and_an_empty_cell_takes_nothing_away(office: World) -> None:
    fed(office, {**SEEN, "cancer_diagnosis": "2001-01-01", "categories": "CANCER|DENTAL"})
    office.clock.advance(hours=1)
    fed(office, {"patient_id": "P1", "last_contact": "2020-01-01"})
    fed(office, {"patient_id": "P1", "last_contact": "2019-01-01"}, source="oncology")
    oncology, pas = told(office)
    assert (oncology.told.last_contact.isoformat(), oncology.told.categories) == ("2019-01-01", None)  # type: ignore[union-attr]
    assert pas.told.categories == ("CANCER", "DENTAL")
    assert (str(pas.told.last_contact), str(pas.told.cancer_diagnosis)) == ("2020-01-01", "2001-01-01")
    assert list(fresh(office)) == ["oncology", "pas"]


def test_each_trial_has_a_line_of_its_own(office: World) -> None:
    assert fed(office, TRIAL, {**TRIAL, "trial_id": "T2", "trial_concluded": ""}, source="research").feed is not None
    assert [(each.by.trial_id, str(each.told.trial_concluded)) for each in told(office)] == [
        ("T1", "2026-06-30"),
        ("T2", "None"),
    ]


def test_births_and_deaths_go_to_the_patient_s_own_record(office: World) -> None:
    fed(office, {**SEEN, "birth_date": "1970-03-03", "death_date": "2016-01-01"})
    with office.services.database.reading() as connection:
        known = patients.find(connection, "P1", "HOSP")
    assert known is not None
    assert (str(known.dob), str(known.death_date)) == ("1970-03-03", "2016-01-01")
    assert [entry["effect"] for entry in office.trail()][-3:] == ["PATIENT_FACTS", "RETENTION_FACTS", "RETENTION_FEED"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"last_contact": "10/03/2015"}, "last_contact"),
        ({"last_contact": "2015-02-30"}, "last_contact"),
        ({"last_contact": "2035-01-01"}, "last_contact"),
        ({"first_contact": "2016-01-01"}, "first_contact"),
        ({"open_episode": "maybe"}, "open_episode"),
        ({"categories": "CANCR"}, "categories"),
        ({"categories": "|"}, "categories"),
        ({"departments": " | "}, "departments"),
        ({"trial_regime": "UK_2026"}, "trial_id"),
        ({"trial_id": "T1"}, "trial_regime"),
        ({"trial_id": "T1", "trial_regime": "EU"}, "trial_regime"),
        ({"death_date": "1960-01-01", "birth_date": "1970-01-01"}, "death_date"),
        ({"patient_id": ""}, "patient_id"),
    ],
)
def test_a_line_that_fails_is_named_and_the_source_is_not_fresh(
    changes: dict[str, str], field: str, office: World
) -> None:
    found = fed(office, {**SEEN, "patient_id": "P2"}, {**SEEN, **changes})
    assert (found.report.applied, found.report.failed, found.feed) == (1, 1, None)
    assert found.report.errors is not None
    (row,) = errors(found.report.errors)
    assert field in row["field"]
    assert row["remedy"]
    assert (told(office), fresh(office)) == ((), {})


def test_the_corrected_lines_make_the_source_fresh(office: World) -> None:
    first = fed(office, {**SEEN, "patient_id": "P2"}, {**SEEN, "open_episode": "?"})
    assert first.feed is None
    again = fed(office, {**SEEN, "patient_id": "P2"}, SEEN)
    assert (again.report.applied, again.report.known) == (1, 1)
    assert fresh(office)["pas"].told_at == office.clock()


def test_an_import_that_was_cut_off_is_run_again_and_only_then_is_the_source_fresh(office: World) -> None:
    shared, calls = office.services, count()
    path = sheet(office.folder / "pas.csv", SEEN, {**SEEN, "patient_id": "P2"})

    def acting() -> Act:
        if next(calls) > CUT_OFF_AT:
            raise KeyboardInterrupt
        return shared.act("feeder", "test")

    with pytest.raises(KeyboardInterrupt):
        retentionrows.take_in(shared.database, acting, shipped(), path, "pas", office.clock())
    assert (len(told(office)), told(office, "P2"), fresh(office)) == (1, (), {})
    again = fed(office, SEEN, {**SEEN, "patient_id": "P2"})
    assert (again.report.applied, again.report.known) == (1, 1)
    assert list(fresh(office)) == ["pas"]


def test_the_same_words_told_later_are_news(office: World) -> None:
    fed(office)
    office.clock.advance(hours=1)
    assert fed(office).report.applied == 1
    assert told(office)[0].by.told_at == office.clock()


@pytest.mark.parametrize(("hours", "words"), [(-1, "newer"), (1, "still to come")], ids=["older", "of tomorrow"])
def test_an_older_file_and_one_of_a_moment_to_come_are_refused(hours: int, words: str, office: World) -> None:
    fed(office)
    with pytest.raises(IllegalTransitionError, match=words):
        fed(office, {**SEEN, "patient_id": "P2"}, as_of=office.clock() + timedelta(hours=hours))
    assert told(office, "P2") == ()
