"""All the core's paths that Consentgate answers, told to Orthanc as one expression, and each passed on to its hook.

Knows Orthanc's router: it tries every expression that was registered, one after the other, for whatever is asked. With
one for each of the 64 paths a request for a single picture by DICOMweb, which fits none, cost a fifth of a millisecond
more. In one expression that is a tree of the paths' parts the first part that fits nothing ends it. Must not decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from orthanc_plugin.enforcement.exits import normalised
from orthanc_plugin.enforcement.reply import NOT_FOUND, CallError, fault, send
from orthanc_plugin.enforcement.rest import Lane
from orthanc_plugin.enforcement.sdk import RestOutput

Hook = Callable[..., None]
Tree = dict[str, "Tree"]

ANY: Final = "[^/]+"  # what a placeholder stands for; the door asks the template again
END: Final = ""  # a path ends here
# With what is held back fewer than Orthanc has HTTP threads, of which archives and sends need more. No find is sent
# away: DICOMweb asks them itself in the middle of an answer, and they are quick.
AT_ONCE: Final = {Lane.LISTS: 12, Lane.ARCHIVES: 12, Lane.SENDS: 8}


def expression(templates: Iterable[str]) -> str:
    """Return what fits whatever one of these templates fits, every placeholder standing for any one part."""
    tree: Tree = {}
    for template in templates:
        at = tree
        for part in template.split("/")[1:]:
            at = at.setdefault(re.sub(r"\{\w+\}", ANY, part), {})
        at[END] = {}
    return _written(tree)


def _written(tree: Tree) -> str:
    longer = [part + _written(below) for part, below in sorted(tree.items()) if part != END]
    if not longer:
        return ""
    written = f"/(?:{'|'.join(longer)})"
    return f"(?:{written})?" if END in tree else written


class Switchboard:
    """Passes each call on.

    Args:
        hooks: by the expression of their path; no call fits two.
    """

    def __init__(self, hooks: Mapping[str, Hook]) -> None:
        self.hooks = tuple((re.compile(path), hook) for path, hook in hooks.items())

    def hook(self, output: RestOutput, uri: str, **request: object) -> None:
        """Pass a call on; what fits no path is answered too, so that nothing goes on to the core."""
        path = normalised(uri)
        found = next((hook for each, hook in self.hooks if path and each.fullmatch(path)), None)
        if found is None:
            send(output, fault(CallError("There is no such endpoint.", status=NOT_FOUND)))
            return
        found(output, uri, **request)
