"""A PythonScript for tests: guards Orthanc as in production, but the parts of one hook always raise."""

from __future__ import annotations

import logging
import os
from dataclasses import replace

import orthanc

from orthanc_plugin import install
from orthanc_plugin.enforcement.orthanclog import OrthancLog


class RaisingWorker:
    """Stands where the worker stands, and can do nothing."""

    seconds = 10.0

    def run(self, *_args: object, **_kwargs: object) -> object:
        raise RuntimeError("this hook's part is broken on purpose")

    def later(self, _work: object) -> None:
        raise RuntimeError("this hook's part is broken on purpose")

    def stop(self) -> None:
        pass


def start(chosen: str) -> install.Parts:
    logging.getLogger("orthanc_plugin").addHandler(OrthancLog(orthanc))
    parts = install.parts_for(orthanc, os.environ)
    workers = ("decisions", "moves", "exits", "finds", "lists", "sends")
    broken = replace(parts, **dict.fromkeys(workers, RaisingWorker()))
    for register in install.HOOKS:
        register(orthanc, broken if register.__name__ == chosen else parts)
    return parts


parts = start(os.environ["CONSENTGATE_TEST_RAISES"])
