"""The double of the ``orthanc`` module has everything the hooks use, with the same parameters."""

from __future__ import annotations

import inspect

import pytest

from orthanc_plugin.enforcement.sdk import FindAnswers, FindQuery, Sdk
from tests.fakes import orthanc

FUNCTIONS = [name for name, member in vars(Sdk).items() if inspect.isfunction(member) and name[0].isupper()]


def test_the_protocol_has_functions_and_enumerations() -> None:
    assert len(FUNCTIONS) == 15
    assert set(Sdk.__annotations__) == {"ChangeType", "ReceivedInstanceAction", "InstanceOrigin"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_double_takes_the_same_arguments(name: str) -> None:
    of_protocol = list(inspect.signature(getattr(Sdk, name)).parameters)[1:]
    assert list(inspect.signature(getattr(orthanc, name)).parameters) == of_protocol


@pytest.mark.parametrize("name", sorted(Sdk.__annotations__))
def test_the_double_has_the_enumeration(name: str) -> None:
    assert len(getattr(orthanc, name)) >= 2


@pytest.mark.parametrize("kind", [FindQuery, FindAnswers])
def test_the_double_s_classes_have_the_methods_with_the_same_arguments(kind: type) -> None:
    methods = {name: member for name, member in vars(kind).items() if inspect.isfunction(member) and name[0].isupper()}
    assert methods
    for name, member in methods.items():
        double = getattr(getattr(orthanc, kind.__name__), name)
        assert list(inspect.signature(double).parameters) == list(inspect.signature(member).parameters)


def test_resetting_forgets_everything() -> None:
    orthanc.configuration["Name"] = "x"
    orthanc.LogWarning("said")
    orthanc.reset()
    assert (orthanc.configuration, orthanc.answers, orthanc.hooks, orthanc.log) == ({}, {}, {}, [])
