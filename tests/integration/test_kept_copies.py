"""A copy that a courier made ahead leaves by every door that gives copies; it is sealed until then, and it ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from demo.peers import wait_until
from orthanc_plugin.policy.reviewing import CHECKLIST
from orthanc_plugin.registry.engine import open_database
from tests.integration.needles import found, needles_of
from tests.integration.test_reviews import COPYING, Gallery, left, opened

SECONDS = 120.0  # four beats of the heart


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    with opened(tmp_path_factory.mktemp("kept")) as made:
        yield made


def sql(gallery: Gallery, statement: str) -> list[tuple[object, ...]]:
    address = f"sqlite:///{gallery.server.folder / 'registry.db'}"
    with closing(open_database(address)) as database, database.writing() as connection:
        answered = connection.exec_driver_sql(statement)
        return [tuple(row) for row in answered] if answered.returns_rows else []


def rows(gallery: Gallery) -> int:
    return int(str(sql(gallery, "SELECT count(*) FROM kept_copies")[0][0]))


def files(gallery: Gallery) -> list[Path]:
    folder = gallery.server.folder / "quarantine" / ".copies"
    return [each for each in folder.glob("*") if each.name != ".place"]


@contextmanager
def courier(gallery: Gallery) -> Iterator[None]:
    program = Path(sys.executable).parent / "consentgate"
    settings = str(gallery.server.folder / "settings.toml")
    with (gallery.server.folder / "courier.log").open("ab") as log:
        process = subprocess.Popen([str(program), "--settings", settings, "courier"], stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def by_door(gallery: Gallery) -> dict[str, list[bytes]]:
    return {name: door(gallery) for name, door in COPYING.items()}


def test_what_is_made_ahead_is_what_leaves_until_the_patient_says_no(gallery: Gallery) -> None:
    assert left(gallery) == {}  # and so somebody waits for the copy
    gallery.review("opening")
    picture = f"/consentgate/reviews/{gallery.picture.SOPInstanceUID}/picture?profile=teaching"
    assert gallery.ask("GET", picture, "reviewer").status_code == 200
    with courier(gallery):
        assert rows(gallery) == 0
        assert gallery.review("confirmation", answers=dict.fromkeys(CHECKLIST, "NOT_SHOWN"))["anonymisable"] == "YES"
        assert wait_until(lambda: len(files(gallery)) == rows(gallery) == 1, SECONDS)
    told = gallery.ask("GET", "/consentgate/health", "admin").json()["parts"]["copies"]
    assert (told["ok"], told["detail"].split(" ")[0]) == (True, "1")
    (kept,) = files(gallery)
    sealed = kept.read_bytes()
    assert found(sealed, needles_of(gallery.journey.wrapped["B"].file)) == []
    assert b"DICM" not in sealed
    prepared = by_door(gallery)
    assert (rows(gallery), files(gallery)) == (1, [kept])  # nothing was made
    sql(gallery, "DELETE FROM kept_copies")
    made = by_door(gallery)
    assert {name: len(copies) for name, copies in made.items()} == dict.fromkeys(COPYING, 1)
    assert prepared == made
    assert wait_until(lambda: kept not in files(gallery), SECONDS)  # nobody could open it any more
    (again,) = files(gallery)
    consent = gallery.journey.wrapped["B"].person.consent
    withdrawn = gallery.server.consentgate("consent", "withdraw", consent, "--by", "nurse")
    assert withdrawn.returncode == 0, withdrawn.stderr
    assert rows(gallery) == 0
    assert left(gallery) == {}
    assert wait_until(lambda: again not in files(gallery), SECONDS)
    verified = gallery.server.consentgate("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
