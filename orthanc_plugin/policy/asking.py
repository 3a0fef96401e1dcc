"""Who asks for a picture, as the doors hand it to the gate.

Knows words and names. Must not know where they come from (``enforcement.requester`` does), nor decide.

Source: requirements 2.8 (the request of a case); purpose of use as of HL7 v3 PurposeOfUse.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from dicomwrap.terms import Audience, Form
from orthanc_plugin.policy.model import Content, Recipient, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """Who asks and who would receive, as policy.toml binds them; nothing here was said by the request itself.

    Attributes:
        actor: account or AE title that asks.
        recipient: binding that would receive.
        address: network address, when known.
        signed_in: whether a person's account asks, whose password was verified; only such may have emergency access.
        profile: the anonymisation profile under which it would receive copies, '' for none.
    """

    actor: str
    recipient: str
    purpose: str
    audience: Audience
    form: Form
    verified: bool = True
    approved_channel: bool = True
    address: str = ""
    signed_in: bool = False
    profile: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRequest:
    """One picture, asked for once, at one door."""

    requester: Requester
    sop_instance_uid: str
    door: str
    content: Content = Content.PIXELS

    def on(self, day: date) -> Request:
        """Return it as the policy reads it on this day."""
        requester = self.requester
        return Request(
            as_of=day,
            purpose=requester.purpose,
            recipient=Recipient(
                type=requester.audience,
                id=requester.recipient,
                verified=requester.verified,
                approved_channel=requester.approved_channel,
            ),
            identifiable=requester.form is Form.IDENTIFIABLE,
            content=self.content,
        )
