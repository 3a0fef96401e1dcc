"""A world in which two persons have agreed, or one has proposed, to hide somebody else in a picture."""

from __future__ import annotations

from io import BytesIO

import pydicom
from PIL import Image
from pydicom.encaps import generate_frames

from orthanc_plugin.deid.pixeldigest import pixels_of
from orthanc_plugin.lifecycle import hiding
from orthanc_plugin.policy.reviewing import Outline, Review
from tests.fakes.looking import REVIEWERS
from tests.fakes.pictures import UID
from tests.fakes.world import POLICY, World

FACE: Outline = (0, 0, 16, 16)
HIDING_POLICY = POLICY + REVIEWERS


def _looked(world: World, by: str, uid: str) -> hiding.On:
    """Have somebody open the picture and be shown it."""
    act, row = world.services.act(by, "test"), world.row(uid)
    with world.services.database.writing() as connection:
        about = hiding.on(connection, uid)
        hiding.open_(connection, act, about, pixels_of(world.archive.read(row.orthanc_instance)))
        hiding.show(connection, act, about)
    return about


def proposed(world: World, *regions: Outline, by: str = "looker", uid: str = UID) -> Review:
    """Have somebody set what is to be hidden."""
    about = _looked(world, by, uid)
    with world.services.database.writing() as connection:
        return hiding.redact(connection, world.services.act(by, "test"), about, regions or (FACE,))


def agreed(world: World, by: str = "second-looker", uid: str = UID) -> Review:
    """Have somebody else look at that and agree."""
    about = _looked(world, by, uid)
    with world.services.database.writing() as connection:
        return hiding.confirm(connection, world.services.act(by, "test"), about, "")


def rejected(world: World, by: str, uid: str = UID) -> Review:
    """Have somebody say that nobody is to be hidden so."""
    with world.services.database.writing() as connection:
        return hiding.reject(connection, world.services.act(by, "test"), hiding.on(connection, uid), "nobody there")


def hidden(world: World, *regions: Outline, uid: str = UID) -> Review:
    """Have two persons agree on what is hidden."""
    proposed(world, *regions, uid=uid)
    return agreed(world, uid=uid)


def picture(content: bytes) -> Image.Image:
    """Return an object's picture as another program shows it."""
    dataset = pydicom.dcmread(BytesIO(content))
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    return Image.open(BytesIO(frame)).convert("RGB")


def is_grey(content: bytes, x: int = 4, y: int = 4) -> bool:
    """Tell whether a pixel is blank."""
    return picture(content).getpixel((x, y)) == (128, 128, 128)
