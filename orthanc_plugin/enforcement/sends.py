"""``POST /modalities/{modality}/store``: an account has pictures sent to a bound DICOM node.

Knows the route's body and answer, and the bindings. Must not decide. Purpose, audience and form are the destination's,
as for C-MOVE, and the account must ask for the same purpose; each picture goes by the same courier. What the body says
of the destination or of jobs is refused. Source: Orthanc's REST API; PS3.4 annex B.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from orthanc_plugin.config.bindings import DicomNode, Role, Verb
from orthanc_plugin.enforcement.reply import FORBIDDEN, OK, CallError, Reply
from orthanc_plugin.enforcement.resources import BODY_BYTES, RESOURCES, Named, body, found, listed
from orthanc_plugin.enforcement.rest import Call, Endpoint, Lane
from orthanc_plugin.enforcement.visible import Viewer
from orthanc_plugin.enforcement.withheld import Withheld, kept_whole, nothing_leaves, remaining, withheld
from orthanc_plugin.sending.asking import bound
from orthanc_plugin.sending.delivery import Courier, Handover
from orthanc_plugin.sending.destinations import DestinationRefusedError
from orthanc_plugin.sending.packing import Refusal
from orthanc_plugin.services import Services

NOT_SENT: Final = HTTPStatus.BAD_GATEWAY.value


AWAY: Final = "What had not been asked about yet was not sent. Ask again when the destination answers."
REFUSED: Final = "The trail has the destination's reason for each picture; ask who runs it."


class Sends:
    """Answers the route.

    Args:
        courier: sends.
        modalities: name of the Orthanc modality by AE title.
    """

    def __init__(self, courier: Courier, modalities: Mapping[str, str]) -> None:
        self.courier = courier
        self.titles = {name: aet for aet, name in modalities.items()}

    def store(self, services: Services, call: Call) -> Reply:
        """Send pictures to a DICOM node that policy.toml binds."""
        names = listed(body(call, RESOURCES).get(RESOURCES))
        node = self._destination(services, call)
        viewer = Viewer(requester=bound(call.user.name, node), binding=node, door=call.door)
        resources = remaining(services, viewer, found(services.database, names))
        if kept := kept_whole(services, viewer, resources):
            stays = (withheld(each, (kept[each.resource],), left=0) for each in resources if each.resource in kept)
            return nothing_leaves([each for each in stays if each], "Nothing was sent.")
        rows = [row for each in resources for row in each.rows]
        handed = tuple(self.courier.deliver(bound(call.user.name, node), rows, node, call.door))
        staying = [each for each in (_staying(named, handed) for named in resources) if each]
        if all(each.stayed for each in handed):
            return nothing_leaves(staying, "Nothing was sent.")
        return _told(node, names, handed, staying)

    def _destination(self, services: Services, call: Call) -> DicomNode:
        """Return the node to send to.

        Raises:
            CallError: nobody bound it to receive, it is bound to another purpose than the account asks for, or nothing
                may leave to it any more or by this way.
        """
        node = services.policy.node(self.titles.get(call.names["modality"], ""))
        if node is None or Verb.RECEIVE not in node.may:
            raise self._refused(services, call, "the destination is not bound in policy.toml to receive", "UNKNOWN_AE")
        if node.purpose is not call.user.purpose:
            reason = f"the account asks for {call.user.purpose}, the destination is bound to {node.purpose}"
            raise self._refused(services, call, reason, "PURPOSE_NOT_BOUND")
        try:
            self.courier.require(bound(call.user.name, node), node, call.door)
        except DestinationRefusedError as error:
            raise CallError(str(error.args[0]), status=FORBIDDEN, remedy=error.remedy) from error
        return node

    def _refused(self, services: Services, call: Call, reason: str, rule: str) -> CallError:
        services.gate.refuse(call.requester, call.door, reason, rule=rule)
        remedy = "The data protection officer binds destinations and purposes in policy.toml."
        return CallError(f"Refused: {reason}.", status=FORBIDDEN, remedy=remedy)


def _staying(named: Named, handed: Sequence[Handover]) -> Withheld | None:
    """Return what of one name was not let go."""
    mine = [each for each in handed if each.row in named.rows]
    refusals = [Refusal(decision_id=each.decision_id, reasons=each.reasons) for each in mine if each.stayed]
    return withheld(named, refusals, left=len(mine) - len(refusals))


def _told(node: DicomNode, names: tuple[str, ...], handed: Sequence[Handover], stays: Sequence[Withheld]) -> Reply:
    """Return the answer in the words of Orthanc's own, with what stayed."""
    sent = sum(not each.stayed for each in handed)
    arrived = sum(each.delivered for each in handed)
    payload = {
        "Description": "REST API",
        "RemoteAet": node.aet,
        "ParentResources": list(names),
        "InstancesCount": sent,
        "FailedInstancesCount": sent - arrived,
        "Refused": [each.told_by_name() for each in stays],
    }
    if arrived < sent:
        remedy = AWAY if handed[-1].last else REFUSED
        payload |= {"error": "The destination did not confirm every picture.", "remedy": remedy}
    return Reply(status=NOT_SENT if arrived < sent else OK, payload=payload)


def endpoints(courier: Courier, modalities: Mapping[str, str]) -> tuple[Endpoint, ...]:
    """Return the endpoints for sends."""
    return (
        Endpoint(
            method="POST",
            path="/modalities/{modality}/store",
            role=Role.SEND,
            summary="Send pictures to a DICOM node that policy.toml binds.",
            gives="Sent",
            handler=Sends(courier, modalities).store,
            most=BODY_BYTES,
            lane=Lane.SENDS,
            even=True,
        ),
    )
