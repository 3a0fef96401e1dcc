"""The C-FIND SCP: who may search, what is answered, and the worklist that isn't there."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from orthanc_plugin.enforcement.cfind import FindRefusedError, FindScp
from orthanc_plugin.enforcement.pace import FLOOR
from orthanc_plugin.enforcement.searching import MOST_TOLD
from orthanc_plugin.enforcement.visible import QueryRefusedError
from tests.fakes.orthanc import FindAnswers, FindQuery
from tests.fakes.waiting import Waiting
from tests.unit.enforcement.listing import (
    HIDDEN,
    HIDDEN_SERIES,
    SECRET,
    SEEN,
    SERIES,
    STUDY,
    Ward,
    crowd,
    leaks,
)


@dataclass(kw_only=True)
class Scu:
    """Somebody who asks the SCP of a ward by C-FIND."""

    ward: Ward
    aet: str = "READING"
    answers: FindAnswers = field(default_factory=FindAnswers)
    waiting: Waiting = field(default_factory=Waiting)

    def find(self, level: str, **keys: str) -> list[Dataset]:
        asked = {"QueryRetrieveLevel": level, "SpecificCharacterSet": "ISO_IR 100", **keys}
        query = FindQuery({int(tag_for_keyword(keyword) or 0): value for keyword, value in asked.items()})
        self.scp.hook(self.answers, query, self.aet, "CONSENTGATE")
        return [dcmread(BytesIO(each), force=True) for each in self.answers.given]

    @property
    def scp(self) -> FindScp:
        world = self.ward.world
        return FindScp(world.services, self.ward.core, world.worker(), self.waiting.pace())


COUNTS = {"NumberOfStudyRelatedSeries": "", "NumberOfStudyRelatedInstances": "", "ModalitiesInStudy": ""}


def test_a_study_has_the_keys_asked_for_and_counts_what_may_be_seen(ward: Ward) -> None:
    (match,) = Scu(ward=ward).find("STUDY", PatientName="DOE*", StudyDate="", StudyDescription="", **COUNTS)
    assert (match.QueryRetrieveLevel, match.RetrieveAETitle) == ("STUDY", "CONSENTGATE")
    assert (match.PatientName, match.StudyDate, match.StudyInstanceUID) == ("Doe^Jane", "20250301", STUDY)
    assert (match.StudyDescription, match.SpecificCharacterSet) == ("", "ISO_IR 192")
    assert (match.NumberOfStudyRelatedSeries, match.NumberOfStudyRelatedInstances) == (1, 1)
    assert match.ModalitiesInStudy == "XC"


LEVELS = (
    ("PATIENT", {"PatientID": "P1"}, "PatientID", ["P1"]),
    ("SERIES", {"StudyInstanceUID": STUDY}, "SeriesInstanceUID", [SERIES]),
    ("IMAGE", {"StudyInstanceUID": STUDY, "Rows": ""}, "SOPInstanceUID", [SEEN]),
    ("IMAGE", {"SOPInstanceUID": f"{HIDDEN}\\{SEEN}"}, "SOPInstanceUID", [SEEN]),
    ("IMAGE", {"SOPInstanceUID": HIDDEN}, "SOPInstanceUID", []),
    ("SERIES", {"SeriesInstanceUID": HIDDEN_SERIES}, "SeriesInstanceUID", []),
    ("STUDY", {"ModalitiesInStudy": "ES"}, "StudyInstanceUID", []),
    ("STUDY", {"ModalitiesInStudy": "XC\\ES"}, "StudyInstanceUID", [STUDY]),
    ("SERIES", {"SeriesDescription": SECRET}, "SeriesInstanceUID", []),
    ("STUDY", {"PatientID": "P2"}, "StudyInstanceUID", []),
    ("STUDY", {"PatientComments": "not a key that is matched"}, "StudyInstanceUID", [STUDY]),
)


@pytest.mark.parametrize(("level", "keys", "unique", "expected"), LEVELS)
def test_every_level_is_answered_with_what_may_be_seen(
    ward: Ward, level: str, keys: dict[str, str], unique: str, expected: list[str]
) -> None:
    found = Scu(ward=ward).find(level, **keys)
    assert [str(match[unique].value) for match in found] == expected
    assert leaks([str(match) for match in found]) == []


HELD = (
    ({"PatientID": "P1"}, True),
    ({"PatientID": "nobody"}, True),
    ({"PatientName": "DOE*", "StudyInstanceUID": ""}, True),
    ({"PatientID": "", "StudyDate": "20250301"}, False),
    ({"StudyInstanceUID": STUDY}, False),
)


@pytest.mark.parametrize(("keys", "held"), HELD)
def test_what_is_asked_about_a_person_is_answered_in_the_same_time_whoever_is_there(
    ward: Ward, keys: dict[str, str], held: bool
) -> None:
    for aet in ("READING", "LECTURE"):
        scu = Scu(ward=ward, aet=aet)
        scu.find("STUDY", **keys)
        assert scu.waiting.waited == [FLOOR] * held


def test_a_refusal_is_held_back_too(ward: Ward) -> None:
    scu = Scu(ward=ward, aet="STRANGER")
    with pytest.raises(FindRefusedError):
        scu.find("STUDY", PatientID="P1")
    assert scu.waiting.waited == [FLOOR]


def test_the_number_of_rows_is_told_as_a_number(ward: Ward) -> None:
    (match,) = Scu(ward=ward).find("IMAGE", Rows="", PixelData="")
    assert match.Rows > 1
    assert match.get("PixelData") in (None, b"")


@pytest.mark.parametrize("aet", ["DERMWS", "DERMCAM", "STRANGER", ""])
def test_a_node_that_is_not_bound_to_search_is_refused(ward: Ward, aet: str) -> None:
    scu, before = Scu(ward=ward, aet=aet), len(ward.core.asked)
    with pytest.raises(FindRefusedError):
        scu.find("STUDY", PatientID="P1")
    assert (scu.answers.given, len(ward.core.asked)) == ([], before)
    assert (ward.world.last_rules(), ward.world.trail()[-1]["door"]) == (["FORBIDDEN_SERVICE"], "C-FIND")


def test_a_node_that_may_only_have_anonymised_copies_finds_nothing(ward: Ward) -> None:
    assert Scu(ward=ward, aet="LECTURE").find("STUDY") == []
    assert ward.queries()[-1] == "0 pictures shown, 3 withheld"


@pytest.mark.parametrize("level", ["", "WARD"])
def test_a_query_without_a_level_is_refused(ward: Ward, level: str) -> None:
    with pytest.raises(FindRefusedError):
        Scu(ward=ward).find(level)
    assert ward.world.last_rules() == ["BAD_QUERY"]


def test_shut_doors_answer_nothing(own_ward: Ward) -> None:
    own_ward.world.services.gate.close("the trail is broken")
    with pytest.raises(QueryRefusedError):
        Scu(ward=own_ward).find("STUDY")


def test_too_many_matches_are_refused_and_none_is_left_out_silently(own_ward: Ward) -> None:
    crowd(own_ward, MOST_TOLD)
    scu = Scu(ward=own_ward)
    with pytest.raises(FindRefusedError):
        scu.find("IMAGE")
    assert (scu.answers.given, own_ward.world.last_rules()) == ([], ["TOO_MANY"])


@pytest.mark.parametrize("aet", ["READING", "DERMCAM", "STRANGER"])
def test_there_is_no_worklist_for_anybody(ward: Ward, aet: str) -> None:
    answers = FindAnswers()
    with pytest.raises(FindRefusedError):
        Scu(ward=ward).scp.refuse_worklist(answers, FindQuery({}), aet, "CONSENTGATE")
    assert answers.given == []
    assert ward.world.trail()[-1]["door"] == "C-FIND (worklist)"
