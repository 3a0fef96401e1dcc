"""The library is what its documentation says: the examples run, the names resolve, nothing is loaded before its use."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

import pytest

import dicomwrap
from tests.unit.dicomwrap.photos import camera_photo

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "dicomwrap.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)


def test_the_examples_of_the_documentation_run_one_after_the_other(tmp_path: Path) -> None:
    assert len(EXAMPLES) == 2
    photo = camera_photo()
    (tmp_path / "lesion.jpg").write_bytes(photo)
    script = "import dicomwrap\nfrom pathlib import Path\n" + "\n".join(EXAMPLES)
    run = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    from dicomwrap.bitstream.clean import entropy_coded

    assert entropy_coded((tmp_path / "again.jpg").read_bytes()) == entropy_coded(photo)


@pytest.mark.parametrize("name", dicomwrap.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(dicomwrap, name) is not None
    assert name in dir(dicomwrap)


def test_every_name_that_the_documentation_uses_is_public() -> None:
    used = set(re.findall(r"dicomwrap\.(\w+)", "".join(EXAMPLES)))
    assert used <= set(dicomwrap.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = dicomwrap.nothing_of_the_kind


def test_importing_the_library_loads_nothing_of_it() -> None:
    script = "import sys, dicomwrap; print([name for name in sys.modules if name.startswith('dicomwrap.')])"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_installed_package_tells_its_version_licence_and_that_it_is_typed() -> None:
    told = metadata("consentgate")
    assert told["Version"] == dicomwrap.VERSION
    assert told["License-Expression"] == "AGPL-3.0-or-later"
    assert {"heif", "video"} <= set(told.get_all("Provides-Extra") or ())
    assert (ROOT / "dicomwrap" / "py.typed").exists()
    assert (ROOT / "orthanc_plugin" / "py.typed").exists()
