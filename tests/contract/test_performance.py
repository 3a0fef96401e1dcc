"""The benchmark runs, so that docs/performance.md can be made again."""

from __future__ import annotations

from pathlib import Path

from benchmarks import deciding, deidentifying, detecting, doors, leaving, redaction, storing, wrapping


def test_the_benchmark_measures_each_arm_it_tells_of(tmp_path: Path) -> None:
    small = {"small": (160, 120, 75, 3)}
    lines = [*wrapping.table(tmp_path, 1, small)]
    documented = (Path(__file__).parents[2] / "docs" / "performance.md").read_text(encoding="utf-8")
    arms = [line.split("|")[2].strip() for line in lines[2:]]
    assert arms == ["read, sha256, write", "wrap", "wrap --jobs 2", "img2dcm, one process",
                    "dicomwrap wrap, one process", "bytes of the object less the photograph's"]  # fmt: skip
    assert all(f"| {arm} |" in documented for arm in arms)
    more = int(lines[-1].split("|")[3])
    assert more <= 8192


def test_the_benchmark_of_decisions_measures_each_arm_it_tells_of(tmp_path: Path) -> None:
    made, again = ([*deciding.table(tmp_path, 100, sample=5)] for _ in range(2))
    documented = (Path(__file__).parents[2] / "docs" / "performance.md").read_text(encoding="utf-8")
    arms = [line.split("|")[1].strip() for line in made[2:]]
    assert arms == [line.split("|")[1].strip() for line in again[2:]]
    assert len(arms) == 5
    assert all(f"| {arm} |" in documented for arm in arms)


def test_the_benchmark_of_doors_has_the_doors_and_the_limits_that_are_told_of() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "performance.md").read_text(encoding="utf-8")
    section = documented.split("## Doors")[1]
    assert all(f"| {door} | with |" in section for door in doors.DOORS)
    assert all(f"| {goal} | {limit} |" in section for goal, limit in doors.DOORS.values() if goal)
    one = doors.Arm(pid=0, url="", dicom_port=0, passwords={})
    two = doors.Arm(pid=0, url="", dicom_port=0, passwords={})
    for arm, seconds in ((one, 0.1), (two, 0.3)):
        arm.rounds["C-STORE"].append(doors.Taken(each=seconds, times=[seconds, seconds * 2], processor=seconds / 2))
    lines = [doors.row("C-STORE", name, {"without": one, "with": two}, "1.10", "1.25") for name in doors.ARMS]
    assert lines == [
        "| C-STORE | without | 100.0 | 1.00 | 200.0 | 200.0 | 1.00 | 50.00 | 1.00 | 1 |  |",
        "| C-STORE | with | 300.0 | 3.00 | 600.0 | 600.0 | 3.00 | 150.00 | 3.00 | 1.10 | 1.25 |",
    ]


def test_the_benchmark_of_redaction_measures_each_arm_it_tells_of() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "performance.md").read_text(encoding="utf-8")
    section = documented.split("## Redaction")[1]
    lines = [*redaction.redaction(1, (400, 300)), *redaction.checking(1, {"0.6 MB": (160, 120, 75)})]
    arms = [line.split("|")[1].strip() for line in lines if line.count("|") == 6 and "---" not in line]
    assert len(arms) == 13
    assert all(f"| {arm} |" in section for arm in arms if not arm.startswith("12 MP"))


def test_the_benchmark_of_anonymised_copies_that_leave_has_the_arms_and_limits_that_are_told_of() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "performance.md").read_text(encoding="utf-8")
    section = documented.split("## Anonymised copies")[1].split("\n## ")[0]
    times = {name: [leaving.Took(0.1 * each, 0.05 * each)] for each, name in enumerate(leaving.ARMS, start=1)}
    lines = [leaving.row(name, times) for name in leaving.ARMS]
    assert lines[2] == "| anonymised | 300.0 | 3.00 | 150.0 | 3.00 | 2.2 | 3 |"
    for line in lines:
        told = next(row for row in section.splitlines() if row.startswith(line[: line.index("|", 2)]))
        assert told.split("|")[-3:] == line.split("|")[-3:]


def test_the_benchmark_of_anonymised_copies_measures_each_arm_it_tells_of(tmp_path: Path) -> None:
    documented = (Path(__file__).parents[2] / "docs" / "performance.md").read_text(encoding="utf-8")
    section = documented.split("## Anonymised copies")[1].split("\n## ")[0]
    ours = deidentifying.own_arms()
    lines = [*deidentifying.table(tmp_path, ours, 1, {"0.6 MB": (160, 120, 75)})]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]
    assert [row[1] for row in cells] == list(ours) == list(deidentifying.NAMES[:2])
    assert [row[5:] for row in cells] == [["EXIF", ""], ["", "4"]]
    assert all(f"| {kind} | {name} |" in section for kind in deidentifying.KINDS for name in deidentifying.NAMES)
    assert all(peer in section for peer in deidentifying.PEERS)


def test_the_benchmark_of_detectors_measures_each_arm_it_tells_of() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "performance.md").read_text(encoding="utf-8")
    section = documented.split("## Proposals")[1]
    arms = [line.split("|")[1].strip() for line in [*detecting.table(1, (400, 300))][2:]]
    assert len(arms) == 4
    assert all(f"| {arm} |" in section for arm in arms)


def test_the_benchmark_of_files_has_the_arms_and_the_goal_that_are_told_of() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "performance.md").read_text(encoding="utf-8")
    section = documented.split("## Encrypted files")[1].split("\n## ")[0]
    assert all(f"| {work} | {arm} |" in section for work in storing.WORK for arm in storing.ARMS)
    arms = {name: storing.Arm(pid=0, url="") for name in storing.ARMS}
    for number, arm in enumerate(arms.values(), 1):
        arm.rounds["write"].append(storing.Taken(each=number / 1000, processor=number / 2000))
    lines = [storing.row("write", name, arms) for name in storing.ARMS]
    assert lines[2] == f"| write | Python, encrypted | 3.00 | 1.50 | 1.50 | 1.50 | {storing.GOAL} |"
    assert storing.GOAL in section
