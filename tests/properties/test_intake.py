"""Whatever arrives: it is filed, kept, or refused; never lost, never both, and never stored unasked."""

from __future__ import annotations

import tempfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.encaps import encapsulate

from dicomwrap.bitstream.clean import cleaned
from dicomwrap.bitstream.verify import contradictions
from orthanc_plugin.enforcement.acceptances import Acceptances
from orthanc_plugin.enforcement.ingest import Received
from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.enforcement.senders import Senders
from tests.fakes import orthanc
from tests.fakes.orthanc import InstanceOrigin, ReceivedInstanceAction
from tests.fakes.pictures import consent, encoded, photograph, photograph_bytes
from tests.fakes.world import World, make_world
from tests.unit.dicomwrap import photos

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

FRAME = cleaned(photos.jpeg())
edits = st.lists(st.tuples(st.integers(0, 2**14), st.binary(max_size=4)), min_size=1, max_size=6)
segments = st.lists(
    st.builds(photos.segment, st.sampled_from([*range(0xE0, 0xF0), 0xFE]), st.binary(max_size=40)), max_size=4
)
texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=16)


def edited(content: bytes, changes: list[tuple[int, bytes]]) -> bytes:
    for place, change in changes:
        at = place % len(content)
        content = content[:at] + change + content[at + len(change) :]
    return content


def took(content: bytes) -> None:
    """Check what became of ``content`` in a world of its own."""
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder))
        world.record(consent())
        try:
            _check(world, content)
        finally:
            world.close()


def _check(world: World, content: bytes) -> None:
    worker = world.worker(1)
    hook = Received(Intake(world.services), worker, orthanc, Senders(), Acceptances()).hook
    action, instead = hook(content, InstanceOrigin.DICOM_PROTOCOL)
    worker.meet()  # what is told before it is written down is written down
    rows, held = world.rows(), world.held()
    match action:
        case ReceivedInstanceAction.DISCARD:
            assert instead is None
            assert rows == []
            assert world.services.spool.get(held[0].spool_name) == content
        case ReceivedInstanceAction.KEEP_AS_IS | ReceivedInstanceAction.MODIFY if instead != b"":
            stored = dcmread(BytesIO(instead or content))
            assert [row.sop_instance_uid for row in rows] == [stored.SOPInstanceUID]
            assert held == []
            assert contradictions(stored) == ()
        case _:
            assert (action, instead) == (ReceivedInstanceAction.MODIFY, b"")
            assert (rows, held) == ([], [])


@settings(max_examples=40, deadline=None)
@given(edits)
def test_a_damaged_photograph_is_filed_kept_or_refused(changes: list[tuple[int, bytes]]) -> None:
    took(edited(photograph_bytes(), changes))


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_at_all_are_kept_or_refused(content: bytes, with_preamble: bool) -> None:
    took(bytes(128) + b"DICM" + content if with_preamble else content)


@settings(max_examples=25, deadline=None)
@given(segments, st.binary(max_size=8))
def test_no_hidden_segment_is_ever_filed(carriers: list[bytes], trailer: bytes) -> None:
    took(encoded(photograph(PixelData=encapsulate([photos.with_segments(FRAME, *carriers) + trailer]))))


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["PatientID", "PatientName", "IssuerOfPatientID", "AccessionNumber", "PatientComments"]), texts
    )
)
def test_whatever_a_header_says_nothing_is_lost(elements: dict[str, str]) -> None:
    try:
        content = encoded(photograph(**elements))
    except (ValueError, TypeError, AttributeError):
        return  # no such object can be written, so none can arrive
    took(content)
