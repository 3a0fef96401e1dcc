"""What bin/serve hands to Orthanc is the hardened configuration, and nothing beside it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from demo.server import ROOT
from orthanc_plugin.cli.orthancfile import read_configuration
from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.enforcement.options import REQUIRED
from orthanc_plugin.enforcement.preflight import Around, findings

STAND_IN = '#!/bin/sh\nprintf "%s\\n" "$@" >"$0.arguments"\nenv >"$0.environment"\n'


def test_bin_serve_starts_orthanc_on_exactly_the_hardened_configuration(tmp_path: Path) -> None:
    program, folder = tmp_path / "programs" / "Orthanc", tmp_path / "served"
    program.parent.mkdir()
    program.write_text(STAND_IN)
    program.chmod(0o700)
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
    command = ["bash", str(ROOT / "bin" / "serve"), str(folder)]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
    arguments = tuple(Path(f"{program}.arguments").read_text().split("\n")[:-1])
    seen = dict(each.split("=", 1) for each in Path(f"{program}.environment").read_text().splitlines() if "=" in each)
    assert arguments == (f"--logfile={folder / 'orthanc.log'}", str(folder / "orthanc.json"))
    assert seen["CONSENTGATE_SETTINGS"] == str(folder / "settings.toml")
    handed = read_configuration(Path(arguments[-1]), seen)
    assert findings(handed, load_policy(folder / "policy.toml"), Around(environment=seen, arguments=arguments)) == ()
    assert handed["PythonScript"] == str(ROOT / "docker" / "consent_gate.py")
    assert {each.option for each in REQUIRED if each.option.split(".")[0] not in handed} == {"IngestTranscoding"}
