"""What the core says of a patient, study or series is told when every picture in it may leave, and else nothing is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_plugin.enforcement.levels import MOST
from orthanc_plugin.enforcement.rest import Endpoint
from orthanc_plugin.enforcement.route import Kind, Route
from orthanc_plugin.enforcement.routes import ROUTES
from orthanc_plugin.errors import ArchiveError
from tests.fakes.core import CoreSimulator
from tests.fakes.exits import NOBODY, OTHER, THIRD, Asking, Given, endpoints_of, refuse, world_with_senders
from tests.fakes.pictures import CARE, TEACHING, UID, encoded, photograph
from tests.fakes.world import World
from tests.unit.enforcement.listing import Ward, crowd

ROWS = [row for row in ROUTES if row.kind is Kind.BODY and row.subject]
NAMED = {"patient": "orthanc_patient", "study": "orthanc_study", "series": "orthanc_series"}
STUDY = "/studies/{study}"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = world_with_senders(tmp_path)
    for uid in (UID, OTHER):
        made.file(CARE, TEACHING, uid=uid)
    yield made
    made.close()


@pytest.fixture
def core(world: World) -> CoreSimulator:
    return CoreSimulator(archive=world.archive)


@pytest.fixture
def asking(world: World, core: CoreSimulator) -> Asking:
    return Asking(world=world, core=core)


def get(asking: Asking, path: str, account: str = "sender") -> Given:
    row = asking.world.row()
    return asking.get(path.format_map({key: getattr(row, column) for key, column in NAMED.items()}), account)


def told(given: Given) -> list[str]:
    """Return the UIDs of which the core has told."""
    assert given.status == 200, given.content
    said = json.loads(given.content)
    assert isinstance(said, list)
    return said


every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)


@every_row
def test_what_the_core_says_is_told_when_every_picture_may_leave_and_each_decision_is_on_record(
    row: Route, asking: Asking, core: CoreSimulator
) -> None:
    before = len(asking.world.trail())
    assert told(get(asking, row.path)) == [UID, OTHER]
    assert [method for method, _, _ in core.asked] == ["GET"]
    entries = asking.world.trail()[before:]
    assert [(each["subject"], each["effect"], each["door"]) for each in entries] == [
        (uid, "PERMIT_IDENTIFIABLE", f"GET {row.path}") for uid in (UID, OTHER)
    ]


@every_row
def test_one_refused_picture_refuses_all_and_the_core_is_not_even_asked(
    row: Route, asking: Asking, core: CoreSimulator
) -> None:
    refuse(asking.world)
    before = len(asking.world.trail())
    given = get(asking, row.path)
    assert (given.status, core.asked, OTHER in given.content.decode()) == (403, [], False)
    (entry,) = asking.world.trail()[before:]
    (refused,) = given.json["refused"]  # type: ignore[misc]
    assert (entry["subject"], entry["effect"], refused["decisions"]) == (OTHER, "DENY", [entry["id"]])
    assert (refused["reasons"] == entry["reasons"]) is (row.subject != "patient")


@every_row
def test_a_picture_that_comes_in_while_the_core_is_asked_is_decided_on_too(
    row: Route, asking: Asking, core: CoreSimulator
) -> None:
    refuse(asking.world, THIRD)
    core.meanwhile = lambda: asking.world.receive(encoded(photograph(uid=THIRD)))
    given = get(asking, row.path)
    assert (given.status, THIRD in given.content.decode()) == (403, False)
    assert len(core.asked) == 1


def test_one_that_comes_in_and_may_leave_is_in_the_answer(asking: Asking, core: CoreSimulator) -> None:
    core.meanwhile = lambda: asking.world.receive(encoded(photograph(uid=THIRD)))
    assert told(get(asking, STUDY)) == [UID, OTHER, THIRD]
    assert len(core.asked) == 2


def test_a_study_that_never_stays_the_same_is_not_described(asking: Asking, core: CoreSimulator) -> None:
    core.meanwhile = lambda: asking.world.receive(encoded(photograph(uid=f"2.25.7{len(core.asked)}")))
    given = get(asking, STUDY)
    assert (given.status, bool(given.json["remedy"])) == (503, True)


def test_a_withdrawal_while_the_core_is_asked_counts(asking: Asking, core: CoreSimulator) -> None:
    def withdraw() -> None:
        asking.world.withdraw()

    core.meanwhile = withdraw
    assert get(asking, STUDY).status == 403


def test_without_a_record_nothing_is_told(asking: Asking, core: CoreSimulator) -> None:
    core.meanwhile = asking.world.stop_the_trail
    assert get(asking, STUDY).status == 503


def test_what_may_leave_anonymised_only_is_told_to_nobody(asking: Asking) -> None:
    for uid in (UID, OTHER):
        asking.world.review(uid)
    given = get(asking, STUDY, "lecturer")
    assert given.status == 403
    assert "anonymised copy" in given.content.decode()


def same(given: Given) -> object:
    """Return the answer without what is of this call alone."""
    (refused,) = given.json["refused"]  # type: ignore[misc]
    kept = {key: value for key, value in refused.items() if key not in ("decisions", "resource")}
    return given.status, given.json["error"], given.json["remedy"], kept, len(refused["decisions"])


@pytest.mark.parametrize("row", [row for row in ROWS if row.subject == "patient"], ids=lambda row: row.path)
def test_a_refused_patient_an_unknown_one_and_one_with_too_many_pictures_look_the_same(
    row: Route, asking: Asking, core: CoreSimulator
) -> None:
    refuse(asking.world)
    refused = get(asking, row.path)
    unknown = asking.get(row.path.format(patient=NOBODY), "sender")
    asking.world.sql("UPDATE images SET sop_instance_uid = '2.25.1003' WHERE sop_instance_uid = '2.25.4'")
    crowd(Ward(world=asking.world, core=core), MOST)
    too_many = get(asking, row.path)
    assert same(refused) == same(unknown) == same(too_many)
    assert asking.world.last_rules() == ["TOO_MANY"]


def test_what_is_guessable_and_nothing_else_is_answered_evenly(world: World) -> None:
    def one(row: Route) -> Endpoint:
        (found,) = endpoints_of(world, row.path.format(patient=NOBODY, study=NOBODY, series=NOBODY))
        return found

    assert {row.path for row in ROWS if one(row).even} == {row.path for row in ROWS if row.subject == "patient"}


def test_of_a_study_with_too_many_pictures_a_part_must_be_asked_for(asking: Asking, core: CoreSimulator) -> None:
    asking.world.sql("UPDATE images SET sop_instance_uid = '2.25.1003' WHERE sop_instance_uid = '2.25.4'")
    crowd(Ward(world=asking.world, core=core), MOST)
    given = get(asking, STUDY)
    assert (given.status, core.asked, asking.world.last_rules()) == (413, [], ["TOO_MANY"])
    assert "series" in str(given.json["remedy"])


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("?short=", "short="),
        ("?expand=false&requested-tags=Modality;PatientID", "expand=false&requested-tags=Modality%3BPatientID"),
        ("?purpose=DIRECT_CARE", ""),
    ],
)
def test_known_options_reach_the_core(query: str, asked: str, asking: Asking, core: CoreSimulator) -> None:
    assert get(asking, f"/series/{{series}}/instances{query}").status == 200
    assert core.asked[0][1].partition("?")[2] == asked


@pytest.mark.parametrize("option", ["response-content=Metadata", "_method=DELETE", "whole="])
def test_other_options_are_refused_unasked(option: str, asking: Asking, core: CoreSimulator) -> None:
    given = get(asking, f"{STUDY}?{option}")
    assert (given.status, core.asked) == (400, [])
    assert "Options are" in str(given.json["remedy"])


def test_what_this_version_of_the_core_does_not_have_is_not_there(asking: Asking, core: CoreSimulator) -> None:
    def refuse_to() -> None:
        raise ArchiveError("The archive could not answer.")

    core.meanwhile = refuse_to
    assert get(asking, "/studies/{study}/labels").status == 404
