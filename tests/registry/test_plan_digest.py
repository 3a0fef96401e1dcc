"""What seals a plan's lines: the same words as ever, so that no plan of before looks changed."""

from __future__ import annotations

import hashlib
import json

from hypothesis import example, given
from hypothesis import strategies as st

from orthanc_plugin.registry.plans import Line, lines_sha256

ANY = st.text(max_size=20)
COUNT = st.integers(0, 2**62)
LINES = st.builds(Line, COUNT, ANY, ANY, COUNT, COUNT, COUNT, ANY, ANY, ANY, st.lists(ANY, max_size=3).map(tuple), ANY)


@given(st.lists(LINES, max_size=5))
@example(
    [Line(1, "2.25.1", "ab", 1, 2, 0, 'R"1\\', "2032-05-06", "words", ("REVIEW: \u00e9", "\ud800", '"'), "cd")] * 2
)
def test_a_plan_s_lines_are_sealed_as_json_writes_lists_of_them(found: list[Line]) -> None:
    said = [
        (each.line, each.study_sha256, each.objects, each.size, each.unsized, each.rule, each.due_date, each.flags)
        for each in found
    ]
    texts = [json.dumps((*told, each.facts_sha256)) for told, each in zip(said, found, strict=True)]
    assert lines_sha256(found) == hashlib.sha256("".join(texts).encode()).hexdigest()
