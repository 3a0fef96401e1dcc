"""Two processes that destroy don't run at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from orthanc_plugin.cli.alone import alone
from orthanc_plugin.errors import ConsentgateError


def test_a_second_destruction_doesn_t_begin_and_the_next_may(tmp_path: Path) -> None:
    folder = tmp_path / "certificates"
    with alone(folder), pytest.raises(ConsentgateError, match="Another apply"), alone(folder):
        pytest.fail("it began")
    with alone(folder):
        assert list(folder.iterdir()) == []


def test_a_folder_that_can_t_be_made_is_told_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConsentgateError, match="can't be used"), alone(tmp_path / "file" / "certificates"):
        pytest.fail("it began")
