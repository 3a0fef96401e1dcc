"""Whatever the order of the rows, the files they come in and the moment an import is cut off: the same registry."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.importing import KINDS, import_rows
from tests.fakes.sheets import FED, IMI, SIGNED, held, sheet
from tests.fakes.world import World, make_world, with_policy

CONSENTS = (
    SIGNED,
    {**SIGNED, "id": "urn:x:2", "patient_id": "P2", "form_level": "1"},
    {**SIGNED, "id": "urn:x:3", "state": "REFUSED"},
    {**SIGNED, "id": "", "patient_id": "P3"},
    {**SIGNED, "id": "urn:x:4", "state": "?"},
    {**SIGNED, "id": "urn:x:5", "explained": "WHY"},
)
PATIENTS = (
    FED,
    {**FED, "patient_id": "P2", "capacity": "LACKS", "national_data_opt_out": "yes"},
    {**FED, "patient_id": "P4", "merged_into": "P5"},
    {**FED, "patient_id": "P5", "birth_date": "", "death_date": "2024-01-31"},
    {**FED, "patient_id": "P6", "birth_date": "31/01/1980"},
)
FILES = [("consents", row) for row in CONSENTS] + [("patients", row) for row in PATIENTS]


class CutOffError(BaseException):
    """The process ends here."""


def take(world: World, kind: str, path: Path, last: int | None = None) -> None:
    """Import a file; with ``last`` the import is cut off after so many rows."""
    policy = with_policy(world, forms={"IMI": IMI}).services.policy
    shared = replace(world.services, policy=policy)
    calls = count()

    def acting() -> Act:
        if last is not None and next(calls) > last:
            raise CutOffError
        return shared.act("officer", "test")

    import_rows(shared.database, acting, KINDS[kind], path)


@cache
def at_once() -> list[Counter[tuple[object, ...]]]:
    """Return what the registry holds after one run of one file a kind, in the order written here."""
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder))
        take(world, "consents", sheet(Path(folder) / "c.csv", *CONSENTS))
        take(world, "patients", sheet(Path(folder) / "p.csv", *PATIENTS))
        found = held(world)
        world.close()
        return found


@settings(max_examples=20)
@given(st.permutations(FILES), st.lists(st.integers(1, 4), min_size=11, max_size=11), st.integers(0, 4))
def test_any_order_any_files_and_any_interruption_give_the_same_registry(
    rows: list[tuple[str, dict[str, str]]], sizes: list[int], last: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = make_world(folder)
        while rows:
            size = sizes.pop()
            part, rows = rows[:size], rows[size:]
            for kind in KINDS:
                path = sheet(folder / f"{kind}.csv", *(row for each, row in part if each == kind))
                if path.stat().st_size > 2:
                    cut_off(world, kind, path, last)
                    take(world, kind, path)
        assert held(world) == at_once()
        world.close()


def cut_off(world: World, kind: str, path: Path, last: int) -> None:
    """Import a file until the process ends, if it is long enough for that."""
    try:
        take(world, kind, path, last)
    except CutOffError:
        return
