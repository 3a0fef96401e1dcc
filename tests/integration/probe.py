"""A PythonScript for tests: writes down what the running Orthanc's ``orthanc`` module has, then refuses to start."""

from __future__ import annotations

import json
import os
from pathlib import Path

import orthanc

ENUMERATIONS = ("ChangeType", "ReceivedInstanceAction", "InstanceOrigin")
CLASSES = ("FindQuery", "FindAnswers")


def values(name: str) -> dict[str, int]:
    kind = getattr(orthanc, name)
    return {each: int(getattr(kind, each)) for each in dir(kind) if each.isupper()}


Path(os.environ["CONSENTGATE_TEST_PROBE"]).write_text(
    json.dumps(
        {
            "names": dir(orthanc),
            "enumerations": {name: values(name) for name in ENUMERATIONS},
            "methods": {name: dir(getattr(orthanc, name)) for name in CLASSES},
        }
    )
)
raise SystemExit("probed")
