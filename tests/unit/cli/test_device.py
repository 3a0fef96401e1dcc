"""``consentgate device`` and ``consentgate operator``."""

from __future__ import annotations

import pytest

from tests.fakes.pictures import CARE, TEACHING, consent
from tests.fakes.register import taken
from tests.fakes.world import World
from tests.unit.cli.conftest import Shell

SAFE = ("--password", "--encrypted", "--auto-lock", "--remote-wipe", "--cloud-sync", "off")
WHY = ("--reason", "bought", "--by", "illustration")
PLACE = ("--serial", "sn 4711", "--department", "Illustration")
ADD = ("device", "add", "CAM-01", "--class", "DEDICATED")


def test_a_device_is_added_shown_changed_waived_retired_and_taken_back(shell: Shell) -> None:
    assert shell("device", "list").stderr == "No device is on the register.\n"
    added = shell.json(*ADD, *PLACE, *SAFE, *WHY)
    assert (added["serial_number"], added["cloud_sync"], added["status"]) == ("SN4711", False, "IN_USE")
    changed = shell.json("device", "change", "CAM-01", "--station", "Studio 2", "--no-remote-wipe", *WHY)
    assert (changed["station_name"], changed["remote_wipe"]) == ("STUDIO2", False)
    assert shell.json("device", "change", "CAM-01", "--account", "phone-1", *WHY)["account"] == "phone-1"
    waived = shell.json("device", "waive", "CAM-01", "auto_lock", *WHY)
    assert (waived["auto_lock"], waived["waived"][0]["by"]) == (False, "illustration")
    assert shell("device", "retire", "CAM-01", *WHY).stdout == "CAM-01 is retired.\n"
    assert shell.json("device", "list", "--status", "IN_USE") == []
    assert shell.json("device", "found", "CAM-01", *WHY)["status"] == "IN_USE"
    shown = shell.json("device", "show", "CAM-01")
    assert [each["version"] for each in shown["versions"]] == [1, 2, 3, 4, 5, 6]
    assert "version 6 by illustration: bought" in shell("device", "show", "CAM-01").stdout
    assert "CAM-01\tIN_USE\tDEDICATED\tSN4711" in shell("device", "list").stdout
    assert shell("audit", "verify").exit_code == 0


def test_a_device_that_lacks_something_is_added_with_a_waiver(shell: Shell) -> None:
    stated = ("--password", "--auto-lock", "--no-remote-wipe", "--cloud-sync", "off")
    added = shell.json(*ADD, *PLACE, *stated, "--waive", "encrypted", *WHY)
    assert (added["encrypted"], [each["safeguard"] for each in added["waived"]]) == (False, ["encrypted"])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((*ADD, *PLACE, *WHY), 2, "Say of the device: password, encrypted, auto-lock, remote-wipe, cloud-sync"),
        ((*ADD, *PLACE, *SAFE, "--not-encrypted", *WHY), 1, "nobody has waived it"),
        ((*ADD, *PLACE, *SAFE, "--cloud-sync", "on", *WHY), 1, "cloud_sync: must be off"),
        ((*ADD, *SAFE, *WHY), 1, "serial_number: is missing"),
        (("device", "change", "CAM-01", *WHY), 2, "Say what to change"),
        (("device", "change", "CAM-01", "--owner", "X", *WHY), 1, "consentgate device list"),
        (("device", "lost", "CAM-01", *WHY), 1, "consentgate device list"),
        (("device", "images", "CAM-01"), 1, "consentgate device list"),
        (("device", "waive", "CAM-01", "cloud_sync", *WHY), 2, "cloud_sync"),
        (("operator", "end", "S1", "--by", "x"), 1, "consentgate operator list"),
    ],
)
def test_what_is_wrong_is_told_with_its_remedy(arguments: tuple[str, ...], code: int, words: str, shell: Shell) -> None:
    assert words in shell.fails(*arguments, code=code)
    assert shell.world.sql("SELECT * FROM devices") == []


def test_a_lost_device_is_reported_and_its_pictures_are_listed_by_one_command(shell: Shell) -> None:
    world: World = shell.world
    world.record(consent(CARE, TEACHING))
    shell(*ADD, *PLACE, *SAFE, *WHY)
    world.receive(taken())
    world.receive(taken(uid="2.25.9", PatientID="P9"))
    (first, second) = shell.json("device", "images", "CAM-01")
    assert (first["status"], second["status"], second["disclosures"]) == ("ACTIVE", "HELD", [])
    lost = shell("device", "lost", "CAM-01", *WHY).stdout
    assert lost.startswith("CAM-01 is reported lost; what it sends is refused. Wipe it from afar now.")
    assert "2.25.3\t" in lost
    assert sorted(task["kind"] for task in shell.json("task", "list")) == ["BREACH_ASSESSMENT", "DEVICE_LOST"]
    shell("device", "found", "CAM-01", *WHY)
    again = shell.json("device", "lost", "CAM-01", *WHY)
    assert again["wipe"]["remote_wipe"] is True
    assert [each["sop_instance_uid"] for each in again["came"]] == ["2.25.3", "2.25.9"]
    assert shell.json("device", "share")[0]["device_class"] == "DEDICATED"
    assert shell.json("device", "share", "--month", "1999-01") == []


def test_operators_are_added_listed_and_ended(shell: Shell) -> None:
    assert shell("operator", "list").stderr == "No operator is on the register.\n"
    who = ("operator", "add", "S100", "--name", "Field^Alex", "--role", "clinical photographer", "--by", "illustration")
    assert shell.json(*who, "--from", "2026-01-01")["active_from"] == "2026-01-01"
    assert "operator end" in shell.fails(*who)
    ended = shell.json("operator", "end", "S100", "--on", "2026-06-30", "--by", "illustration")
    assert ended["active_until"] == "2026-06-30"
    assert "S100\tField^Alex\tclinical photographer\t2026-01-01\t2026-06-30" in shell("operator", "list").stdout
    assert shell("audit", "verify").exit_code == 0


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE devices SET reason = 'another'", "device"),
        ("UPDATE devices SET encrypted = 0", "device"),
        ("DELETE FROM devices", "device"),
        ("UPDATE operators SET active_until = NULL, role = 'surgeon'", "operator"),
    ],
)
def test_a_row_changed_behind_the_register_s_back_is_noticed(statement: str, kind: str, shell: Shell) -> None:
    shell(*ADD, *PLACE, *SAFE, *WHY)
    shell("operator", "add", "S100", "--name", "Field^Alex", "--role", "photographer", "--by", "illustration")
    assert shell("audit", "verify").exit_code == 0
    shell.world.sql(statement)
    assert f"1 {kind} record(s) are not as the trail has them" in shell("audit", "verify").stdout
