"""A real Orthanc that was filled before routes asked for anything: what its pictures say is read back from them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from demo.consents import PEOPLE
from orthanc_plugin.registry.engine import open_database
from tests.integration.archive import Archive, started

ROUTE = f"""
[[routes]]
name = "of-this-site"
recipient = "dermatology-workstation"
purpose = "DIRECT_CARE"
owner = "dermatology department"
body_sites = ["{PEOPLE[0].body_site}"]
"""
BY = ("--by", "pacs-admin")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Give an archive whose registry is as an upgrade from before schema 0010 leaves it, and a route that asks."""
    with started(tmp_path_factory.mktemp("backfill")) as running:
        running.server.stop()
        with (running.server.folder / "policy.toml").open("a") as policy:
            policy.write(ROUTE)
        running.server.start()
        database = open_database(f"sqlite:///{running.server.folder}/registry.db")
        with database.writing() as connection:
            connection.exec_driver_sql("UPDATE images SET body_site = '', department = ''")
        database.close()
        yield running


def asked(archive: Archive, *arguments: str, code: int = 0) -> Any:  # noqa: ANN401 - JSON can be anything
    done = archive.server.consentgate(*arguments, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def matches(archive: Archive, letter: str) -> tuple[bool, str]:
    """Tell what the route says of a patient's picture, and why."""
    (route,) = asked(archive, "route", "test", archive.wrapped(letter).sop_instance_uid)["routes"]
    return route["matches"], "; ".join(route["conditions"])


def test_what_nobody_knows_is_no_match_until_it_is_read_back_and_nothing_is_sent_for_it(archive: Archive) -> None:
    matched, why = matches(archive, "A")
    assert (matched, "the body site is not known" in why) == (False, True)
    found = asked(archive, "image", "backfill", *BY)
    assert found == {"filled": 2, "silent": 0, "changed": 0, "unread": 0}
    assert matches(archive, "A") == (True, f"the body site is {PEOPLE[0].body_site}")
    assert matches(archive, "B")[0] is False
    assert asked(archive, "route", "queue") == []
    assert archive.server.consentgate("audit", "verify").returncode == 0


def test_a_second_run_fills_nothing_in_and_leaves_no_entry(archive: Archive) -> None:
    asked(archive, "image", "backfill", *BY)
    before = archive.last_entry()
    found = asked(archive, "image", "backfill", "--again", *BY)
    assert (found["filled"], found["changed"], found["unread"]) == (0, 0, 0)
    assert archive.entries_since(before) == []


def test_a_picture_that_is_not_the_one_that_was_accepted_is_named_and_not_believed(archive: Archive) -> None:
    uid = archive.wrapped("A").sop_instance_uid
    database = open_database(f"sqlite:///{archive.server.folder}/registry.db")
    try:
        with database.writing() as connection:
            connection.exec_driver_sql("UPDATE images SET body_site = ''")
            ((right,),) = connection.exec_driver_sql(
                f"SELECT sha256 FROM images WHERE sop_instance_uid = '{uid}'"  # noqa: S608 - a UID
            )
            another = f"UPDATE images SET sha256 = '{{}}' WHERE sop_instance_uid = '{uid}'"  # noqa: S608 - a UID
            connection.exec_driver_sql(another.format("0" * 64))
        done = archive.server.consentgate("image", "backfill", "--again", *BY)
        assert (done.returncode, done.stderr.strip()) == (1, f"{uid}: changed")
        assert done.stdout.startswith("1 filled in, 0 say nothing more, 1 changed, 0 unread.")
        assert matches(archive, "A")[0] is False
        with database.writing() as connection:
            connection.exec_driver_sql(another.format(right))
    finally:
        database.close()
    assert asked(archive, "image", "backfill", *BY)["filled"] == 1
    assert matches(archive, "A")[0] is True


def test_without_orthanc_it_says_what_to_do(archive: Archive) -> None:
    archive.server.stop()
    try:
        done = archive.server.consentgate("image", "backfill", *BY)
    finally:
        archive.server.start()
    assert (done.returncode, done.stdout) == (1, "")
    assert "No running Orthanc with Consentgate was found." in done.stderr
