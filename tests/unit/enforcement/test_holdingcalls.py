"""Which objects Orthanc has, in one question: told to Consentgate alone, and never that one is gone unless it is."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from orthanc_plugin.archive.remote import HOLDINGS, MOST, SECRET_HEADER, Credentials, RemoteDisposal
from orthanc_plugin.enforcement.holdingcalls import endpoints
from orthanc_plugin.enforcement.http import HttpFilter
from orthanc_plugin.enforcement.reply import Reply
from orthanc_plugin.enforcement.rest import RestDoor
from orthanc_plugin.errors import ArchiveError
from tests.fakes.world import World

INTERNAL = Credentials(user="consentgate", password="p", secret="the-secret")
THERE, BESIDE, GONE = ("-".join([digit * 8] * 5) for digit in "abc")
GET = 1


@dataclass
class Core:
    """Orthanc's core, which gives what it has and passes over the rest."""

    has: dict[str, dict[str, str]] = field(
        default_factory=lambda: {THERE: {"dicom": "f1"}, BESIDE: {"dicom": "f2", "dicom-until-pixel-data": "f3"}}
    )
    fails_at: str = ""

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        if self.fails_at and self.fails_at in path:
            raise ArchiveError("The archive could not answer.")
        if (method, path) == ("POST", "/tools/bulk-content"):
            asked = [name for name in json.loads(body)["Resources"] if name in self.has]
            return json.dumps([{"ID": name, "FileUuid": self.has[name]["dicom"]} for name in asked]).encode()
        _, _, name, _, *rest = path.split("/")
        if not rest:
            return json.dumps([*self.has[name]]).encode()
        return json.dumps({"Uuid": self.has[name][rest[0]]}).encode()


def headers(account: str, secret: str = INTERNAL.secret) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{account}:p".encode()).decode(), SECRET_HEADER: secret}


def asked(world: World, core: Core, instances: str, account: str = "consentgate") -> Reply:
    door = RestDoor(world.services, endpoints(core), world.worker())
    return door.answer(HOLDINGS, {"method": "GET", "headers": headers(account), "get": {"instances": instances}})


def test_the_files_of_what_is_there_are_told_and_what_is_not_there_is_null(world: World) -> None:
    reply = asked(world, Core(), f"{THERE},{BESIDE},{GONE}")
    assert reply.payload == {THERE: ["f1"], BESIDE: ["f2", "f3"], GONE: None}


@pytest.mark.parametrize("where", ["/tools/bulk-content", "/attachments", "/info"])
def test_where_the_core_doesn_t_say_nothing_is_told(where: str, world: World) -> None:
    reply = asked(world, Core(fails_at=where), f"{BESIDE},{GONE}")
    assert reply.status >= 400
    assert GONE not in str(reply.payload)


@pytest.mark.parametrize("instances", ["", "../system", f"{THERE},", f"{THERE};{GONE}", ",".join([THERE] * (MOST + 1))])
def test_what_is_no_list_of_names_is_refused(instances: str, world: World) -> None:
    assert asked(world, Core(), instances).status == 400


@pytest.mark.parametrize(
    ("account", "secret", "passes"),
    [
        ("consentgate", INTERNAL.secret, True),
        ("consentgate", "wrong", False),
        ("admin", INTERNAL.secret, False),
        ("admin", "", False),
        ("derm", "", False),
    ],
)
def test_nobody_but_consentgate_itself_comes_to_it(account: str, secret: str, passes: bool, world: World) -> None:
    hook = HttpFilter(world.services, INTERNAL, world.worker()).hook
    said = headers(account, secret)
    assert hook(HOLDINGS, method=GET, ip="10.0.0.7", headers=said, get={"instances": THERE}) is passes


@dataclass
class Wire:
    """What Orthanc would answer, by the question."""

    answers: Callable[[list[str]], dict[str, object]]
    paths: list[str] = field(default_factory=list)

    def asked(self, _method: str, path: str, _content: bytes | None = None) -> bytes:
        self.paths.append(path)
        return json.dumps(self.answers(path.partition("?instances=")[2].split(","))).encode()


class Wired(RemoteDisposal):
    """The client, without a network."""

    def __init__(self, wire: Wire) -> None:
        super().__init__("http://127.0.0.1:1", INTERNAL)
        self.wire = wire

    def _asked(self, method: str, path: str, content: bytes | None = None) -> bytes:
        return self.wire.asked(method, path, content)


def test_many_are_asked_about_in_few_questions() -> None:
    wire = Wire(lambda names: {name: ["file"] if name != "n7" else None for name in names})
    names = [f"n{number}" for number in range(MOST + 10)]
    found = Wired(wire).look(names)
    assert list(found) == names
    assert [name for name, files in found.items() if files is None] == ["n7"]
    assert {files for files in found.values() if files is not None} == {("file",)}
    assert len(wire.paths) == 2


def test_an_answer_that_leaves_one_out_says_of_none_that_it_is_gone() -> None:
    with pytest.raises(ArchiveError, match="doesn't say of all"):
        Wired(Wire(lambda names: dict.fromkeys(names[1:]))).look(["n1", "n2"])


def test_about_nothing_nothing_is_asked() -> None:
    wire = Wire(dict.fromkeys)
    assert Wired(wire).look([]) == {}
    assert wire.paths == []
