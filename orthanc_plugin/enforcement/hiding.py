"""Looking at a picture in which others are to be hidden: given to whoever proposes regions, and to whoever agrees.

Knows the archive, the policy's answers and the release. Must not know how they ask, nor who may take which step
(``lifecycle.hiding``). A picture is shown only where the team that treats the patient could have it, or where somebody
has asked for a copy of their own; what is given is the picture alone, without a word of whose it is.

Sources: requirements 2.6 R3, R8 (no door without a decision), 2.8 (REDACT_THIRD_PARTIES).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from dicomwrap.terms import Audience, Purpose
from orthanc_plugin.audit.event import EventType
from orthanc_plugin.config.profiles import resolved
from orthanc_plugin.deid.hiding import without_others
from orthanc_plugin.deid.outlines import outlined
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.proposals import propose
from orthanc_plugin.enforcement.reviewing import JPEG, Desk, Picture, shown_by
from orthanc_plugin.lifecycle import hiding
from orthanc_plugin.lifecycle.hiding import On, Waiting
from orthanc_plugin.lifecycle.reviewing import ReviewRefusedError
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.model import Effect, Recipient, Request
from orthanc_plugin.policy.reviewing import HIDING, Box, Outline, Review, State
from orthanc_plugin.registry import access, facts, images, patients
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.trail import append
from orthanc_plugin.release import Hidden

LOOKED_AT_UNDER: Final = "minimum"  # as it is shipped, whatever policy.toml makes of it: nothing but the picture


class HidingDesk(Desk):
    """Where one person looks at one picture for the sake of others in it; ``profile`` is '' here."""

    def _taken(self, connection: Connection, pixels: str) -> Review:
        return hiding.open_(connection, self.act, self._on(connection), pixels)

    def _proposed(self) -> Review:
        self._require_open()
        findings = propose(self._original(), self.services.policy.review.detectors)
        with self.services.database.writing() as connection:
            self._require_wanted(connection)
            return hiding.propose(connection, self.act, self._on(connection), findings)

    def _redacted(self, regions: tuple[Outline, ...], crop: Box | None, *, with_proposed: bool) -> Review:
        if crop is not None:
            words = "Nothing is cut off an identifiable copy."
            raise ReviewRefusedError(words, remedy="Give regions that cover the others.")
        self._require_open()
        with self.services.database.reading() as connection:
            drafts = hiding.drafted(connection, self._on(connection)) if with_proposed else ()
        wanted = tuple(dict.fromkeys((*regions, *drafts)))
        if wanted:  # what can't be made must not be agreed on: nothing would leave any more
            without_others(self._original(), Hidden(wanted).blanked())
        with self.services.database.writing() as connection:
            self._require_wanted(connection)
            return hiding.redact(connection, self.act, self._on(connection), wanted)

    def _pictured(self) -> Picture:
        self._require_open()
        with self.services.database.reading() as connection:
            regions = hiding.regions(connection, self._on(connection))
        shown = shown_by(self._copy(Hidden(regions)))
        with self.services.database.writing() as connection:
            self._require_wanted(connection)
            if hiding.show(connection, self.act, self._on(connection)).regions != regions:
                raise ReviewRefusedError("The regions have changed meanwhile.", remedy="Ask for the picture again.")
        return shown

    def _outlined(self) -> Picture:
        self._require_open()
        with self.services.database.reading() as connection:
            about = self._on(connection)
            regions, drafts = hiding.regions(connection, about), hiding.drafted(connection, about)
        whole = shown_by(self._copy(Hidden()))
        if whole.media != JPEG:
            words = "Outlines can be drawn on a single JPEG only."
            raise ReviewRefusedError(words, remedy="Look at the picture itself, in a DICOM viewer.")
        drawn = outlined(whole.content, Hidden(regions).blanked(), Hidden(drafts).blanked(), None)
        self._record_outlined()
        return Picture(content=drawn, media=JPEG)

    def _record_outlined(self) -> None:
        event = self.act.event(EventType.INSTANCES_ACCESSED, "HIDING_OUTLINED", subject=self.image)
        with self.services.database.writing() as connection:
            self._require_wanted(connection)
            hiding.held(connection, self.act, self._on(connection))
            append(connection, [event])

    def _require_open(self) -> None:
        with self.services.database.reading() as connection:
            self._require_wanted(connection)
            hiding.held(connection, self.act, self._on(connection))

    def _on(self, connection: Connection) -> On:
        return hiding.on(connection, self.image)

    def _profile(self) -> Profile:
        shipped = resolved(LOOKED_AT_UNDER, {})
        assert shipped is not None  # noqa: S101 - it is one of ours
        return Profile(
            name=LOOKED_AT_UNDER,
            pseudonym_domain=shipped.pseudonym_domain,
            options=shipped.options,
            overrides=shipped.overrides,
            pixels=shipped.pixels,
        )

    def _require_wanted(self, connection: Connection) -> None:
        """Refuse a picture that nobody could have in any case, or that isn't shown to whoever looks."""
        self._on(connection)
        row = images.get(connection, self.image)
        self._require_open_to(row)
        if not row or not any(self._may_have(connection, each) for each in self._wishes(connection, row)):
            raise ReviewRefusedError(
                "The team that treats the patient may not have the picture, and nobody has asked for their own copy.",
                remedy="Record what is missing for either; as long as nobody may have it, nothing is to be settled.",
            )

    def _wishes(self, connection: Connection, row: ImageRow) -> Iterator[Request]:
        """Give what an identifiable copy may be wanted for: the patient's treatment, and requests for their own."""
        yield self._wish(Purpose.DIRECT_CARE, Audience.CARE_TEAM)
        numbers = patients.numbers(connection, (row.patient_id, row.issuer))
        for each in access.listed(connection):
            if each.who in numbers:
                yield self._wish(Purpose.SUBJECT_ACCESS, each.audience)

    def _wish(self, purpose: Purpose, audience: Audience) -> Request:
        who = Recipient(type=audience, id=self.act.by, verified=True, approved_channel=True)
        return Request(as_of=self.act.day, purpose=purpose, recipient=who, identifiable=True)

    def _may_have(self, connection: Connection, wish: Request) -> bool:
        case = facts.case(connection, self.image, wish, self.services.policy.switches, self.image)
        alone = replace(case, image=replace(case.image, others=None))
        return decide(alone).effect is Effect.PERMIT_IDENTIFIABLE


WORDS: Final = {
    (True, False): "regions are proposed that hide other people; somebody else must agree",
    (False, True): "somebody wants nobody hidden any more; somebody else must agree",
    (False, False): "others were hidden in an earlier object of this UID; somebody must look at this one",
}


def told(waiting: Waiting) -> dict[str, object]:
    """Return what waits for a second person as it is told to a reviewer, in the words of the other queue."""
    step = waiting.step
    return {
        "image": waiting.image,
        "profile": HIDING.name,
        "state": State.WAITING.value,
        "since": step.reviewed_at.isoformat(),
        "requesters": [step.reviewer],
        "open_by": "",
        "open_since": None,
        "proposals": [],
        "reason": WORDS[waiting.standing.proposed is not None, waiting.standing.lifting is not None],
    }
