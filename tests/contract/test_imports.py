"""The five contracts of import-linter hold, and each breaks when it is violated."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINTER = Path(sys.executable).parent / "lint-imports"


def linted(folder: Path) -> tuple[int, str]:
    run = subprocess.run([LINTER, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False)
    return run.returncode, run.stdout + run.stderr


def house(folder: Path) -> Path:
    """Build the house again in ``folder``."""
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in ("dicomwrap", "orthanc_plugin"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_the_contracts_hold() -> None:
    code, said = linted(ROOT)
    assert code == 0, said
    assert "5 kept, 0 broken" in said


def test_the_contracts_hold_for_a_copy_too(tmp_path: Path) -> None:
    assert linted(house(tmp_path))[0] == 0


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("orthanc_plugin/policy/decide.py", "from orthanc_plugin import gate", "Storeys"),
        ("orthanc_plugin/deid/apply.py", "from orthanc_plugin.registry import trail", "Storeys"),
        ("orthanc_plugin/gate.py", "from orthanc_plugin import release", "Storeys"),
        ("dicomwrap/wrap.py", "from orthanc_plugin import clock", "dicomwrap knows nothing of the archive"),
        ("dicomwrap/wrap.py", "import sqlalchemy", "dicomwrap knows nothing of the archive"),
        ("orthanc_plugin/policy/decide.py", "import logging", "The policy is pure"),
        ("orthanc_plugin/policy/model.py", "import pydicom", "The policy is pure"),
        ("orthanc_plugin/deid/leakneedles.py", "from dicomwrap import terms", "The leak check shares nothing"),
        ("orthanc_plugin/deid/leakforms.py", "from orthanc_plugin.deid import table", "The leak check shares nothing"),
        ("orthanc_plugin/gate.py", "import orthanc", "Only the hooks import orthanc"),
        ("orthanc_plugin/install.py", "import orthanc", "Only the hooks import orthanc"),
    ],
)
def test_a_violation_breaks_the_contract_by_name(module: str, statement: str, contract: str, tmp_path: Path) -> None:
    house(tmp_path)
    path = tmp_path / module
    path.write_text(f"{path.read_text()}\n{statement}\n")
    code, said = linted(tmp_path)
    assert code == 1
    broken = [line for line in said.splitlines() if "BROKEN" in line]
    assert any(line.startswith(contract) for line in broken), said


def test_a_package_without_a_floor_to_stand_on_breaks_the_storeys(tmp_path: Path) -> None:
    house(tmp_path)
    (tmp_path / "orthanc_plugin" / "cellar.py").write_text('"""No storey."""\n')
    code, said = linted(tmp_path)
    assert code == 1
    assert "cellar" in said
