"""Looking at a picture before a copy of it may leave: given to whoever reviews it, as the copy would show it.

Knows the archive, the policy's answers and the release. Must not know how a reviewer asks, nor who may take which step
(``lifecycle.reviewing``). A reviewer is shown only what the policy would let leave to somebody who asked, if nothing in
it identified the patient; and always the copy's own picture, whose headers say nothing of whose it is.

Sources: requirements 002-58, 2.6 (no door without a decision); PS3.15 E.3.1, E.3.2 (after human review).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Final

import pydicom
from pydicom.encaps import generate_frames
from pydicom.uid import JPEGBaseline8Bit
from sqlalchemy import Connection

from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.audit.event import EventType, Outcome
from orthanc_plugin.config.bindings import Binding
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.deid.outlines import outlined
from orthanc_plugin.deid.pixeldigest import pixels_of
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.proposals import Outcome as Found
from orthanc_plugin.deid.proposals import propose
from orthanc_plugin.errors import UnknownImageError
from orthanc_plugin.gate import AccessRequest, Answer, asked
from orthanc_plugin.lifecycle import reviewing
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.reviewing import Matter, ReviewRefusedError, Waiting
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.model import Anonymisable, Effect
from orthanc_plugin.policy.reviewing import Box, Outline, Review, Standing, State
from orthanc_plugin.registry import facts, images, reviews
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.trail import append
from orthanc_plugin.release import Hidden, unmet
from orthanc_plugin.sending.asking import bound
from orthanc_plugin.sending.packing import original
from orthanc_plugin.services import Services

JPEG: Final = "image/jpeg"
DICOM: Final = "application/dicom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a reviewer is given: one JPEG, or the copy as a DICOM object where it has several frames or another code."""

    content: bytes
    media: str


class Desk:
    """Where one person reviews one picture under one profile.

    Args:
        services: registry, policy and release.
        archive: reads the picture.
        act: who reviews, and how they ask.
        image: SOP Instance UID.
        profile: its name.
        sees_intimate: whether intimate pictures are shown to them.
    """

    def __init__(
        self, services: Services, archive: ImageArchive, act: Act, image: str, profile: str, *, sees_intimate: bool
    ) -> None:
        self.services = services
        self.archive = archive
        self.act = act
        self.image = image
        self.profile = profile
        self.sees_intimate = sees_intimate

    def open(self) -> Review:
        """Take the picture to look at.

        Raises:
            ReviewRefusedError: somebody else has it open, or it is not theirs to see; that is on record.
            DeidentificationError: it can't be read.
        """
        with self._noted():
            return self._opened()

    def _opened(self) -> Review:
        with self.services.database.reading() as connection:
            self._require_wanted(connection)
        content = self._original()
        with self.services.database.writing() as connection:
            self._require_wanted(connection)
            return self._taken(connection, pixels_of(content))

    def _taken(self, connection: Connection, pixels: str) -> Review:
        return reviewing.open_(connection, self.act, self._matter(connection), pixels)

    def propose(self) -> Review:
        """Have the detectors look; what they say is kept, and is no answer."""
        with self._noted():
            return self._proposed()

    def _proposed(self) -> Review:
        self._held()
        findings = propose(self._original(), self.services.policy.review.detectors)
        with self.services.database.writing() as connection:
            self._require_wanted(connection)
            return reviewing.propose(connection, self.act, self._matter(connection), findings)

    def redact(self, regions: tuple[Outline, ...], crop: Box | None = None, *, with_proposed: bool) -> Review:
        """Set what is blanked, and what is then kept, once it is known that it can be."""
        with self._noted():
            return self._redacted(regions, crop, with_proposed=with_proposed)

    def _redacted(self, regions: tuple[Outline, ...], crop: Box | None, *, with_proposed: bool) -> Review:
        self._held()
        with self.services.database.reading() as connection:
            matter = self._matter(connection)
            drafts = reviewing.proposed(connection, self.act, matter) if with_proposed else ()
        wanted = tuple(dict.fromkeys((*regions, *drafts)))
        self._copy(Hidden(wanted, crop))
        with self.services.database.writing() as connection:
            self._require_wanted(connection)
            return reviewing.redact(connection, self.act, matter, wanted, crop)

    def picture(self) -> Picture:
        """Give the picture as the copy would show it, with what is hidden so far; it is on record that it was seen."""
        with self._noted():
            return self._pictured()

    def _pictured(self) -> Picture:
        held = self._held()
        hidden = Hidden(held.regions, held.crop)
        shown = shown_by(self._copy(hidden))
        with self.services.database.writing() as connection:
            self._require_wanted(connection)
            seen = reviewing.show(connection, self.act, self._matter(connection))
            if (seen.regions, seen.crop) != hidden:
                raise ReviewRefusedError("The regions have changed meanwhile.", remedy="Ask for the picture again.")
        return shown

    def outlined(self) -> Picture:
        """Give the whole picture with a line about what is hidden so far, and a broken one about what was proposed.

        It is on record that it was given; as seen as it would leave, which a confirmation needs, it doesn't count.

        Raises:
            ReviewRefusedError: it isn't open to whoever reviews, or is no single JPEG.
            DeidentificationError: it can't be drawn on.
        """
        with self._noted():
            return self._outlined()

    def _outlined(self) -> Picture:
        held = self._held()
        with self.services.database.reading() as connection:
            drafts = reviewing.proposed(connection, self.act, self._matter(connection))
        whole = shown_by(self._copy(Hidden()))
        if whole.media != JPEG:
            words = "Outlines can be drawn on a single JPEG only."
            raise ReviewRefusedError(words, remedy="Look at the picture itself, in a DICOM viewer.")
        hidden = Hidden(held.regions, held.crop)
        drawn = outlined(whole.content, hidden.blanked(), Hidden(drafts).blanked(), hidden.kept())
        self._record_outlined()
        return Picture(content=drawn, media=JPEG)

    def _record_outlined(self) -> None:
        event = self.act.event(
            EventType.INSTANCES_ACCESSED,
            "REVIEW_OUTLINED",
            subject=self.image,
            reasons=(f"profile {self.profile}",),
        )
        with self.services.database.writing() as connection:
            self._require_wanted(connection)
            reviewing.held(connection, self.act, self._matter(connection))
            append(connection, [event])

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Put a refusal on record, as any other door does."""
        try:
            yield
        except ReviewRefusedError as error:
            self.services.gate.note(
                self.act.event(
                    EventType.ACCESS_CONTROL_DECISION,
                    Effect.DENY,
                    subject=self.image,
                    outcome=Outcome.REFUSED,
                    reasons=(str(error.args[0]),),
                )
            )
            raise

    def _held(self) -> Standing:
        """Return where the picture stands, which must be wanted still and open to whoever reviews."""
        with self.services.database.reading() as connection:
            self._require_wanted(connection)
            return reviewing.held(connection, self.act, self._matter(connection))

    def _matter(self, connection: Connection) -> Matter:
        if not self.profile:
            raise ReviewRefusedError("A picture is looked at under a profile.", remedy="Name the profile.")
        return reviewing.matter(connection, self.image, self.profile, self.services.release.under)

    def _copy(self, hidden: Hidden) -> bytes:
        return self.services.release.shown(self._original(), self._profile(), hidden, self.services.ids())

    def _profile(self) -> Profile:
        found = self.services.release.named(self.profile)
        if found is None:
            raise ReviewRefusedError("There is no such profile.", remedy="See 'consentgate profile list'.")
        return found

    def _original(self) -> bytes:
        with self.services.database.reading() as connection:
            row = images.get(connection, self.image)
        if row is None:
            raise UnknownImageError("No image in the archive has this SOP Instance UID.")
        return original(self.archive, row)

    def _require_wanted(self, connection: Connection) -> None:
        """Refuse a picture that would leave to nobody, or that isn't shown to whoever reviews."""
        self._matter(connection)
        self._require_open_to(images.get(connection, self.image))
        if not any(self._would_leave(connection, each) for each in reviews.requests(connection, self.image)):
            raise ReviewRefusedError(
                "Nobody who asked may have a copy of the picture under this profile, whatever it shows.",
                remedy="A picture is opened once somebody has asked for it: see 'consentgate review list'.",
            )

    def _require_open_to(self, row: ImageRow | None) -> None:
        """Refuse an intimate picture to whom such aren't shown, and any while the gate is closed."""
        if row is not None and row.intimate and not self.sees_intimate:
            raise ReviewRefusedError(
                "The picture is intimate, and the account is not one of those that such pictures are shown to.",
                remedy="Have somebody review it whose account has may_view_intimate in policy.toml.",
            )
        if self.services.gate.closed is not None:
            raise ReviewRefusedError(f"The gate is closed: {self.services.gate.closed}.", remedy="Ask again later.")

    def _would_leave(self, connection: Connection, wish: reviews.Asked) -> bool:
        """Tell whether the copy would leave for this request once somebody had found nothing identifying in it."""
        binding = binding_of(self.services.policy, wish.recipient, wish.purpose)
        if binding is None or binding.profile != self.profile:
            return False
        request = AccessRequest(
            requester=bound(wish.requester, binding), sop_instance_uid=self.image, door=self.act.door
        )
        question, switches = asked(request, self.act.at), self.services.policy.switches
        case = facts.case(connection, self.image, question, switches, self.image)
        clear = replace(case, image=replace(case.image, anonymisable=Anonymisable.YES))
        answer = Answer(request=request, decision=decide(clear), decision_id="")
        if answer.decision.effect is not Effect.PERMIT_ANONYMISED:
            return False
        context = self.services.context_in(connection, answer, binding)
        return not unmet(answer.decision, replace(context, reviewed=Anonymisable.YES, own=False))


def binding_of(policy: Policy, name: str, purpose: str) -> Binding | None:
    """Return what is bound to this purpose under this name; None when nothing is any more."""
    return next((each for each in policy.bindings if each.name == name and each.purpose == purpose), None)


def shown_by(copy: bytes) -> Picture:
    """Return what is looked at: the JPEG of a copy that is one, else the copy."""
    said = pydicom.dcmread(BytesIO(copy))
    if said.file_meta.TransferSyntaxUID == JPEGBaseline8Bit and int(said.get("NumberOfFrames") or 1) == 1:
        return Picture(content=next(generate_frames(said.PixelData, number_of_frames=1)), media=JPEG)
    return Picture(content=copy, media=DICOM)


WORDS: Final = {
    Found.NOTHING_FOUND: "nothing found automatically",
    Found.NOT_CHECKED: "not checked",
}


def told(waiting: Waiting) -> dict[str, object]:
    """Return what waits as it is told to a reviewer."""
    found = waiting.found
    open_ = found.state is State.OPEN
    return {
        "image": waiting.image,
        "profile": waiting.profile,
        "state": found.state.value,
        "since": waiting.since,
        "requesters": list(waiting.requesters),
        "open_by": found.by if open_ else "",
        "open_since": found.since.isoformat() if open_ and found.since else None,
        "proposals": [_words(each) for each in waiting.proposals],
        "reason": waiting.reason,
    }


def _words(finding: Mapping[str, object]) -> str:
    """Say what a detector said; that nothing was found is never told as that nothing is there."""
    outcome = Found(str(finding["outcome"]))
    said = WORDS.get(outcome, f"{finding['regions']} proposed")
    why = f" ({finding['reason']})" if finding["reason"] else ""
    return f"{finding['detector']}: {said}{why}"


def proposals(review: Review) -> list[str]:
    """Return what the detectors said in one step."""
    return [_words(each) for each in json.loads(review.findings)]
