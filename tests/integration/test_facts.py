"""Facts for retention pushed to a real Orthanc by the system that has them: what is due then, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from demo.server import Server
from tests.integration.archive import Archive, started
from tests.integration.destroying import OFFICERS, told

JSON = {"Content-Type": "application/json"}
PASSWORD = "a password of the test"
FEED = """
[[users]]
name = "pas"
roles = ["facts"]
purpose = "RECORDS_MANAGEMENT"
audience = "RECORDS_OFFICER"
"""


def push(server: Server, *rows: object, as_of: datetime, account: str = "pas") -> httpx.Response:
    body = json.dumps({"as_of": as_of.isoformat(), "facts": list(rows)}).encode()
    return server.ask("POST", "/consentgate/retention/facts", account, headers=JSON, content=body)


def with_a_feed(archive: Archive) -> Server:
    """Start the archive anew with an account that tells facts, and a schedule in force."""
    server = archive.server
    server.stop()
    orthanc, policy = server.folder / "orthanc.json", server.folder / "policy.toml"
    orthanc.write_text(orthanc.read_text().replace('"derm":', f'"pas": "{PASSWORD}",\n    "derm":'))
    policy.write_text(policy.read_text() + FEED + OFFICERS)
    schedule = told(server, "retention", "schedule", "propose", "--by", "clerk")
    told(server, "retention", "schedule", "activate", str(schedule["sha256"]), "--by", "guardian")
    server.start()
    return server


def test_a_record_falls_due_by_what_a_feed_pushes_and_a_half_good_batch_is_nothing(tmp_path: Path) -> None:
    with started(tmp_path) as archive:
        server, now = with_a_feed(archive), datetime.now(UTC)
        patient = archive.wrapped("A").person.patient_id
        row = {"patient_id": patient, "last_contact": "2010-03-04", "open_episode": False, "categories": []}
        for account, status in (("epr", 403), ("admin", 403), ("derm", 403), ("", 401)):
            assert push(server, row, as_of=now, account=account).status_code == status
        bad = server.ask("POST", "/consentgate/retention/facts", "pas", headers=JSON, content=b'{"as_of":')
        assert (bad.status_code, bool(bad.json()["remedy"])) == (400, True)
        half = push(server, row, {**row, "patient_id": "NOBODY", "last_contact": "4.3.2010"}, as_of=now)
        assert half.status_code == 422, half.text
        assert [problem.partition(":")[0] for problem in half.json()["problems"]] == ["facts[1].last_contact"]
        assert told(server, "retention", "plan", "--by", "clerk", status=1)["lines"] == 0  # nothing was told yet
        old = push(server, row, as_of=now - timedelta(days=3))
        assert (old.status_code, old.json()["recorded"], old.json()["stale"]) == (200, 1, True), old.text
        assert told(server, "retention", "plan", "--by", "clerk", status=1)["lines"] == 0  # nor is what is stale
        fresh = push(server, row, as_of=now)
        assert (fresh.json()["stale"], fresh.json()["fresh_as_of"]) == (False, now.isoformat()), fresh.text
        assert push(server, row, as_of=now).json()["known"] == 1
        assert told(server, "retention", "plan", "--by", "clerk")["lines"] == 1
        entries = [entry for entry in server.audit(200) if entry["actor"] == "pas"]
        effects = {str(entry["effect"]) for entry in entries}
        assert {"RETENTION_FACTS", "RETENTION_FEED", "RETENTION_FEED_REFUSED"} <= effects
        assert patient not in json.dumps(entries)
        assert patient not in (server.folder / "orthanc.log").read_text(errors="replace")
        assert "The trail is whole" in server.consentgate("audit", "verify").stdout
        listed = server.consentgate("doors").stdout
        assert "/consentgate/retention/facts" in listed
