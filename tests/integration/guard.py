"""A PythonScript for tests: guards Orthanc as in production, then shuts the doors, stops the heart, or adds a node."""

from __future__ import annotations

import json
import os
import threading
import time
from datetime import timedelta

import orthanc

from orthanc_plugin.clock import now
from orthanc_plugin.install import Parts, install


def shut(parts: Parts) -> None:
    parts.services.gate.close("a test")


def dead(parts: Parts) -> None:
    parts.heartbeat.stopping.set()
    parts.services.gate.pulse.beat(now(), timedelta())


def changed(parts: Parts) -> None:
    """Once the doors are open, do what another plugin or a script could: name a new destination."""
    while parts.services.gate.closed is not None:
        time.sleep(0.05)
    late = {"AET": "DERMWS", "Host": "127.0.0.1", "Port": 1, "AllowGet": True}
    orthanc.RestApiPut("/modalities/late", json.dumps(late).encode())
    parts.heartbeat.beat()


chosen = {"shut": shut, "dead": dead, "changed": changed}[os.environ["CONSENTGATE_TEST_GUARD"]]
threading.Thread(target=chosen, args=(install(orthanc),), daemon=True).start()
