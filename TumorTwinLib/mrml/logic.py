"""The module's logic: what the panel and scripts in Slicer's console call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from TumorTwinLib.mrml.forecast import ForecastNodes
    from TumorTwinLib.mrml.pipeline import Progress


class _Silent:
    """A progress nobody watches."""

    def stage(self, title: str) -> None:
        pass

    def update(self, share: float | None, detail: str = "") -> None:
        pass


class TumorTwinLogic:
    """Runs without widgets; every setting is an argument."""

    def runPatient(
        self, patientPath: str | Path, horizonDays: float = 180.0, *, progress: Progress | None = None, **settings
    ) -> ForecastNodes:
        """Read, calibrate and forecast a patient, and put the result into the scene.

        Args:
            patientPath: folder of visits, or a ``.json`` patient file.
            horizonDays: beyond the last visit.
            progress: called at every stage.
            settings: other fields of `pipeline.Job`, e.g. ``device="cuda"``.

        Raises:
            TumorTwinError: with one sentence for the user. The scene is then as it was.
        """
        # Slicer loads this file when it starts: the solver and all it needs are imported only for a run.
        from TumorTwinLib.mrml.pipeline import Job, compute, show

        outcome = compute(Job(Path(patientPath), float(horizonDays), **settings), progress or _Silent())
        return show(outcome)[1]
