"""The command starts quickly: what it doesn't need is not imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.calls import put
from tests.unit.dicomwrap.objects import CONSENT

ROOT = Path(__file__).resolve().parents[3]
HEAVY = ("pydicom", "PIL", "pynetdicom", "rich", "numpy", "httpx", "pydantic", "sqlalchemy", "cryptography", "av")
CODE = """
import json, sys
from dicomwrap.cli.main import main
try:
    main(json.loads(sys.argv[1]), standalone_mode=False)
except SystemExit as end:
    assert end.code in (0, None), end.code
print(json.dumps(sorted(sys.modules)))
"""


def modules(*arguments: str | Path) -> set[str]:
    """Return the modules that a call has imported by its end."""
    command = [sys.executable, "-c", CODE, json.dumps([str(each) for each in arguments])]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    return {name.partition(".")[0] for name in json.loads(run.stdout.splitlines()[-1])}


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("wrap", "--help")], ids=" ".join)
def test_help_and_version_import_no_library_for_dicom_pictures_or_the_network(arguments: tuple[str, ...]) -> None:
    assert modules(*arguments).isdisjoint(HEAVY)


CALLS = {
    "plain": (photos.camera_photo(), ()),
    "turned": (photos.oriented(6), ()),
    "progressive": (photos.jpeg(progressive=True), ()),
    "with a profile": (photos.with_colour_profile(), ()),
    "face": (photos.camera_photo(), ("--body-site", "face", "--lesion", "A")),
    "dermoscopic": (photos.camera_photo(), ("--dermoscopy", "--immersion", "WATER")),
    "with everything said": (photos.camera_photo(), ("--consent", "{consent}", "--consent-form", "{form}", "--json")),
}


@pytest.mark.parametrize(("data", "said"), CALLS.values(), ids=CALLS)
def test_a_jpeg_is_wrapped_without_them(data: bytes, said: tuple[str, ...], tmp_path: Path) -> None:
    photo = put(tmp_path / "a.jpg", data)
    papers = {"consent": put(tmp_path / "c.json", CONSENT), "form": put(tmp_path / "f.pdf", b"%PDF-1.4\n%%EOF\n")}
    words = [each.format(**papers) for each in said]
    found = modules("wrap", photo, "--out", tmp_path / "out", "--patient-id", "P1", "--issuer", "HOSP", *words)
    assert found.isdisjoint(HEAVY)
    assert (tmp_path / "out" / "a.dcm").is_file()


def test_a_manifest_is_wrapped_without_them(tmp_path: Path) -> None:
    put(tmp_path / "a.jpg", photos.camera_photo())
    manifest = put(tmp_path / "m.csv", "photo,patient_id\na.jpg,P1\n")
    assert modules("wrap", "--manifest", manifest, "--out", tmp_path / "out").isdisjoint(HEAVY)
