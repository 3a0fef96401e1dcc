"""Somebody who calls the core's routes that Consentgate answers, without Orthanc between."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

from orthanc_plugin.archive.embedded import EmbeddedCore
from orthanc_plugin.archive.port import CoreApi
from orthanc_plugin.enforcement.acceptances import Acceptances
from orthanc_plugin.enforcement.overrides import by_path, overrides
from orthanc_plugin.enforcement.rest import Endpoint, RestDoor
from tests.fakes.orthanc import RestOutput, StreamOutput
from tests.fakes.pictures import CARE, TEACHING, UID, consent
from tests.fakes.waiting import Waiting
from tests.fakes.world import MODALITIES, POLICY, World, make_world

SENDERS = """
[[users]]
name = "sender"
roles = ["view", "send", "store"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"
[[users]]
name = "lecturer"
roles = ["view", "send"]
purpose = "TEACHING"
audience = "TRUST_STUDENTS"
form = "ANONYMISED"
profile = "teaching"
"""
OTHER = "2.25.4"
THIRD = "2.25.5"
NOBODY = "6816cb19-844d5aee-85245eba-28e841e6-2414fae2"


def world_with_senders(folder: Path) -> World:
    """Return a world whose policy has accounts that may have pictures sent."""
    return make_world(folder, policy=POLICY + SENDERS)


def refuse(world: World, uid: str = OTHER) -> None:
    """Record that the patient does not want one picture used at all."""
    world.record(consent(CARE, TEACHING, id=f"urn:x:no-{uid}", state="REFUSED", level="IMAGE", targets=[uid]))


@dataclass(frozen=True, kw_only=True)
class Given:
    """An answer."""

    status: int
    content: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> dict[str, object]:
        """Return the answer as a JSON object."""
        value = json.loads(self.content)
        assert isinstance(value, dict)
        return value

    @property
    def zip(self) -> ZipFile:
        """Return the answer as an archive, which must be whole."""
        archive = ZipFile(BytesIO(self.content))
        assert archive.testzip() is None
        return archive

    @property
    def manifest(self) -> dict[str, object]:
        """Return the archive's manifest."""
        value = json.loads(self.zip.read("MANIFEST.json"))
        assert isinstance(value, dict)
        return value


def endpoints_of(
    world: World, path: str, core: CoreApi | None = None, acceptances: Acceptances | None = None
) -> tuple[Endpoint, ...]:
    """Return the endpoints that Orthanc would have answer at ``path``."""
    asked, settled = core or EmbeddedCore(), (acceptances or Acceptances()).settled
    every = overrides(world.services, world.archive, asked, MODALITIES, world.worker(), settled)
    (found,) = (endpoints for regex, endpoints in by_path(every) if re.fullmatch(regex, path))
    return found


@dataclass(kw_only=True)
class Asking:
    """Calls the routes of a world; ``streams`` says which of Orthanc's plugins is between, ``core`` what is behind.

    ``acceptances`` has what is on its way in.
    """

    world: World
    streams: bool = True
    core: CoreApi | None = None
    acceptances: Acceptances = field(default_factory=Acceptances)
    output: RestOutput = field(default_factory=RestOutput)
    waiting: Waiting = field(default_factory=Waiting)

    def call(self, method: str, uri: str, account: str = "sender", body: object = None, **headers: str) -> Given:
        """Call as ``account``; a body that is no text is sent as JSON."""
        path, _, query = uri.partition("?")
        world = self.world
        found, pace = endpoints_of(world, path, self.core, self.acceptances), self.waiting.pace()
        door = RestDoor(world.services, found, world.worker(), streams=self.streams, pace=pace)
        sent = {"authorization": "Basic " + base64.b64encode(f"{account}:x".encode()).decode(), **headers}
        request: dict[str, object] = {"method": method, "headers": sent, "groups": ()}
        if method == "GET":
            request["get"] = dict(pair.split("=", 1) for pair in query.split("&") if pair)
        elif body is not None:
            request["body"] = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.output = StreamOutput() if self.streams else RestOutput()
        door.hook(self.output, path, **request)
        content = self.output.body
        return Given(
            status=self.output.status,
            content=content if isinstance(content, bytes) else content.encode(),
            headers=self.output.headers,
        )

    def get(self, uri: str, account: str = "sender") -> Given:
        """Call with GET."""
        return self.call("GET", uri, account)

    def post(self, uri: str, body: object = None, account: str = "sender") -> Given:
        """Call with POST."""
        return self.call("POST", uri, account, body)

    def instance(self, uid: str = UID) -> str:
        """Return Orthanc's identifier of a picture."""
        return self.world.row(uid).orthanc_instance
