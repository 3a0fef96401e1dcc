"""docs/preflight.md has the table of options that the program goes by, and names what else it looks at."""

from __future__ import annotations

import json
from pathlib import Path

from orthanc_plugin.enforcement.health import PARTS
from orthanc_plugin.enforcement.options import REQUIRED, Required

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "preflight.md").read_text(encoding="utf-8")


def shown(value: object) -> str:
    return "left out" if value == "" else f"`{json.dumps(value)}`"


def line(required: Required) -> str:
    """Return the option's line of the page."""
    safe = " or ".join(shown(value) for value in required.safe)
    cells = (
        f"`{required.option}`",
        shown(required.default),
        f"{safe}, or up to {required.most}" if required.most else safe,
        required.severity,
        ".".join(str(number) for number in required.since or ()),
        required.problem,
    )
    return f"| {' | '.join(cells)} |"


def test_the_page_has_every_option_as_the_program_has_it() -> None:
    table = PAGE.split("## Options")[1].split("What else is looked at")[0]
    listed = [each for each in table.splitlines() if each.startswith("| `")]
    assert listed == [line(required) for required in REQUIRED]


def test_the_page_names_the_parts_of_health_and_what_the_other_checks_ask_for() -> None:
    assert all(f"`{part}`" in PAGE for part in PARTS)
    others = PAGE.split("What else is looked at")[1]
    names = ("RegisteredUsers", "Plugins", "RemoteAccessAllowed", "DicomTlsEnabled", "DicomModalities", "TCP_NODELAY")
    assert all(f"`{name}" in others for name in names)


def test_the_units_of_systemd_are_named_and_stop_what_the_watchdog_stops() -> None:
    for unit in ("consentgate-orthanc.service", "consentgate-watch.service"):
        assert (ROOT / "docker" / unit).is_file()
        assert f"docker/{unit}" in PAGE
