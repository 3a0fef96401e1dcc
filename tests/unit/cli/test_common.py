"""What every command prints: what people wrote is text, and steers neither the table nor the terminal."""

from __future__ import annotations

import sys

import pytest

from orthanc_plugin.cli.common import show

HOSTILE = "[/x] [red]hidden[/red] \x1b[2J\x9b1m a\tb\nc\u2028d \u202eback"
SHOWN = "[/x] [red]hidden[/red]  [2J 1m a b c d  back"


@pytest.mark.parametrize("terminal", [True, False])
def test_what_people_wrote_is_shown_as_text_of_one_line(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    show([{"authority": HOSTILE, "none": None}], ["authority", "none"], as_json=False, empty="")
    assert SHOWN in capsys.readouterr().out
