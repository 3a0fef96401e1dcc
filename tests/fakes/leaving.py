"""Copies that begin to leave, made as the release makes them and recorded as the doors record them."""

from __future__ import annotations

from orthanc_plugin.gate import AccessRequest
from orthanc_plugin.sending.asking import bound
from orthanc_plugin.sending.packing import original
from tests.fakes.world import World


def leave(world: World, uid: str, name: str = "teacher", asker: str = "") -> str:
    """Have a copy leave for a recipient of policy.toml; return the disclosure's id.

    Raises:
        ReleaseRefusedError: it may not.
    """
    services, binding = world.services, world.binding(name)
    request = AccessRequest(requester=bound(asker or name, binding), sop_instance_uid=uid, door="test")
    answer = services.gate.authorize(request)
    assert answer.decision.permits
    context = services.context(answer, binding)
    return services.disclose(
        answer, services.release.prepare(answer.decision, context, original(world.archive, world.row(uid)), uid)
    )
