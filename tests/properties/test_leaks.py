"""A damaged photograph of a nosy camera: whatever is wrapped of it, none of the camera's secrets is in it.

``bin/test tests/properties/test_leaks.py --hypothesis-profile=minutes`` looks for minutes.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dicomwrap.errors import DicomwrapError
from dicomwrap.photograph import Reading
from dicomwrap.wrap import encoded
from tests.properties.test_bitstream import Edits, edited, edits
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.objects import built

NOSY = (
    photos.camera_photo(),
    photos.jpeg(photos.picture(mode="L"), exif=photos.exif()),
    photos.jpeg(restart_marker_blocks=1, exif=photos.exif(), comment=b"secret comment"),
    photos.jpeg(photos.picture(20, 20), exif=photos.exif(), comment=b"secret comment") + photos.camera_photo(),
)
TURNED = (photos.camera_photo(orientation=6), photos.jpeg(progressive=True, exif=photos.exif()))


def secrets_in(photo: bytes, reading: Reading) -> list[bytes]:
    """Wrap a photograph and return the secrets that are in the object; none when it is refused."""
    try:
        data = encoded(built(photo, reading=reading))
    except DicomwrapError:
        return []
    return [secret for secret in photos.SECRETS if secret in data]


@given(st.sampled_from(NOSY), edits(), st.booleans())
def test_no_damage_brings_a_secret_into_the_object(photo: bytes, changes: Edits, insert: bool) -> None:
    assert secrets_in(edited(photo, changes, insert=insert), Reading()) == []


@given(st.sampled_from(TURNED), edits(), st.booleans())
def test_no_damage_brings_a_secret_into_a_stream_that_is_written_anew(
    photo: bytes, changes: Edits, insert: bool
) -> None:
    assert secrets_in(edited(photo, changes, insert=insert), Reading()) == []


@settings(max_examples=30)
@given(st.text(st.characters(max_codepoint=0x7E, min_codepoint=0x20), min_size=8, max_size=80))
def test_text_between_the_last_block_and_the_end_is_gone_when_the_picture_is_proven(text: str) -> None:
    """Without a decoder nobody can tell it from the picture; text that decodes as blocks is picture, and is seen."""
    plain = photos.jpeg()
    dressed = plain[:-2] + text.encode() + plain[-2:]
    proven = b"".join(built(dressed, reading=Reading(prove=True)).frame)
    assert text.encode() not in proven
    assert photos.pixels(proven) == photos.pixels(plain)
