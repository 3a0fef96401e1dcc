"""The plugin failing at every hook leaves every door shut."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest

from orthanc_plugin.archive.embedded import EmbeddedCore
from orthanc_plugin.archive.remote import Credentials
from orthanc_plugin.enforcement.announced import Announced
from orthanc_plugin.enforcement.exits import ROUTES
from orthanc_plugin.enforcement.heartbeat import Heartbeat
from orthanc_plugin.enforcement.route import Kind
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.install import HOOKS, Parts
from orthanc_plugin.services import Services
from tests.fakes import orthanc
from tests.fakes.configuration import modalities
from tests.fakes.instances import instance
from tests.fakes.orthanc import ChangeType, InstanceOrigin, ReceivedInstanceAction
from tests.fakes.pictures import CARE, UID, consent, photograph, photograph_bytes
from tests.fakes.waiting import Waiting
from tests.fakes.world import MODALITIES, World
from tests.unit.enforcement.test_http import basic

FAULTS = ("the database is lost", "everything raises", "the workers are stopped")


class Raises:
    """A service of which nothing works."""

    def __getattr__(self, name: str) -> Callable[..., object]:
        def fails(*_args: object, **_named: object) -> object:
            raise RuntimeError(name)

        return fails


def install_hooks(world: World, fault: str) -> Parts:
    """Register every hook on services that worked once, and break them."""
    world.file(CARE)
    world.archive.known_modalities = modalities()
    services: Services = world.services
    if fault == "everything raises":
        services = replace(
            services,
            database=Raises(),  # type: ignore[arg-type]
            trail=Raises(),  # type: ignore[arg-type]
            release=Raises(),  # type: ignore[arg-type]
            spool=Raises(),  # type: ignore[arg-type]
        )
        services.gate.database = services.database
    parts = Parts(
        services=services,
        archive=world.archive,
        control=world.archive,
        core=EmbeddedCore(),
        internal=Credentials(user="consentgate", password="p", secret="s"),
        modalities=MODALITIES,
        decisions=world.worker(),
        health=world.worker(),
        moves=world.worker(),
        exits=world.worker(),
        finds=world.worker(),
        lists=world.worker(),
        sends=world.worker(),
        pace=Waiting().pace(),
        streams=False,
        announced=Announced(world.services.gate),
        heartbeat=Heartbeat(world.services),
        storage=None,
        sdk=orthanc,
    )
    orthanc.reset()
    for register in HOOKS:
        register(orthanc, parts)
    if fault == "the database is lost":
        world.lose_the_database()
    elif fault == "the workers are stopped":
        parts.decisions.stop()
        parts.moves.stop()
        parts.exits.stop()
        parts.finds.stop()
        parts.lists.stop()
        parts.sends.stop()
    return parts


def http(world: World, _parts: Parts) -> None:
    headers = {"Authorization": basic("derm")}
    for uri in ("/tools/create-archive", "/dicom-web/studies/2.25.1", "/system", "/nonsense"):
        assert orthanc.hooks["http"](uri, method=1, ip="", headers=headers, get={}) is False
    admin = {"Authorization": basic("admin")}
    assert orthanc.hooks["http"]("/system", method=1, ip="", headers=admin, get={}) is False
    assert world.archive.sent == []


def move(world: World, _parts: Parts) -> None:
    with pytest.raises((ConsentgateError, RuntimeError)):
        orthanc.hooks["move"](OriginatorAET="DERMWS", TargetAET="DERMWS", Level="IMAGE", SOPInstanceUID=UID)
    assert world.archive.sent == []


def find(_world: World, _parts: Parts) -> None:
    answers, query = orthanc.FindAnswers(), orthanc.FindQuery({0x00080052: "STUDY"})
    with pytest.raises((ConsentgateError, RuntimeError)):
        orthanc.hooks["find"](answers, query, "DERMWS", "CONSENTGATE")
    assert answers.given == []


def worklist(_world: World, _parts: Parts) -> None:
    with pytest.raises((ConsentgateError, RuntimeError)):
        orthanc.hooks["worklist"](None, None, "DERMWS", "CONSENTGATE")


def received(_world: World, _parts: Parts) -> None:
    answer = orthanc.hooks["received"](photograph_bytes(), InstanceOrigin.DICOM_PROTOCOL)
    assert answer == (ReceivedInstanceAction.MODIFY, b"")


def cstore(_world: World, _parts: Parts) -> None:
    assert orthanc.hooks["cstore"](instance(photograph())) not in (0, None)
    assert orthanc.hooks["cstore"](None) not in (0, None)


def stored(_world: World, parts: Parts) -> None:
    orthanc.hooks["stored"](instance(photograph()), "an-id")
    assert parts.services.gate.closed == "a stored instance could not be checked"


def change(world: World, parts: Parts) -> None:
    orthanc.hooks["change"](ChangeType.ORTHANC_STARTED, 0, "")
    assert parts.services.gate.closed == "a check at the start failed"
    assert world.archive.stopped == 1


REST = "rest /consentgate/(.*)"
ANY = "6816cb19-844d5aee-85245eba-28e841e6-2414fae2"


def rest(world: World, _parts: Parts) -> None:
    output = orthanc.RestOutput()
    orthanc.hooks[REST](output, "/consentgate/tasks", method="GET", headers={"authorization": basic("governance")})
    assert output.status in (500, 503)
    assert "tasks" not in json.loads(output.body)


DOORS = {
    "http": http,
    REST: rest,
    "move": move,
    "find": find,
    "worklist": worklist,
    "received": received,
    "cstore": cstore,
    "stored": stored,
    "change": change,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("door", DOORS)
def test_a_hook_that_fails_leaves_its_door_shut(door: str, fault: str, world: World) -> None:
    check: Callable[[World, Parts], None] = DOORS[door]
    check(world, install_hooks(world, fault))


def answered(uri: str, account: str) -> list[orthanc.RestOutput]:
    """Return the answers to every method at a route that Consentgate answers, by whichever hook Orthanc may take."""
    told = {name.removeprefix("rest "): hook for name, hook in orthanc.hooks.items() if name.startswith("rest ")}
    hooks = [hook for path, hook in told.items() if f"rest {path}" != REST and re.fullmatch(path, uri)]
    assert hooks, uri
    asked = {"headers": {"authorization": basic(account)}, "groups": (), "get": {"resources": ANY}}
    outputs = []
    for hook, method in product(hooks, ("GET", "POST", "PUT", "DELETE")):
        outputs.append(orthanc.RestOutput())
        body = {"body": json.dumps([ANY]).encode()} if method in ("POST", "PUT") else {}
        hook(outputs[-1], uri, method=method, **asked, **body)
    return outputs


ANSWERED = sorted({route.path for route in ROUTES if route.kind is Kind.BODY})
OWN = (
    "/consentgate/health",
    "/consentgate/reviews",
    "/consentgate/reviews/2.25.1/proposals",
)


@pytest.mark.parametrize("fault", FAULTS)
def test_no_route_of_the_core_is_answered_by_a_plugin_that_fails(fault: str, world: World) -> None:
    install_hooks(world, fault)
    assert len(ANSWERED) > 20
    for path in (*ANSWERED, *OWN):
        uri = re.sub(r"\{\w+\}", ANY, re.sub(r"\{\w+_uid\}", UID, path))
        for account in ("derm", "uploader"):
            statuses = {output.status for output in answered(uri, account)}
            assert statuses <= {400, 403, 404, 405, 500, 503}, path
            assert statuses - {404}, f"{path} reached no hook"
    assert world.archive.sent == []


def test_every_door_there_is_was_tried(world: World) -> None:
    install_hooks(world, "nothing")
    assert {name for name in orthanc.hooks if name == REST or not name.startswith("rest ")} == set(DOORS)


def test_and_with_nothing_wrong_the_same_questions_are_answered(world: World) -> None:
    install_hooks(world, "nothing")
    headers = {"Authorization": basic("derm")}
    assert orthanc.hooks["http"]("/dicom-web/studies/2.25.1", method=1, ip="", headers=headers, get={}) is True
    orthanc.hooks["move"](OriginatorAET="DERMWS", TargetAET="DERMWS", Level="IMAGE", SOPInstanceUID=UID)
    assert len(world.archive.sent) == 1
    assert orthanc.hooks["received"](photograph_bytes(), InstanceOrigin.DICOM_PROTOCOL) == (
        ReceivedInstanceAction.KEEP_AS_IS,
        None,
    )
    assert orthanc.hooks["cstore"](instance(photograph())) == 0
    orthanc.hooks["stored"](instance(photograph()), world.row().orthanc_instance)
    assert world.services.gate.closed is None
    assert consent().id == world.row().consent_id
    orthanc.reset()
