"""The double of the ``orthanc`` module promises nothing that the real one does not have."""

from __future__ import annotations

import json
import os
import subprocess
from enum import IntEnum
from pathlib import Path

import pytest

from tests.fakes import newer
from tests.fakes import orthanc as fake

PLUGINS = Path("/usr/share/orthanc/plugins")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("probe")
    found = folder / "found.json"
    configuration = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpServerEnabled": False,
        "DicomServerEnabled": False,
        "Plugins": [str(PLUGINS / "libOrthancPython.so")],
        "PythonScript": str(Path(__file__).with_name("probe.py")),
    }
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    environment = {**os.environ, "CONSENTGATE_TEST_PROBE": str(found)}
    subprocess.run(
        ["Orthanc", str(folder / "orthanc.json")], env=environment, capture_output=True, check=False, timeout=60
    )
    answer: dict[str, object] = json.loads(found.read_text())
    return answer


def test_every_function_of_the_double_is_there(real: dict[str, object]) -> None:
    promised = {name for name in dir(fake) if name[0].isupper() and callable(getattr(fake, name))} - {"IntEnum", "Any"}
    promised -= {"Callable", "StreamOutput"}  # the latter is what RestOutput has become in 5.0
    assert promised
    assert promised <= set(real["names"])  # type: ignore[call-overload]


def test_what_later_versions_have_beside_is_there_altogether_or_not_at_all(real: dict[str, object]) -> None:
    beside = {name for name in vars(newer) if name.startswith("Register")} - set(vars(fake))
    assert len(beside) == 2
    assert beside & set(real["names"]) in (set(), beside)  # type: ignore[call-overload]


@pytest.mark.parametrize("name", ["ChangeType", "ReceivedInstanceAction", "InstanceOrigin"])
def test_every_value_of_the_double_is_the_real_one(real: dict[str, object], name: str) -> None:
    kind: type[IntEnum] = getattr(fake, name)
    actual = real["enumerations"][name]  # type: ignore[index]
    assert {each.name: each.value for each in kind}.items() <= actual.items()


@pytest.mark.parametrize("name", ["FindQuery", "FindAnswers"])
def test_every_method_of_the_double_s_classes_is_there(real: dict[str, object], name: str) -> None:
    promised = {method for method in dir(getattr(fake, name)) if method[0].isupper()}
    assert promised
    assert promised <= set(real["methods"][name])  # type: ignore[index]
