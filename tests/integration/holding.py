"""A PythonScript for tests: guards Orthanc as in production, though every call of the SDK holds the interpreter lock.

Preflight refuses such a configuration where it can be helped, so it is told otherwise; orthanc-python 4.0 knows no
other way to work.
"""

from __future__ import annotations

import json

import orthanc

from orthanc_plugin.install import install


class Told:
    """The module, but for what it says of its configuration."""

    def __getattr__(self, name: str) -> object:
        return getattr(orthanc, name)

    def GetConfiguration(self) -> str:  # noqa: N802
        return json.dumps({**json.loads(orthanc.GetConfiguration()), "Python": {"AllowThreads": True}})


parts = install(Told())  # type: ignore[arg-type]
