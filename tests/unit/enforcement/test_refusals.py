"""What Orthanc's core refused before any hook was called is in the trail too."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from orthanc_plugin.enforcement.refusals import LogWitness, Refusal, refusal
from tests.fakes.world import World

STRANGER = (
    "W1122 02:33:40.557699 CommandDispatcher.cpp:617] Rejected association for remote AET STRANGER on IP 127.0.0.1"
)
GET = (
    "W1122 02:33:52.995141 main.cpp:340] DICOM authorization rejected for AET DERMWS on IP 127.0.0.1: "
    'The DICOM command Get is not allowed for this modality according to configuration option "DicomModalities"'
)
OTHER_FORM = (
    "W1122 02:33:52.995141 main.cpp:340] DICOM authorization rejected  for AET WITH SPACE on IP ::1: "
    "This AET is not listed in configuration option DicomModalities"
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (STRANGER, ("STRANGER", "127.0.0.1", "UNKNOWN_AE", "DICOM association")),
        (GET, ("DERMWS", "127.0.0.1", "SERVICE_NOT_ALLOWED", "C-GET")),
        (OTHER_FORM, ("WITH SPACE", "::1", "UNKNOWN_AE", "DICOM association")),
        (GET.replace("command Get", "command Find"), ("DERMWS", "127.0.0.1", "SERVICE_NOT_ALLOWED", "C-FIND")),
        (GET.replace("command Get", "command Move"), ("DERMWS", "127.0.0.1", "SERVICE_NOT_ALLOWED", "C-MOVE")),
        (GET.replace("command Get", "command Store"), ("DERMWS", "127.0.0.1", "SERVICE_NOT_ALLOWED", "C-STORE")),
        (GET.replace("command Get", "command C-ECHO"), ("DERMWS", "127.0.0.1", "SERVICE_NOT_ALLOWED", "C-ECHO")),
        (GET.replace("command Get", "command N-ACTION"), ("DERMWS", "127.0.0.1", "SERVICE_NOT_ALLOWED", "N-ACTION")),
        (f"{STRANGER}\n", ("STRANGER", "127.0.0.1", "UNKNOWN_AE", "DICOM association")),
    ],
)
def test_a_line_of_orthanc_s_log_tells_who_was_refused_what(line: str, expected: tuple[str, ...]) -> None:
    found = refusal(line)
    assert found is not None
    assert (found.aet, found.address, found.rule, found.door) == expected
    assert found.reason


@pytest.mark.parametrize(
    "line",
    [
        "",
        "W1122 main.cpp:340] Orthanc has started",
        "Rejected association for remote AET  on IP 127.0.0.1",
        "Rejected association for remote AET STRANGER",
        "Rejected association for remote AET THIS-IS-NO-AE-TITLE-AT-ALL on IP 127.0.0.1",
    ],
)
def test_any_other_line_tells_nothing(line: str) -> None:
    assert refusal(line) is None


@pytest.mark.parametrize("aet", ["A on IP 10.0.0.1", "X on IP 1", "IP on IP on IP"])
def test_an_ae_title_can_t_put_another_address_into_the_trail(aet: str) -> None:
    found = refusal(STRANGER.replace("STRANGER", aet))
    assert isinstance(found, Refusal)
    assert (found.aet, found.address) == (aet, "127.0.0.1")


class Log:
    """Orthanc's log and its witness."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.path = world.folder / "orthanc.log"
        self.witness = LogWitness(self.path, world.services)

    def write(self, text: str, path: Path | None = None) -> None:
        with (path or self.path).open("a") as file:
            file.write(text)

    def seen(self) -> list[str]:
        self.witness.look()
        return [str(entry["actor"]) for entry in self.world.trail()]


def line(aet: str) -> str:
    return STRANGER.replace("STRANGER", aet) + "\n"


def test_each_refusal_is_written_once_with_the_address_it_came_from(world: World) -> None:
    log = Log(world)
    log.write(line("ONE") + "something else\n" + line("TWO"))
    assert log.seen() == ["ONE", "TWO"]
    assert log.seen() == ["ONE", "TWO"]
    log.write(GET + "\n")
    assert log.seen() == ["ONE", "TWO", "DERMWS"]
    entry = world.trail()[-1]
    assert (entry["rules"], entry["door"], entry["address"]) == (["SERVICE_NOT_ALLOWED"], "C-GET", "127.0.0.1")
    assert world.trail()[0]["address"] == "127.0.0.1"


def test_a_known_title_from_a_strange_host_is_told_with_the_strange_host(world: World) -> None:
    log = Log(world)
    log.write(line("DERMWS").replace("127.0.0.1", "10.9.8.7"))
    log.seen()
    assert world.trail()[-1]["address"] == "10.9.8.7"


def test_half_a_line_is_read_when_it_is_whole(world: World) -> None:
    log = Log(world)
    whole = line("SPLIT")
    log.write(line("ONE") + whole[:90])
    assert log.seen() == ["ONE"]
    log.write(whole[90:])
    assert log.seen() == ["ONE", "SPLIT"]


def test_a_rotated_log_is_followed(world: World) -> None:
    log = Log(world)
    log.write(line("BEFORE") * 3)
    log.seen()
    log.path.rename(log.path.with_suffix(".1"))
    assert len(log.seen()) == 3
    log.write(line("AFTER"))
    assert log.seen()[3:] == ["AFTER"]


def test_what_was_written_before_the_log_was_renamed_is_read_from_the_old_file(world: World) -> None:
    log = Log(world)
    log.write(line("ONE"))
    log.seen()
    log.write(line("TWO"))
    log.path.rename(log.path.with_suffix(".1"))
    log.write(line("THREE"))
    assert log.seen() == ["ONE", "TWO", "THREE"]


def test_a_log_that_goes_on_in_the_renamed_file_is_read_there_until_the_new_one_has_something(world: World) -> None:
    log = Log(world)
    log.write(line("ONE"))
    log.seen()
    old = log.path.with_suffix(".1")
    log.path.rename(old)
    log.path.touch()
    log.write(line("TWO"), old)
    assert log.seen() == ["ONE", "TWO"]
    log.write(line("THREE"), old)
    log.write(line("FOUR"))
    assert log.seen() == ["ONE", "TWO", "THREE", "FOUR"]
    old.unlink()
    log.write(line("FIVE"))
    assert log.seen()[4:] == ["FIVE"]


def test_a_log_that_is_removed_and_made_again_is_followed(world: World) -> None:
    log = Log(world)
    log.write(line("ONE"))
    log.seen()
    log.path.unlink()
    assert log.seen() == ["ONE"]
    log.write(line("TWO"))
    assert log.seen() == ["ONE", "TWO"]


def test_a_truncated_log_is_read_from_its_start(world: World) -> None:
    log = Log(world)
    log.write(line("LONG-NAME-BEFORE") * 3)
    log.seen()
    log.path.write_text(line("AFTER"))
    assert log.seen()[3:] == ["AFTER"]


def test_bytes_that_are_no_text_stop_nothing(world: World) -> None:
    log = Log(world)
    log.path.write_bytes(b"\xff\xfe\0\n" + line("AFTER").encode())
    assert log.seen() == ["AFTER"]


def test_without_a_log_there_is_nothing_to_see(world: World) -> None:
    assert Log(world).seen() == []


def test_the_witness_starts_at_the_end_of_what_is_there_and_goes_on_by_itself(world: World) -> None:
    log = Log(world)
    log.write(line("BEFORE"))
    log.witness.start()
    try:
        log.write(line("AFTER"))
        until = time.monotonic() + 10
        while not world.trail() and time.monotonic() < until:
            time.sleep(0.02)
    finally:
        log.witness.stop()
    assert [entry["actor"] for entry in world.trail()] == ["AFTER"]
