"""What the core would tell of a patient, study or series if some key objects in it were not there.

Knows the shapes of the core's descriptions, lists, tags and statistics. Must not decide: who calls says what remains.
What the core says of all of it is never passed on: of its lists only what remains is, and what counts or mixes is made
again from what remains, as searches make it (``listings``).

Source: PS3.4 C.4.1.1.3 (attributes that are counted); requirements 2.6.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final, Self
from urllib.parse import urlencode

from orthanc_plugin.archive.port import CoreApi
from orthanc_plugin.enforcement.attributes import COMPUTED, Item, Level, computed, keyword_of
from orthanc_plugin.enforcement.listings import describe
from orthanc_plugin.enforcement.reply import CallError
from orthanc_plugin.enforcement.searching import items
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.listed import Listed

OPTIONS: Final = ("expand", "full", "requested-tags", "short", "simplify")
REQUESTED: Final = "requested-tags"
FORMATS: Final = ("full", "short")
LEVELS: Final = {"patients": Level.PATIENT, "studies": Level.STUDY, "series": Level.SERIES, "instances": Level.INSTANCE}
BELOW: Final = {
    Level.PATIENT: {"Studies": Level.STUDY, "Series": Level.SERIES, "Instances": Level.INSTANCE},
    Level.STUDY: {"Series": Level.SERIES, "Instances": Level.INSTANCE},
    Level.SERIES: {"Instances": Level.INSTANCE},
}
MEGABYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """What remains of a resource that the core is asked about.

    Attributes:
        core: is asked.
        path: of the resource.
        options: beside the path, as they were asked.
        shown: what remains, at least one.
        left_out: what must not be told of.
    """

    core: CoreApi
    path: str
    options: Mapping[str, str]
    shown: tuple[Listed, ...]
    left_out: tuple[Listed, ...]

    @classmethod
    def of(
        cls,
        core: CoreApi,
        path: str,
        options: Mapping[str, str],
        *,
        found: Sequence[ImageRow],
        rows: Sequence[ImageRow],
    ) -> Self:
        """Return what remains: ``rows`` of all that was ``found``."""
        shown, all_of_it = tuple(map(_names, rows)), tuple(map(_names, found))
        left_out = tuple(each for each in all_of_it if each not in shown)
        return cls(core=core, path=path, options=options, shown=shown, left_out=left_out)

    @property
    def level(self) -> Level:
        """Return the level of the resource."""
        return LEVELS[self.path.split("/")[1]]

    def told(self, tail: str) -> object:
        """Return what is told at the resource's path with ``tail`` behind it.

        Raises:
            ArchiveError: the core doesn't answer.
            CallError: it can't be told in the form that is asked for.
        """
        if tail.startswith("/module"):
            return self._module(tail)
        match tail:
            case "/statistics":
                return self._statistics()
            case "/instances-tags":
                return self._tags()
            case "/shared-tags":
                return self._shared()
            case "/labels":
                return self._ask(tail, self.options)  # nobody labels by HTTP, and no key object does
            case "":
                (told,) = self._listed(self.level, [self._ask(tail, self._uncounted())])
                return told
        return list(self._listed(LEVELS[tail[1:]], _as_list(self._ask(tail, self._uncounted()))))

    def _ask(self, tail: str, options: Mapping[str, str]) -> object:
        question = f"{self.path}{tail}"
        said: object = json.loads(self.core.ask("GET", f"{question}?{urlencode(options)}" if options else question))
        return said

    @property
    def _requested(self) -> list[str]:
        names = self.options.get(REQUESTED, "").split(";")
        return [keyword for name in names if (keyword := keyword_of(name))]

    def _uncounted(self) -> dict[str, str]:
        """Return the options without the attributes that the core would count."""
        kept = ";".join(keyword for keyword in self._requested if keyword not in COMPUTED)
        others = {name: value for name, value in self.options.items() if name != REQUESTED}
        return others | ({REQUESTED: kept} if kept else {})

    def _listed(self, level: Level, said: Sequence[object]) -> Iterator[object]:
        """Give those of the resources that the core named which have something that remains."""
        names = {each.of(level.subject) for each in self.shown}
        remaining = {item.id: item for item in items(level, self.shown, names)}
        for entry in said:
            item = remaining.get(str(entry["ID"] if isinstance(entry, dict) else entry))
            if item is not None:
                yield self._described(entry, item) if isinstance(entry, dict) else entry

    def _described(self, entry: dict[str, object], item: Item) -> dict[str, object]:
        """Return the description of a resource: the core's if nothing of it is left out, else a new one."""
        if any(each.of(item.level.subject) == item.id for each in self.left_out):
            if asked := [name for name in FORMATS if name in self.options]:
                raise CallError(f"Not served of this: {', '.join(asked)}.", remedy="Leave it out; format the answer.")
            return describe(self.core, item, self._requested)
        requested = entry.get("RequestedTags")
        if isinstance(requested, dict):
            return entry | {"RequestedTags": requested | computed(self.core, item, self._requested)}
        return entry

    def _tags(self) -> dict[str, dict[str, object]]:
        """Return the tags of each instance that remains."""
        said, names = self._ask("/instances-tags", self.options), {each.orthanc_instance for each in self.shown}
        return {name: tags for name, tags in said.items() if name in names} if isinstance(said, dict) else {}

    def _shared(self) -> dict[str, object]:
        """Return the tags that all that remain have in common."""
        first, *others = self._tags().values() or ({},)
        return {name: value for name, value in first.items() if all(each.get(name) == value for each in others)}

    def _module(self, tail: str) -> dict[str, object]:
        """Return the core's answer, which it takes from the shared tags, as far as what remains has it in common."""
        said, shared = self._ask(tail, self.options), self._shared()
        return {key: value for key, value in said.items() if shared.get(key) == value} if isinstance(said, dict) else {}

    def _statistics(self) -> dict[str, object]:
        sizes: Counter[str] = Counter()
        for each in self.shown:
            said = json.loads(self.core.ask("GET", f"/instances/{each.orthanc_instance}/statistics"))
            sizes.update({name: int(value) for name, value in said.items() if name.endswith("Size")})
        below = BELOW[self.level].items()
        counts = {f"Count{name}": len({each.of(level.subject) for each in self.shown}) for name, level in below}
        return {
            **counts,
            **{name: str(size) for name, size in sizes.items()},
            **{f"{name}MB": size // MEGABYTE for name, size in sizes.items()},
        }


def _names(row: ImageRow) -> Listed:
    return Listed(*(str(getattr(row, each.name)) for each in fields(Listed)))


def _as_list(said: object) -> list[object]:
    return said if isinstance(said, list) else []
