"""Every route that depends on its body is answered by Consentgate, and nothing else is."""

from __future__ import annotations

import re

import pytest

from orthanc_plugin.archive.embedded import EmbeddedCore
from orthanc_plugin.enforcement.acceptances import Acceptances
from orthanc_plugin.enforcement.overrides import by_path, overrides, require_answered
from orthanc_plugin.enforcement.rest import Endpoint, Lane
from orthanc_plugin.errors import OpenExitError
from tests.fakes.exits import NOBODY
from tests.fakes.world import MODALITIES, World


@pytest.fixture
def endpoints(world: World) -> tuple[Endpoint, ...]:
    return overrides(world.services, world.archive, EmbeddedCore(), MODALITIES, world.worker(), Acceptances().settled)


def test_every_row_that_depends_on_its_body_has_an_endpoint_with_its_role(endpoints: tuple[Endpoint, ...]) -> None:
    require_answered(endpoints)
    names = [(each.method, each.path) for each in endpoints]
    assert len(names) == len(set(names))


def test_orthanc_does_not_start_when_one_is_missing_or_too_many(endpoints: tuple[Endpoint, ...]) -> None:
    for wrong in (endpoints[1:], endpoints[:-1], ()):
        with pytest.raises(OpenExitError) as caught:
            require_answered(wrong)
        assert caught.value.problems


def test_each_path_is_told_to_orthanc_once_and_reaches_all_that_fits_its_template(
    endpoints: tuple[Endpoint, ...],
) -> None:
    paths = list(by_path(endpoints))
    assert len({regex for regex, _ in paths}) == len(paths) == len({each.path for each in endpoints})
    for regex, each in paths:
        uri = re.sub(r"\{\w+\}", NOBODY, each[0].path)
        fitting = [other for other, _ in paths if re.fullmatch(other, uri)]
        assert fitting == [regex]


def test_bodies_are_small_because_orthanc_s_python_plugin_4_0_never_frees_one(
    endpoints: tuple[Endpoint, ...],
) -> None:
    assert max(each.most for each in endpoints) <= 256 * 1024


def test_what_waits_for_others_or_reads_whole_pictures_is_answered_beside_the_lists(
    endpoints: tuple[Endpoint, ...],
) -> None:
    lanes = {each.path: each.lane for each in endpoints}
    assert {path for path, lane in lanes.items() if lane is Lane.SENDS} == {"/modalities/{modality}/store"}
    assert {path for path, lane in lanes.items() if lane is Lane.FINDS} == {"/tools/find"}
    assert {lanes[path] for path in ("/studies", "/tools/lookup", "/dicom-web/studies")} == {Lane.LISTS}
    assert {lane for path, lane in lanes.items() if "archive" in path} == {Lane.ARCHIVES}


def test_every_answer_about_a_name_made_of_a_patient_s_number_takes_the_same_time(
    endpoints: tuple[Endpoint, ...],
) -> None:
    even = {each.path for each in endpoints if each.even}
    assert {"/patients/{patient}/archive", "/tools/create-archive", "/modalities/{modality}/store"} <= even
