"""A copy is kept for the very code that made and checked it: whatever changes in that, the digest is another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orthanc_plugin.sending import madeby
from orthanc_plugin.sending.madeby import digest_of, made_by


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """Give a package of two modules and a table, as it lies when it was imported once."""
    for name in ("check.py", "inner/rules.py", "table.tsv", "__pycache__/check.pyc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


CHANGES: dict[str, Callable[[Path], object]] = {
    "a word of a module": lambda code: (code / "check.py").write_text("check.py "),
    "a word of a table": lambda code: (code / "table.tsv").write_text("0010,0010"),
    "another module": lambda code: (code / "inner" / "more.py").write_text(""),
    "a module less": lambda code: (code / "inner" / "rules.py").unlink(),
    "another name": lambda code: (code / "check.py").rename(code / "cheque.py"),
    "two that change places": lambda code: (
        (code / "check.py").write_text("inner/rules.py"),
        (code / "inner" / "rules.py").write_text("check.py"),
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_changes_in_the_code_it_is_another_edition(change: Callable[[Path], object], code: Path) -> None:
    before = digest_of((code,))
    change(code)
    assert digest_of((code,)) != before


def test_what_is_compiled_from_it_changes_nothing(code: Path) -> None:
    before = digest_of((code,))
    (code / "__pycache__" / "check.pyc").write_text("compiled anew")
    assert digest_of((code,)) == before


@pytest.mark.parametrize("name", madeby.OTHERS)
def test_each_library_that_reads_or_checks_pictures_counts(
    name: str, code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest_of((code,))
    monkeypatch.setattr(madeby, "_version", lambda said: "99" if said == name else _real(said))
    assert digest_of((code,)) != before
    assert _real(name) != ""


_real = madeby._version


def test_where_there_is_no_code_to_be_read_nobody_can_tell(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        digest_of((tmp_path,))


def test_it_is_asked_once_and_is_of_what_is_installed() -> None:
    assert made_by() == made_by()
    assert len(made_by()) == 64
