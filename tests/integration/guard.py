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


def opened(parts: Parts) -> None:
    while parts.services.gate.closed is not None:
        time.sleep(0.05)


def deletes(parts: Parts) -> None:
    """Once the doors are open, delete everything past every door, as another plugin could."""
    opened(parts)
    for instance in json.loads(orthanc.RestApiGet("/instances")):
        orthanc.RestApiDelete(f"/instances/{instance}")


def changed(parts: Parts) -> None:
    """Once the doors are open, do what another plugin or a script could: name a new destination."""
    opened(parts)
    late = {"AET": "DERMWS", "Host": "127.0.0.1", "Port": 1, "AllowGet": True}
    orthanc.RestApiPut("/modalities/late", json.dumps(late).encode())
    parts.heartbeat.beat()


all_of_them = (shut, dead, busy, changed, deletes)
chosen = {each.__name__: each for each in all_of_them}[os.environ["CONSENTGATE_TEST_GUARD"]]
threading.Thread(target=chosen, args=(install(orthanc),), daemon=True).start()
