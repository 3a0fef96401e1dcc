"""A ward for the listing doors' tests: a study of which some pictures are hidden, and accounts that list."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from orthanc_plugin.enforcement import listings, qido
from orthanc_plugin.registry import images
from tests.fakes.caller import Caller, Said
from tests.fakes.clinic import intimate
from tests.fakes.core import CoreSimulator
from tests.fakes.pictures import CARE, TEACHING, consent, encoded, photograph
from tests.fakes.waiting import Waiting
from tests.fakes.world import POLICY, World, make_world

STUDENT = """
[[users]]
name = "student"
roles = ["list"]
purpose = "TEACHING"
audience = "TRUST_STUDENTS"
form = "ANONYMISED"
profile = "teaching"
[[users]]
name = "reader"
roles = ["view"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"
[[dicom_nodes]]
name = "reading-room"
aet = "READING"
host = "127.0.0.1"
may = ["find"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"
[[dicom_nodes]]
name = "lecture-room"
aet = "LECTURE"
host = "127.0.0.1"
may = ["find"]
purpose = "TEACHING"
audience = "TRUST_STUDENTS"
form = "ANONYMISED"
profile = "teaching"
"""
SEEN, HIDDEN, HIDDEN_TOO = "2.25.1003", "2.25.1004", "2.25.1005"
STUDY, SERIES, HIDDEN_SERIES = "2.25.1", "2.25.2", "2.25.1006"
SECRET = "WITHHELD"


@dataclass(kw_only=True)
class Ward:
    """The world, the core in it, and whoever calls.

    Study ``STUDY`` has one picture that may be seen and one hidden one in ``SERIES``, and in ``HIDDEN_SERIES`` another.
    """

    world: World
    core: CoreSimulator
    waiting: Waiting = field(default_factory=Waiting)

    def call(self, method: str, path: str, body: object = None, account: str = "derm", **headers: str) -> Said:
        endpoints = (*listings.endpoints(self.core), *qido.endpoints(self.core))
        caller = Caller(world=self.world, endpoints=endpoints, waiting=self.waiting)
        return caller.call(method, path, account, body, **headers)

    def find(self, level: str, query: Mapping[str, str] | None = None, account: str = "derm", **also: object) -> Said:
        return self.call("POST", "/tools/find", {"Level": level, "Query": query or {}, **also}, account)

    def queries(self) -> list[str]:
        """Return the details of the queries in the trail."""
        return [str(each["detail"]) for each in self.world.trail() if each["event"] == "110112"]


def make_ward(folder: Path) -> Ward:
    """Return a ward in ``folder``: its pictures are filed, the hidden ones before the one that may be seen."""
    world = make_world(folder, policy=POLICY + STUDENT)
    world.record(consent(CARE, TEACHING))
    hidden = photograph(uid=HIDDEN_TOO, SeriesInstanceUID=HIDDEN_SERIES, SeriesDescription=SECRET, Modality="ES")
    for content in (intimate(HIDDEN), encoded(hidden), encoded(photograph(uid=SEEN))):
        assert world.receive(content).reasons == ()
    with world.services.database.writing() as connection:
        images.change(connection, HIDDEN_TOO, {"intimate": True})
    return Ward(world=world, core=CoreSimulator(archive=world.archive))


def crowd(ward: Ward, count: int) -> None:
    """Have the series hold ``count`` more pictures that may be seen."""
    table, objects = images.images, ward.world.archive.objects
    with ward.world.services.database.writing() as connection:
        (row,) = connection.execute(select(table).where(table.c.sop_instance_uid == SEEN)).mappings()
        more = [
            {**row, "sop_instance_uid": f"2.25.9{n}", "orthanc_instance": f"copy-{n}"}
            for n in range(10_000, 10_000 + count)
        ]
        connection.execute(table.insert(), more)
    objects.update({str(each["orthanc_instance"]): objects[str(row["orthanc_instance"])] for each in more})


def leaks(said: object) -> Sequence[str]:
    """Return what an answer has of the hidden pictures."""
    text = json.dumps(said)
    return [word for word in (HIDDEN, HIDDEN_TOO, HIDDEN_SERIES, SECRET) if word in text]
