"""Routes of policy.toml: data, and every fault of it with the route that has it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest

from dicomwrap.terms import Purpose
from orthanc_plugin.config.policydiff import differences
from orthanc_plugin.policy.model import MadeFor
from orthanc_plugin.policy.routing import BY_ITSELF, Conditions, Day, Trigger, Window
from tests.unit.config.test_policyfile import STATED, load, node, problems

NODES = (
    STATED
    + node(name="ward", aet="WARD", may='["receive"]')
    + node(name="backup", aet="BACKUP", may='["receive"]')
    + node(name="students", aet="STUDENTS", may='["receive"]', purpose="TEACHING", audience="TRUST_STUDENTS")
    + node(name="camera", aet="CAMERA", may='["store"]')
)
ROUTE = {"name": '"hands"', "recipient": '"ward"', "purpose": '"DIRECT_CARE"', "owner": '"ward"'}


def route(**said: str) -> str:
    lines = {name: value for name, value in {**ROUTE, **said}.items() if value}
    return "[[routes]]\n" + "".join(f"{name} = {value}\n" for name, value in lines.items())


def test_a_route_that_says_little_is_for_every_picture_at_every_time(tmp_path: Path) -> None:
    (found,) = load(tmp_path, NODES + route()).routes
    assert (found.name, found.recipient, found.purpose) == ("hands", "ward", Purpose.DIRECT_CARE)
    assert (found.conditions, found.window, found.expires, found.enabled) == (Conditions(), None, None, True)
    assert found.triggers == BY_ITSELF == frozenset(Trigger) - {Trigger.KEY_OBJECT}


def test_a_route_says_which_pictures_when_and_where_else(tmp_path: Path) -> None:
    text = route(
        sop_classes='["1.2.840.10008.5.1.4.1.1.77.1.4"]',
        body_sites='["33712006"]',
        departments='["Dermatology"]',
        made_for='["CARE"]',
        priority="5",
        window='{ days = ["mon", "fri"], since = "22:00", until = "06:00" }',
        expires="2027-12-31",
        alternates='["backup"]',
        triggers='["KEY_OBJECT"]',
        enabled="false",
    )
    (found,) = load(tmp_path, NODES + text).routes
    assert found.conditions == Conditions(
        sop_classes=frozenset({"1.2.840.10008.5.1.4.1.1.77.1.4"}),
        body_sites=frozenset({"33712006"}),
        departments=frozenset({"Dermatology"}),
        made_for=frozenset({MadeFor.CARE}),
    )
    assert found.window == Window(days=frozenset({Day.MON, Day.FRI}), since=time(22), until=time(6))
    assert (found.priority, found.expires, found.alternates) == (5, date(2027, 12, 31), ("backup",))
    assert (found.triggers, found.enabled) == (frozenset({Trigger.KEY_OBJECT}), False)
    summer = datetime(2027, 7, 2, 20, 59, tzinfo=UTC)  # a Friday; 21:59 by the hospital's clocks
    assert found.opening(summer) == datetime(2027, 7, 2, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"recipient": '"nobody"'}, "recipient 'nobody' is neither a node that may receive nor among the recipients"),
        ({"recipient": '"camera"'}, "recipient 'camera' is neither"),
        ({"recipient": '"students"'}, "it is for DIRECT_CARE, and students is bound to TEACHING"),
        ({"alternates": '["students"]'}, "it is for DIRECT_CARE, and students is bound to TEACHING"),
        ({"alternates": '["nobody"]'}, "recipient 'nobody' is neither"),
        ({"alternates": '["ward"]'}, "a recipient is there more than once"),
        ({"alternates": '["backup", "backup"]'}, "a recipient is there more than once"),
        ({"owner": ""}, "owner is missing"),
        ({"owner": '"  "'}, "owner is missing"),
        ({"triggers": "[]"}, "triggers is empty"),
        ({"window": "{ days = [] }"}, "window.days is empty, so it never opens"),
        ({"window": '{ since = "22:00Z" }'}, "write them without a zone"),
        ({"window": '{ since = "late" }'}, "routes.0.window.since"),
        ({"window": '{ from = "22:00" }'}, "routes.0.window.from"),
        ({"body_sites": '["0815"]'}, "body_sites: '0815' is no code of CID 4029"),
        ({"body_sites": '["Skin of hand"]'}, "body_sites: 'Skin of hand' is no code of CID 4029"),
        ({"body_sites": '[""]'}, "body_sites: '' is no code of CID 4029"),
        ({"sop_classes": '["photograph"]'}, "routes.0.sop_classes"),
        ({"made_for": '["FUN"]'}, "routes.0.made_for"),
        ({"purpose": '"FUN"'}, "routes.0.purpose"),
        ({"purpose": ""}, "routes.0.purpose"),
        ({"when": '"picture.intimate == false"'}, "routes.0.when"),
        ({"priority": "100000"}, "routes.0.priority"),
    ],
)
def test_a_route_that_could_not_be_meant_is_told(said: dict[str, str], words: str, tmp_path: Path) -> None:
    found = problems(tmp_path, NODES + route(**said))
    assert any(words in each for each in found), found


def test_a_name_is_one_route_s(tmp_path: Path) -> None:
    assert any("route 'hands' is there 2 times" in each for each in problems(tmp_path, NODES + route() + route()))


def test_routes_are_written_under_their_own_name_alone(tmp_path: Path) -> None:
    text = route().replace("[[routes]]", "[[routed]]")
    assert any(": routed" in each for each in problems(tmp_path, NODES + text))


def test_a_route_whose_last_day_is_over_is_no_fault(tmp_path: Path) -> None:
    (found,) = load(tmp_path, NODES + route(expires="2001-01-01")).routes
    assert found.expired(datetime(2026, 11, 22, tzinfo=UTC))


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = route(owner="", recipient='"nobody"', body_sites='["x"]', triggers="[]") + route(name='"b"', owner="")
    assert len(problems(tmp_path, NODES + text)) == 5


def test_what_becomes_of_routes_and_recipients_is_told_in_sentences(tmp_path: Path) -> None:
    store = '[[recipients]]\nname = "store"\nkind = "stow"\nowner = "w"\nurl = "https://a.example"\n'
    bound = 'expires = 2027-01-31\npurpose = "DIRECT_CARE"\naudience = "CARE_TEAM"\n'
    old = load(tmp_path, NODES + route())
    new = load(tmp_path, NODES.replace('aet = "WARD"', 'aet = "WARD"\nexpires = 2027-12-31') + store + bound)
    found = differences(old, new)
    assert "node ward, expires: was nothing, becomes 2027-12-31." in found
    assert any(
        each.startswith("recipient store: is new; it has stow at https://a.example, until 2027-01-31, ")
        for each in found
    )
    assert any(each.startswith("route hands: is taken away; it had ") and "recipient ward" in each for each in found)
    assert any(each.startswith("route hands: is new") and "enabled yes" in each for each in differences(new, old))
    changed = load(tmp_path, NODES + route(enabled="false"))
    assert differences(old, changed) == ("route hands, enabled: was yes, becomes no.",)
