"""Orthanc's configuration as a plugin is handed it."""

from __future__ import annotations

from typing import Any

from orthanc_plugin.enforcement.preflight import REQUIRED


def modality(aet: str, *, move: bool) -> dict[str, object]:
    """Return a DICOM modality that is written out in full."""
    return {"AET": aet, "Host": "127.0.0.1", "Port": 11112, "AllowGet": False, "AllowNAction": False, "AllowMove": move}


def modalities() -> dict[str, dict[str, object]]:
    """Return the modalities of the world's policy."""
    return {
        "camera": modality("DERMCAM", move=False),
        "dermatology": modality("DERMWS", move=True),
        "teaching": modality("TEACHING", move=True),
    }


def safe_configuration() -> dict[str, Any]:
    """Return a configuration that preflight has nothing to say about."""
    return {
        **{required.option: required.safe[0] for required in REQUIRED},
        "RegisteredUsers": {"derm": "password", "consentgate": "password"},
        "DicomModalities": modalities(),
    }
