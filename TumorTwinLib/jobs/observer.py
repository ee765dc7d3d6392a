"""Who watches a job while it is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from TumorTwinLib.geometry import Grid
from TumorTwinLib.jobs.protocol import Progress

if TYPE_CHECKING:
    from TumorTwinLib.forecast import Forecast
    from TumorTwinLib.inference.calibration import FitSoFar, MapResult
    from TumorTwinLib.inference.posterior import Posterior
    from TumorTwinLib.recommend.record import ComparisonRecord


class Observer:
    """Override what you need; told in the thread that computes."""

    wants_previews = False  # they cost time, which only someone who looks at them should spend

    def progress(self, progress: Progress) -> None:
        """At the start of every stage, then a few times a second."""

    def fit(self, fit: FitSoFar) -> None:
        """After every model run of a calibration."""

    def calibrated(self, fit: MapResult) -> None:
        """Once, when the calibration is done."""

    def sampled(self, posterior: Posterior) -> None:
        """Once, when the posterior is there, also the best so far of one that was stopped."""

    def frame(self, day: float, cellularity: np.ndarray, grid: Grid, *, preview: bool) -> None:
        """At every day of the forecast as it is solved, (ni, nj, nk); before that, of previews of the fit so far."""

    def forecasted(self, forecast: Forecast) -> None:
        """Once, when the forecast is whole."""

    def compared(self, record: ComparisonRecord) -> None:
        """Once, when the regimens are compared, also what there is of a comparison that was stopped."""

    def warning(self, sentence: str) -> None:
        """Something the user should know."""

    def cancelled(self) -> bool:
        """Asked before every step; True stops the job."""
        return False
