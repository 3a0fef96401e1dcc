"""Act on every attribute of an object, at any depth: from an original's data set to a copy's.

Knows the table, the profile's options and the patient's pseudonyms. Must not know streams, nor how a copy is encoded.
Allow-list: what no row, exception or vocabulary keeps is not in the copy, because the copy is built and not cut.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from dicomwrap.confidentiality import Action, Option
from orthanc_plugin.deid.actions import Decided, Need, Needs, decided, resolved
from orthanc_plugin.deid.closed import code, is_of_the_standard, says_its_words, vocabulary
from orthanc_plugin.deid.elements import MOST_TAGS, elements_of, keyword, representations
from orthanc_plugin.deid.privateblocks import without_creator
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.deid.table import row_for
from orthanc_plugin.deid.values import DUMMIES, is_of_its_form, shifted, texts
from orthanc_plugin.errors import DeidentificationError

DEEPEST: Final = 16  # levels; no IOD of a photograph nests deeper than six
MOST_VALUES: Final = 100_000  # at all depths; a photograph has a few hundred, a film of 1,000 frames a few thousand
OTHER_GROUPS: Final = (0x0000, 0x0002, 0x0004)  # commands, file meta information, directories: no part of a data set
CODES: Final = ("CodeValue", "LongCodeValue", "URNCodeValue")


def check(dataset: Dataset, depth: int = 0) -> int:
    """Read every element, at any depth, and return how many values there are.

    Raises:
        DeidentificationError: an element is nobody's or of another VR than its tag has, items nest too deep, or there
            is more than can be gone through in time.
    """
    found = 0
    if depth > DEEPEST:
        raise DeidentificationError(f"Sequences nest more than {DEEPEST} deep.")
    if without_creator(dataset):
        raise DeidentificationError("A private element has no private creator.")
    for element in elements_of(dataset):
        known = representations(int(element.tag))
        if known and element.VR not in known and not (element.VR == "UN" and element.is_empty):
            raise DeidentificationError(f"{element.keyword} is encoded otherwise than the standard says.")
        found += 1 + element.VM
        if element.VR == "SQ":
            found += sum(check(item, depth + 1) for item in element.value)
        if found > MOST_VALUES:
            raise DeidentificationError(f"The object has more than {MOST_VALUES} values.")
    return found


@lru_cache(MOST_TAGS)
def _listed(tag: int, options: frozenset[Option], overrides: tuple[tuple[str, Action], ...]) -> Decided | None:
    """Return the code of an attribute's exception or row; None when it has neither."""
    exception = dict(overrides).get(keyword(tag))
    if exception is not None:
        return Decided(exception, by_option=True)
    row = row_for(BaseTag(tag))
    return None if row is None else decided(row, options)


class Engine:
    """Makes copies of one patient's objects.

    Args:
        profile: what is done.
        pseudonyms: of the profile's domain.
        patient: the patient's number, and who gave it.
    """

    def __init__(self, profile: Profile, pseudonyms: Pseudonyms, patient: tuple[str, str]) -> None:
        self.profile = profile
        self.pseudonyms = pseudonyms
        self.pseudonym = pseudonyms.patient_id(*patient)
        self.days = pseudonyms.days(*patient)
        self.changed = 0
        self.retained: set[BaseTag] = set()

    def copy(self, dataset: Dataset, needs: Needs) -> Dataset:
        """Return what stays of a data set; ``PixelData`` of the outermost is taken over as it is."""
        made: dict[BaseTag, DataElement | RawDataElement] = {}
        for element in elements_of(dataset):
            acted = self._acted(element, needs)
            if acted is not None:
                made[element.tag] = acted
            if acted is None or (element.VR != "SQ" and acted is not element):
                self.changed += 1
        return Dataset(made)

    def _acted(self, element: DataElement, needs: Needs) -> DataElement | None:
        if element.tag.group in OTHER_GROUPS or element.tag.is_private or element.tag.element == 0:
            return None
        found = _listed(int(element.tag), self.profile.options, self.profile.overrides)
        if found is None:
            return self._unlisted(element, needs)
        action = resolved(found.code, needs.of(keyword(int(element.tag))))
        if action is Action.K and found.by_option:
            self.retained.add(element.tag)
        done = self._done(action, element)
        return self._instead(element, needs) if done is None and action in (Action.K, Action.C) else done

    def _instead(self, element: DataElement, needs: Needs) -> DataElement | None:
        """Return what stands where something was to be kept that isn't what the standard has there."""
        match needs.of(keyword(int(element.tag))):
            case Need.FILLED:
                return self._dummy(element)
            case Need.PRESENT:
                return self._done(Action.Z, element)
            case _:
                return None

    def _unlisted(self, element: DataElement, needs: Needs) -> DataElement | None:
        """Keep a sequence, item by item, and an attribute that says no more than its vocabulary."""
        found = self._items(element) if element.VR == "SQ" else vocabulary(element)
        if found is not None and (element.VR != "SQ" or found.value):
            return found
        return self._done(Action.Z, element) if needs.of(keyword(int(element.tag))) is Need.PRESENT else None

    def _done(self, action: Action, element: DataElement) -> DataElement | None:
        match action:
            case Action.X:
                return None
            case Action.Z:
                return DataElement(element.tag, element.VR, [] if element.VR == "SQ" else None)
            case Action.D:
                return self._dummy(element)
            case Action.U:
                return self._items(element) if element.VR == "SQ" else self._uids(element)
            case Action.C:
                return shifted(element, self.days)
            case Action.K:
                return self._kept(element)

    def _kept(self, element: DataElement) -> DataElement | None:
        if element.VR == "SQ":
            return self._items(element)
        return element if element.VR != "UN" and is_of_its_form(element) and says_its_words(element) else None

    def _items(self, element: DataElement) -> DataElement:
        cleaned = (self._item(item, keyword(int(element.tag))) for item in element.value)
        return DataElement(element.tag, "SQ", [item for item in cleaned if len(item)])

    def _item(self, item: Dataset, sequence: str) -> Dataset:
        """Return what stays of an item; a coded entry only in the standard's own words."""
        made = self.copy(item, Needs.of_item(sequence))
        coded = code(item) if any(name in item for name in CODES) else None
        if coded is not None:
            made.update(coded)
        return made

    def _dummy(self, element: DataElement) -> DataElement:
        if element.VR == "SQ":
            return DataElement(element.tag, "SQ", self._items(element).value or [Dataset()])
        if element.VR == "UI":
            return self._uids(element)
        if keyword(int(element.tag)) in ("PatientName", "PatientID"):
            name = f"ANON^{self.pseudonym}" if element.VR == "PN" else self.pseudonym
            return DataElement(element.tag, element.VR, name)
        return DataElement(element.tag, element.VR, DUMMIES[element.VR])

    def _uids(self, element: DataElement) -> DataElement:
        made = [uid if not uid or is_of_the_standard(uid) else self.pseudonyms.uid(uid) for uid in texts(element)]
        return DataElement(element.tag, "UI", made if len(made) > 1 else made[0])
