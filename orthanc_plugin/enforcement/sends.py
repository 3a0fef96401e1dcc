"""``POST /modalities/{modality}/store``: an account has pictures sent to a bound DICOM node.

Knows the route's body and answer, and the bindings. Must not decide. Purpose, audience and form are the destination's,
as for C-MOVE, and the account must ask for the same purpose; each picture goes by the same courier. What the body says
of the destination or of jobs is refused. Source: Orthanc's REST API; PS3.4 annex B.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from orthanc_plugin.config.policyfile import DicomNode, Role, Verb
from orthanc_plugin.enforcement import requester as requesters
from orthanc_plugin.enforcement.delivery import Courier
from orthanc_plugin.enforcement.packing import Refusal
from orthanc_plugin.enforcement.reply import FORBIDDEN, OK, CallError, Reply
from orthanc_plugin.enforcement.resources import BODY_BYTES, RESOURCES, Named, body, found, listed
from orthanc_plugin.enforcement.rest import Call, Endpoint, Lane
from orthanc_plugin.enforcement.visible import Viewer
from orthanc_plugin.enforcement.withheld import Withheld, kept_whole, nothing_leaves, withheld
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.services import Services

NOT_SENT: Final = HTTPStatus.BAD_GATEWAY.value


@dataclass(kw_only=True)
class Round:
    """One call's deliveries: how many of the pictures that may go have arrived, and what stays."""

    may_go: int = 0
    arrived: int = 0
    broke_off: bool = False
    stays: list[Withheld] = field(default_factory=list)

    def count(self, delivery: Delivery) -> None:
        """Count one picture that was sent."""
        self.may_go += 1
        self.arrived += delivery is Delivery.DELIVERED
        self.broke_off = delivery is not Delivery.DELIVERED


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
        resources = found(services.database, names)
        viewer = Viewer(requester=requesters.bound(call.user.name, node), binding=node, door=call.door)
        if kept := kept_whole(services, viewer, resources):
            stays = (withheld(each, (kept[each.resource],), left=0) for each in resources if each.resource in kept)
            return nothing_leaves([each for each in stays if each], "Nothing was sent.")
        done = Round()
        for named in resources:
            self._send(call, named, node, done)
        if not done.may_go:
            return nothing_leaves(done.stays, "Nothing was sent.")
        return _told(node, names, done)

    def _send(self, call: Call, named: Named, node: DicomNode, done: Round) -> None:
        """Send what is behind one name; once the recipient has failed nothing more is tried."""
        left, refusals = done.may_go, []
        for answer in () if done.broke_off else self._answers(call, named, node):
            if isinstance(answer, Refusal):
                refusals.append(answer)
            else:
                done.count(answer)
        stays = withheld(named, refusals, left=done.may_go - left)
        done.stays += [stays] if stays else []

    def _answers(self, call: Call, named: Named, node: DicomNode) -> Iterator[Refusal | Delivery]:
        requester = requesters.bound(call.user.name, node)
        for handover in self.courier.deliver(requester, named.rows, node, call.door):
            refusal = Refusal(decision_id=handover.decision_id, reasons=handover.reasons)
            yield refusal if handover.delivery is None else handover.delivery

    def _destination(self, services: Services, call: Call) -> DicomNode:
        """Return the node to send to.

        Raises:
            CallError: nobody bound it to receive, or it is bound to another purpose than the account asks for.
        """
        node = services.policy.node(self.titles.get(call.names["modality"], ""))
        if node is None or Verb.RECEIVE not in node.may:
            raise self._refused(services, call, "the destination is not bound in policy.toml to receive", "UNKNOWN_AE")
        if node.purpose is not call.user.purpose:
            reason = f"the account asks for {call.user.purpose}, the destination is bound to {node.purpose}"
            raise self._refused(services, call, reason, "PURPOSE_NOT_BOUND")
        return node

    def _refused(self, services: Services, call: Call, reason: str, rule: str) -> CallError:
        services.gate.refuse(call.requester, call.door, reason, rule=rule)
        remedy = "The data protection officer binds destinations and purposes in policy.toml."
        return CallError(f"Refused: {reason}.", status=FORBIDDEN, remedy=remedy)


def _told(node: DicomNode, names: tuple[str, ...], done: Round) -> Reply:
    """Return the answer in the words of Orthanc's own, with what stayed."""
    payload = {
        "Description": "REST API",
        "RemoteAet": node.aet,
        "ParentResources": list(names),
        "InstancesCount": done.may_go,
        "FailedInstancesCount": done.may_go - done.arrived,
        "Refused": [each.told_by_name() for each in done.stays],
    }
    if done.broke_off:
        remedy = "What had not been asked about yet was not sent. Ask again when the destination answers."
        payload |= {"error": "The destination did not confirm a picture.", "remedy": remedy}
    return Reply(status=NOT_SENT if done.broke_off else OK, payload=payload)


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
