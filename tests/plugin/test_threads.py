"""No hook works on the thread that Orthanc calls it on: that one may have a stack of 100 KiB."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import cast

import pytest
from sqlalchemy import event

from orthanc_plugin.enforcement.sdk import Sdk
from orthanc_plugin.enforcement.storage import StorageHooks
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.install import HOOKS
from orthanc_plugin.sending.worker import Worker
from tests.fakes import newer, orthanc
from tests.fakes.instances import instance
from tests.fakes.orthanc import ChangeType, InstanceOrigin
from tests.fakes.pictures import UID, photograph, photograph_bytes
from tests.fakes.vaulted import FILE, vaulted
from tests.fakes.world import World
from tests.plugin.test_shut_doors import install_hooks
from tests.unit.enforcement.test_http import basic

LARGE = ("decision", "health", "move", "exit", "find", "list", "send", "storage")
REST = "rest /consentgate/(.*)"


def worked_on(world: World, call: Callable[[], object]) -> set[str]:
    """Return the names of the threads on which the registry was asked during ``call``."""
    workers = {name: Worker(name, 1) for name in LARGE}
    parts = replace(
        install_hooks(world, "nothing"),
        sdk=cast("Sdk", newer),
        decisions=workers["decision"],
        health=workers["health"],
        moves=workers["move"],
        exits=workers["exit"],
        finds=workers["find"],
        lists=workers["list"],
        sends=workers["send"],
        storage=StorageHooks(world.services, vaulted(world), workers["storage"]),
    )
    orthanc.reset()
    for register in HOOKS:
        register(cast("Sdk", newer), parts)
    seen: set[str] = set()
    event.listen(world.services.database.engine, "begin", lambda _: seen.add(threading.current_thread().name))
    with suppress(ConsentgateError):
        call()
    for worker in workers.values():
        worker.stop()
    orthanc.reset()
    return seen


@dataclass(frozen=True)
class Query:
    """A C-FIND identifier that asks for one study."""

    tags: tuple[tuple[int, int, str], ...] = ((0x0008, 0x0052, "STUDY"), (0x0020, 0x000D, "2.25.1"))

    def GetFindQuerySize(self) -> int:  # noqa: N802
        return len(self.tags)

    def GetFindQueryTagGroup(self, at: int) -> int:  # noqa: N802
        return self.tags[at][0]

    def GetFindQueryTagElement(self, at: int) -> int:  # noqa: N802
        return self.tags[at][1]

    def GetFindQueryValue(self, at: int) -> str:  # noqa: N802
        return self.tags[at][2]


def http() -> None:
    orthanc.hooks["http"]("/system", method=1, ip="", headers={"authorization": basic("admin")}, get={})


def rest() -> None:
    headers = {"authorization": basic("governance")}
    orthanc.hooks[REST](orthanc.RestOutput(), "/consentgate/tasks", method="GET", headers=headers)


def move() -> None:
    begun = orthanc.hooks["move"](OriginatorAET="DERMWS", TargetAET="DERMWS", Level="IMAGE", SOPInstanceUID=UID)
    orthanc.hooks["move apply"](begun)


CALLS: dict[str, Callable[[], object]] = {
    "_http": http,
    "_rest": rest,
    "_cmove": move,
    "_commitment": lambda: orthanc.hooks["commitment"]("job", "2.25.7", ["1.2"], [UID], "DERMCAM", "CONSENTGATE"),
    "_cfind": lambda: orthanc.hooks["find"](None, Query(), "STRANGER", "CONSENTGATE"),
    "_worklist": lambda: orthanc.hooks["worklist"](None, None, "DERMWS", "CONSENTGATE"),
    "_received": lambda: orthanc.hooks["received"](photograph_bytes(), InstanceOrigin.DICOM_PROTOCOL),
    "_cstore": lambda: orthanc.hooks["cstore"](instance(photograph())),
    "_stored": lambda: orthanc.hooks["stored"](instance(photograph()), "an-id"),
    "keep_files": lambda: orthanc.hooks["create"](FILE, 1, photograph_bytes()),
    "_change": lambda: orthanc.hooks["change"](ChangeType.ORTHANC_STARTED, 0, ""),
}


def test_every_hook_is_called_below() -> None:
    assert {register.__name__ for register in HOOKS} == {*CALLS, "_overrides"}


@pytest.mark.parametrize("hook", CALLS)
def test_a_hook_works_on_a_thread_with_room(hook: str, world: World) -> None:
    seen = worked_on(world, CALLS[hook])
    assert seen
    assert {name for name in seen if not name.startswith(LARGE)} == set()
