"""The HTTP filter: no request passes unless a row, a role, a purpose and the gate all say yes."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_plugin.archive.remote import SECRET_HEADER, Credentials
from orthanc_plugin.enforcement.http import HttpFilter
from orthanc_plugin.policy.model import SecondaryUseRule
from orthanc_plugin.sending.worker import Worker
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.fakes.world import POLICY, World, make_world

INTERNAL = Credentials(user="consentgate", password="p", secret="the-secret")
GET, POST, PUT, DELETE = 1, 2, 3, 4
METHOD = {"GET": GET, "POST": POST, "PUT": PUT, "DELETE": DELETE}


def basic(name: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:password".encode()).decode()


class Door:
    """The filter's hook, asked as Orthanc asks it."""

    def __init__(self, world: World, worker: Worker) -> None:
        self.world = world
        self.hook = HttpFilter(world.services, INTERNAL, worker).hook

    def ask(
        self,
        account: str,
        request: str,
        headers: dict[str, str] | None = None,
        arguments: dict[str, str] | None = None,
    ) -> bool:
        method, uri = request.split(" ", 1)
        said = {"Authorization": basic(account)} if account else {}
        return self.hook(
            uri, method=METHOD[method], ip="10.0.0.7", headers={**said, **(headers or {})}, get=arguments or {}
        )

    def refused_by(self, account: str, request: str, **more: dict[str, str]) -> str:
        before = len(self.world.trail())
        assert self.ask(account, request, **more) is False
        entries = self.world.trail()[before:]
        assert len(entries) >= 1
        rules = self.world.last_rules()
        assert (entries[-1]["effect"], entries[-1]["outcome"], entries[-1]["address"]) == ("DENY", "4", "10.0.0.7")
        return rules[0]


@pytest.fixture
def door(world: World) -> Iterator[Door]:
    world.file(CARE, TEACHING)
    return Door(world, world.worker())


def file_of(world: World) -> str:
    return f"GET /instances/{world.row().orthanc_instance}/file"


def test_the_care_team_sees_the_picture_and_the_trail_says_so(door: Door) -> None:
    assert door.ask("derm", file_of(door.world)) is True
    entry = door.world.trail()[-1]
    assert (entry["effect"], entry["actor"], entry["subject"]) == ("PERMIT_IDENTIFIABLE", "derm", UID)
    assert (entry["door"], entry["address"]) == ("GET /instances/{instance}/file", "10.0.0.7")


@pytest.mark.parametrize(
    "route",
    [
        "/instances/{row.orthanc_instance}/preview",
        "/instances/{row.orthanc_instance}",
        "/dicom-web/studies/{row.study_instance_uid}/series/{row.series_instance_uid}/instances/{row.sop_instance_uid}/frames/1",
        "/dicom-web/studies/{row.study_instance_uid}/series/{row.series_instance_uid}/instances/{row.sop_instance_uid}",
    ],
)
def test_a_picture_is_asked_about_however_it_is_named(route: str, door: Door) -> None:
    request = "GET " + route.format(row=door.world.row())
    assert door.ask("derm", request) is True
    door.world.withdraw()
    assert door.ask("derm", request) is False


def test_wado_uri_names_its_picture_by_argument(door: Door) -> None:
    assert door.ask("derm", "GET /wado", arguments={"objectUID": UID}) is True
    assert door.refused_by("derm", "GET /wado") == "UNKNOWN_IMAGE"


@pytest.mark.parametrize(
    ("account", "request_line", "rule"),
    [
        ("", "GET /system", "UNKNOWN_USER"),
        ("nobody", "GET /system", "UNKNOWN_USER"),
        ("derm", "GET /system", "ROLE_MISSING"),
        ("admin", "GET /patients", "ROLE_MISSING"),
        ("uploader", "GET /patients", "ROLE_MISSING"),
        ("derm", "POST /instances", "ROLE_MISSING"),
        ("admin", "GET /wado", "ROLE_MISSING"),
        ("teacher", "GET /studies", "ROLE_MISSING"),
        ("admin", "GET /nonsense", "UNKNOWN_ROUTE"),
        ("admin", "POST /tools/find", "ROLE_MISSING"),
        ("admin", "POST /tools/execute-script", "FORBIDDEN_ROUTE"),
        ("admin", "GET /webdav/x", "FORBIDDEN_ROUTE"),
        ("admin", "POST /tools/reset", "FORBIDDEN_ROUTE"),
        ("admin", "POST /modalities/teaching/store-straight", "FORBIDDEN_ROUTE"),
        ("consentgate", "POST /modalities/teaching/store-straight", "FORBIDDEN_ROUTE"),
        ("consentgate", "GET /system", "UNKNOWN_USER"),
        ("derm", "GET /instances/6816cb19-844d5aee-85245eba-28e841e6-2414fae2", "UNKNOWN_IMAGE"),
    ],
)
def test_a_refusal_is_recorded_with_its_rule(account: str, request_line: str, rule: str, door: Door) -> None:
    assert door.refused_by(account, request_line) == rule


@pytest.mark.parametrize(
    ("account", "request_line"),
    [
        ("admin", "GET /system"),
        ("admin", "GET /modalities"),
        ("admin", "GET /tools/now"),
        ("uploader", "POST /instances"),
        ("uploader", "POST /dicom-web/studies"),
        ("uploader", "POST /dicom-web/studies/2.25.1"),
    ],
)
def test_a_role_opens_what_it_is_for_and_that_is_recorded(account: str, request_line: str, door: Door) -> None:
    before = len(door.world.trail())
    assert door.ask(account, request_line) is True
    assert [entry["actor"] for entry in door.world.trail()[before:]] == [account]


@pytest.mark.parametrize("request_line", ["GET /studies", "GET /dicom-web/studies", "POST /tools/find"])
def test_what_an_override_decides_on_passes_by_its_role_and_is_noted_there(request_line: str, door: Door) -> None:
    before = len(door.world.trail())
    assert door.ask("derm", request_line) is True
    assert len(door.world.trail()) == before


def test_nothing_is_deleted_by_anyone(door: Door) -> None:
    request = f"DELETE /studies/{door.world.row().orthanc_study}"
    for account in ("admin", "derm", "", "consentgate"):
        assert door.refused_by(account, request) == "FORBIDDEN_ROUTE"


@pytest.mark.parametrize(
    ("headers", "arguments"),
    [
        ({"X-Purpose-Of-Use": "TEACHING"}, {}),
        ({"Purpose-Of-Use": "TRAIN"}, {}),
        ({"purpose-of-use": ""}, {}),
        ({"X-PURPOSE-OF-USE": "direct_care"}, {}),
        ({}, {"purpose": "RESEARCH"}),
        ({"X-Purpose-Of-Use": "DIRECT_CARE"}, {"purpose": "RESEARCH"}),
        ({}, {"purpose": "'; DROP TABLE trail; --"}),
    ],
)
def test_a_request_can_t_choose_its_purpose(headers: dict[str, str], arguments: dict[str, str], door: Door) -> None:
    rule = door.refused_by("derm", file_of(door.world), headers=headers, arguments=arguments)
    assert rule == "PURPOSE_NOT_BOUND"
    assert "DROP" not in str(door.world.trail()[-1])


@pytest.mark.parametrize("purpose", ["DIRECT_CARE", "TREAT"])
def test_naming_one_s_own_purpose_changes_nothing(purpose: str, door: Door) -> None:
    assert door.ask("derm", file_of(door.world), {"X-Purpose-Of-Use": purpose}, {"purpose": purpose}) is True


@pytest.mark.parametrize(
    "authorization",
    [
        "Digest abc",
        "Basic",
        "Basic ",
        "Basic not*base64",
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        "Digest username=derm",
        basic("derm").replace("Basic", "Negotiate"),
        "",
    ],
)
def test_what_is_no_verified_account_is_nobody(authorization: str, door: Door) -> None:
    rule = door.refused_by("", file_of(door.world), headers={"Authorization": authorization})
    assert rule == "UNKNOWN_USER"


def test_a_teacher_gets_no_original_whatever_was_agreed(door: Door) -> None:
    door.world.review()
    assert door.refused_by("teacher", file_of(door.world)) == "OBLIGATION_UNMET"
    assert door.world.disclosures() == []


@pytest.mark.parametrize(
    ("account", "secret", "request_line", "passes"),
    [
        ("consentgate", INTERNAL.secret, "POST /instances", True),
        ("consentgate", INTERNAL.secret, "POST /modalities/teaching/store-straight", False),
        ("consentgate", INTERNAL.secret, "GET /instances/{row.orthanc_instance}/file", True),
        ("consentgate", INTERNAL.secret, "GET /instances/{row.orthanc_instance}/preview", False),
        ("consentgate", INTERNAL.secret, "GET /system", True),
        ("consentgate", INTERNAL.secret, "GET /consentgate/health", True),
        ("consentgate", INTERNAL.secret, "GET /statistics", False),
        ("consentgate", INTERNAL.secret, "DELETE /instances/{row.orthanc_instance}", False),
        ("consentgate", INTERNAL.secret, "DELETE /studies/{row.orthanc_study}", False),
        ("consentgate", "wrong", "DELETE /instances/{row.orthanc_instance}", False),
        ("admin", INTERNAL.secret, "DELETE /instances/{row.orthanc_instance}", False),
        ("consentgate", INTERNAL.secret, "GET /nonsense", False),
        ("consentgate", "wrong", "POST /instances", False),
        ("consentgate", "", "POST /instances", False),
        ("consentgate", "wrong", "GET /instances/{row.orthanc_instance}/file", False),
        ("admin", INTERNAL.secret, "POST /instances", False),
        ("", INTERNAL.secret, "GET /instances/{row.orthanc_instance}/file", False),
        ("derm", INTERNAL.secret, "POST /instances", False),
    ],
)
def test_only_consentgate_itself_uses_its_own_routes_and_only_those(
    account: str, secret: str, request_line: str, passes: bool, door: Door
) -> None:
    headers = {SECRET_HEADER: secret} if secret else {}
    assert door.ask(account, request_line.format(row=door.world.row()), headers) is passes


def test_a_header_s_name_is_read_in_any_case(door: Door) -> None:
    headers = {SECRET_HEADER.upper(): INTERNAL.secret}
    assert door.ask("consentgate", "POST /instances", headers) is True


def test_a_closed_gate_shows_nothing_but_still_takes_in(door: Door) -> None:
    door.world.services.gate.close("a test")
    assert door.ask("derm", file_of(door.world)) is False
    assert door.refused_by("derm", "GET /studies") == "GATE_CLOSED"
    assert door.ask("uploader", "POST /instances") is True
    assert door.ask("admin", "GET /system") is True


def test_what_can_t_be_recorded_doesn_t_pass(door: Door) -> None:
    request = file_of(door.world)
    door.world.stop_the_trail()
    for account, asked in (("derm", request), ("admin", "GET /system")):
        assert door.ask(account, asked) is False


@pytest.mark.parametrize(
    "call",
    [
        {},
        {"method": None},
        {"method": 99},
        {"method": "GET"},
        {"method": GET, "headers": None, "get": None},
        {"method": GET, "headers": "x", "get": 5},
    ],
)
def test_a_call_that_makes_no_sense_is_a_no(call: dict[str, object], door: Door) -> None:
    assert door.hook("/system", **call) is False
    assert door.hook(None, **call) is False  # type: ignore[arg-type]


def test_a_stopped_worker_is_a_no(world: World) -> None:
    worker = world.worker()
    worker.stop()
    assert Door(world, worker).ask("admin", "GET /system") is False


def test_an_original_that_leaves_the_trust_is_disclosed_before_it_does(tmp_path: Path) -> None:
    outside = POLICY.replace(
        "[profiles.teaching]",
        '[[users]]\nname = "partner"\nroles = ["view"]\npurpose = "SECOND_OPINION"\n'
        'audience = "PARTNER_ORG_CLINICIAN"\nsecure_channel = {secure}\n[profiles.teaching]',
    )
    scope = {"purpose": "SECOND_OPINION", "max_form": "IDENTIFIABLE", "audience": ["PARTNER_ORG_CLINICIAN"]}
    for secure, leaves in (("true", True), ("false", False)):
        folder = tmp_path / secure
        folder.mkdir()
        world = make_world(folder, policy=outside.replace("{secure}", secure))
        world.file(CARE, scope)
        door = Door(world, world.worker())
        assert door.ask("partner", file_of(world)) is leaves
        assert [each["recipient"] for each in world.disclosures()] == (["partner"] if leaves else [])
        world.close()


def test_the_hospital_s_switch_opens_no_original_to_teaching(tmp_path: Path) -> None:
    world = make_world(tmp_path, policy=POLICY.replace("REQUIRE_CONSENT", SecondaryUseRule.GMC17))
    world.file(CARE)
    world.review()
    assert Door(world, world.worker()).ask("teacher", file_of(world)) is False
    world.close()
