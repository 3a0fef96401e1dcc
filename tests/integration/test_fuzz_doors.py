"""Requests at random as every account, without one forbidden byte out; ``python -m tests.fuzz_doors`` asks for more."""

from __future__ import annotations

import pytest

from orthanc_plugin.config.bindings import Role
from orthanc_plugin.config.policyfile import load_policy
from tests.fuzz_doors import ACCOUNTS, Maker, Request, astray, faults, fuzz
from tests.integration.doorways import Doors

REQUESTS = 200


@pytest.mark.parametrize("account", ACCOUNTS, ids=lambda account: account or "nobody")
def test_no_forbidden_byte_leaves_whatever_is_asked(doors: Doors, account: str) -> None:
    tally = fuzz(doors, account, REQUESTS, "a test")
    assert tally.leaks == []
    assert sum(tally.statuses.values()) == REQUESTS
    assert astray(doors) == []
    assert doors.ask("GET", "/system", "admin").status_code == 200  # it has come through


def test_everybody_whom_policy_binds_and_every_role_asks(doors: Doors) -> None:
    users = load_policy(doors.server.folder / "policy.toml").users
    assert {user.name for user in users} <= set(ACCOUNTS)
    for role in Role:
        least = min(len(user.roles) for user in users if role in user.roles)
        assert least <= 2, f"no account has {role} without many others"


def test_the_care_team_s_requests_open_some_doors(doors: Doors) -> None:
    assert fuzz(doors, "derm", 400, "another test").statuses[200] > 3


def test_the_same_seed_makes_the_same_requests(doors: Doors) -> None:
    one, other = Maker(doors, "seed"), Maker(doors, "seed")
    assert [one.request() for _ in range(50)] == [other.request() for _ in range(50)]


@pytest.mark.parametrize("name", ["A", "sibling", "form"])
def test_a_leak_would_be_found(doors: Doors, name: str) -> None:
    request = Request(method="GET", target="/tools", headers={}, body=b"")
    content = b"Server: x\n\n" + doors.objects[name].content
    assert list(faults("derm", request, (200, content), doors.forbidden("derm")))
    assert list(faults("admin", request, (200, content), doors.forbidden("admin")))
