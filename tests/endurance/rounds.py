"""A round: a patient comes, photographs are filed, somebody withdraws, and something is killed at a random moment.

Knows what may be killed, and when everything counts as settled. Must not know what must be true then.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from demo.peers import wait_until
from orthanc_plugin.registry.engine import Database, open_database
from orthanc_plugin.registry.outbox import State
from tests.endurance.people import Case, admitted, filed, reviewed, withdraw
from tests.endurance.scene import ROUTES, Scene

LONGEST = 4.0  # seconds until the kill
DOWN = 1.0
SETTLED_WITHIN = 180.0
WITHDRAWS = 0.3
LONG_AGO = "2000-01-01T00:00:00+00:00"
TARGETS = ("courier 1", "courier 2", "orthanc 1", "orthanc 2", "registry")
UNSETTLED = (State.WAITING, State.CLAIMED, State.DEAD)


def play(scene: Scene, cases: list[Case], number: int, work: Path, chance: random.Random) -> str:
    """Play one round; return what happened, in words."""
    case = admitted(scene, number, work)
    cases.append(case)
    target, moment, down = TARGETS[number % len(TARGETS)], chance.uniform(0, LONGEST), chance.uniform(0, DOWN)
    leaving = _leaving(cases, chance)
    with ThreadPoolExecutor(3) as pool:
        doing = [pool.submit(_comes, scene, case)]
        if leaving is not None:
            doing.append(pool.submit(_goes, scene, leaving, chance.uniform(0, LONGEST)))
        time.sleep(moment)
        kill(scene, target, down)
        for each in doing:
            each.result()
    gone = f", {leaving.person.letter} withdraws" if leaving else ""
    return f"{target} killed after {moment:.2f} s{gone}"


def _comes(scene: Scene, case: Case) -> None:
    filed(scene, case)
    if case.teaches and case.withdrawn is None:
        reviewed(scene, case)


def _goes(scene: Scene, case: Case, after: float) -> None:
    time.sleep(after)
    withdraw(scene, case)


def _leaving(cases: Sequence[Case], chance: random.Random) -> Case | None:
    """Return who withdraws in this round: of those whose photographs are all filed, so that a review isn't too late."""
    staying = [case for case in cases[:-1] if case.withdrawn is None]
    return chance.choice(staying) if staying and chance.random() < WITHDRAWS else None


def kill(scene: Scene, target: str, down: float) -> None:
    """Kill something, and start it again after a while."""
    what, _, which = target.partition(" ")
    if what == "registry":
        scene.kill_registry()
        time.sleep(down)
        scene.start_registry()
        return
    node = scene.nodes[int(which) - 1]
    if what == "courier":
        node.kill_courier()
        time.sleep(down)
        node.send()
        return
    node.kill_orthanc()
    time.sleep(down)
    node.start()


def settle(scene: Scene, cases: Sequence[Case]) -> list[str]:
    """Wait until nothing is to be sent any more; return what isn't settled."""
    for node in scene.nodes:
        if node.courier is None or node.courier.poll() is not None:
            return [f"a courier has ended: {(node.server.folder / 'courier.log').read_text()[-1500:]}"]
    left: list[str] = []

    def settled() -> bool:
        _hurry(scene)
        left[:] = _unsettled(scene, cases)
        return not left

    wait_until(settled, SETTLED_WITHIN, pause=1.0)
    return list(left)


def _hurry(scene: Scene) -> None:
    """Let every pause end, and the lease of each courier that isn't there any more, also of what it lost since."""
    names = ", ".join(f"'{node.name}'" for node in scene.nodes)
    gone = f"courier NOT IN ({names})"
    with opened(scene) as database, database.writing() as connection:
        for statement in (
            "UPDATE outbox SET next_try = '' WHERE state = 'WAITING'",
            f"UPDATE outbox SET next_try = '' WHERE state = 'CLAIMED' AND {gone}",  # noqa: S608 - our own names
            f"UPDATE outbox SET changed_at = '{LONG_AGO}' WHERE state = 'CANCELLED' AND {gone}",  # noqa: S608 - ours
            f"UPDATE recalls SET next_try = '' WHERE next_try IS NOT NULL AND {gone}",  # noqa: S608 - our own names
        ):
            connection.exec_driver_sql(statement)


def _unsettled(scene: Scene, cases: Sequence[Case]) -> list[str]:
    """Return what is still to be sent, recalled or written down."""
    with opened(scene) as database, database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT sop_instance_uid, route, state FROM outbox").all()
        notices = connection.exec_driver_sql("SELECT COUNT(*) FROM recalls WHERE next_try IS NOT NULL").scalar_one()
        begun = connection.exec_driver_sql("SELECT COUNT(*) FROM disclosures WHERE outcome = 'BEGUN'").scalar_one()
    queued = {(str(uid), str(route)) for uid, route, _ in rows}
    filed = {(uid, f"to-{name}") for case in cases for uid in case.files for name in ROUTES}
    states = Counter(str(state) for *_, state in rows)
    counted = {
        "queued for no route": len(filed - queued),
        **{state.value: states[state] for state in UNSETTLED},
        "notices of recalls to be sent": notices,
        "disclosures that never ended": begun,
    }
    return [f"{count} {what}" for what, count in counted.items() if count]


@contextmanager
def opened(scene: Scene) -> Iterator[Database]:
    """Give the registry."""
    database = open_database(scene.address)
    try:
        yield database
    finally:
        database.close()
