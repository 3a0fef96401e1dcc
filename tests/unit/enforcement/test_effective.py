"""What is in effect while Orthanc runs: checked at the start, and held to from then on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orthanc_plugin.enforcement.effective import (
    CHANGED,
    GUARDED_PLUGINS,
    Standing,
    modality_findings,
    peer_findings,
    plugin_findings,
)
from orthanc_plugin.enforcement.options import Severity
from orthanc_plugin.errors import ArchiveError, OpenExitError
from tests.fakes.archive import ArchiveSimulator
from tests.fakes.configuration import SERVICES, modalities, modality
from tests.fakes.world import World

STORES = modality("DERMCAM", AllowStore=True)


@pytest.mark.parametrize(
    ("changes", "severity", "words"),
    [
        ({"AllowGet": True}, Severity.REFUSE, "C-GET is allowed"),
        ({"AllowGet": None}, Severity.REFUSE, "C-GET is allowed"),
        ({"AllowGet": 0}, Severity.REFUSE, "C-GET is allowed"),
        ({"AllowGet": "false"}, Severity.REFUSE, "C-GET is allowed"),
        ({"AET": "STRANGER"}, Severity.REFUSE, "No node of policy.toml"),
        ({"AET": "dermcam"}, Severity.REFUSE, "No node of policy.toml"),
        ({"AET": ""}, Severity.REFUSE, "No node of policy.toml"),
        ({"Host": "10.0.0.1"}, Severity.REFUSE, "No node of policy.toml"),
        ({"Host": None}, Severity.REFUSE, "No node of policy.toml"),
        ({"AllowMove": True}, Severity.WARN, "C-MOVE is allowed here"),
        ({"AllowFind": True}, Severity.WARN, "C-FIND is allowed here"),
        ({"AllowNEventReport": False}, Severity.WARN, "does not know AllowNEventReport"),
    ],
)
def test_a_modality_must_be_the_node_of_the_policy_and_no_more(
    changes: dict[str, object], severity: Severity, words: str, world: World
) -> None:
    (finding,) = modality_findings({"camera": {**STORES, **changes}}, world.services.policy)
    assert (finding.severity, finding.option) == (severity, "DicomModalities.camera")
    assert words in finding.problem


@pytest.mark.parametrize(
    ("changes", "severities"),
    [
        ({"AllowNAction": True}, [Severity.REFUSE]),
        ({"AllowStorageCommitment": True}, [Severity.REFUSE]),
        ({"AllowNAction": True, "AllowStorageCommitment": False}, []),
        ({"AllowStore": True}, [Severity.WARN]),
    ],
)
def test_a_node_that_stores_nothing_may_ask_for_no_commitment(
    changes: dict[str, object], severities: list[Severity], world: World
) -> None:
    moves = {**modality("DERMWS", AllowMove=True), **changes}
    found = list(modality_findings({"dermatology": moves}, world.services.policy))
    assert [each.severity for each in found] == severities


@pytest.mark.parametrize("left_out", SERVICES)
def test_what_a_modality_doesn_t_say_is_allowed_by_orthanc(left_out: str, world: World) -> None:
    camera = {key: value for key, value in STORES.items() if key != left_out}
    found = list(modality_findings({"camera": camera}, world.services.policy))
    assert [each.remedy for each in found if "Write out" in each.remedy] == [f'Write out "{left_out}".']
    assert (len(found), found[0].severity) == {
        "AllowGet": (2, Severity.REFUSE),
        **dict.fromkeys(("AllowMove", "AllowFind", "AllowFindWorklist"), (2, Severity.WARN)),
    }.get(left_out, (1, Severity.WARN))


@pytest.mark.parametrize("left_out", ["AET", "Host"])
def test_a_modality_without_a_title_or_a_host_is_nobody_s(left_out: str, world: World) -> None:
    camera = {key: value for key, value in STORES.items() if key != left_out}
    (finding,) = modality_findings({"camera": camera}, world.services.policy)
    assert (finding.severity, "No node" in finding.problem) == (Severity.REFUSE, True)


@pytest.mark.parametrize("short", [["DERMCAM", "127.0.0.1", 11112], "DERMCAM", None])
def test_the_short_form_of_a_modality_allows_everything(short: object, world: World) -> None:
    (finding,) = modality_findings({"camera": short}, world.services.policy)
    assert finding.severity is Severity.REFUSE
    assert "short form" in finding.problem


def test_no_peer_is_bound_to_anything() -> None:
    assert [each.option for each in peer_findings({"elsewhere": {}})] == ["OrthancPeers.elsewhere"]


@pytest.mark.parametrize(
    "name", ["ohif", "orthanc-explorer-2", "transfers", "multitenant-dicom", "serve-folders", "gdcm", "Python", ""]
)
def test_a_plugin_nobody_knows_is_refused(name: str) -> None:
    (finding,) = plugin_findings(("python", name))
    assert (finding.severity, finding.option) == (Severity.REFUSE, "Plugins")


def test_the_plugins_that_are_guarded_are_accepted() -> None:
    assert list(plugin_findings(tuple(GUARDED_PLUGINS))) == []


def standing(world: World) -> Standing:
    world.archive.known_modalities = modalities()
    return Standing(world.services, world.archive)


def another_port(archive: ArchiveSimulator) -> None:
    archive.known_modalities["camera"]["Port"] = 999


def another_modality(archive: ArchiveSimulator) -> None:
    archive.known_modalities["late"] = modality("DERMCAM", AllowStore=True)


def a_modality_gone(archive: ArchiveSimulator) -> None:
    del archive.known_modalities["camera"]


def a_peer(archive: ArchiveSimulator) -> None:
    archive.known_peers["late"] = {"Url": "http://127.0.0.1"}


def a_plugin_gone(archive: ArchiveSimulator) -> None:
    archive.loaded = ("python",)


@pytest.mark.parametrize("change", [another_port, another_modality, a_modality_gone, a_peer, a_plugin_gone])
def test_a_change_at_run_time_shuts_every_door_until_it_is_undone(
    change: Callable[[ArchiveSimulator], None], world: World
) -> None:
    held = standing(world)
    held.check()
    held.look_again()
    assert (world.services.gate.closed, world.trail()) == (None, [])
    change(world.archive)
    held.look_again()
    held.look_again()
    assert world.services.gate.closed == CHANGED
    world.archive.known_modalities, world.archive.known_peers = modalities(), {}
    world.archive.loaded = ("python", "dicom-web")
    held.look_again()
    held.look_again()
    assert world.services.gate.closed is None
    assert [(entry["door"], entry["outcome"]) for entry in world.trail()] == [
        ("configuration", "8"),
        ("configuration", "0"),
    ]


class Speechless(ArchiveSimulator):
    """An archive that stops answering."""

    def plugins(self) -> tuple[str, ...]:
        raise ArchiveError("Orthanc answered 500.")


def test_what_nobody_can_tell_is_treated_as_changed(world: World) -> None:
    held = standing(world)
    held.check()
    held.control = Speechless(known_modalities=modalities())
    held.look_again()
    assert world.services.gate.closed == CHANGED


def test_nothing_is_compared_before_anything_was_checked(world: World) -> None:
    held = standing(world)
    held.look_again()
    assert world.services.gate.closed is None
    world.archive.known_peers = {"elsewhere": {}}
    with pytest.raises(OpenExitError, match="elsewhere"):
        held.check()
    assert held.checked is None
