"""DigitalTwin: a calibrated model of one patient, run into the future."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

import TumorTwinLib
from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.forecast import Forecast, Measurement, ParameterValue
from TumorTwinLib.inference.calibration import CalibratedParameters
from TumorTwinLib.models.glioblastoma import ReactionDiffusionModel
from TumorTwinLib.models.observation import ObservedVisit
from TumorTwinLib.patient import PatientData
from TumorTwinLib.physics.solver import Solution, SolverSettings, Status, solve
from TumorTwinLib.physics.trackers import Tracker


@dataclass(frozen=True, eq=False)
class DigitalTwin:
    """A model with a patient's parameters.

    Args:
        model: whose equation is solved.
        parameters: calibrated parameters, which know their patient, or plain values by name with ``patient``.
        uncertainty: lower and upper bound by parameter name, shown in the tables; forecasts with intervals need draws.
        patient: only for plain parameter values.
        settings: of the solver.
    """

    model: ReactionDiffusionModel
    parameters: Mapping[str, float]
    uncertainty: Mapping[str, tuple[float, float]] | None = None
    patient: PatientData | None = None
    settings: SolverSettings = field(default_factory=lambda: SolverSettings(tolerance=1e-3))

    def predict(
        self,
        horizon_days: float,
        output_times: Sequence[float] | None = None,
        *,
        trackers: Sequence[Tracker] = (),
    ) -> Forecast:
        """Forecast from the last visit the parameters were calibrated on.

        The model runs from the first visit; the forecast holds the fitted visits' days, then the output times.

        Args:
            horizon_days: how far beyond that visit.
            output_times: days after that visit, at most the horizon; by default six equal steps.
            trackers: progress, frames, cancel.

        Raises:
            TumorTwinError: a horizon or output time that is not positive, or no patient.
            CancelledError: stopped before the end; use a ``FrameTracker`` to keep frames as they come.
        """
        if not horizon_days > 0:
            raise TumorTwinError(f"horizon_days is {horizon_days}: give a number of days above zero.")
        times = np.asarray(np.arange(1, 7) / 6 * horizon_days if output_times is None else output_times, dtype=float)
        if times.size == 0 or times.min() <= 0 or times.max() > horizon_days or (np.diff(times) <= 0).any():
            raise TumorTwinError(
                f"output_times must increase between 0 and the horizon of {horizon_days:g} days: got {times.tolist()}."
            )
        patient, used = self._patient_and_visits()
        values = self.model.values(self.parameters)
        observed = self.model.observe(patient)
        last = observed[used - 1].day
        measured_days = [visit.day for visit in observed if visit.day <= last + horizon_days]
        days = sorted({*measured_days, *(last + times)})
        reaction, diffusivity = self.model.dynamics(patient, [values])
        solution = solve(
            self.model.physics_domain,
            self.model.initial_state(observed[0], values),
            reaction,
            diffusivity,
            days,
            settings=self.settings,
            trackers=trackers,
        )
        if solution.status is Status.CANCELLED:
            raise CancelledError(solution.message)
        return self._forecast(patient, observed, last, solution)

    def _patient_and_visits(self) -> tuple[PatientData, int]:
        if isinstance(self.parameters, CalibratedParameters) and self.patient is None:
            return self.parameters.patient, len(self.parameters.result.visits_used)
        if self.patient is None:
            raise TumorTwinError("A twin with plain parameter values needs its patient: pass patient=.")
        return self.patient, len(self.patient.visits)

    def _forecast(
        self, patient: PatientData, observed: Sequence[ObservedVisit], last: float, solution: Solution
    ) -> Forecast:
        fields = solution.cellularity[:, 0]
        voxel_mm3 = self.model.grid.voxel_volume_mm3
        volumes = {
            region: np.array([(u >= level).sum() * voxel_mm3 for u in fields])
            for region, level in self.model.thresholds.items()
        }
        capacity = voxel_mm3 * self.model.carrying_capacity_per_mm3
        return Forecast(
            patient_id=patient.patient_id,
            start=patient.start,
            days=solution.days,
            grid=self.model.grid,
            cellularity=fields,
            thresholds=self.model.thresholds,
            volume_mm3=volumes,
            total_cell_count=fields.sum(axis=(1, 2, 3), dtype=np.float64) * capacity,
            forecast_from_day=last,
            measurements=tuple(_measure(visit, voxel_mm3, capacity) for visit in observed),
            parameters=self._parameter_rows(),
            provenance=self._provenance(patient, solution),
        )

    def _parameter_rows(self) -> tuple[ParameterValue, ...]:
        if isinstance(self.parameters, CalibratedParameters):
            return self.parameters.result.parameter_values()
        values = self.model.values(self.parameters)
        return tuple(ParameterValue(p.name, p.symbol, values[p.name], p.unit) for p in self.model.parameters)

    def _provenance(self, patient: PatientData, solution: Solution) -> dict[str, object]:
        masks = hashlib.sha256()
        for visit in patient.visits:
            for _, image in sorted(visit.regions.items()):
                masks.update(np.packbits(image.array > 0).tobytes())
        result = {
            "program": f"TumorTwin {TumorTwinLib.__version__}",
            "python": platform.python_version(),
            "model": self.model.name,
            "voxel size (mm)": " x ".join(f"{s:g}" for s in self.model.grid.spacing_mm),
            "solver": f"{solution.stats['backend']}, {self.settings.dtype}, tolerance {self.settings.tolerance:g}, "
            f"{solution.stats['steps']} steps, error estimate {solution.error_estimate:.1e}",
            "sha256 of segmentations": masks.hexdigest()[:16],
        }
        if isinstance(self.parameters, CalibratedParameters):
            fit = self.parameters.result
            result["calibration"] = f"MAP, {fit.status.value}, {fit.iterations} model evaluations"
            result["residual (root mean square)"] = ", ".join(f"{k} {v:.3g}" for k, v in fit.root_mean_square.items())
        return result


def _measure(visit: ObservedVisit, voxel_mm3: float, capacity: float) -> Measurement:
    masks = {"core": visit.core, "whole_tumor": visit.whole}
    volumes = {region: float(mask.sum() * voxel_mm3) for region, mask in masks.items() if mask is not None}
    cells = None if visit.cellularity is None else float(visit.cellularity.sum(dtype=np.float64) * capacity)
    return Measurement(visit.day, volumes, cells)
