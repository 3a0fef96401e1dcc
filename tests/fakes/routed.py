"""A hospital with routes."""

from __future__ import annotations

from tests.fakes.world import POLICY, World

WARD = "workstation"
ROUTED = (
    POLICY
    + """
[[routes]]
name = "to-teaching"
recipient = "teaching-archive"
purpose = "TEACHING"
owner = "dean"
[[routes]]
name = "to-ward"
recipient = "workstation"
purpose = "DIRECT_CARE"
owner = "dermatology"
priority = 5
departments = ["Dermatology"]
body_sites = ["371311000"]
"""
)


def sends(world: World) -> dict[tuple[str, str], str]:
    """Return where each picture stands on each route."""
    rows = world.sql("SELECT sop_instance_uid, route, state FROM outbox")
    return {(str(uid), str(route)): str(state) for uid, route, state in rows}
