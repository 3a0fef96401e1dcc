"""What Orthanc hands its hooks of an instance that is being stored."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydicom.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class StoredInstance:
    """An instance as the SDK shows it."""

    aet: str
    header: str

    def GetInstanceRemoteAet(self) -> str:  # noqa: N802 - the SDK's name
        """Return the calling AE title."""
        return self.aet

    def GetInstanceAdvancedJson(self, form: int, flags: int, longest: int) -> str:  # noqa: N802 - the SDK's name
        """Return the header as JSON of the form that is asked for: by keyword, words alone; longer text is null."""
        assert (form, flags) == (3, 0)
        said = json.loads(self.header)
        return json.dumps({name: text if len(text) <= longest else None for name, text in said.items()})

    def GetInstanceSimplifiedJson(self) -> str:  # noqa: N802 - the SDK's name
        """Return the header as JSON."""
        return self.header


def instance(dataset: Dataset, aet: str = "DERMCAM") -> StoredInstance:
    """Return ``dataset`` as Orthanc would show it, stored by ``aet``."""
    texts = {element.keyword: str(element.value) for element in dataset if element.VR not in ("SQ", "OB", "OW")}
    return StoredInstance(aet=aet, header=json.dumps(texts))
