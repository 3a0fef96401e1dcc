"""A registry the size of a large hospital's, made up: N images, N/20 patients, N/10 consents, N/10 reviews.

Everything follows from its number, so the same N gives the same registry. Image UIDs ascend, for a bulk load wants them
sorted; which patient an image belongs to is spread all over, as it would be. Consents are what Consentgate writes.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from hashlib import blake2b
from typing import Final

import psycopg
from sqlalchemy import Table

from dicomwrap.consentfile import consent_json
from dicomwrap.consentrecord import ConsentRecord, Discussion, Scope
from dicomwrap.terms import (
    SECONDARY_PURPOSES,
    Audience,
    ConsentLevel,
    ConsentState,
    EvidenceType,
    Explained,
    Form,
    Giver,
    GiverType,
    Purpose,
)
from orthanc_plugin.registry import schema
from orthanc_plugin.registry.engine import open_database
from orthanc_plugin.registry.tables import consents, images, patients, reviews, snapshots

AT: Final = "2026-11-01T10:00:00+00:00"
IMAGES_EACH: Final = 20
TABLES: Final = (patients, consents, images, reviews)
Row = tuple[object, ...]


def build(url: str, count: int) -> bool:
    """Fill the empty database at ``url`` with ``count`` images; False when they were there already."""
    database = open_database(url)
    schema.upgrade(database)
    done = snapshots.c.digest == _mark(count)
    with database.reading() as connection:
        if connection.execute(snapshots.select().where(done)).first():
            database.close()
            return False
    indexes = [index for table in TABLES for index in sorted(table.indexes, key=lambda each: str(each.name))]
    with database.writing() as connection:
        for table in TABLES:
            connection.execute(table.delete())
        for index in indexes:
            index.drop(connection, checkfirst=True)
    database.close()
    on_sqlite = url.startswith("sqlite")
    (_into_sqlite if on_sqlite else _into_postgresql)(url, count)
    with database.writing() as connection:
        if not on_sqlite:
            connection.exec_driver_sql("SET statement_timeout = 0")
        for index in indexes:
            index.create(connection)
        if not on_sqlite:
            connection.exec_driver_sql("ANALYZE")
        connection.execute(snapshots.insert().values(digest=_mark(count), body=""))
    database.close()
    return True


def _mark(count: int) -> str:
    return f"made-up hospital of {count} images"


def image_uid(number: int) -> str:
    """Return the SOP Instance UID of image ``number``."""
    return _uid("1", number)


def _uid(kind: str, number: int) -> str:
    tail = int.from_bytes(blake2b(f"{kind} {number}".encode(), digest_size=11).digest(), "big")
    return f"2.25.{kind}{number:010d}{tail % 10**26:026d}"


def _into_sqlite(url: str, count: int) -> None:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-262144")
    for table, rows in _contents(count):
        marks = ", ".join("?" * len(table.columns))
        with connection:
            connection.executemany(f"INSERT INTO {table.name} VALUES ({marks})", rows)  # noqa: S608 - fixed names
    connection.close()


def _into_postgresql(url: str, count: int) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for table, rows in _contents(count):
            with cursor.copy(f"COPY {table.name} FROM STDIN".encode()) as copy:
                for row in rows:
                    copy.write_row(row)


def _contents(count: int) -> Iterator[tuple[Table, Iterator[Row]]]:
    people = count // IMAGES_EACH
    yield patients, (_patient(number) for number in range(people))
    yield consents, (row for number in range(people) for row in _consents(number))
    yield images, (_image(number, people) for number in range(count))
    yield reviews, (_review(number) for number in range(0, count, 10))


def _key(person: int) -> tuple[str, str]:
    return f"{person:08d}", "HOSP"


def _study(person: int, visit: int) -> str:
    return _uid("3", 2 * person + visit)


def _patient(person: int) -> Row:
    born = date(1930 + person % 90, 1 + person % 12, 1 + person % 28).isoformat()
    return (*_key(person), born, None, "HAS", "NA", int(person % 20 == 0), None, None, AT)


def _consents(person: int) -> Iterator[Row]:
    """Give the patient's one to three consents: to care and teaching, to a publication, and a refusal."""
    patient_id, issuer = _key(person)
    for number, text in enumerate(TEXTS[: 1 + person % 3]):
        name = f"urn:consent:{person:08d}-{number}"
        said = text.replace("THE-CONSENT", name).replace("THE-PATIENT", patient_id)
        yield name, 1, patient_id, issuer, said.replace("2.25.7", _study(person, 0)), AT, "nurse"


def _image(number: int, people: int) -> Row:
    person = number * 7919 % people
    turn = number // people
    study = _study(person, turn % 2)
    instance = blake2b(str(number).encode(), digest_size=20).hexdigest()
    digest = blake2b(f"{number} ".encode(), digest_size=32).hexdigest()
    return (
        image_uid(number),
        "1.2.840.10008.5.1.4.1.1.77.1.4",
        f"{study}.1",
        study,
        *_key(person),
        f"A{2 * person + turn % 2:09d}",
        _grouped(instance),
        _grouped(blake2b(f"series {study}".encode(), digest_size=20).hexdigest()),
        _grouped(blake2b(f"study {study}".encode(), digest_size=20).hexdigest()),
        _grouped(blake2b(f"patient {person}".encode(), digest_size=20).hexdigest()),
        "CLINICAL_PHOTO",
        "2025-03-01",
        "CARE",
        "DEPARTMENT",
        0,
        "ACTIVE",
        digest,
        f"urn:consent:{person:08d}-0",
        AT,
        0,
        0,
        0,
        "[]",
        None,
        f"SN{number % 40:04d}",
        None,
        "DEDICATED",
        600_000,
        "",
        "33712006",
        "Dermatology",
    )


def _grouped(digest: str) -> str:
    return "-".join(digest[start : start + 8] for start in range(0, 40, 8))


def _review(number: int) -> Row:
    digest = blake2b(f"{number} ".encode(), digest_size=32).hexdigest()
    steps = (0, "VERDICT", "", "", "", "[]", "[]")
    return f"review-{number:010d}", image_uid(number), digest, "YES", CHECKLIST, "dr-look", AT, "", *steps


def _scope(purpose: Purpose, form: Form, *audience: Audience) -> Scope:
    return Scope(purpose=purpose, max_form=form, audience=audience, valid_from=date(2025, 3, 1))


def _texts() -> tuple[str, ...]:
    care = ConsentRecord(
        id="THE-CONSENT",
        patient_id="THE-PATIENT",
        issuer="HOSP",
        level=ConsentLevel.PATIENT,
        state=ConsentState.GIVEN,
        giver=Giver(type=GiverType.PATIENT),
        decided_on=date(2025, 3, 1),
        scopes=(
            _scope(Purpose.DIRECT_CARE, Form.IDENTIFIABLE, Audience.CARE_TEAM),
            _scope(Purpose.TEACHING, Form.ANONYMISED, Audience.TRUST_STUDENTS, Audience.TRUST_CLINICIAN),
        ),
        evidence=EvidenceType.SIGNED_FORM,
        explained=tuple(Explained),
        discussion=Discussion(note="Talked about teaching; no questions left.", author="dr-derm"),
    )
    journal = _scope(Purpose.PUBLICATION, Form.ANONYMISED, Audience.JOURNAL)
    published = replace(
        care, level=ConsentLevel.STUDY, targets=("2.25.7",), scopes=(replace(journal, named_publication="A journal"),)
    )
    refused = replace(
        care,
        state=ConsentState.REFUSED,
        scopes=tuple(_scope(each, Form.IDENTIFIABLE, *Audience) for each in sorted(SECONDARY_PURPOSES)[:2]),
    )
    return tuple(consent_json(each) for each in (care, published, refused))


TEXTS: Final = _texts()
CHECKLIST: Final = json.dumps(dict.fromkeys(("face", "tattoo", "room"), False))
