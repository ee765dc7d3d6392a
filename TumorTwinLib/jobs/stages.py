"""The computation of a job: calibrate, forecast, compare. Who watches is told; nothing is written here."""

from __future__ import annotations

import time
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from TumorTwinLib.errors import CancelledError
from TumorTwinLib.forecast import Forecast
from TumorTwinLib.inference.calibration import FitSoFar, MapCalibration, MapResult
from TumorTwinLib.inference.least_squares import FitStatus
from TumorTwinLib.inference.posterior import Posterior
from TumorTwinLib.jobs.bayesian import posterior_notices, sample, with_uncertainty
from TumorTwinLib.jobs.comparing import Task, compare, comparison_notices
from TumorTwinLib.jobs.observer import Observer
from TumorTwinLib.jobs.protocol import CALIBRATE, COMPARE, FORECAST, PREDICT, Progress
from TumorTwinLib.jobs.spec import JobSpec
from TumorTwinLib.models.registry import find_cancer
from TumorTwinLib.patient import PatientData
from TumorTwinLib.physics.solver import SolverSettings
from TumorTwinLib.physics.trackers import CancelTracker, Fields, Tracker
from TumorTwinLib.recommend.record import ComparisonRecord
from TumorTwinLib.twin import DigitalTwin

_REPORT_EVERY_S = 0.2
_USUAL_MODEL_RUNS = 12  # of a calibration: all there is to estimate the time left from
_COARSE = 10.0  # previews are solved with a tolerance this much wider
_PREVIEW_GAIN = 2.0 / 3.0  # a fit whose residual fell to this share of the last one shown is worth another look


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a job found. Each part is None where the job was stopped before, or did not ask for it."""

    patient: PatientData
    fit: MapResult | Posterior | None
    forecast: Forecast | None
    notices: tuple[str, ...]
    comparison: ComparisonRecord | None = None


def compute(
    spec: JobSpec,
    patient: PatientData,
    observer: Observer,
    memory: MutableMapping[str, Any] | None = None,
    *,
    task: Task | None = None,
    known: Forecast | None = None,
    compared: MutableMapping[str, np.ndarray] | None = None,
) -> Outcome:
    """Calibrate, forecast, and compare regimens.

    Args:
        memory: of the calibration, whichever it is; one that is kept lets a job that was stopped continue.
        task: the regimens to compare, as ``comparing.comparison_task`` makes it; None compares none.
        known: the forecast, where an earlier run of the same job has it.
        compared: what ``memory`` is, of the comparison.

    Raises:
        TumorTwinError: with one sentence for the user.
        CancelledError: the observer stopped it; it has been told the fit and the frames until then.
    """
    computation = _Computation(spec, patient, observer, {} if memory is None else memory, known)
    return computation.run(task, {} if compared is None else compared)


class _Computation:
    def __init__(
        self, spec: JobSpec, patient: PatientData, observer: Observer, memory: MutableMapping[str, Any],
        known: Forecast | None,
    ) -> None:  # fmt: skip
        self._known = known
        self._spec, self._patient, self._observer, self._memory = spec, patient, observer, memory
        self._settings = SolverSettings(tolerance=spec.tolerance, device=spec.device)
        self._cancel = CancelTracker(observer.cancelled)
        self._metrics: dict[str, float] = {}
        self._shown_residual, self._previewed = np.inf, False
        self._known_runs = len(memory)
        self._notices = list(patient.notices)

    def run(self, task: Task | None, compared: MutableMapping[str, np.ndarray]) -> Outcome:
        np.random.seed(self._spec.seed)  # noqa: NPY002  for library code that draws from the global generator
        for notice in self._patient.notices:
            self._observer.warning(notice)
        model_class = find_cancer(self._spec.cancer).model_class()
        self._model = model_class.from_patient(
            self._patient, visits=self._spec.calibration_visits, resolution_mm=self._spec.resolution_mm
        )
        fit = None if self._spec.parameters else self._calibrate()
        forecast = self._known
        if forecast is None and self._spec.horizon_days is not None:
            forecast = self._forecast(fit)
        if forecast is not None:
            self._observer.forecasted(forecast)
        comparison = None
        if task is not None and isinstance(fit, Posterior) and forecast is not None:
            self._enter(COMPARE)
            comparison = compare(self._spec, fit, forecast, task, self._observer, compared)
            self._tell(comparison_notices(comparison.comparison))
        return Outcome(self._patient, fit, forecast, tuple(self._notices), comparison)

    def _tell(self, notices: Sequence[str]) -> None:
        for notice in notices:
            self._notices.append(notice)
            self._observer.warning(notice)

    def _enter(self, stage: str) -> None:
        if self._observer.cancelled():
            raise CancelledError("Stopped on request; what was complete has been kept.")
        self._observer.progress(Progress(stage, metrics=self._metrics))

    def _calibrate(self) -> MapResult | Posterior:
        self._enter(CALIBRATE)
        fit: MapResult | Posterior
        if self._spec.bayesian:
            fit = sample(self._spec, self._model, self._patient, self._observer, self._memory)
            notices = posterior_notices(fit.summary())
        else:
            fit = self._most_probable()
            notices = fit_notices(fit)
        self._tell(notices)
        return fit

    def _most_probable(self) -> MapResult:
        clock = _CalibrationClock(self._observer, self._metrics)
        fit = MapCalibration(
            self._model, self._patient, visits=self._spec.calibration_visits, settings=self._settings,
            trackers=[clock, self._cancel], memory=self._memory,
            on_iteration=lambda so_far: self._on_iteration(so_far, clock),
        ).run()  # fmt: skip
        if fit.status is FitStatus.CANCELLED:
            raise CancelledError("Stopped on request; the best fit until then has been kept.")
        self._observer.calibrated(fit)
        return fit

    def _on_iteration(self, fit: FitSoFar, clock: _CalibrationClock) -> None:
        residuals = {f"residual {kind}": rms for kind, rms in fit.root_mean_square.items()}
        self._metrics |= {**residuals, **fit.values}
        clock.model_runs = fit.iterations
        self._observer.fit(fit)
        residual = sum(fit.root_mean_square.values())
        if fit.iterations == 1:
            self._shown_residual = residual  # the first guess knows nothing of the patient: not worth a look
        better = residual < _PREVIEW_GAIN * self._shown_residual or (fit.phase > 0 and not self._previewed)
        fresh = len(self._memory) > self._known_runs
        wanted = self._observer.wants_previews and self._spec.horizon_days is not None
        if wanted and better and fresh:
            self._shown_residual, self._previewed = residual, True
            self._preview(fit.values)

    def _preview(self, values: Mapping[str, float]) -> None:
        """What the fit so far would forecast, coarsely: it costs about as much as one model run without tangents."""
        twin = DigitalTwin(
            self._model, values, patient=self._patient, visits=self._spec.calibration_visits,
            settings=replace(self._settings, tolerance=_COARSE * self._spec.tolerance),
        )  # fmt: skip
        self._predict(twin, [self._cancel], preview=True)

    def _forecast(self, fit: MapResult | Posterior | None) -> Forecast:
        self._enter(FORECAST)
        twin = DigitalTwin(
            self._model, self._spec.parameters if fit is None else fit.map_estimate, settings=self._settings,
            patient=self._patient if fit is None else None, visits=self._spec.calibration_visits,
        )  # fmt: skip
        clock = _ForecastClock(self._observer, self._metrics)
        forecast = self._predict(twin, [clock, self._cancel], preview=False)
        spec, patient = self._spec, self._patient
        inputs = {
            "patient": spec.patient or "in the job folder",
            "visits": len(patient.visits),
            "treatment events": len(patient.treatments),
        }
        provenance = {**forecast.provenance, "seed": spec.seed, "device": spec.device, "inputs": inputs}
        forecast = replace(forecast, provenance=provenance)
        if not isinstance(fit, Posterior):
            return forecast
        self._enter(PREDICT)
        return with_uncertainty(forecast, fit, spec, self._observer)

    def _predict(self, twin: DigitalTwin, trackers: list[Tracker], *, preview: bool) -> Forecast:
        assert self._spec.horizon_days is not None
        grid = self._model.grid

        def show(day: float, cellularity: np.ndarray) -> None:
            self._observer.frame(day, cellularity, grid, preview=preview)

        return twin.predict(self._spec.horizon_days, self._spec.forecast_days, trackers=trackers, on_frame=show)


def fit_notices(fit: MapResult) -> list[str]:
    """What the user should know about a fit."""
    notices = [] if fit.status is FitStatus.CONVERGED else [f"The calibration has {fit.message}."]
    unknown = [name for name, informed in fit.informed.items() if not informed]
    if unknown:
        notices.append(f"The scans say little about {', '.join(unknown)}: the forecast rests on the prior there.")
    return notices


class _Clock(Tracker):
    """Tells the observer how far a stage is, a few times a second.

    Time left is judged from the first step on, since kernels are compiled before it, and not from a small share of the
    work, which may be the slow one.
    """

    stage = ""
    least_work = 0.0  # before the time left is judged

    def __init__(self, observer: Observer, metrics: dict[str, float]) -> None:
        self._observer, self._metrics = observer, metrics
        self._told = 0.0
        self._began: tuple[float, float] | None = None  # time and work at the first step

    def step(self, day: float, end_day: float, fields: Fields) -> None:
        now = time.monotonic()
        if now - self._told < _REPORT_EVERY_S and day < end_day:
            return
        self._told = now
        work, done, total = self._count(day, end_day)
        began, work_then = self._began = self._began or (now, work)
        eta_s = None
        if work - work_then > self.least_work:
            eta_s = (now - began) * (total - done) / (work - work_then)
        self._observer.progress(Progress(self.stage, done, total, eta_s, dict(self._metrics)))

    def _count(self, day: float, end_day: float) -> tuple[float, float, float]:
        """Work done by this process, work done in all, and the total."""
        raise NotImplementedError


class _CalibrationClock(_Clock):
    """Counts model runs, of which nobody knows how many there will be: the total is the usual number, or one more."""

    stage = CALIBRATE
    least_work = 0.3
    model_runs = 0  # also those that were remembered

    def __init__(self, observer: Observer, metrics: dict[str, float]) -> None:
        super().__init__(observer, metrics)
        self._solved = 0

    def _count(self, day: float, end_day: float) -> tuple[float, float, float]:
        share = day / end_day
        self._solved += share == 1.0
        done = self.model_runs + share
        return self._solved + share % 1.0, done, max(_USUAL_MODEL_RUNS, self.model_runs + 1)


class _ForecastClock(_Clock):
    stage = FORECAST

    def _count(self, day: float, end_day: float) -> tuple[float, float, float]:
        self.least_work = 0.05 * end_day
        return day, day, end_day
