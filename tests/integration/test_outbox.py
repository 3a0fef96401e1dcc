"""On a real Orthanc: what becomes stable is queued, also after a crash, and only an activated policy counts."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from demo.journey import Journey
from demo.peers import wait_until
from demo.server import Server
from tests.integration.archive import started
from tests.integration.couriers import ROUTES, filed
from tests.integration.test_disposition import told

SECONDS = 60


def queued(server: Server) -> dict[str, str]:
    """Return where each picture stands on the route for care."""
    done = server.consentgate("route", "queue", "--route", "care", "--json")
    rows: list[dict[str, object]] = json.loads(done.stdout)
    return {str(row["sop_instance_uid"]): str(row["state"]) for row in rows}


def moves(journey: Journey, study: str) -> bool:
    """Tell whether the workstation is sent a study that it asks for."""
    return journey.workstation.move("DERMWS", StudyInstanceUID=study) == 0


def kill(server: Server) -> None:
    """End Orthanc as a power cut would."""
    assert server.process is not None
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait(SECONDS)
    server.process = None


def test_what_is_stable_is_queued_whatever_happens_and_a_changed_policy_takes_two(tmp_path: Path) -> None:
    with started(tmp_path) as archive:
        server, journey = archive.server, archive.journey
        server.stop()
        policy, configuration = server.folder / "policy.toml", server.folder / "orthanc.json"
        before = policy.read_text()
        policy.write_text(before + ROUTES.replace('triggers = ["KEY_OBJECT"]\n', ""))  # what is stable goes, too
        configuration.write_text(configuration.read_text().replace("{", '{\n  "StableAge": 1,', 1))
        server.start()
        (first,) = filed(archive, "A", tmp_path, 1)
        assert wait_until(lambda: queued(server).get(first) == "WAITING", SECONDS)

        present = str(told(server, "policy", "propose", "--by", "admin")["digest"])
        told(server, "policy", "activate", present, "--by", "derm")
        policy.write_text(before.replace('may = ["move", "receive"]', 'may = ["move"]'))
        (second,) = filed(archive, "A", tmp_path, 1)
        kill(server)  # before the series counts as stable, or just after it
        server.start()
        assert queued(server)[second] == "WAITING"
        study = archive.wrapped("A").study_instance_uid
        assert moves(journey, study)  # the file alone changes nothing

        changed = str(told(server, "policy", "propose", "--by", "admin")["digest"])
        assert server.consentgate("policy", "activate", changed, "--by", "admin").returncode == 1
        waiting = told(server, "route", "queue", "--counts")["WAITING"]
        assert told(server, "policy", "activate", changed, "--by", "derm")["cancelled"] == waiting
        assert set(queued(server).values()) == {"CANCELLED"}
        assert not moves(journey, study)  # Orthanc still has the policy before
        assert server.consentgate("audit", "verify").returncode == 0
