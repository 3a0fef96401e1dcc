"""``consentgate doors``: the program's table, or the one that the running plugin has left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from orthanc_plugin.cli.main import main
from orthanc_plugin.enforcement.exits import ROUTES, table_file, write_table
from tests.unit.cli.conftest import Shell

KEYS = ["method", "route", "kind", "roles", "reason"]
RUNNING = [{"method": "GET", "route": "/only", "kind": "ADMIN", "roles": ["admin"], "reason": ""}]


def test_the_program_s_table_is_told_where_no_orthanc_runs(shell: Shell) -> None:
    result = shell("doors", "--json")
    rows = json.loads(result.stdout)
    assert "No guarded Orthanc runs" in result.stderr
    assert [list(row) for row in rows] == [KEYS] * len(ROUTES)
    found = {(row["method"], row["route"]): row for row in rows}
    file = found["GET", "/instances/{instance}/file"]
    assert (file["kind"], file["roles"], file["reason"]) == ("IMAGE", ["view", "internal"], "")
    shut = found["DELETE", "/instances/{instance}"]
    assert (shut["kind"], shut["roles"]) == ("FORBIDDEN", ["internal"])  # no account; the execution of a plan alone
    assert "disposition" in shut["reason"]
    assert found["DELETE", "/studies/{study}"]["roles"] == []
    assert found["POST", "/modalities/{modality}/store"]["roles"] == ["send"]


def test_it_needs_no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONSENTGATE_SETTINGS", raising=False)
    result = CliRunner().invoke(main, ["doors"], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].split("\t") == KEYS
    assert len(result.stdout.splitlines()) == len(ROUTES) + 1


def test_settings_that_were_named_and_are_not_there_are_a_fault(shell: Shell) -> None:
    result = shell("doors", settings=Path("/nowhere/settings.toml"))
    assert (result.exit_code, result.stdout) == (1, "")


def test_a_table_that_was_left_by_an_orthanc_that_is_gone_is_not_believed(shell: Shell) -> None:
    settings = shell.world.services.settings
    table_file(settings).parent.mkdir(parents=True, exist_ok=True)
    assert write_table(settings) == table_file(settings)
    table_file(settings).write_text(json.dumps(RUNNING))
    assert len(json.loads(shell("doors", "--json").stdout)) == len(ROUTES)
