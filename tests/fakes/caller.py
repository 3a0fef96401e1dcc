"""Somebody who calls Consentgate's REST door, without Orthanc between."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orthanc_plugin.enforcement.endpoints import ENDPOINTS
from orthanc_plugin.enforcement.rest import Endpoint, RestDoor
from tests.fakes.orthanc import RestOutput
from tests.fakes.waiting import Waiting
from tests.fakes.world import POLICY, World, make_world

PATIENT_RECORD = """
[[users]]
name = "epr"
roles = ["consent"]
purpose = "RECORDS_MANAGEMENT"
audience = "RECORDS_OFFICER"
"""
REGISTRAR = """
[[users]]
name = "registrar"
roles = ["view", "break-glass"]
purpose = "SECOND_OPINION"
audience = "TRUST_CLINICIAN"
"""
FEED = """
[[users]]
name = "pas"
roles = ["facts"]
purpose = "RECORDS_MANAGEMENT"
audience = "RECORDS_OFFICER"
"""


def world_with_accounts(folder: Path) -> World:
    """Return a world whose policy has the accounts that call."""
    return make_world(folder, policy=POLICY + PATIENT_RECORD + REGISTRAR + FEED)


@dataclass(frozen=True, kw_only=True)
class Said:
    """An answer."""

    status: int
    body: object
    headers: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, key: str) -> object:
        assert isinstance(self.body, dict)
        return self.body[key]


@dataclass(kw_only=True)
class Caller:
    """Calls the door of a world."""

    world: World
    endpoints: Sequence[Endpoint] = ENDPOINTS
    waiting: Waiting = field(default_factory=Waiting)

    def call(self, method: str, path: str, account: str = "epr", body: object = None, **headers: str) -> Said:
        """Call as ``account``; a body that is no text is sent as JSON."""
        door = RestDoor(self.world.services, self.endpoints, self.world.worker(), pace=self.waiting.pace())
        sent = {"authorization": "Basic " + base64.b64encode(f"{account}:x".encode()).decode()}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        request: dict[str, object] = {"method": method, "headers": sent, "groups": ()}
        path, _, query = path.partition("?")
        if query:
            request["get"] = dict(pair.split("=", 1) for pair in query.split("&"))
        if method == "POST":
            request["body"] = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        output = RestOutput()
        door.hook(output, path, **request)
        return Said(status=output.status, body=json.loads(output.body), headers=output.headers)

    def get(self, path: str, account: str = "epr", **headers: str) -> Said:
        """Call with GET."""
        return self.call("GET", f"/consentgate/{path}", account, **headers)

    def post(self, path: str, body: object = None, account: str = "epr", **headers: str) -> Said:
        """Call with POST."""
        return self.call("POST", f"/consentgate/{path}", account, body, **headers)
