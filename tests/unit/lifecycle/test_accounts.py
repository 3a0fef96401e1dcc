"""The account of disclosures: whose, in which words, in which forms."""

from __future__ import annotations

import csv
from datetime import date
from io import StringIO

import pytest

from dicomwrap.consentrecord import Withdrawal
from orthanc_plugin.errors import UnknownImageError, UnknownRecordError
from orthanc_plugin.lifecycle import accountpages, accounts, people, recall, recalling, withdrawal
from orthanc_plugin.lifecycle.accounts import Account, Narrowing
from orthanc_plugin.lifecycle.people import Told
from orthanc_plugin.policy.accounts import BEYOND, STANDING_WORDS, Standing
from orthanc_plugin.policy.eventmodel import Recall
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.registry import ledger, recalls, remnants, stubs
from orthanc_plugin.registry.ledger import Delivery
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID
from tests.fakes.world import World
from tests.unit.dicomwrap.objects import PATIENT
from tests.unit.lifecycle.steps import acting, leave

TODAY = date(2026, 11, 22)
WHO = (PATIENT.id, PATIENT.issuer)


@pytest.fixture
def left(world: World) -> World:
    world.file(CARE, TEACHING)
    leave(world, "D1", effect=Effect.PERMIT_ANONYMISED)
    return world


def account(world: World, narrowing: Narrowing = accounts.EVERYTHING) -> Account:
    with world.services.database.reading() as connection:
        return accounts.of_patient(connection, world.services.policy, WHO, narrowing)


def test_the_patient_is_told_in_plain_words(left: World) -> None:
    text = accountpages.as_text(account(left), TODAY)
    assert "photograph of 1 March 2025" in text
    assert "was given to teaching-archive (students in the trust), for teaching" in text
    assert "without anything that names you" in text
    assert "They have it now." in text
    assert BEYOND in text
    assert PATIENT.id not in text


def test_a_recipient_is_said_to_have_been_asked_once_it_has_been(left: World) -> None:
    with acting(left) as (connection, act):
        withdrawal.withdraw(connection, act, CONSENT_ID, (), on=act.day, note=Withdrawal())
        (asked,) = recalls.listed(connection)
    told = [accountpages.as_text(account(left), TODAY)]
    with acting(left) as (connection, act):
        recalling.notified(connection, act, asked.recall_id)
    told.append(accountpages.as_text(account(left), TODAY))
    with acting(left) as (connection, act):
        recalling.acknowledge(connection, act, asked.recall_id, "letter on file", refused=True)
    told.append(accountpages.as_text(account(left), TODAY))
    assert ["They are to be asked" in each for each in told] == [True, False, False]
    assert [STANDING_WORDS[Standing.RECALL_ASKED] in each for each in told] == [False, True, False]
    assert "and have refused" in told[-1]
    assert account(left)[0].standing is Standing.RECALL_ASKED


def test_what_became_of_a_copy_is_told(left: World) -> None:
    (entry,) = account(left)
    assert (entry.standing, entry.live, entry.consents) == (Standing.HELD, True, (f"{CONSENT_ID} version 1",))
    with acting(left) as (connection, _):
        ledger.set_recalls(connection, ("D1",), Recall.OPEN)
    assert account(left)[0].standing is Standing.RECALL_ASKED
    with acting(left) as (connection, act):
        recall.confirm(connection, act, "D1", "letter on file")
    assert account(left)[0].standing is Standing.RECALLED
    assert account(left, Narrowing(live=True)) == ()


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Delivery.BEGUN, Standing.UNCONFIRMED),
        (Delivery.SENT, Standing.UNCONFIRMED),
        (Delivery.DELIVERED, Standing.HELD),
        (Delivery.FAILED, Standing.NOT_DELIVERED),
    ],
)
def test_how_a_release_ended_is_told(outcome: Delivery, expected: Standing, world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, outcome=outcome)
    assert account(world)[0].standing is expected


@pytest.mark.parametrize(
    ("step", "expected"), [(recall.published, Standing.PUBLISHED), (recall.key_destroyed, Standing.KEY_DESTROYED)]
)
def test_what_is_beyond_recall_is_told(step: object, expected: Standing, left: World) -> None:
    with acting(left) as (connection, act):
        step(connection, act, "D1")  # type: ignore[operator]
    assert account(left)[0].standing is expected
    assert STANDING_WORDS[expected] in accountpages.as_text(account(left), TODAY)


def test_the_account_is_one_person_s_whatever_number_is_named(left: World) -> None:
    with acting(left) as (connection, act):
        people.feed(connection, act, Told(who=("kept", "HOSP"), facts={}, reason="a merge"))
        people.merge(connection, act, WHO, ("kept", "HOSP"), "the same person")
    with left.services.database.reading() as connection:
        for who in (WHO, ("kept", "HOSP")):
            (entry,) = accounts.of_patient(connection, left.services.policy, who)
            assert entry.disclosure == "D1"


@pytest.mark.parametrize(
    ("narrowing", "count"),
    [
        (Narrowing(since=TODAY), 1),
        (Narrowing(until=TODAY), 1),
        (Narrowing(since=date(2026, 11, 23)), 0),
        (Narrowing(until=date(2026, 11, 21)), 0),
    ],
)
def test_the_days_are_the_hospital_s_and_both_count(narrowing: Narrowing, count: int, left: World) -> None:
    assert len(account(left, narrowing)) == count


def test_nobody_and_nothing_are_errors_and_an_empty_account_is_none(world: World) -> None:
    policy = world.services.policy
    world.file(CARE)
    assert account(world) == ()
    assert accountpages.NOTHING in accountpages.as_text((), TODAY)
    with world.services.database.reading() as connection:
        assert accounts.of_image(connection, policy, UID) == ()
        assert accounts.of_recipient(connection, policy, "nobody") == ()
        with pytest.raises(UnknownRecordError):
            accounts.of_patient(connection, policy, ("nobody", "HOSP"))
        with pytest.raises(UnknownImageError):
            accounts.of_image(connection, policy, "2.25.404")


def test_of_a_picture_that_is_gone_the_copies_are_still_told(left: World) -> None:
    left.sql("DELETE FROM images")
    with left.services.database.reading() as connection:
        (entry,) = accounts.of_image(connection, left.services.policy, UID)
    assert (entry.patient, entry.taken_on) == (None, None)
    assert "your photograph was given" in accountpages.as_text((entry,), TODAY)


def test_of_a_destroyed_picture_the_patient_is_still_told_where_copies_are(left: World) -> None:
    with left.services.database.writing() as connection:
        link = stubs.link(connection, WHO, "link-1")
        remnants.forget(connection, UID, link, by="records", at=left.clock().isoformat(), note="destroyed")
    (entry,) = account(left)
    assert (entry.disclosure, entry.patient) == ("D1", WHO)


def test_a_page_escapes_what_is_in_it_and_asks_for_nothing_from_elsewhere(world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, recipient="<script>alert(1)</script>")
    page = accountpages.as_html(account(world), TODAY)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not [word for word in ("src=", "href=", "url(", "http://", "https://") if word in page]
    assert accountpages.NOTHING in accountpages.as_html((), TODAY)


@pytest.mark.parametrize("form", ["text", "csv", "html"])
def test_nothing_in_an_account_breaks_a_line_or_steers_a_terminal(form: str, world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, recipient="x\x1b[2J\nThey have destroyed it\u2028\u202ey")
    page = accountpages.WRITERS[form](account(world), TODAY)
    assert [sign for sign in "\x1b\u2028\u202e" if sign in page] == []
    assert not [line for line in page.splitlines() if line.startswith("They have destroyed it")]


@pytest.mark.parametrize("said", ["=1+1", " =1+1", "\n=1+1", "\u200b=1+1", "\uff1d1+1", "@x", "\u00a0-1"])
def test_a_cell_is_never_a_formula(said: str, world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, recipient=said)
    (row,) = csv.DictReader(StringIO(accountpages.as_csv(account(world), TODAY)))
    assert row["recipient"].startswith("'")
    assert (row["disclosure"], row["form"], row["requester"]) == ("D1", "IDENTIFIABLE", "lecturer")
