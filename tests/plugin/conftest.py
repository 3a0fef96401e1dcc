"""Orthanc's side of an installed plugin: its configuration, and a clean double before and after each test."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orthanc_plugin.install import Parts, install
from tests.fakes import orthanc
from tests.fakes.configuration import safe_configuration
from tests.fakes.world import World


@dataclass(kw_only=True)
class Plugin:
    """A world whose folder an Orthanc would start with."""

    world: World
    installed: list[Parts] = field(default_factory=list)

    @property
    def settings(self) -> Path:
        """Return the path of settings.toml."""
        return self.world.folder / "settings.toml"

    def install(self, **environment: str) -> Parts:
        """Start the plugin on the double's configuration."""
        self.installed.append(install(orthanc, {"TCP_NODELAY": "1", **environment}))
        return self.installed[-1]

    def stop(self) -> None:
        """End the threads that were started."""
        for parts in self.installed:
            for clear_up in parts.at_stop:
                clear_up()
            parts.decisions.stop()
            parts.health.stop()
            parts.moves.stop()
            parts.exits.stop()
            parts.sends.stop()
            parts.services.database.close()


@pytest.fixture
def plugin(world: World) -> Iterator[Plugin]:
    """Give a plugin that is configured and not yet installed."""
    orthanc.reset()
    orthanc.configuration.update(safe_configuration())
    orthanc.configuration["Consentgate"] = {"Settings": str(world.folder / "settings.toml")}
    made = Plugin(world=world)
    before = list(logging.getLogger("orthanc_plugin").handlers)
    yield made
    made.stop()
    logging.getLogger("orthanc_plugin").handlers[:] = before
    logging.getLogger("pydicom").setLevel(logging.NOTSET)
    orthanc.reset()
