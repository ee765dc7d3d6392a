"""The Bayesian part of a job: the posterior, and the forecast with its uncertainty. Who watches is told."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from TumorTwinLib.errors import CancelledError
from TumorTwinLib.forecast import Forecast
from TumorTwinLib.inference.bayes import BayesianCalibration
from TumorTwinLib.inference.bayes import Progress as Standing
from TumorTwinLib.inference.calibration import FitSoFar
from TumorTwinLib.inference.conformal import ConformalFactors
from TumorTwinLib.inference.posterior import Posterior
from TumorTwinLib.inference.predictive import Predictive
from TumorTwinLib.jobs.observer import Observer
from TumorTwinLib.jobs.protocol import CALIBRATE, PREDICT, SAMPLE, Progress
from TumorTwinLib.jobs.spec import JobSpec
from TumorTwinLib.patient import PatientData
from TumorTwinLib.physics.solver import SolverSettings
from TumorTwinLib.physics.trackers import CancelTracker, Fields, Tracker
from TumorTwinLib.uncertainty import STEPS, Band, PosteriorSummary, Uncertainty

LEVELS = (0.9, 0.95)  # of the intervals
PERCENTS = (5, 50, 95)  # of the density maps
_FACTORS = Path(__file__).parents[1] / "inference" / "conformal_factors"
_WIDER = 3.0  # a draw is solved with a tolerance this much wider; its error stays far below the noise of a scan
_USUAL_RUNS = 60  # of the search for the most probable parameters: all there is to estimate the time left from
_BAND_EVERY_DAYS = 10.0
_PRIOR_DRAWS = 48
_REPORT_EVERY_S = 0.2


def sample(
    spec: JobSpec, model: Any, patient: PatientData, observer: Observer, memory: MutableMapping[str, np.ndarray]
) -> Posterior:
    """The posterior of a patient.

    Raises:
        TumorTwinError: nothing to compare with.
        CancelledError: stopped; the observer has been told the best so far.
    """
    clock = _Clock(observer)
    posterior = BayesianCalibration(
        model, patient, spec.n_samples, visits=spec.calibration_visits, seed=spec.seed,
        settings=SolverSettings(tolerance=_WIDER * spec.tolerance, device=spec.device), threads=_threads(),
        trackers=[CancelTracker(observer.cancelled), clock], memory=memory, on_progress=clock.stands,
    ).run()  # fmt: skip
    observer.sampled(posterior)
    if posterior.cancelled:
        raise CancelledError("Stopped on request; the best posterior until then has been kept.")
    return posterior


def posterior_notices(summary: PosteriorSummary) -> list[str]:
    """What the user should know about a posterior."""
    notices = list(summary.notes[1:])  # the first says how the draws were made
    weak = [row.name for row in summary.rows if not row.informed]
    if weak:
        notices.append(f"The scans say little about {', '.join(weak)}: the intervals rest on the prior there.")
    return notices


def with_uncertainty(forecast: Forecast, posterior: Posterior, spec: JobSpec, observer: Observer) -> Forecast:
    """The forecast with what the posterior says of it.

    Raises:
        CancelledError: stopped on request.
    """
    assert spec.horizon_days is not None
    total, began = spec.n_futures + _PRIOR_DRAWS, time.monotonic()

    def tell(before: int, done: int, _of: int) -> None:
        done += before
        left = (time.monotonic() - began) * (total - done) / done
        observer.progress(Progress(PREDICT, done, total, left))

    bands = np.arange(forecast.days[0], forecast.days[-1], _BAND_EVERY_DAYS)
    asked: dict[str, Any] = {
        "also_days": sorted({*forecast.days.tolist(), *bands.tolist()}),
        "trackers": [CancelTracker(observer.cancelled)],
    }
    future = posterior.predictive(
        spec.horizon_days, spec.forecast_days, fields=spec.n_futures, field_days=frozenset(forecast.days.tolist()),
        on_progress=partial(tell, 0), **asked,
    )  # fmt: skip
    prior = posterior.prior_predictive(
        spec.horizon_days, spec.forecast_days, draws=_PRIOR_DRAWS, on_progress=partial(tell, spec.n_futures), **asked
    )
    summary = posterior.summary()
    provenance = {**forecast.provenance, "calibration": f"Bayesian: {summary.notes[0]}"}
    uncertainty = condensed(future, prior, conformal_factors(spec.cancer))
    return replace(forecast, posterior=summary, uncertainty=uncertainty, provenance=provenance)


def condensed(future: Predictive, prior: Predictive, factors: ConformalFactors | None) -> Uncertainty:
    """What is kept of equally probable futures.

    Args:
        factors: for calibrated intervals; raw ones alone without.
    """
    numbers = range(len(future.field_days))

    def steps(fields: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([np.round(one * STEPS).astype(np.uint8) for one in fields])

    return Uncertainty(
        futures=len(future.draws),
        days=future.days,
        volume_mm3={region: _bands(future, region, factors) for region in future.volume_mm3},
        cells=tuple(future.cell_band(level) for level in LEVELS),
        prior_mm3={region: prior.band(region, LEVELS[0], measured=False) for region in prior.volume_mm3},
        density={p: steps([future.field_quantile(number, p / 100) for number in numbers]) for p in PERCENTS},
        probability={
            region: steps([future.probability(number, region) for number in numbers]) for region in future.volume_mm3
        },
        cohort="" if factors is None else factors.cohort,
    )


def conformal_factors(cancer: str) -> ConformalFactors | None:
    """Those that come with TumorTwin for this cancer, fitted by a study on a virtual cohort; None without a study."""
    path = _FACTORS / f"{cancer}.json"
    return ConformalFactors.from_dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def _bands(future: Predictive, region: str, factors: ConformalFactors | None) -> tuple[Band, ...]:
    known = set() if factors is None else {(name, level) for name, _, level in factors.factors}
    raw = [future.band(region, level) for level in LEVELS]
    calibrated = [
        _only_after(future.band(region, level, conformal=factors), future)
        for level in LEVELS
        if (region, level) in known
    ]
    return (*raw, *calibrated)


def _only_after(band: Band, future: Predictive) -> Band:
    """The band without the days that were fitted, for which no factor was."""
    later = future.days > future.from_day
    median, lower, upper = (np.where(later, curve, np.nan) for curve in (band.median, band.lower, band.upper))
    return replace(band, median=median, lower=lower, upper=upper)


def _threads() -> int:
    """As many as the process may use; the draws do not depend on it."""
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


@dataclass
class _Clock(Tracker):
    """Tells the observer how far the posterior is, a few times a second.

    The search for the most probable parameters says nothing between its model runs, so that these are counted here;
    they come from several threads.
    """

    observer: Observer
    _runs: int = 0
    _searching: bool = True
    _told: float = 0.0
    _round: tuple[str, float, int] = ("", 0.0, 0)  # kind of draws, when the first were there, and how many
    _lock: Any = field(default_factory=threading.Lock)

    def step(self, day: float, end_day: float, fields: Fields) -> None:
        if day < end_day:
            return
        with self._lock:
            self._runs += 1
            if self._searching:
                self._tell(partial(Progress, CALIBRATE, self._runs, max(_USUAL_RUNS, self._runs + 1)))

    def stands(self, standing: Standing) -> None:
        """As ``BayesianCalibration`` tells it."""
        if standing.values is not None:
            self.observer.fit(FitSoFar(1, standing.iterations, standing.values, {}))
        if standing.stage not in ("draws", "tempering"):
            return
        with self._lock:
            self._searching = False
            now = time.monotonic()
            if self._round[0] != standing.stage or standing.done < self._round[2]:
                self._round = (standing.stage, now, standing.done)
            _, began, first = self._round
            left = None
            if standing.done > first:
                left = (now - began) * (standing.total - standing.done) / (standing.done - first)
            last = standing.done >= standing.total
            self._tell(partial(Progress, SAMPLE, standing.done, standing.total, left), always=last)

    def _tell(self, progress: partial[Progress], *, always: bool = False) -> None:
        now = time.monotonic()
        if always or now - self._told >= _REPORT_EVERY_S:
            self._told = now
            self.observer.progress(progress())
