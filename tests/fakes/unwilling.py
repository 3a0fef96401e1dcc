"""An answer to a client that is gone before it begins."""

from __future__ import annotations

from tests.fakes.orthanc import OrthancException, StreamOutput


class Unwilling(StreamOutput):
    """Can't begin an answer."""

    def StartStreamAnswer(self, media: str) -> None:  # noqa: N802
        raise OrthancException(9, "Error in the network protocol")
