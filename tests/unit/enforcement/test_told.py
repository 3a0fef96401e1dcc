"""What an account is told of its refusals: its own only, of the last minutes, in words, with the decision id."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_plugin.archive.remote import Credentials
from orthanc_plugin.enforcement import levels
from orthanc_plugin.enforcement.http import HttpFilter
from orthanc_plugin.enforcement.told import AS_ASKED, MINUTES, MOST, NONE, REMEDIES
from orthanc_plugin.enforcement.withheld import NOTHING
from tests.fakes.caller import Caller, Said, world_with_accounts
from tests.fakes.core import CoreSimulator
from tests.fakes.exits import Asking
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.fakes.world import World

GET = 1
INTERNAL = Credentials(user="consentgate", password="p", secret="s")


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    world = world_with_accounts(tmp_path)
    world.file(CARE, TEACHING)
    yield Caller(world=world)
    world.close()


def ask(world: World, account: str, uri: str, **headers: str) -> bool:
    """Ask the filter, as Orthanc does."""
    sent = {"Authorization": "Basic " + base64.b64encode(f"{account}:x".encode()).decode()}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpFilter(world.services, INTERNAL, world.worker()).hook(
        uri, method=GET, ip="10.0.0.7", headers=sent, get={}
    )


def picture(world: World) -> str:
    return f"/instances/{world.row().orthanc_instance}/file"


def told(said: Said) -> tuple[str, str, str]:
    assert said.status == 200
    return str(said["error"]), str(said["remedy"]), str(said["decision"])


def test_a_withdrawn_consent_is_told_in_words_with_the_decision_that_the_trail_has(caller: Caller) -> None:
    world = caller.world
    world.withdraw()
    assert ask(world, "derm", picture(world)) is False
    entry = world.trail()[-1]
    said = caller.get("refusal", "derm")
    error, remedy, decision = told(said)
    (row,) = said["refusals"]  # type: ignore[misc]
    assert decision == row["decision"] == entry["id"]
    assert (row["door"], row["rules"]) == ("GET /instances/{instance}/file", entry["rules"])
    assert "withdrawn" in error.lower()
    assert "decision id" in remedy
    everything = str(said.body)
    for secret in (UID, world.row().orthanc_instance, world.row().patient_id, world.row().study_instance_uid):
        assert secret not in everything


def test_nobody_is_told_of_another_s_refusals(caller: Caller) -> None:
    world = caller.world
    assert ask(world, "teacher", "/system") is False
    for account in ("derm", "epr", "admin"):
        assert told(caller.get("refusal", account))[0] == NONE
    assert "role 'admin'" in told(caller.get("refusal", "teacher"))[0]
    assert caller.get("refusal", "nobody").status == 403
    assert caller.get("refusal", "").status == 403


def test_nobody_is_told_of_the_refusals_of_a_node_that_is_called_like_their_account(caller: Caller) -> None:
    gate, derm = caller.world.services.gate, caller.world.requester("derm")
    for door in ("C-MOVE", "C-FIND", "N-ACTION", "intake"):
        gate.refuse(derm, door, "the node may not", rule="FORBIDDEN_SERVICE")
    assert told(caller.get("refusal", "derm"))[0] == NONE


REFUSED = {
    "UNKNOWN_ROUTE": ("/nonsense", {}),
    "FORBIDDEN_ROUTE": ("/webdav", {}),
    "ROLE_MISSING": ("/system", {}),
    "PURPOSE_NOT_BOUND": ("/studies", {"X_Purpose_Of_Use": "RESEARCH"}),
    "IDENTITY_NOT_TRUSTED": ("/studies", {"X_Forwarded_User": "admin"}),
    "COMPRESSED_BODY": ("/studies", {"Content_Encoding": "gzip"}),
    "UNKNOWN_IMAGE": ("/instances/" + "-".join(["0" * 8] * 5) + "/file", {}),
}


@pytest.mark.parametrize("rule", REFUSED)
def test_each_kind_of_refusal_says_what_to_do(rule: str, caller: Caller) -> None:
    uri, headers = REFUSED[rule]
    assert ask(caller.world, "derm", uri, **headers) is False
    said = caller.get("refusal", "derm")
    (row,) = said["refusals"]  # type: ignore[misc]
    assert row["rules"] == [rule]
    assert REMEDIES[rule] in row["remedy"]
    assert row["error"].endswith(".")


def test_what_needs_people_is_told_as_what_they_do(caller: Caller) -> None:
    world = caller.world
    assert ask(world, "teacher", picture(world)) is False  # nobody has looked at the picture yet
    error, remedy, _ = told(caller.get("refusal", "teacher"))
    assert error
    assert "Have a named person check" in remedy


def test_what_is_anonymised_is_told_where_it_is_given(caller: Caller) -> None:
    world = caller.world
    world.review()
    assert ask(world, "teacher", picture(world)) is False
    assert "C-MOVE" in told(caller.get("refusal", "teacher"))[0]


def test_a_shut_gate_says_so_and_still_tells(caller: Caller) -> None:
    world = caller.world
    world.services.gate.close("it is being mended")
    assert ask(world, "derm", picture(world)) is False
    error, remedy, _ = told(caller.get("refusal", "derm"))
    assert "the gate is closed" in error.lower()
    assert REMEDIES["GATE_CLOSED"] in remedy
    assert ask(world, "derm", "/consentgate/refusal") is True


def test_what_was_permitted_or_is_long_ago_is_no_refusal(caller: Caller) -> None:
    world = caller.world
    assert ask(world, "derm", picture(world)) is True
    assert told(caller.get("refusal", "derm")) == (NONE, told(caller.get("refusal", "derm"))[1], "")
    assert ask(world, "derm", "/nonsense") is False
    world.clock.advance(minutes=MINUTES)
    assert told(caller.get("refusal", "derm"))[0] != NONE
    world.clock.advance(seconds=1)
    assert told(caller.get("refusal", "derm"))[0] == NONE


def test_the_newest_come_first_and_there_are_only_so_many(caller: Caller) -> None:
    world = caller.world
    for _ in range(MOST + 3):
        ask(world, "derm", "/nonsense")
    ask(world, "derm", "/webdav")
    said = caller.get("refusal", "derm")
    rows = said["refusals"]
    assert isinstance(rows, list)
    assert (len(rows), rows[0]["rules"], rows[0]["decision"]) == (MOST, ["FORBIDDEN_ROUTE"], said["decision"])


@pytest.mark.parametrize(
    ("refused", "rule"),
    [
        ("GET /nonsense", "UNKNOWN_ROUTE"),
        ("GET /webdav", "FORBIDDEN_ROUTE"),
        ("HEAD /webdav", "FORBIDDEN_ROUTE"),
        ("GET /system", None),
        ("GET /webdav/by-uids", None),
        ("GET", "FORBIDDEN_ROUTE"),
        ("", "FORBIDDEN_ROUTE"),
    ],
)
def test_the_proxy_may_say_which_request_was_refused(refused: str, rule: str | None, caller: Caller) -> None:
    ask(caller.world, "derm", "/nonsense")
    ask(caller.world, "derm", "/webdav")
    said = caller.get("refusal", "derm", x_consentgate_refused=refused)
    rows = said["refusals"]
    assert isinstance(rows, list)
    assert [rows[0]["rules"]] == [[rule]] if rule else (rows, said["error"]) == ([], AS_ASKED)


def nameless(said: Said) -> list[dict[str, object]]:
    """Return the refusals without what differs between any two."""
    rows = said["refusals"]
    assert isinstance(rows, list)
    return [{key: value for key, value in row.items() if key not in ("decision", "at")} for row in rows]


@pytest.mark.parametrize("tail", ["", "/studies", "/shared-tags"])
def test_nobody_finds_out_who_is_a_patient_here(tail: str, caller: Caller) -> None:
    """A patient's identifier in Orthanc can be made of their number, so a guess must not be told apart from a hit."""
    world = caller.world
    world.file(uid="2.25.8")
    world.withdraw()
    asking = Asking(world=world, core=CoreSimulator(archive=world.archive))
    for account in ("derm", "teacher"):
        assert asking.get(f"/patients/{world.row().orthanc_patient}{tail}", account).status == 403
        hit = caller.get("refusal", account)
        world.clock.advance(minutes=MINUTES + 1)
        assert asking.get("/patients/" + "-".join(["0" * 8] * 5) + tail, account).status == 403
        guess = caller.get("refusal", account)
        world.clock.advance(minutes=MINUTES + 1)
        assert nameless(hit) == nameless(guess)
        assert len(nameless(hit)) == 1
        assert (hit["error"], hit["remedy"]) == (guess["error"], guess["remedy"])


def test_that_a_patient_has_too_many_pictures_is_not_told_afterwards_either(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(levels, "MOST", 0)
    world = caller.world
    asking = Asking(world=world, core=CoreSimulator(archive=world.archive))
    for patient in (world.row().orthanc_patient, "-".join(["0" * 8] * 5)):
        assert asking.get(f"/patients/{patient}", "derm").status == 403
        (row,) = nameless(caller.get("refusal", "derm"))
        assert (row["rules"], row["error"]) == ([], NOTHING[0].upper() + NOTHING[1:] + ".")
        world.clock.advance(minutes=MINUTES + 1)


def test_what_bodies_name_is_kept_back_too_but_not_why_the_door_is_shut(caller: Caller) -> None:
    gate, door = caller.world.services.gate, "POST /tools/create-archive"
    derm = caller.world.requester("derm")
    gate.refuse(derm, door, "the patient withdrew", rule="R1", subject=UID)
    gate.refuse(derm, door, "the image is not known to the registry", rule="UNKNOWN_IMAGE")
    gate.refuse(derm, door, "the account does not have the role 'send'", rule="ROLE_MISSING")
    first, second = nameless(caller.get("refusal", "derm"))
    assert first["rules"] == ["ROLE_MISSING"]
    assert (second["rules"], second["error"]) == ([], NOTHING[0].upper() + NOTHING[1:] + ".")


def test_every_account_of_the_policy_may_ask_and_the_filter_lets_it(caller: Caller) -> None:
    for user in caller.world.services.policy.users:
        assert ask(caller.world, user.name, "/consentgate/refusal") is True
        assert caller.get("refusal", user.name).status == 200
    assert ask(caller.world, "nobody", "/consentgate/refusal") is False
