"""Orthanc's configuration as a plugin is handed it."""

from __future__ import annotations

from typing import Any

from orthanc_plugin.enforcement.options import REQUIRED

PASSWORD = "a password of the test's"
LIBRARIES = ["/usr/share/orthanc/plugins/libOrthancPython.so", "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"]
SERVICES = (
    "AllowEcho",
    "AllowStore",
    "AllowFind",
    "AllowFindWorklist",
    "AllowGet",
    "AllowMove",
    "AllowNAction",
    "AllowEventReport",
)


def modality(aet: str, **allowed: bool) -> dict[str, object]:
    """Return a DICOM modality that is written out in full; what isn't ``allowed`` is off."""
    return {"AET": aet, "Host": "127.0.0.1", "Port": 11112, **dict.fromkeys(SERVICES, False), **allowed}


def modalities() -> dict[str, dict[str, object]]:
    """Return the modalities of the world's policy."""
    return {
        "camera": modality("DERMCAM", AllowStore=True),
        "dermatology": modality("DERMWS", AllowMove=True),
        "teaching": modality("TEACHING", AllowMove=True),
    }


def with_option(configuration: dict[str, Any], option: str, value: object) -> dict[str, Any]:
    """Return a configuration with one option set, which may be of a section."""
    section, _, name = option.rpartition(".")
    return (
        {**configuration, section: {**configuration.get(section, {}), name: value}}
        if section
        else {
            **configuration,
            name: value,
        }
    )


def without_option(configuration: dict[str, Any], option: str) -> dict[str, Any]:
    """Return a configuration that says nothing of an option."""
    section, _, name = option.rpartition(".")
    if section:
        return {**configuration, section: without_option(configuration.get(section, {}), name)}
    return {key: value for key, value in configuration.items() if key != name}


def safe_configuration() -> dict[str, Any]:
    """Return a configuration that preflight has nothing to say about."""
    configuration: dict[str, Any] = {
        "Plugins": LIBRARIES,
        "RegisteredUsers": {"derm": PASSWORD, "consentgate": PASSWORD},
        "DicomModalities": modalities(),
    }
    for required in REQUIRED:
        configuration = with_option(configuration, required.option, required.safe[0])
    return configuration
