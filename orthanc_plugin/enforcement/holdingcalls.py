"""Which of some objects Orthanc has, and in which files: one question instead of two for each, by ourselves alone.

Knows the core's answers. Must not decide. That an object isn't there is said only where the core has answered: it
gives each of those it has and passes over what it hasn't (``/tools/bulk-content``, the same from 1.10.1 on), and
whatever else it says is an error. The execution of a disposition asks before it deletes, and looks afterwards.

Source: requirements 4, step 7 (verify absent).
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Final

from orthanc_plugin.archive.port import CoreApi
from orthanc_plugin.archive.remote import HOLDINGS, MOST
from orthanc_plugin.config.bindings import Role
from orthanc_plugin.enforcement.reply import CallError, Reply
from orthanc_plugin.enforcement.rest import Call, Endpoint
from orthanc_plugin.enforcement.route import PLACEHOLDERS
from orthanc_plugin.services import Services

NAME: Final = re.compile(PLACEHOLDERS["instance"])
PICTURE: Final = "dicom"  # the attachment that the core's answer about an instance names itself


def endpoints(core: CoreApi) -> tuple[Endpoint, ...]:
    """Return the endpoint; the table of exits lets nobody but Consentgate itself come to it."""
    told = partial(holdings, core)
    summary = "Say which objects Orthanc has, and in which files"
    return (Endpoint(method="GET", path=HOLDINGS, role=Role.ADMIN, summary=summary, gives="Holdings", handler=told),)


def holdings(core: CoreApi, _services: Services, call: Call) -> Reply:
    """Give the files of each object, null for one that Orthanc doesn't have.

    Raises:
        CallError: it is asked about nothing, or about what has no name of Orthanc's.
        ArchiveError: the core doesn't say.
    """
    asked = call.arguments.get("instances", "").split(",")
    if len(asked) > MOST or not all(map(NAME.fullmatch, asked)):
        raise CallError(f"instances: one to {MOST} of Orthanc's names, with commas between them.")
    answer = json.loads(core.ask("POST", "/tools/bulk-content", json.dumps({"Resources": asked}).encode()))
    there = {str(each["ID"]): str(each["FileUuid"]) for each in answer}
    return Reply(payload={name: _files(core, name, there[name]) if name in there else None for name in asked})


def _files(core: CoreApi, name: str, picture: str) -> list[str]:
    beside = json.loads(core.ask("GET", f"/instances/{name}/attachments"))
    told = (f"/instances/{name}/attachments/{each}/info" for each in beside if each != PICTURE)
    return [picture, *(str(json.loads(core.ask("GET", path))["Uuid"]) for path in told)]
