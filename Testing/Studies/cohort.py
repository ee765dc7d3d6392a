"""One virtual patient calibrated and forecast, beside the prior and the two-point exponential."""

from __future__ import annotations

import time

import numpy as np

from Testing.Studies.virtual_scans import HORIZONS_DAYS, drawn_mm3, make_patient
from TumorTwinLib.inference.bayes import BayesianCalibration
from TumorTwinLib.inference.coverage import ForecastCheck, two_point_exponential
from TumorTwinLib.models.glioblastoma import ReactionDiffusionModel
from TumorTwinLib.physics.solver import SolverSettings

RESOLUTION_MM = 4.0
LEAST_MM3 = 500.0  # a lesion of 10 mm, the least that counts as measurable; smaller volumes count as this
METHODS = ("twin", "prior", "two_point")
_DRAWS, _FUTURES, _UNSEEN = 200, 100, 48
_SETTINGS = SolverSettings(tolerance=1e-2)
_READING_LOG_SD = 0.1  # of a volume, for the exponential through two of them


def forecast_patient(seed: int) -> dict:
    """Forecasts of both regions at every horizon by every method, and what came to be; plain data.

    ``log_draws`` are by method, region and horizon, ``log_observed`` by region and horizon, of volumes in mm3.
    """
    cpu = time.process_time()
    virtual = make_patient(seed)
    model = ReactionDiffusionModel.from_patient(virtual.patient, resolution_mm=RESOLUTION_MM)
    posterior = BayesianCalibration(
        model, virtual.patient, _DRAWS, seed=seed, threads=1, settings=_SETTINGS
    ).run()  # fmt: skip
    future = posterior.predictive(HORIZONS_DAYS[-1], HORIZONS_DAYS, fields=_FUTURES, field_days=())
    unseen = posterior.prior_predictive(HORIZONS_DAYS[-1], HORIZONS_DAYS, draws=_UNSEEN)
    rng = np.random.default_rng([seed, 1])
    readings = [drawn_mm3(visit) for visit in virtual.patient.visits[-2:]]
    days = virtual.patient.visit_days[-2:]
    draws: dict[str, dict[str, list]] = {method: {} for method in METHODS}
    observed = {}
    for region, volumes in virtual.later_mm3.items():
        observed[region] = _log(np.array(volumes)).tolist()
        last = [float(_log(reading[region])) for reading in readings]
        line = [
            two_point_exponential(days, (last[0], last[1]), days[1] + horizon, _READING_LOG_SD, _FUTURES, rng)
            for horizon in HORIZONS_DAYS
        ]
        draws["twin"][region] = _rows(_log(future.measured_mm3[region]).T)
        draws["prior"][region] = _rows(_log(unseen.measured_mm3[region]).T)
        draws["two_point"][region] = _rows(np.maximum(line, np.log(LEAST_MM3)))
    truth = virtual.truth.to_dict()
    return {
        "seed": seed, "treated": virtual.treated, "truth": truth, "log_observed": observed, "log_draws": draws,
        "method": posterior.draws.method, "k_hat": float(posterior.k_hat), "effective": posterior.draws.effective,
        "parameters": _parameters(posterior, truth), "cpu_seconds": time.process_time() - cpu,
    }  # fmt: skip


def checks(results: list[dict], method: str = "twin") -> list[ForecastCheck]:
    """Of every patient, region and horizon."""
    return [
        ForecastCheck(region, horizon, np.array(result["log_draws"][method][region][number]), observed[number])
        for result in results
        for region, observed in result["log_observed"].items()
        for number, horizon in enumerate(HORIZONS_DAYS)
    ]


def _parameters(posterior, truth: dict) -> dict[str, list[float]]:
    """By name: true value, median, 95 % bounds, and posterior over prior standard deviation."""
    interval, ratios = posterior.credible_interval(0.95), posterior.posterior_to_prior_sd
    median = {name: low for name, (low, _) in posterior.credible_interval(0.0).items()}
    return {name: [truth[name], median[name], *interval[name], ratios[name]] for name in posterior.names}


def _log(volume_mm3) -> np.ndarray:
    return np.log(np.maximum(volume_mm3, LEAST_MM3))


def _rows(log_volumes) -> list[list[float]]:
    return np.round(np.asarray(log_volumes), 4).tolist()
