"""``result.json``: how a job ended and what it found. The fields of a forecast are the frames beside it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.forecast import Curve, Forecast, Measurement, ParameterValue
from TumorTwinLib.geometry import Grid
from TumorTwinLib.inference.least_squares import FitStatus
from TumorTwinLib.jobs.comparison_store import reading_comparison, write_comparison
from TumorTwinLib.jobs.files import inside, read_array, read_json, write_json
from TumorTwinLib.jobs.frames import Frame, FrameFolder
from TumorTwinLib.jobs.protocol import Ending
from TumorTwinLib.jobs.steps import run_through
from TumorTwinLib.jobs.uncertainty_store import (
    reading_uncertainty,
    summary_from_dict,
    summary_to_dict,
    write_uncertainty,
)
from TumorTwinLib.uncertainty import PosteriorSummary

if TYPE_CHECKING:
    from TumorTwinLib.inference.calibration import MapResult
    from TumorTwinLib.inference.posterior import Posterior
    from TumorTwinLib.recommend.record import ComparisonRecord

RESULT_FILE = "result.json"


@dataclass(frozen=True, eq=False)
class FitSummary:
    """A calibration without the patient and the model it belongs to.

    Args:
        status: how it ended; a fit that was stopped is ``CANCELLED`` and has no covariance.
        parameters: rows of the parameter table.
        root_mean_square: residual by kind of data, in cellularity or probability.
        names, log_covariance: (P,) calibrated parameters and (P, P) covariance of their logarithms.
        noise, independent_share: by kind of data.
        visits_used: indices of the visits fitted.
        history: objective after each accepted step.
        iterations: evaluations of the model.
    """

    status: FitStatus
    parameters: tuple[ParameterValue, ...]
    root_mean_square: Mapping[str, float]
    iterations: int
    names: tuple[str, ...] = ()
    log_covariance: np.ndarray | None = None
    noise: Mapping[str, float] = field(default_factory=dict)
    independent_share: Mapping[str, float] = field(default_factory=dict)
    visits_used: tuple[int, ...] = ()
    history: tuple[float, ...] = ()

    @property
    def message(self) -> str:
        return self.status.value

    @property
    def values(self) -> dict[str, float]:
        """Parameter values by name."""
        return {parameter.name: parameter.value for parameter in self.parameters}

    @classmethod
    def of(cls, fit: MapResult) -> FitSummary:
        return cls(
            fit.status, fit.parameter_values(), dict(fit.root_mean_square), fit.iterations, fit.names,
            fit.log_covariance, dict(fit.noise), dict(fit.independent_share), fit.visits_used, fit.history,
        )  # fmt: skip

    @classmethod
    def of_posterior(cls, posterior: Posterior) -> FitSummary:
        """The most probable parameters of a posterior, and the covariance of its draws."""
        logs = np.log(np.stack(list(posterior.samples.values()), axis=1))
        rest = logs - posterior.weights @ logs
        return cls(
            FitStatus[posterior.mode.status.name], posterior.parameter_values(), dict(posterior.root_mean_square),
            posterior.iterations, posterior.names, rest.T @ (rest * posterior.weights[:, None]),
            visits_used=posterior.visits_used,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        covariance = None if self.log_covariance is None else self.log_covariance.tolist()
        return asdict(self) | {"status": self.status.name.lower(), "log_covariance": covariance}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FitSummary:
        covariance = data["log_covariance"]
        return cls(
            FitStatus[data["status"].upper()], _parameters(data["parameters"]), data["root_mean_square"],
            data["iterations"], tuple(data["names"]), None if covariance is None else np.array(covariance),
            data["noise"], data["independent_share"], tuple(data["visits_used"]), tuple(data["history"]),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class JobResult:
    """What is in ``result.json``.

    Args:
        ending, message: how the job ended, and a sentence for the user.
        fingerprint: of the inputs.
        patient_id: None when the patient could not be read.
        fit: the calibration, also one that was stopped; None without any.
        forecast: None unless it was finished.
        frames: days of the forecast that were solved, also of a stopped one.
        notices: sentences the user should see.
        seconds: that this run took.
        posterior: of a Bayesian calibration, also one that was stopped; all of it is in the folder ``posterior/``.
        comparison: of regimens, also one that was stopped; None without any.
    """

    ending: Ending
    message: str
    fingerprint: str = ""
    patient_id: str | None = None
    fit: FitSummary | None = None
    forecast: Forecast | None = None
    frames: tuple[Frame, ...] = ()
    notices: tuple[str, ...] = ()
    seconds: float = 0.0
    posterior: PosteriorSummary | None = None
    comparison: ComparisonRecord | None = None


def write_result(folder: Path, result: JobResult) -> None:
    content = {
        "ending": result.ending.value,
        "message": result.message,
        "fingerprint": result.fingerprint,
        "patient_id": result.patient_id,
        "fit": None if result.fit is None else result.fit.to_dict(),
        "posterior": None if result.posterior is None else summary_to_dict(result.posterior),
        "forecast": None if result.forecast is None else _write_forecast(folder, result),
        "comparison": None if result.comparison is None else write_comparison(folder, result.comparison),
        "frames": [asdict(frame) for frame in result.frames],
        "notices": list(result.notices),
        "seconds": result.seconds,
    }
    write_json(folder / RESULT_FILE, content)


def read_result(folder: Path) -> JobResult:
    """The result of a job folder.

    Raises:
        TumorTwinError: there is none, or it is damaged.
    """
    return run_through(reading_result(folder))


def reading_result(folder: Path) -> Generator[None, None, JobResult]:
    """``read_result`` in steps of one frame, so that a panel can let the user go on between them."""
    path = folder / RESULT_FILE
    data = read_json(path)
    try:
        posterior = None if data["posterior"] is None else summary_from_dict(data["posterior"])
        forecast = None
        if data["forecast"] is not None:
            forecast = yield from _reading_forecast(folder, data["forecast"], posterior)
        comparison = None
        if data["comparison"] is not None:
            comparison = yield from reading_comparison(folder, data["comparison"])
        return JobResult(
            Ending(data["ending"]),
            data["message"],
            data["fingerprint"],
            data["patient_id"],
            None if data["fit"] is None else FitSummary.from_dict(data["fit"]),
            forecast,
            tuple(Frame(**frame) for frame in data["frames"]),
            tuple(data["notices"]),
            data["seconds"],
            posterior,
            comparison,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TumorTwinError(f"{path} is no result of this TumorTwin ({error!r}): run the job again.") from error


def _write_forecast(folder: Path, result: JobResult) -> dict[str, Any]:
    forecast = result.forecast
    assert forecast is not None
    frames = FrameFolder(folder, forecast.grid, result.fingerprint)
    files = [
        frames.write(float(day), field).file for day, field in zip(forecast.days, forecast.cellularity, strict=True)
    ]
    curve = forecast.curve
    return {
        "patient_id": forecast.patient_id,
        "start": forecast.start.isoformat(),
        "days": forecast.days.tolist(),
        "grid": forecast.grid.to_dict(),
        "cellularity": files,
        "thresholds": dict(forecast.thresholds),
        "volume_mm3": _lists(forecast.volume_mm3),
        "total_cell_count": forecast.total_cell_count.tolist(),
        "curve": None
        if curve is None
        else {
            "days": curve.days.tolist(),
            "volume_mm3": _lists(curve.volume_mm3),
            "total_cell_count": curve.total_cell_count.tolist(),
        },
        "forecast_from_day": forecast.forecast_from_day,
        "measurements": [asdict(measurement) for measurement in forecast.measurements],
        "parameters": [asdict(parameter) for parameter in forecast.parameters],
        "provenance": dict(forecast.provenance),
        "uncertainty": None if forecast.uncertainty is None else write_uncertainty(folder, forecast.uncertainty),
    }


def _reading_forecast(
    folder: Path, data: Mapping[str, Any], posterior: PosteriorSummary | None
) -> Generator[None, None, Forecast]:
    curve = data["curve"]
    grid = Grid.from_dict(data["grid"])
    cellularity = np.empty((len(data["cellularity"]), *grid.shape), np.float32)
    for number, file in enumerate(data["cellularity"]):
        cellularity[number] = read_array(inside(folder, file))
        yield
    uncertainty = None
    if data["uncertainty"] is not None:
        uncertainty = yield from reading_uncertainty(folder, data["uncertainty"])
    return Forecast(
        patient_id=data["patient_id"],
        start=datetime.fromisoformat(data["start"]),
        days=np.array(data["days"], dtype=float),
        grid=grid,
        cellularity=cellularity,
        thresholds=data["thresholds"],
        volume_mm3=_arrays(data["volume_mm3"]),
        total_cell_count=np.array(data["total_cell_count"], dtype=float),
        curve=None
        if curve is None
        else Curve(np.array(curve["days"]), _arrays(curve["volume_mm3"]), np.array(curve["total_cell_count"])),
        forecast_from_day=data["forecast_from_day"],
        measurements=tuple(Measurement(**measurement) for measurement in data["measurements"]),
        parameters=_parameters(data["parameters"]),
        provenance=data["provenance"],
        posterior=posterior,
        uncertainty=uncertainty,
    )


def _parameters(rows: list[Mapping[str, Any]]) -> tuple[ParameterValue, ...]:
    return tuple(ParameterValue(**row) for row in rows)


def _lists(arrays: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
    return {name: array.tolist() for name, array in arrays.items()}


def _arrays(lists: Mapping[str, list[float]]) -> dict[str, np.ndarray]:
    return {name: np.array(values, dtype=float) for name, values in lists.items()}
