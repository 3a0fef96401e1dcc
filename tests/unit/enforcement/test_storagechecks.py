"""Preflight on encrypted files: what would hang the server, or lose a file, keeps Orthanc from starting."""

from __future__ import annotations

from typing import Any

import pytest

from orthanc_plugin.config.storage import PlainFiles, StorageSettings
from orthanc_plugin.enforcement.options import Severity
from orthanc_plugin.enforcement.storagechecks import storage_findings

ON = StorageSettings(encryption=True, site_keys={"2026": "keys/storage.key"})
GOOD: dict[str, Any] = {"Python": {"AllowThreads": True}, "StorageDirectory": "/var/lib/orthanc/db"}


def found(
    configuration: dict[str, Any], storage: StorageSettings = ON, newest: tuple[int, int, int] = (1, 12, 7)
) -> list[tuple[Severity, str]]:
    told = storage_findings(configuration, storage, lambda version: newest >= version)
    return [(each.severity, each.option) for each in told]


def test_a_good_configuration_is_let_start() -> None:
    assert found(GOOD) == []


@pytest.mark.parametrize(
    ("change", "option"),
    [
        ({"Python": {"AllowThreads": False}}, "Python.AllowThreads"),
        ({"Python": {"AllowThreads": 1}}, "Python.AllowThreads"),
        ({"Python": None}, "Python.AllowThreads"),
        ({"StorageDirectory": "OrthancStorage"}, "StorageDirectory"),
        ({"StorageDirectory": None}, "StorageDirectory"),
        ({"PostgreSQL": {"EnableStorage": True}}, "PostgreSQL.EnableStorage"),
    ],
)
def test_what_would_hang_or_lose_files_is_refused(change: dict[str, Any], option: str) -> None:
    assert found(GOOD | change) == [(Severity.REFUSE, option)]
    assert found(GOOD | change, StorageSettings()) == []


def test_an_orthanc_that_would_hang_whatever_it_says_is_refused() -> None:
    assert found(GOOD, newest=(1, 10, 1)) == [(Severity.REFUSE, "Python.AllowThreads")]


def test_that_plain_files_are_read_is_said_at_each_start() -> None:
    migrating = StorageSettings(encryption=True, plain_files=PlainFiles.READ)
    assert found(GOOD, migrating) == [(Severity.WARN, "StorageDirectory")]
