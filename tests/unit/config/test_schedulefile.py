"""retention.toml: what is shipped can be used, and everything that is wrong with a file is told at once."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from orthanc_plugin.config.schedulefile import DEFAULT, SHIPPED, load_schedule, shipped, shipped_text
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.policy.expiry import due
from orthanc_plugin.policy.expirydates import Period, read_period
from orthanc_plugin.policy.expirymodel import RetentionFacts, SourceStatus

FLOOR = 'made_for = "CARE" }\nfloor'
REPLACED = {
    "a period that is none": ('period = "P20Y"', 'period = "20 years"', "rules.2.period"),
    "an unknown key": ("floor = true", "flor = true", "rules.0.flor"),
    "an age that is none": ('"<18"', '"under 18"', "rules.1.applies_to.age_at_last_contact"),
    "an unknown trigger": ('trigger = "CREATED"', 'trigger = "MADE_ON"', "rules.12.trigger"),
    "a rule twice": ('id = "SARC"', 'id = "DENTAL"', "id 'DENTAL' is there 2 times"),
    "no floor": ("floor = true", "", "none has floor = true"),
    "a switch that isn't there": ('switch = "child_death_mode"', 'switch = "child"', "no switch 'child'"),
    "a value that may not be": ('value = "later_of"', 'value = "other"', "'other' is not one of may_be"),
    "no sources": ('sources = ["pas"]', "sources = []", "feeds.sources"),
    "no age of feeds": ('max_age = "PT24H"', 'max_age = "PT0H"', "feeds.max_age"),
    "a deletion of filed pictures": ('applies_to = { status = "NEVER_FILED" }', "applies_to = {}", "never filed"),
    "a trial without regime": (', regime = "PRE_2026"', "", "needs a regime"),
    "a deletion without withdrawal": ('trigger = "WITHDRAWN_ON"', 'trigger = "BIRTHDAY"', "only what was withdrawn"),
    "facts of last year": ('max_age = "PT24H"', 'max_age = "P36500D"', "feeds.max_age: is longer than 31 days"),
    "a floor under stubs": ('made_for = "CARE" }\nfloor', 'object = ["STUB"] }\nfloor', "pictures made for care"),
    "a floor under teaching": ('made_for = "CARE" }\nfloor', 'made_for = "SECONDARY" }\nfloor', "made for care"),
    "a floor under what wasn't filed": (FLOOR, f'{FLOOR[:-8]}, status = "NEVER_FILED" }}\nfloor', "to everybody"),
    "a floor under a trial": (FLOOR, f'{FLOOR[:-8]}, regime = "PRE_2026" }}\nfloor', "applies to everybody"),
    "a floor from birth": ('trigger = "LAST_CONTACT"', 'trigger = "BIRTHDAY"', "floor: counts from LAST_CONTACT"),
    "a floor of a day": ('period = "P8Y"', 'period = "P1D"', "floor: needs a period of whole years"),
    "a floor that withdrawal ends": ("floor = true", "floor = true\nends_on_withdrawal = true", "on withdrawal"),
    "a floor that death replaces": ('mode = "restart"', 'mode = "replace"', "a death may only lengthen it"),
    "a floor that death shortens": ('"restart", period = "P8Y"', '"restart", period = "P0D"', "only lengthen it"),
    "a floor for some": ('made_for = "CARE" }\nfloor', 'category = "X" }\nfloor', "applies to everybody"),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_each_schedule_that_is_shipped_can_be_used_and_every_rule_names_its_source(name: str) -> None:
    found = shipped(name)
    assert all(rule.source.text and rule.source.status in SourceStatus for rule in found.rules)
    assert len(found.digest) == 64


def test_what_is_only_remembered_of_the_sources_stays_marked() -> None:
    marked = {rule.id for rule in shipped().rules if rule.source.status is SourceStatus.MEMORY}
    assert marked == {"LONG_TERM", "SARC", "DENTAL", "DISPOSITION_EVIDENCE"}


@pytest.mark.parametrize("fault", REPLACED)
def test_a_fault_is_told_with_its_place(fault: str, tmp_path: Path) -> None:
    old, new, place = REPLACED[fault]
    file = tmp_path / "retention.toml"
    assert old in shipped_text(DEFAULT)
    file.write_text(shipped_text(DEFAULT).replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_schedule(file)
    assert place in str(caught.value)
    assert caught.value.remedy in str(caught.value)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = shipped_text(DEFAULT).replace('period = "P20Y"', 'period = "20"').replace('"<18"', '"18"')
    (tmp_path / "retention.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_schedule(tmp_path / "retention.toml")
    assert len(caught.value.problems) == 4


def test_australia_is_a_file_and_no_code() -> None:
    australia, seen = shipped("australia"), (date(2020, 5, 1),)
    adult = due(australia, RetentionFacts(dob=date(1970, 1, 1), contacts=seen), date(2026, 11, 22))
    assert (adult.governing_rule, adult.due_date) == ("AU_ADULT", date(2027, 5, 1))
    child = due(australia, RetentionFacts(dob=date(2012, 2, 29), contacts=seen), date(2026, 11, 22))
    assert (child.governing_rule, child.due_date) == ("AU_CHILD", date(2037, 3, 1))
    general = RetentionFacts(dob=date(1970, 1, 1), contacts=seen, categories=frozenset({"CANCER"}))
    assert due(australia, general, date(2026, 11, 22)).governing_rule == "AU_ADULT"


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("P8Y", Period(years=8)),
        ("P1Y6M", Period(years=1, months=6)),
        ("P2W", Period(days=14)),
        ("P0D", Period()),
        ("P1Y2M1W3D", Period(years=1, months=2, days=10)),
    ],
)
def test_a_period_is_read_as_iso_8601_writes_it(text: str, period: Period) -> None:
    assert read_period(text) == period


@pytest.mark.parametrize("text", ["", "P", "8Y", "PT8H", "P8", "P-1Y", "P1D2Y", "P8Y ", "P1,5Y"])
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        read_period(text)


def test_a_period_is_told_in_words() -> None:
    said = [str(read_period(text)) for text in ("P8Y", "P1Y", "P1Y6M", "P1D", "P0D")]
    assert said == ["8 years", "1 year", "1 year, 6 months", "1 day", "0 days"]


def test_feeds_may_be_a_day_old_unless_the_owner_says_otherwise() -> None:
    assert shipped().max_feed_age == timedelta(hours=24)
