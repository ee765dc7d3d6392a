"""The batch job: a patient's files in; a scene, a report, tables and pictures out."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.forecast import Forecast
from TumorTwinLib.inference.posterior import Posterior
from TumorTwinLib.jobs import stages
from TumorTwinLib.jobs.comparing import comparison_task
from TumorTwinLib.jobs.observer import Observer
from TumorTwinLib.jobs.preparation import prepare_patient, starts_from_scans
from TumorTwinLib.jobs.protocol import CALIBRATE, COMPARE, FORECAST, IMAGING, PREDICT, READ, SAMPLE, SEGMENT
from TumorTwinLib.jobs.protocol import STAGES as JOB_STAGES
from TumorTwinLib.jobs.protocol import Progress as JobProgress
from TumorTwinLib.jobs.regimen_choice import chosen_regimens
from TumorTwinLib.jobs.spec import JobSpec
from TumorTwinLib.jobs.stages import Outcome
from TumorTwinLib.mrml.charts import render_chart
from TumorTwinLib.mrml.comparison import ComparisonNodes, show_comparison
from TumorTwinLib.mrml.comparison_tables import outcome_columns, pair_columns
from TumorTwinLib.mrml.corner import corner_picture
from TumorTwinLib.mrml.forecast import ForecastNodes
from TumorTwinLib.mrml.forecast_tables import curve_columns, forecast_columns, measured_columns, parameter_columns
from TumorTwinLib.mrml.graphics import graphics_available
from TumorTwinLib.mrml.out_folder import check_out_folder, filling, write_run_file
from TumorTwinLib.mrml.rendering import render_3d, render_slices
from TumorTwinLib.mrml.scene import save_scene
from TumorTwinLib.mrml.shown_patient import show
from TumorTwinLib.mrml.tables import write_csv
from TumorTwinLib.mrml.timeline import render_timeline
from TumorTwinLib.mrml.uncertainty_tables import interval_columns, posterior_columns
from TumorTwinLib.mrml.visits import PatientNodes
from TumorTwinLib.report.html import write_report
from TumorTwinLib.terminology import term_for

logger = logging.getLogger("TumorTwin.pipeline")

NO_PICTURES = (
    "No pictures were made: this machine cannot draw without a display "
    "(on Debian, apt-get install libegl1 libgl1-mesa-dri)."
)


class Progress(Protocol):
    """Who watches a job; ``TerminalProgress`` is one."""

    def stage(self, title: str) -> None:
        """The running stage is done and the next begins."""

    def update(self, share: float | None, detail: str = "") -> None:
        """How far the running stage is: 0 to 1, or None while that is not known."""


SCENE, PICTURES, SAVING = "Building the scene", "Drawing pictures", "Saving"


def stage_titles(job: JobSpec) -> tuple[str, ...]:
    """What a job of this kind goes through."""
    if starts_from_scans(job, Path()):
        first = [READ, IMAGING, SEGMENT]
    else:
        first = [READ] if job.segmentation_model is None else [READ, SEGMENT]
    last = [CALIBRATE, SAMPLE, FORECAST, PREDICT] if job.bayesian else [CALIBRATE, FORECAST]
    last += [COMPARE] if job.regimens else []
    return (*(JOB_STAGES[stage] for stage in (*first, *last)), SCENE, PICTURES, SAVING)


def run_job(job: JobSpec, out: Path, progress: Progress) -> Outcome:
    """Run the whole job. The out folder appears complete at the end, or not at all.

    Args:
        out: folder for the results. Earlier results in it are replaced at the end; a folder of other files is refused.

    Raises:
        TumorTwinError: with one sentence for the user. What was under the out folder's name is still there.
    """
    if job.patient is None or job.horizon_days is None:
        raise TumorTwinError("A batch job needs a patient's files and a horizon: give --patient and --horizon-days.")
    check_out_folder(out, Path(job.patient))
    outcome = compute(job, progress, out.with_name(f"{out.name}-imaging"))
    forecast = outcome.forecast
    assert forecast is not None
    _begin(progress, SCENE)
    visits, nodes = show(outcome.patient, forecast)
    compared = None if outcome.comparison is None else show_comparison(outcome.comparison)
    with filling(out) as folder:
        _begin(progress, PICTURES)
        figures = draw(folder, forecast, visits, nodes, compared, progress)
        if not figures:
            outcome = replace(outcome, notices=(*outcome.notices, NO_PICTURES))
        _begin(progress, SAVING)
        save_scene(folder / "forecast.mrb")
        write_tables(folder, forecast)
        if isinstance(outcome.fit, Posterior):
            outcome.fit.save(folder / "posterior")
        if outcome.comparison is not None:
            write_csv(folder / "comparison.csv", outcome_columns(outcome.comparison.comparison))
            write_csv(folder / "pairs.csv", pair_columns(outcome.comparison.comparison))
        write_report(forecast, folder / "report.html", figures, outcome.notices, outcome.comparison)
        provenance = dict(forecast.provenance)
        write_run_file(folder, {"job": job.to_dict(), "notices": outcome.notices, "provenance": provenance})
    return outcome


def compute(job: JobSpec, progress: Progress, imaging: Path) -> Outcome:
    """Read, calibrate and forecast; no scene is touched.

    Args:
        imaging: folder for what is made of raw scans, and nothing else. It stays, so that a second run need not repeat
            it.
    """
    watch = _Watch(progress)
    watch.progress(JobProgress(READ))
    patient = prepare_patient(job, Path(), watch, imaging)
    task = comparison_task(job, patient, chosen_regimens(job, Path(), patient), "") if job.regimens else None
    return stages.compute(job, patient, watch, task=task)


class _Watch(Observer):
    """What a job tells, as stages with a bar."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stage = ""

    def progress(self, progress: JobProgress) -> None:
        if progress.stage != self._stage:
            self._stage = progress.stage
            _begin(self._progress, JOB_STAGES[progress.stage])
        elif progress.stage == CALIBRATE:  # how many model runs there will be, nobody knows
            self._progress.update(None, f"model run {math.floor(progress.done) + 1}")
        elif progress.stage in (IMAGING, SEGMENT) and progress.total:
            self._progress.update(progress.done / progress.total)
        elif progress.stage in (SAMPLE, PREDICT, COMPARE) and progress.total:
            self._progress.update(progress.done / progress.total, f"draw {progress.done:.0f} of {progress.total:.0f}")
        elif progress.total:
            share = progress.done / progress.total
            self._progress.update(share, f"day {progress.done:.0f} of {progress.total:.0f}")


def _begin(progress: Progress, stage: str) -> None:
    logger.info(stage)
    progress.stage(stage)


def draw(
    folder: Path, forecast: Forecast, visits: PatientNodes, nodes: ForecastNodes, compared: ComparisonNodes | None,
    progress: Progress,
) -> dict[str, Path]:  # fmt: skip
    """Draw every picture into the folder; file by caption. Empty where this machine cannot draw."""
    if not graphics_available():
        logger.warning(NO_PICTURES)
        return {}
    day = float(forecast.days[-1])
    date = forecast.start + timedelta(days=day)
    anatomy = visits.anatomy(day)
    look: dict[str, Any] = {
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
        *uncertainty_pictures(forecast, nodes, look),
    ]
    if compared is not None:
        charts = {"comparison.png": compared.chart, "treatments.png": compared.timeline}
        pictures += [(one.GetTitle(), file, functools.partial(render_chart, one)) for file, one in charts.items()]
    figures = {}
    for number, (caption, name, render) in enumerate(pictures):
        progress.update(number / len(pictures), name)
        figures[caption] = render(folder / name)
    return figures


def uncertainty_pictures(
    forecast: Forecast, nodes: ForecastNodes, look: Mapping[str, Any]
) -> list[tuple[str, str, Callable[[Path], Path]]]:
    """Caption, file and how to draw it, of each picture of uncertainty; none without.

    Args:
        look: of the picture of the density, whose place a probability takes.
    """
    posterior, uncertain = forecast.posterior, nodes.uncertainty
    if posterior is None or uncertain is None:
        return []
    pictures: list[tuple[str, str, Callable[[Path], Path]]] = []
    for region in forecast.thresholds:
        name = term_for(region).name
        shown = {**look, "density": uncertain.maps[f"probability_{region}"], "scale": (name, "share of futures")}
        caption, file = f"Probability of {name.lower()}", f"probability_{region}.png"
        pictures.append((caption, file, functools.partial(render_slices, **shown)))
    return [
        *pictures,
        ("Volume expected before and after the scans", "prior.png", lambda path: render_chart(nodes.prior_chart, path)),
        ("Posterior draws", "corner.png", lambda path: corner_picture(posterior, forecast.patient_id).write(path)),
    ]


def write_tables(folder: Path, forecast: Forecast) -> None:
    write_csv(folder / "forecast.csv", forecast_columns(forecast))
    write_csv(folder / "curve.csv", curve_columns(forecast))
    write_csv(folder / "measured.csv", measured_columns(forecast))
    write_csv(folder / "parameters.csv", parameter_columns(forecast.parameters))
    if forecast.posterior is not None and forecast.uncertainty is not None:
        write_csv(folder / "posterior.csv", posterior_columns(forecast.posterior))
        write_csv(folder / "intervals.csv", interval_columns(forecast, forecast.uncertainty))
