"""Copies under every shipped profile conform: ``dciodvfy`` has no error to tell beyond its known false alarms."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomwrap.iod.dermoscopic import Dermoscopy
from dicomwrap.iod.modules import Lesion
from dicomwrap.iod.video_photographic import video_photographic
from dicomwrap.photograph import CaptureFacts
from dicomwrap.source.film import read_film
from orthanc_plugin.config.profiles import SHIPPED, resolved
from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from tests.fakes.pictures import encoded, photograph
from tests.unit.dicomwrap import films, photos, rasterfiles
from tests.unit.dicomwrap.objects import about, wrapped
from tests.unit.dicomwrap.validators import ALLOWED, DCIODVFY

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def film() -> Dataset:
    """Return a film wrapped at ``NOW``."""
    read = read_film(films.encoded(frames=2), drop_audio=False)
    return dcmread(BytesIO(b"".join(video_photographic(read, about(CaptureFacts())).pieces())))


LESION = Lesion(id="naevus 3", uid="2.25.4711")
KINDS: dict[str, Callable[[], Dataset]] = {
    "photograph": photograph,
    "born as PNG": lambda: photograph(data=rasterfiles.saved(photos.picture(), "PNG")),
    "film": film,
    "dermoscopy": lambda: wrapped(dermoscopy=Dermoscopy(contact=True, immersion=("WATER",)), lesion=LESION),
}


def made(kind: str, name: str) -> tuple[Dataset, bytes]:
    found = resolved(name, {})
    assert found is not None
    profile = Profile(
        name=name, pseudonym_domain=name, options=found.options, overrides=found.overrides, pixels=found.pixels
    )
    original = KINDS[kind]()
    pseudonyms = Pseudonyms(key=bytes(range(32)), domain=name)
    return original, deidentify(encoded(original), profile, pseudonyms, confirmed=True).content


# `minimum` tells no body site, which a film's IOD wants; docs/anonymisation.md says so.
WITHOUT_SITE = (
    "Error - </AnatomicRegionSequence(0008,2218)> - Missing attribute for Type 1C Conditional - Module=<VLImage>"
)
KNOWN = {("film", "minimum"): [WITHOUT_SITE]}


@pytest.mark.parametrize("name", sorted(SHIPPED))
@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_of_every_kind_conforms_under_every_shipped_profile(kind: str, name: str, tmp_path: Path) -> None:
    _, content = made(kind, name)
    path = tmp_path / "x.dcm"
    path.write_bytes(content)
    run = subprocess.run([DCIODVFY, "-new", path], capture_output=True, text=True, check=False)
    said = [line for line in run.stderr.splitlines() if line.startswith("Error")]
    told = [line for line in said if not any(re.match(allowed, line) for allowed in ALLOWED)]
    assert told == KNOWN.get((kind, name), [])
    assert re.search("VLPhotographicImage|VideoPhotographicImage|DermoscopicPhotographyImage", run.stdout + run.stderr)


def test_a_lesion_is_still_one_lesion_but_its_name_is_gone() -> None:
    (original, content), (_, again) = made("dermoscopy", "teaching"), made("dermoscopy", "teaching")
    assert (b"naevus" in encoded(original), b"naevus" in content) == (True, False)
    uid = dcmread(BytesIO(content)).TrackingUID
    assert uid == dcmread(BytesIO(again)).TrackingUID
    assert uid not in ("", original.TrackingUID)
