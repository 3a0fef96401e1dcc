"""What a copy doesn't show of the picture, as a reviewer has set it.

Knows regions and crops. Must not know who set them, nor how they are blanked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from orthanc_plugin.deid.crops import Crop, crop
from orthanc_plugin.deid.regions import Region, region
from orthanc_plugin.policy.reviewing import Box, Outline


class Hidden(NamedTuple):
    """What a copy doesn't show: regions that are blanked, and whatever is outside of the crop, when there is one."""

    regions: Sequence[Outline] = ()
    crop: Box | None = None

    def blanked(self) -> tuple[Region, ...]:
        """Return what is blanked."""
        return tuple(region(each) for each in self.regions)

    def kept(self) -> Crop | None:
        """Return what is kept, None for all of it."""
        return None if self.crop is None else crop(list(self.crop))
