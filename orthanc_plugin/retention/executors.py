"""Who executed a batch, by what a certificate tells of its records.

Knows the order in which they were destroyed. Must not know the registry. An execution that was cut off may be taken up
by somebody else, so it isn't always who began it.

Source: requirements 4, step 8 (dates, people) and step 9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def executors(begun_by: str, records: Sequence[Mapping[str, object]], ended_by: str) -> list[str]:
    """Return all who executed, each once: who began it, who destroyed a record by its time, and who ended it."""
    ordered = sorted(records, key=lambda each: str(each.get("executed_at", "")))
    people = (str(each.get("executed_by") or begun_by) for each in ordered)
    return list(dict.fromkeys((begun_by, *people, ended_by)))
