"""A PythonScript for tests: guards Orthanc as in production, and then does what its environment says."""

from __future__ import annotations

import json
import os
import threading
import time

import orthanc

from orthanc_plugin.install import Parts, install


def shut(parts: Parts) -> None:
    parts.services.gate.close("a test")


def dead(parts: Parts) -> None:
    parts.heartbeat.stopping.set()
    parts.services.gate.pulse.beat(0)


def busy(parts: Parts) -> None:
    """Give every thread that decides work that never ends."""
    for _ in range(parts.decisions.threads):
        threading.Thread(target=parts.decisions.within, args=(None, threading.Event().wait), daemon=True).start()


def changed(parts: Parts) -> None:
    """Once the doors are open, do what another plugin or a script could: name a new destination."""
    while parts.services.gate.closed is not None:
        time.sleep(0.05)
    late = {"AET": "DERMWS", "Host": "127.0.0.1", "Port": 1, "AllowGet": True}
    orthanc.RestApiPut("/modalities/late", json.dumps(late).encode())
    parts.heartbeat.beat()


chosen = {"shut": shut, "dead": dead, "busy": busy, "changed": changed}[os.environ["CONSENTGATE_TEST_GUARD"]]
threading.Thread(target=chosen, args=(install(orthanc),), daemon=True).start()
