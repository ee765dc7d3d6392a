"""The batch job: a patient's files in; a scene, a report, tables and pictures out."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.forecast import Forecast
from TumorTwinLib.inference.calibration import MapCalibration, MapResult
from TumorTwinLib.inference.least_squares import FitStatus
from TumorTwinLib.models.glioblastoma import ReactionDiffusionModel
from TumorTwinLib.mrml.charts import render_chart
from TumorTwinLib.mrml.forecast import ForecastNodes, show_forecast
from TumorTwinLib.mrml.forecast_tables import curve_columns, forecast_columns, measured_columns, parameter_columns
from TumorTwinLib.mrml.graphics import graphics_available
from TumorTwinLib.mrml.layout import arrange_views
from TumorTwinLib.mrml.out_folder import check_out_folder, filling, write_run_file
from TumorTwinLib.mrml.rendering import center_of_mass, render_3d, render_slices
from TumorTwinLib.mrml.scene import save_scene
from TumorTwinLib.mrml.tables import write_csv
from TumorTwinLib.mrml.timeline import render_timeline
from TumorTwinLib.mrml.visits import PatientNodes, show_patient
from TumorTwinLib.patient import PatientData
from TumorTwinLib.physics.solver import SolverSettings
from TumorTwinLib.physics.trackers import ProgressTracker
from TumorTwinLib.report.html import write_report
from TumorTwinLib.twin import DigitalTwin

logger = logging.getLogger("TumorTwin.pipeline")

NO_PICTURES = (
    "No pictures were made: this machine cannot draw without a display "
    "(on Debian, apt-get install libegl1 libgl1-mesa-dri)."
)
_TOLERANCE = 1e-3
_OUTPUT_EVERY_DAYS = 30.0


@dataclass(frozen=True)
class Job:
    """What to do.

    Args:
        patient: folder of visits, or a ``.json`` patient file.
        horizon_days: how far to forecast beyond the last visit used.
        output_days: days after that visit to show; every 30 days up to the horizon when empty.
        calibration_visits: how many visits to fit, from the first; the others are only compared. None is all.
        resolution_mm: voxel size of the model.
        device: ``"cpu"`` or ``"cuda"``.
        seed: of everything random; it is recorded with the results.
    """

    patient: Path
    horizon_days: float = 180.0
    output_days: tuple[float, ...] = ()
    calibration_visits: int | None = None
    resolution_mm: float = 2.0
    device: str = "cpu"
    seed: int = 0

    def check(self) -> None:
        """Refuse before the long work what the forecast would refuse after it.

        Raises:
            TumorTwinError: a horizon or an output day that is not ahead.
        """
        if not 0 < self.horizon_days < math.inf:
            raise TumorTwinError(f"The horizon is {self.horizon_days:g} days: give a number above zero.")
        days = (0.0, *self.output_days)
        if any(not later > earlier for earlier, later in itertools.pairwise(days)) or days[-1] > self.horizon_days:
            raise TumorTwinError(
                f"The output days are {', '.join(f'{day:g}' for day in self.output_days)}: give them in rising order, "
                f"between 0 and the horizon of {self.horizon_days:g}."
            )


class Progress(Protocol):
    """Who watches a job; ``TerminalProgress`` is one."""

    def stage(self, title: str) -> None:
        """The running stage is done and the next begins."""

    def update(self, share: float | None, detail: str = "") -> None:
        """How far the running stage is: 0 to 1, or None while that is not known."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a job found: the patient, the fit, the forecast, and sentences the user should see."""

    patient: PatientData
    fit: MapResult
    forecast: Forecast
    notices: tuple[str, ...]


STAGES = ("Reading the patient", "Calibrating", "Forecasting", "Building the scene", "Drawing pictures", "Saving")


def run_job(job: Job, out: Path, progress: Progress) -> Outcome:
    """Run the whole job. The out folder appears complete at the end, or not at all.

    Args:
        out: folder for the results. Earlier results in it are replaced at the end; a folder of other files is refused.

    Raises:
        TumorTwinError: with one sentence for the user. What was under the out folder's name is still there.
    """
    check_out_folder(out, job.patient)
    outcome = compute(job, progress)
    _begin(progress, STAGES[3])
    visits, nodes = show(outcome)
    with filling(out) as folder:
        _begin(progress, STAGES[4])
        figures = draw(folder, outcome.forecast, visits, nodes, progress)
        if not figures:
            outcome = replace(outcome, notices=(*outcome.notices, NO_PICTURES))
        _begin(progress, STAGES[5])
        save_scene(folder / "forecast.mrb")
        write_tables(folder, outcome.forecast)
        write_report(outcome.forecast, folder / "report.html", figures, outcome.notices)
        settings = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(job).items()}
        write_run_file(
            folder, {"job": settings, "notices": outcome.notices, "provenance": dict(outcome.forecast.provenance)}
        )
    return outcome


def compute(job: Job, progress: Progress) -> Outcome:
    """Read, calibrate and forecast; no scene is touched and nothing is written."""
    job.check()
    np.random.seed(job.seed)  # noqa: NPY002  for library code that draws from the global generator
    _begin(progress, STAGES[0])
    patient = PatientData(imaging_dir=job.patient)
    settings = SolverSettings(tolerance=_TOLERANCE, device=job.device)
    model = ReactionDiffusionModel.from_patient(patient, resolution_mm=job.resolution_mm)

    _begin(progress, STAGES[1])
    fit = MapCalibration(
        model, patient, visits=job.calibration_visits, settings=settings,
        on_iteration=lambda fit: progress.update(None, f"model run {fit.iterations}"),
    ).run()  # fmt: skip

    _begin(progress, STAGES[2])
    tracker = ProgressTracker(lambda day, end, _: progress.update(day / end, f"day {day:.0f} of {end:.0f}"))
    twin = DigitalTwin(model=model, parameters=fit.map_estimate, settings=settings)
    forecast = twin.predict(job.horizon_days, _output_days(job), trackers=[tracker])
    inputs = {"patient": str(job.patient), "visits": len(patient.visits), "treatment events": len(patient.treatments)}
    provenance = {**forecast.provenance, "seed": job.seed, "device": job.device, "inputs": inputs}
    forecast = replace(forecast, provenance=provenance)
    return Outcome(patient, fit, forecast, (*patient.notices, *_fit_notices(fit)))


def _output_days(job: Job) -> list[float]:
    if job.output_days:
        return list(job.output_days)
    steps = np.arange(_OUTPUT_EVERY_DAYS, job.horizon_days, _OUTPUT_EVERY_DAYS)
    return [*map(float, steps), job.horizon_days]


def _fit_notices(fit: MapResult) -> list[str]:
    notices = [] if fit.status is FitStatus.CONVERGED else [f"Calibration: {fit.message}."]
    unknown = [name for name, informed in fit.informed.items() if not informed]
    if unknown:
        notices.append(f"The scans say little about {', '.join(unknown)}: the forecast rests on the prior there.")
    return notices


def _begin(progress: Progress, stage: str) -> None:
    logger.info(stage)
    progress.stage(stage)


def show(outcome: Outcome) -> tuple[PatientNodes, ForecastNodes]:
    """Put patient and forecast into the scene and arrange its views."""
    visits = show_patient(outcome.patient)
    nodes = show_forecast(outcome.forecast)
    arrange_views(
        anatomy=visits.anatomy(float(outcome.forecast.days[-1])),
        density=nodes.density,
        chart=nodes.volume_chart,
        center_mm=center_of_mass(nodes.density),
    )
    return visits, nodes


def draw(
    folder: Path, forecast: Forecast, visits: PatientNodes, nodes: ForecastNodes, progress: Progress
) -> dict[str, Path]:
    """Draw every picture into the folder; file by caption. Empty where this machine cannot draw."""
    if not graphics_available():
        logger.warning(NO_PICTURES)
        return {}
    day = float(forecast.days[-1])
    date = forecast.start + timedelta(days=day)
    anatomy = visits.anatomy(day)
    look = {
        "anatomy": anatomy,
        "density": nodes.density,
        "regions": nodes.regions,
        "title": forecast.patient_id,
        "subtitle": f"Predicted for day {day:.0f}, {date:%Y-%m-%d}, over the {anatomy.GetName()} scan",
    }
    pictures: list[tuple[str, str, Callable[[Path], Path]]] = [
        (f"Predicted tumor on day {day:.0f}", "forecast.png", lambda path: render_slices(path, **look)),
        ("The same in 3D", "forecast_3d.png", lambda path: render_3d(path, brain=visits.brain, **look)),
        (
            "Tumor cell density over time",
            "timeline.png",
            lambda path: render_timeline(path, forecast=forecast, nodes=nodes, visits=visits),
        ),
        ("Tumor volume", "volume.png", lambda path: render_chart(nodes.volume_chart, path)),
        ("Tumor cell count", "cell_count.png", lambda path: render_chart(nodes.cell_count_chart, path)),
    ]
    figures = {}
    for number, (caption, name, render) in enumerate(pictures):
        progress.update(number / len(pictures), name)
        figures[caption] = render(folder / name)
    return figures


def write_tables(folder: Path, forecast: Forecast) -> None:
    write_csv(folder / "forecast.csv", forecast_columns(forecast))
    write_csv(folder / "curve.csv", curve_columns(forecast))
    write_csv(folder / "measured.csv", measured_columns(forecast))
    write_csv(folder / "parameters.csv", parameter_columns(forecast))
