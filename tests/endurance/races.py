"""Race withdrawals against sends on real associations: nothing may begin to leave once a withdrawal is answered.

``python -m tests.endurance.races --races 1000`` is not part of CI. One Orthanc with the plugin, a courier, and a
workstation; the kernel tells when each C-STORE request began to arrive there. In each race a new patient's photographs
go by a route, besides by C-MOVE in every third race and by WADO-RS in every third, and the patient withdraws at some
moment: after a random time, or just after a random one of the photographs arrived. A send is late when its request, by
DIMSE or HTTP, began after the withdrawal's answer. All that is queued is settled before anybody judges, and what was
never sent shows that the withdrawals came in between.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Condition, Event

import httpx
from pynetdicom import AE, evt

import dicomwrap
from demo.consents import CARE, PEOPLE, consent_file
from demo.peers import Caller, free_ports, wait_until
from demo.photographs import SUBJECTS, photograph
from demo.server import ROUTE, Ports, Server
from orthanc_plugin.registry import outbox
from orthanc_plugin.registry.engine import Database, open_database
from tests.endurance.receiver import Receiver, receiving
from tests.endurance.scene import REGISTRY, Node
from tests.endurance.wire import P_DATA_TF, Wire, wired
from tests.fakes import postgres

PICTURES = 5
TOGETHER = 10  # races whose photographs are filed together; the courier comes to each in turn
PAUSE = 0.02
LONGEST = 4.0  # seconds until whoever doesn't wait for a photograph withdraws
SOON = 0.04  # seconds between the arrival of a photograph and the withdrawal
SECONDS = 180
BY_MOVE, BY_WEB, BY_ROUTE = range(3)
AS_STORED = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
QUIET = 2.5  # seconds; Orthanc counts a series as stable one second after its last photograph
BEFORE, MEANWHILE, LATE, NEVER, CUT = NAMES = (
    "sends before the withdrawal",
    "while it was recorded",
    "late",
    "photographs never sent",
    "races cut in the middle",
)


@dataclass(kw_only=True)
class Race:
    """One patient's photographs, and what happened when.

    Attributes:
        number: which race it is.
        waits_for: for how many photographs to arrive the withdrawal waits; None when it only waits for a time.
        after: what share of the longest time there is until the withdrawal.
        asked: the moment at which the withdrawal was asked for.
        answered: the moment at which its answer was there.
        web: for each photograph got by WADO-RS, when it was asked for.
    """

    number: int
    study: str
    series: str
    consent: str
    waits_for: int | None
    after: float
    files: dict[str, Path] = field(default_factory=dict)
    asked: float = 0.0
    answered: float = 0.0
    web: list[float] = field(default_factory=list)
    over: Event = field(default_factory=Event)


@dataclass(kw_only=True)
class Watching(Receiver):
    """Notes when the first bytes of a C-STORE request arrived, not those of the association that it is on."""

    wire: Wire
    sends: dict[str, list[float]] = field(default_factory=dict)
    more: Condition = field(default_factory=Condition)
    since: float = field(default_factory=time.time)

    def heard(self, event: evt.Event) -> None:
        """Note when a message begins."""
        if event.data[0] == P_DATA_TF:
            self._first.setdefault(event.assoc, self.wire.arrived(event.assoc.requestor.port))

    def _take(self, uid: str, content: bytes, began: float) -> None:
        assert began > self.since, "the kernel's time of it is missing"
        super()._take(uid, content, began)
        with self.more:
            self.sends.setdefault(uid, []).append(began)
            self.more.notify_all()

    def arrived(self, uids: Collection[str], count: int) -> bool:
        """Wait until so many of these have arrived; tell whether they have."""
        with self.more:
            return self.more.wait_for(lambda: sum(uid in self.sends for uid in uids) >= count, SECONDS)


@dataclass(kw_only=True)
class Ground:
    """The archive, its registry and its workstation; ``work`` is for files."""

    node: Node
    database: Database
    workstation: Watching
    client: httpx.Client
    work: Path

    def ask(self, method: str, path: str, account: str, **more: object) -> httpx.Response:
        """Ask the archive by HTTP, on a connection that is open already."""
        server = self.node.server
        auth = (account, server.passwords[account])
        return self.client.request(method, f"{server.url}{path}", auth=auth, **more)  # type: ignore[arg-type]

    def unsettled(self) -> int:
        """Return how many rows of the outbox are still to be sent."""
        with self.database.reading() as connection:
            counted = outbox.counts(connection)
        return counted[outbox.State.WAITING] + counted[outbox.State.CLAIMED]


@contextmanager
def ground(folder: Path, *, postgresql: bool) -> Iterator[Ground]:
    """Start everything; stop it at the end."""
    with ExitStack() as stack:
        address = f"sqlite:///{folder / 'orthanc' / 'registry.db'}"
        if postgresql:
            registry = stack.enter_context(postgres.running(options=()))
            os.environ[REGISTRY] = address = registry.database("template1")
            stack.callback(os.environ.pop, REGISTRY)
        http, dicom, camera, workstation, teaching, behind = free_ports(6)
        ports = Ports(http=http, dicom=dicom, camera=camera, workstation=workstation, teaching=teaching)
        node = Node(server=Server(folder=folder / "orthanc", ports=ports))
        receiver = Watching(pause=PAUSE, wire=stack.enter_context(wired(workstation, behind)))
        stack.enter_context(receiving("DERMWS", behind, receiver))
        stack.callback(node.server.stop)
        node.server.start()
        node.server.stop()
        node.configure((node.server.folder / "policy.toml").read_text() + ROUTE)
        node.start()
        stack.callback(node.kill_courier)
        node.send()
        database = open_database(address)
        stack.callback(database.close)
        client = stack.enter_context(httpx.Client(timeout=SECONDS, trust_env=False))
        work = folder / "work"
        work.mkdir()
        yield Ground(node=node, database=database, workstation=receiver, client=client, work=work)


def prepared(place: Ground, number: int, chance: random.Random) -> Race:
    """Have a new patient consent, and wrap their photographs."""
    person = PEOPLE[0]
    consent = f"urn:x:race-{number}"
    text = consent_file(person, place.work).read_text()
    said = json.loads(text) | {"id": consent, "patient_id": f"RACE-{number:05}", "scopes": [CARE]}
    said["giver"]["id"] = said["patient_id"]
    answer = place.ask("POST", "/consentgate/consents", "epr", content=json.dumps(said))
    assert answer.status_code == 200, answer.text
    race = Race(
        number=number,
        study=dicomwrap.fresh_uid(),
        series=dicomwrap.fresh_uid(),
        consent=consent,
        waits_for=chance.choice((None, *range(1, PICTURES))),
        after=chance.uniform(0, 1),
    )
    stamp = dicomwrap.stamp_of(dicomwrap.read_consent(json.dumps(said)), dicomwrap.Purpose.DIRECT_CARE)
    (picture,) = dicomwrap.read_photographs(photograph(SUBJECTS[0], date.today()))  # noqa: DTZ011 - a day
    now = datetime.now(UTC)
    patient = dicomwrap.Patient(
        id=str(said["patient_id"]), issuer="HOSPITAL", name=person.name, birth_date=date(1980, 6, 15), sex="F"
    )
    visit = dicomwrap.Visit(study_instance_uid=race.study, started=dicomwrap.capture_moment(picture.facts, now).local)
    for place_in_series in range(1, PICTURES + 1):
        uid = dicomwrap.fresh_uid()
        about = dicomwrap.Circumstances(
            patient=patient,
            visit=visit,
            place=dicomwrap.Place(series_instance_uid=race.series, series_number=1, instance_number=place_in_series),
            view=dicomwrap.View(site=dicomwrap.body_site(person.body_site), laterality="L"),
            wrapping=dicomwrap.Wrapping(at=now, sop_instance_uid=uid, version=dicomwrap.VERSION),
        )
        race.files[uid] = place.work / f"{number}-{place_in_series}.dcm"
        dicomwrap.write(dicomwrap.wrap_photograph(picture, about, stamp), race.files[uid])
    return race


def filed(place: Ground, races: Sequence[Race]) -> None:
    """File the photographs of all races on one association, as a camera does."""
    entity = AE(ae_title="DERMCAM")
    entity.add_requested_context("1.2.840.10008.5.1.4.1.1.77.1.4", "1.2.840.10008.1.2.4.50")
    camera = entity.associate("127.0.0.1", place.node.server.ports.dicom, ae_title="CONSENTGATE")
    assert camera.is_established
    for race in races:
        for file in race.files.values():
            status = camera.send_c_store(file)
            assert status.get("Status") == 0, f"not filed: {status}"
            file.unlink()
    camera.release()


def run(place: Ground, race: Race) -> None:
    """Withdraw at the race's moment, while its photographs leave."""
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit({BY_MOVE: _moves, BY_WEB: _gets}.get(race.number % 3, _nothing), place, race)
        if race.waits_for is None:
            time.sleep(race.after * LONGEST)
        else:
            assert place.workstation.arrived(race.files, race.waits_for), f"race {race.number}: nothing arrives"
            time.sleep(race.after * SOON)
        race.asked = time.time()
        answer = place.ask("POST", f"/consentgate/consents/{race.consent}/withdrawal", "epr", content="{}")
        race.answered = time.time()
        race.over.set()
        assert answer.status_code == 200, answer.text
        other.result()


def _nothing(_place: Ground, _race: Race) -> None:
    """Have the route alone send."""


def _moves(place: Ground, race: Race) -> None:
    """Have the workstation ask by C-MOVE, too, until the withdrawal is answered and once more."""
    workstation = Caller(aet="DERMWS", port=place.node.server.ports.dicom)
    while not race.over.is_set():
        workstation.move("DERMWS", StudyInstanceUID=race.study)
    workstation.move("DERMWS", StudyInstanceUID=race.study)


def _gets(place: Ground, race: Race) -> None:
    """Have somebody get the photographs by WADO-RS, until the withdrawal is answered and once more."""
    while True:
        last = race.over.is_set()
        for uid in race.files:
            asked = time.time()
            path = f"/dicom-web/studies/{race.study}/series/{race.series}/instances/{uid}"
            if place.ask("GET", path, "derm", headers=AS_STORED).status_code == 200:
                race.web.append(asked)
        if last:
            return


def judged(races: Sequence[Race], sends: Mapping[str, Sequence[float]]) -> Counter[str]:
    """Count what happened in these races."""
    found: Counter[str] = Counter()
    for race in races:
        arrived = [sends.get(uid, ()) for uid in race.files]
        for began in (*(at for each in arrived for at in each), *race.web):
            found[BEFORE if began < race.asked else MEANWHILE if began <= race.answered else LATE] += 1
        never = sum(not each for each in arrived)
        found[NEVER] += never
        found[CUT] += 0 < never < PICTURES
    return found


def late(races: Sequence[Race], sends: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """Say of each late send which it was, and how late."""
    for race in races:
        besides = {BY_MOVE: "route and C-MOVE", BY_WEB: "route"}.get(race.number % 3, "route")
        ways = [(besides, at) for uid in race.files for at in sends.get(uid, ())] + [("WADO-RS", at) for at in race.web]
        for way, at in ways:
            if at > race.answered:
                yield f"race {race.number}, by {way}: {(at - race.answered) * 1000:.1f} ms after the answer"


def main() -> int:
    """Run the races; return 1 when a send was late."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--races", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--postgresql", action="store_true", help="keep the registry in PostgreSQL, not in SQLite")
    parser.add_argument("--folder", type=Path, help="where everything is kept; a temporary one unless given")
    asked = parser.parse_args()
    chance = random.Random(asked.seed)  # noqa: S311 - moments, no secrets
    with tempfile.TemporaryDirectory(prefix="consentgate-races-") as temporary:
        folder = asked.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with ground(folder, postgresql=asked.postgresql) as place:
            found = raced(place, asked.races, chance)
            verified = place.node.server.consentgate("audit", "verify")
    _say(f"the trail: {'holds' if verified.returncode == 0 else verified.stderr}")
    return 1 if found[LATE] or verified.returncode else 0


def raced(place: Ground, count: int, chance: random.Random) -> Counter[str]:
    """Run so many races, a few at a time; count what happened."""
    began, races = time.monotonic(), list[Race]()
    for first in range(0, count, TOGETHER):
        some = [prepared(place, number, chance) for number in range(first, min(first + TOGETHER, count))]
        races += some
        with ThreadPoolExecutor(TOGETHER) as pool:
            filed(place, some)
            for each in [pool.submit(run, place, race) for race in some]:
                each.result()
        settle(place)
        found = judged(races, place.workstation.sends)
        counted = "; ".join(f"{found[name]} {name}" for name in NAMES)
        _say(f"{time.monotonic() - began:6.0f} s  {len(races)} races: {counted}")
        for words in late(some, place.workstation.sends):
            _say(f"          LATE: {words}")
    return judged(races, place.workstation.sends)


def settle(place: Ground) -> None:
    """Return once nothing has waited to be sent for longer than a series takes to become stable."""
    quiet = time.monotonic()

    def settled() -> bool:
        nonlocal quiet
        if place.unsettled():
            quiet = time.monotonic()
        return time.monotonic() > quiet + QUIET

    assert wait_until(settled, SECONDS), f"{place.unsettled()} photographs are still to be sent"


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
