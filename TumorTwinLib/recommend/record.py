"""A comparison with all that is needed to look at it: what each regimen gives, and where the tumor would be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from TumorTwinLib.geometry import Grid
from TumorTwinLib.recommend.comparison import Comparison
from TumorTwinLib.treatment.events import TreatmentEvent


@dataclass(frozen=True, eq=False)
class ComparisonRecord:
    """A comparison, its courses and its maps.

    Args:
        comparison: the numbers and the verdict.
        start: of the patient's first visit, from which ``days`` count.
        courses: what every regimen gives, by name, without dose volumes.
        grid, days: (f,) of the maps.
        density: median over draws of the cellularity, voxel by voxel, in steps of 1/255: (f, ni, nj, nk) by name of the
            regimen, the untreated control included. Without those that were not reached before a stop.
        fingerprint: of everything it follows from.
    """

    comparison: Comparison
    start: datetime
    courses: Mapping[str, tuple[TreatmentEvent, ...]]
    grid: Grid
    days: np.ndarray
    density: Mapping[str, np.ndarray]
    fingerprint: str = ""

    @property
    def cancelled(self) -> bool:
        """Whether it was stopped before its end."""
        return self.comparison.cancelled or len(self.density) <= len(self.comparison.outcomes)

    def title(self, name: str) -> str:
        """What tables call the regimen."""
        return self.comparison[name].title
