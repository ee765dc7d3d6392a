"""DigitalTwin: a calibrated model of one patient, run into the future."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.forecast import Curve, Forecast, Measurement, ParameterValue
from TumorTwinLib.geometry import Image
from TumorTwinLib.inference.calibration import CalibratedParameters
from TumorTwinLib.inference.posterior import Posterior
from TumorTwinLib.models.glioblastoma import ReactionDiffusionModel
from TumorTwinLib.models.observation import ObservedVisit
from TumorTwinLib.patient import PatientData
from TumorTwinLib.physics.solver import Solution, SolverSettings, Status, solve
from TumorTwinLib.physics.trackers import Fields, Tracker
from TumorTwinLib.treatment.regimens import Regimen
from TumorTwinLib.version import VERSION

if TYPE_CHECKING:
    from TumorTwinLib.recommend.comparison import Comparison
    from TumorTwinLib.recommend.plans import Plan

_CURVE_EVERY_DAYS = 3.0  # fine enough to show the dip of each treatment week


@dataclass(frozen=True, eq=False)
class DigitalTwin:
    """A model with a patient's parameters.

    Args:
        model: whose equation is solved.
        parameters: calibrated parameters, which know their patient, or plain values by name with ``patient``.
        uncertainty: lower and upper bound by parameter name, shown in the tables; forecasts with intervals need draws.
        patient: only for plain parameter values.
        visits: how many visits, from the first, plain values were fitted to; the forecast begins at the last of them.
            All by default.
        settings: of the solver.
    """

    model: ReactionDiffusionModel
    parameters: Mapping[str, float]
    uncertainty: Mapping[str, tuple[float, float]] | None = None
    patient: PatientData | None = None
    visits: int | None = None
    settings: SolverSettings = field(default_factory=lambda: SolverSettings(tolerance=1e-3))

    def predict(
        self,
        horizon_days: float,
        output_times: Sequence[float] | None = None,
        *,
        trackers: Sequence[Tracker] = (),
        on_frame: Callable[[float, np.ndarray], None] | None = None,
    ) -> Forecast:
        """Forecast from the last visit the parameters were calibrated on.

        The model runs from the first visit; the forecast holds the fitted visits' days, then the output times.

        Args:
            horizon_days: how far beyond that visit.
            output_times: days after that visit, at most the horizon; by default six equal steps.
            trackers: progress, cancel.
            on_frame: called with every day of the forecast and its field, (ni, nj, nk), as soon as they are known.

        Raises:
            TumorTwinError: a horizon or output time that is not positive, or no patient.
            CancelledError: stopped before the end; ``on_frame`` has had the days until then.
        """
        if not 0 < horizon_days < np.inf:
            raise TumorTwinError(f"horizon_days is {horizon_days}: give a number of days above zero.")
        times = np.asarray(np.arange(1, 7) / 6 * horizon_days if output_times is None else output_times, dtype=float)
        if times.size == 0 or not (times[0] > 0 and times[-1] <= horizon_days and (np.diff(times) > 0).all()):
            raise TumorTwinError(
                f"output_times must increase between 0 and the horizon of {horizon_days:g} days: got {times.tolist()}."
            )
        patient, used = self._patient_and_visits()
        values = self.model.values(self.parameters)
        observed = self.model.observe(patient)
        last = observed[used - 1].day
        measured_days = [visit.day for visit in observed if visit.day <= last + horizon_days]
        days = sorted({*measured_days, *(last + times)})
        between = np.arange(observed[0].day, days[-1], _CURVE_EVERY_DAYS)
        recorder = _Recorder(self.model, frozenset(days), on_frame)
        if isinstance(self.parameters, CalibratedParameters) and self.patient is None:
            initial, reaction, diffusivity = self.parameters.result.initial_value_problem(self.model)
        else:
            initial = self.model.initial_state(observed[0], values)
            reaction, diffusivity = self.model.dynamics(patient, [values])
        solution = solve(
            self.model.physics_domain,
            initial,
            reaction,
            diffusivity,
            sorted({*days, *map(float, between)}),
            settings=self.settings,
            trackers=[recorder, *trackers],
            keep_fields=False,
        )
        if solution.status is Status.CANCELLED:
            raise CancelledError(solution.message)
        return self._forecast(patient, observed, last, recorder, solution)

    def compare(self, regimens: Sequence[Regimen | Plan], horizon_days: float = 180.0, **settings: Any) -> Comparison:
        """Regimens on the same draws of the posterior, with paired differences, or a statement that none can be told.

        Args:
            settings: of ``recommend.comparison.compare_regimens``: start, targets, draws, rule and more.

        Raises:
            TumorTwinError: parameters without a posterior, or what ``compare_regimens`` refuses.
            CancelledError: stopped on request.
        """
        from TumorTwinLib.recommend.comparison import compare_regimens

        return compare_regimens(self._posterior(), regimens, horizon_days, **settings)

    def what_if(self, regimen: Regimen | Plan, horizon_days: float = 180.0, **settings: Any) -> Comparison:
        """One regimen against no further treatment, as ``compare`` does it."""
        return self.compare([regimen], horizon_days, **settings)

    def under(
        self,
        regimen: Regimen | Plan,
        *,
        start: datetime | None = None,
        targets: Mapping[str, Image] | None = None,
        days_off: Collection[date] = (),
    ) -> DigitalTwin:
        """The twin with a regimen in place of what the record holds after the last visit used: for its ``predict``.

        Args:
            start, targets, days_off: as in ``compare_regimens``.
        """
        from TumorTwinLib.recommend.plans import default_start, make_plan, treated_by

        posterior = self._posterior()
        decision = posterior.patient.visits[posterior.visits_used[-1]].time
        plan = make_plan(
            regimen, posterior.patient, decision, start or default_start(decision), targets=targets, days_off=days_off
        )
        treated = treated_by(posterior.patient, decision, plan)
        simulator = replace(posterior.simulator, patient=treated)
        return replace(self, parameters=replace(posterior, simulator=simulator).map_estimate)

    def _posterior(self) -> Posterior:
        result = self.parameters.result if isinstance(self.parameters, CalibratedParameters) else None
        if not isinstance(result, Posterior):
            raise TumorTwinError(
                "Regimens are compared on draws of a posterior, which these parameters do not have: calibrate with "
                "BayesianCalibration and pass posterior.map_estimate."
            )
        return result

    def _patient_and_visits(self) -> tuple[PatientData, int]:
        if isinstance(self.parameters, CalibratedParameters) and self.patient is None:
            return self.parameters.patient, len(self.parameters.result.visits_used)
        if self.patient is None:
            raise TumorTwinError("A twin with plain parameter values needs its patient: pass patient=.")
        used = len(self.patient.visits) if self.visits is None else self.visits
        if not 1 <= used <= len(self.patient.visits):
            raise TumorTwinError(
                f"Patient {self.patient.patient_id} has {len(self.patient.visits)} visits and {used} are to be used: "
                "give a number up to theirs."
            )
        return self.patient, used

    def _forecast(
        self,
        patient: PatientData,
        observed: Sequence[ObservedVisit],
        last: float,
        recorder: _Recorder,
        solution: Solution,
    ) -> Forecast:
        grid = self.model.grid
        curve = recorder.curve()
        shown = np.isin(curve.days, recorder.field_days())
        return Forecast(
            patient_id=patient.patient_id,
            start=patient.start,
            days=curve.days[shown],
            grid=grid,
            cellularity=np.stack(list(recorder.fields.values())),
            thresholds=self.model.thresholds,
            volume_mm3={region: volume[shown] for region, volume in curve.volume_mm3.items()},
            total_cell_count=curve.total_cell_count[shown],
            curve=curve,
            forecast_from_day=last,
            measurements=tuple(_measure(visit, grid.voxel_volume_mm3, recorder.capacity) for visit in observed),
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
        result: dict[str, object] = {
            "program": f"TumorTwin {VERSION}",
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


class _Recorder(Tracker):
    """Quantities at every output, and the field itself at the days that are shown."""

    def __init__(
        self,
        model: ReactionDiffusionModel,
        shown: frozenset[float],
        on_frame: Callable[[float, np.ndarray], None] | None,
    ) -> None:
        self._voxel_mm3, self._levels, self._shown = model.grid.voxel_volume_mm3, model.thresholds, shown
        self._on_frame = on_frame
        self.capacity = self._voxel_mm3 * model.carrying_capacity_per_mm3
        self.fields: dict[float, np.ndarray] = {}
        self._rows: list[tuple[float, ...]] = []

    def output(self, day: float, fields: Fields) -> None:
        u = fields.cellularity()[0]
        volumes = (float(np.count_nonzero(u >= level)) * self._voxel_mm3 for level in self._levels.values())
        self._rows.append((day, float(u.sum(dtype=np.float64)) * self.capacity, *volumes))
        if day in self._shown:
            self.fields[day] = u
            if self._on_frame is not None:
                self._on_frame(day, u)

    def field_days(self) -> np.ndarray:
        return np.array(list(self.fields))

    def curve(self) -> Curve:
        days, cells, *volumes = np.array(self._rows).T
        return Curve(days, dict(zip(self._levels, volumes, strict=True)), cells)


def _measure(visit: ObservedVisit, voxel_mm3: float, capacity: float) -> Measurement:
    masks = {"core": visit.core, "whole_tumor": visit.whole}
    volumes = {region: float(mask.sum() * voxel_mm3) for region, mask in masks.items() if mask is not None}
    cells = None if visit.cellularity is None else float(visit.cellularity.sum(dtype=np.float64) * capacity)
    return Measurement(visit.day, volumes, cells)
