"""A PythonScript for tests: guards Orthanc as in production, but it is killed between two steps of taking a picture in.

``CONSENTGATE_TEST_DIES`` says when: "told" is after Orthanc was told that it may store the picture and before that is
on record; "stored" is when Orthanc has stored it, and it is still not on record.
"""

from __future__ import annotations

import logging
import os
import signal
import threading

import orthanc
from sqlalchemy import Connection

from orthanc_plugin import install
from orthanc_plugin.enforcement.coming import Coming
from orthanc_plugin.enforcement.devicerules import Remark
from orthanc_plugin.enforcement.ingest import Received
from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.enforcement.orthanclog import OrthancLog
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.quarantine import Held

WHEN = os.environ["CONSENTGATE_TEST_DIES"]


def die(*_args: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Dying(Intake):
    """Puts nothing on record any more."""

    def _accept(
        self, connection: Connection, coming: Coming, held: Held | None, remarks: tuple[Remark, ...], *, changed: bool
    ) -> ImageRow | None:
        if WHEN == "told":
            die()
        threading.Event().wait()
        raise AssertionError("nobody ends this wait")


logging.getLogger("orthanc_plugin").addHandler(OrthancLog(orthanc))
parts = install.parts_for(orthanc, os.environ)
for register in install.HOOKS:
    register(orthanc, parts) if register.__name__ not in ("_received", "_stored") else None
received = Received(Dying(parts.services), parts.decisions, orthanc, parts.senders, parts.acceptances, parts.announced)
orthanc.RegisterReceivedInstanceCallback(received.hook)
orthanc.RegisterOnStoredInstanceCallback(die)
