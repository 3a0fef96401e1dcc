"""The facts of one decision: which consents speak of this picture, and what is known of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from dicomwrap.terms import Purpose, WithdrawnPurpose
from orthanc_plugin.errors import UnknownImageError
from orthanc_plugin.gate import asked
from orthanc_plugin.policy.model import Anonymisable, Case, Effect, ImageStatus, MadeFor, Switches
from orthanc_plugin.registry import consents, facts, images, merging, patients, tables
from orthanc_plugin.registry.engine import open_database
from orthanc_plugin.registry.merging import Why
from orthanc_plugin.registry.stored import UnreadableRowError
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID, consent, encoded, photograph
from tests.fakes.world import World

OTHER = "urn:x:other"


def case(world: World, uid: str = UID) -> Case:
    with world.services.database.reading() as connection:
        return facts.case(connection, uid, asked(world.request(), world.clock()), Switches(), "case")


def test_an_unknown_image_makes_no_case(world: World) -> None:
    with pytest.raises(UnknownImageError):
        case(world)


def test_each_scope_of_a_consent_is_told_on_its_own(world: World) -> None:
    world.file(CARE, TEACHING)
    found = case(world).consents
    assert [(each.id, each.purposes, each.max_form) for each in found] == [
        (CONSENT_ID, ("DIRECT_CARE",), "IDENTIFIABLE"),
        (CONSENT_ID, ("TEACHING",), "ANONYMISED"),
    ]


@pytest.mark.parametrize(
    ("level", "targets", "covered"),
    [
        ("PATIENT", [], True),
        ("STUDY", ["2.25.1"], True),
        ("STUDY", ["2.25.3"], False),
        ("STUDY", [], False),
        ("SERIES", ["2.25.2"], True),
        ("SERIES", ["2.25.1"], False),
        ("IMAGE", ["2.25.9", UID], True),
        ("IMAGE", ["2.25.1", "2.25.2"], False),
        ("IMAGE", [], False),
    ],
)
def test_a_consent_speaks_of_what_its_level_names(level: str, targets: list[str], covered: bool, world: World) -> None:
    world.file(CARE)
    world.record(consent(TEACHING, id=OTHER, level=level, targets=targets))
    assert (OTHER in {each.id for each in case(world).consents}) is covered


def test_a_consent_speaks_of_the_picture_that_was_filed_under_it(world: World) -> None:
    world.record(consent(CARE, level="IMAGE"))
    world.receive()
    assert [each.id for each in case(world).consents] == [CONSENT_ID]


@pytest.mark.parametrize("purposes", [(Purpose.TEACHING,), ()])
def test_a_withdrawal_counts_at_once_though_another_node_s_clock_was_ahead(
    purposes: tuple[Purpose, ...], world: World
) -> None:
    world.file(CARE, TEACHING)
    world.review()
    assert world.services.gate.authorize(world.request("teacher")).decision.permits
    world.clock.advance(days=1)
    world.withdraw(CONSENT_ID, *purposes)
    world.clock.advance(days=-1)
    assert not world.services.gate.authorize(world.request("teacher")).decision.permits
    days = {each.on for consent in case(world).consents for each in consent.withdrawn}
    assert days == {world.clock().date()}


def test_nobody_else_s_consent_counts(world: World) -> None:
    world.file(CARE)
    world.record(consent(TEACHING, id=OTHER, patient_id="P2"))
    world.record(consent(TEACHING, id="urn:x:issuer", issuer="ELSEWHERE"))
    assert {each.id for each in case(world).consents} == {CONSENT_ID}


def test_only_the_newest_version_counts(world: World) -> None:
    world.file(CARE)
    world.withdraw()
    (known,) = case(world).consents
    whole = (WithdrawnPurpose(purpose=Purpose.DIRECT_CARE, on=world.clock().date()),)
    assert (known.state, known.withdrawn) == ("WITHDRAWN", whole)


def test_the_picture_is_as_the_registry_knows_it(world: World) -> None:
    world.file(CARE)
    image = case(world).image
    assert (image.type, image.made_for, image.status) == ("CLINICAL_PHOTO", MadeFor.CARE, ImageStatus.ACTIVE)
    assert str(image.made_on) == "2025-03-01"
    assert image.anonymisable is Anonymisable.UNKNOWN


def test_the_newest_review_counts(world: World) -> None:
    world.file(CARE)
    world.review()
    assert case(world).image.anonymisable is Anonymisable.YES
    world.clock.advance(minutes=1)
    world.review(UID, "tattoo")
    assert case(world).image.anonymisable is Anonymisable.NO


def test_what_was_said_of_the_picture_is_told(world: World) -> None:
    world.file(CARE)
    said = {"covert": True, "familial": True, "legacy": True, "intimate": True, "shows": ("FACE", "TATTOO")}
    with world.services.database.writing() as connection:
        images.change(connection, UID, said)
    image = case(world).image
    assert {name: getattr(image, name) for name in said} == said


def test_a_picture_that_isn_t_known_can_t_be_described(world: World) -> None:
    with world.services.database.writing() as connection, pytest.raises(UnknownImageError):
        images.change(connection, UID, {"covert": True})


def test_a_withdrawal_through_another_connection_counts_at_the_very_next_decision(world: World) -> None:
    world.file(CARE)
    assert {each.state for each in case(world).consents} == {"GIVEN"}
    elsewhere = open_database(world.url)
    with elsewhere.writing() as connection:
        consents.withdraw(connection, CONSENT_ID, None, on=world.clock().date(), by="nurse", at=world.clock())
    elsewhere.close()
    assert {each.state for each in case(world).consents} == {"WITHDRAWN"}


def merged(world: World) -> None:
    with world.services.database.writing() as connection:
        patients.ensure(connection, "P2", "HOSP", None)
        why = Why(reason="same person", by="clerk", at=world.clock(), ids=world.services.ids)
        merging.merge(connection, ("P1", "HOSP"), ("P2", "HOSP"), why)


def test_a_merged_patient_s_pictures_have_the_survivor_s_facts_and_everybody_s_consents(world: World) -> None:
    world.file(CARE)
    world.record(consent(TEACHING, id=OTHER, patient_id="P2", state="REFUSED"))
    assert {each.id for each in case(world).consents} == {CONSENT_ID}
    merged(world)
    found = case(world)
    assert found.patient.id == "P2"
    assert {(each.id, each.state) for each in found.consents} == {(CONSENT_ID, "GIVEN"), (OTHER, "REFUSED")}
    with world.services.database.writing() as connection:
        why = Why(reason="two people", by="clerk", at=world.clock(), ids=world.services.ids)
        merging.unmerge(connection, ("P1", "HOSP"), why)
    assert (case(world).patient.id, {each.id for each in case(world).consents}) == ("P1", {CONSENT_ID})


def test_the_survivor_s_own_pictures_have_what_was_said_under_the_other_number(world: World) -> None:
    world.file(CARE)
    world.record(consent(TEACHING, id=OTHER, patient_id="P2", state="REFUSED"))
    with world.services.database.writing() as connection:
        why = Why(reason="same person", by="clerk", at=world.clock(), ids=world.services.ids)
        merging.merge(connection, ("P2", "HOSP"), ("P1", "HOSP"), why)
        patients.change(
            connection,
            ("P1", "HOSP"),
            "national_data_opt_out",
            True,
            reason="letter",
            by="clerk",
            at=world.clock(),
            change_id="change",
        )
    assert {each.id for each in case(world).consents} == {CONSENT_ID, OTHER}
    assert case(world).patient.national_data_opt_out


def test_a_survivor_who_is_missing_leaves_no_case(world: World) -> None:
    world.file(CARE)
    merged(world)
    world.sql("DELETE FROM patients WHERE patient_id = 'P2'")
    with pytest.raises(UnreadableRowError, match=r"patients\.merged_into_id"):
        case(world)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("image_type", "'HOLOGRAM'"),
        ("made_for", "''"),
        ("source", "'DRONE'"),
        ("status", "'MISLAID'"),
        ("made_on", "'20250301x'"),
        ("intimate", "7"),
        ("covert", "-1"),
        ("familial", "2"),
        ("legacy", "2"),
        ("shows", "'FACE'"),
        ("shows", "'[1]'"),
        ("shows", "'{}'"),
    ],
)
def test_a_picture_s_stored_word_that_isn_t_known_leaves_no_case(column: str, value: str, world: World) -> None:
    world.file(CARE)
    world.sql(f"UPDATE images SET {column} = {value}")  # noqa: S608
    with pytest.raises(UnreadableRowError, match=rf"images\.{column}"):
        case(world)


@pytest.mark.parametrize(
    ("table", "column", "place"), [("patients", "capacity", "patients.capacity"), ("reviews", "outcome", "reviews")]
)
def test_a_word_that_isn_t_known_beside_the_picture_leaves_no_case(
    table: str, column: str, place: str, world: World
) -> None:
    world.file(CARE)
    world.review()
    world.sql(f"UPDATE {table} SET {column} = 'MAYBE'")  # noqa: S608
    with pytest.raises(UnreadableRowError, match=place):
        case(world)


@pytest.mark.parametrize(
    ("written", "instead", "place"),
    [
        ('"GIVEN"', '"HALF_GIVEN"', "state"),
        ('"IDENTIFIABLE"', '"HAZY"', "max_form"),
        ('"CARE_TEAM"', '"NEIGHBOURS"', "audience"),
        ('"DIRECT_CARE"', '"AI_TRAINING"', "purpose"),
        ('"PATIENT"', '"ORACLE"', "level"),
        ('"decided_on"', '"thought_on"', "decided_on"),
        ('"scopes"', '"scopez"', "scopez"),
        ('"targets"', '"only_on_sundays": true, "targets"', "only_on_sundays"),
        ("{", "[", "consents.record"),
        ('"PATIENT"', "[]", "level"),
    ],
)
def test_a_consent_that_can_t_be_read_leaves_no_case_for_it_may_be_a_denial(
    written: str, instead: str, place: str, world: World
) -> None:
    world.file(CARE, TEACHING)
    with world.services.database.writing() as connection:
        text = str(connection.execute(select(tables.consents.c.record)).scalar_one()).replace(written, instead)
        connection.execute(tables.consents.update().values(record=text))
    with pytest.raises(UnreadableRowError, match=place) as caught:
        case(world)
    assert not any(value in str(caught.value) for value in ("HALF_GIVEN", "HAZY", "NEIGHBOURS", "ORACLE"))
    assert world.services.gate.authorize(world.request()).decision.effect is Effect.DENY


@pytest.mark.parametrize(
    ("column", "value"), [("patient_id", "P1"), ("issuer", "HOSP"), ("version", 2), ("consent_id", "urn:x:moved")]
)
def test_a_consent_whose_row_says_something_else_leaves_no_case(column: str, value: object, world: World) -> None:
    world.file(CARE)
    if column in ("patient_id", "issuer"):
        world.record(consent(TEACHING, id=OTHER, **{column: "ELSEWHERE"}))
    with world.services.database.writing() as connection:
        connection.execute(tables.consents.update().values({column: value}))
    with pytest.raises(UnreadableRowError, match=r"consents\.record"):
        case(world)
    answer = world.services.gate.authorize(world.request())
    assert (answer.decision.effect, answer.decision.rules) == (Effect.DENY, ("UNREADABLE",))
    with pytest.raises(UnreadableRowError):
        world.consents()


def test_a_patient_the_registry_lost_has_no_birth_date(world: World) -> None:
    world.file(CARE)
    world.sql("DELETE FROM patients")
    assert case(world).patient.dob is None


def test_the_day_of_a_request_is_the_hospital_s(world: World) -> None:
    world.clock.at = world.clock.at.replace(month=7, day=1, hour=23, minute=30)
    assert str(asked(world.request(), world.clock()).as_of) == "2026-07-02"


def test_a_retry_of_the_same_object_changes_no_row(world: World) -> None:
    row = world.file(CARE)
    world.clock.advance(hours=1)
    assert world.receive(encoded(photograph())).reasons == ()
    assert world.rows() == [replace(row)]


def test_a_blanket_refusal_stands_against_an_older_consent_that_names_the_use(world: World) -> None:
    world.file(CARE, TEACHING)
    world.review()
    assert world.services.gate.authorize(world.request("teaching-archive")).decision.permits
    everything = {**TEACHING, "purpose": "ALL_SECONDARY"}
    world.record(consent(everything, id=OTHER, state="REFUSED", decided_on=world.clock().date().isoformat()))
    assert not world.services.gate.authorize(world.request("teaching-archive")).decision.permits
    assert world.services.gate.authorize(world.request("derm")).decision.permits


def test_what_was_agreed_to_anew_between_two_withdrawals_of_other_uses_stays_agreed_to(world: World) -> None:
    world.file(CARE, TEACHING)
    world.review()
    world.withdraw(CONSENT_ID, Purpose.TEACHING)
    world.clock.advance(days=100)
    world.record(consent(TEACHING, id=OTHER, decided_on=world.clock().date().isoformat()))
    world.clock.advance(days=100)
    world.withdraw(CONSENT_ID)
    assert world.services.gate.authorize(world.request("teaching-archive")).decision.permits
    assert not world.services.gate.authorize(world.request("derm")).decision.permits


def test_a_second_withdrawal_outranks_a_consent_given_since_the_first(world: World) -> None:
    research = {**TEACHING, "purpose": "RESEARCH", "audience": ["RESEARCH_TEAM"]}
    world.file(CARE, TEACHING, research)
    world.review()
    world.withdraw(CONSENT_ID, Purpose.RESEARCH)
    world.clock.advance(days=100)
    world.record(consent(TEACHING, id=OTHER, decided_on=world.clock().date().isoformat()))
    world.clock.advance(days=100)
    assert world.services.gate.authorize(world.request("teaching-archive")).decision.permits
    world.withdraw(CONSENT_ID, Purpose.TEACHING)
    assert not world.services.gate.authorize(world.request("teaching-archive")).decision.permits
