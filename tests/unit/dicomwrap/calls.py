"""The command ``dicomwrap`` called as from a terminal, with a known clock and known UIDs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from click.testing import CliRunner, Result
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomwrap.cli.main import Tools, main
from dicomwrap.cli.results import NAMESPACE
from dicomwrap.uids import fresh_uid
from tests.unit.dicomwrap.objects import NOW, counted_uids

PATIENT = ("--patient-id", "P1", "--patient-name", "Doe^Jane", "--laterality", "L")
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def put(path: Path, data: bytes | str) -> Path:
    """Write a file, and the folders it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def run(*arguments: str | Path, command: str = "wrap") -> Result:
    """Call a command; an exception that it doesn't catch goes through. Only one process can count UIDs."""
    tools = Tools(now=lambda: NOW, new_uid=fresh_uid if "--jobs" in arguments else counted_uids())
    return CliRunner().invoke(main, [command, *map(str, arguments)], obj=tools, catch_exceptions=False)


def run_json(*arguments: str | Path) -> tuple[int, list[dict[str, object]]]:
    """Call ``wrap --json`` and return exit code and rows."""
    result = run(*arguments, "--json")
    return result.exit_code, [json.loads(line) for line in result.stdout.split("\n") if line]


def statuses(rows: Iterable[dict[str, object]]) -> list[object]:
    """Return how each picture fared."""
    return [row["status"] for row in rows]


def objects(rows: Iterable[dict[str, object]]) -> list[Dataset]:
    """Return the objects that were written, in the order of the answer."""
    return [dcmread(str(row["output"])) for row in rows if row["status"] == "wrapped"]


def one(*arguments: str | Path, out: Path) -> Dataset:
    """Wrap one photograph that must not be refused, and return the object."""
    code, rows = run_json(*arguments, "--out", out)
    assert (code, statuses(rows)) == (0, ["wrapped"]), rows
    return objects(rows)[0]


def left_behind(folder: Path) -> list[str]:
    """Return the names of everything below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.name != NAMESPACE)
