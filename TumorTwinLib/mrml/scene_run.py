"""A job under way whose frames and findings go into the scene."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import slicer

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.jobs.conversation import Listener, State
from TumorTwinLib.jobs.frames import Frame
from TumorTwinLib.jobs.protocol import Progress
from TumorTwinLib.jobs.result_store import FitSummary, JobResult
from TumorTwinLib.jobs.runner import JobHandle
from TumorTwinLib.mrml.comparison import ComparisonNodes, show_comparison
from TumorTwinLib.mrml.forecast import ForecastNodes, show_forecast
from TumorTwinLib.mrml.live_forecast import LiveForecast
from TumorTwinLib.mrml.scene_job import SceneJob
from TumorTwinLib.mrml.shown_patient import show, show_parameters
from TumorTwinLib.recommend.comparison import Comparison
from TumorTwinLib.uncertainty import PosteriorSummary

logger = logging.getLogger("TumorTwin.logic")

JobStarter = Callable[[Path, Listener], JobHandle]


@dataclass(frozen=True, eq=False)
class RunResult:
    """How a run ended, and what it left in the scene.

    Args:
        state, message, details, stats: as the job's handle has them.
        result: what was computed; None when the job failed or crashed.
        nodes: of the forecast; None without one.
        parameterTable: table node of the parameters; None without any.
        posteriorTable: table node of the posterior of a run with uncertainty; None without.
        comparisonNodes: of regimens compared; None without.
        folder: of the job, as long as this result lives, for a run with uncertainty of the logic: its ``posterior`` is
            what ``inference.posterior_files.load_posterior`` reads, and ``predict`` continues there.
    """

    state: State
    message: str
    details: str = ""
    stats: dict[str, float] = field(default_factory=dict)
    result: JobResult | None = None
    nodes: ForecastNodes | None = None
    parameterTable: Any = None
    posteriorTable: Any = None
    comparisonNodes: ComparisonNodes | None = None
    folder: Path | None = None

    @property
    def status(self) -> str:
        return self.state.value

    @property
    def fit(self) -> FitSummary | None:
        return None if self.result is None else self.result.fit

    @property
    def posterior(self) -> PosteriorSummary | None:
        return None if self.result is None else self.result.posterior

    @property
    def comparison(self) -> Comparison | None:
        return None if self.result is None or self.result.comparison is None else self.result.comparison.comparison

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences the user should see."""
        return () if self.result is None else self.result.notices

    @property
    def sequenceNode(self):
        return None if self.nodes is None else self.nodes.density_sequence

    @property
    def tableNode(self):
        return None if self.nodes is None else self.nodes.table


class SceneRun:
    """A job under way. When the scene is closed it is stopped, and nothing of it enters the scene that comes after.

    Args:
        job: what to compute.
        starter: starts a job folder, as ``jobs.runner.start_job`` does.
        folder: for the job, which can be continued there; by default a temporary one that is removed at the end.
        live: show frames as they are solved.
        fit: the calibration that the job's known parameters come from; its standard errors are shown with them.
        on_progress, on_frame, on_finished: called when the handle delivers, after the scene has been changed.

    Attributes:
        handle: of the job.
        result: once it is over.
    """

    def __init__(
        self,
        job: SceneJob,
        starter: JobStarter,
        *,
        folder: Path | None = None,
        live: bool = True,
        fit: FitSummary | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        on_frame: Callable[[Frame], None] | None = None,
        on_finished: Callable[[RunResult], None] | None = None,
    ) -> None:
        self.result: RunResult | None = None
        self._job, self._fit, self._on_frame, self._on_finished = job, fit, on_frame, on_finished
        self._live = LiveForecast(job.patient.patient_id) if live else None
        self._temporary = folder is None
        self._folder = Path(tempfile.mkdtemp(prefix="TumorTwin-job-")) if folder is None else folder
        self._scene_closed = False
        scene = slicer.mrmlScene
        self._observation = scene, scene.AddObserver(slicer.vtkMRMLScene.StartCloseEvent, self._leave_scene)
        listener = Listener(on_progress or (lambda _: None), self._take_frame, on_finished=self._finish)
        try:
            job.save(self._folder)
            self.handle = starter(self._folder, listener)
        except BaseException:
            self._let_go()
            raise

    def _take_frame(self, frame: Frame) -> None:
        if self._scene_closed:
            return
        if self._live is not None:
            self._live.add(self._folder, frame)
        if self._on_frame is not None:
            self._on_frame(frame)

    def _finish(self) -> None:
        try:
            self.result = self._outcome()
        except Exception as error:
            logger.exception("The result of a run could not be shown")
            sentence = str(error) if isinstance(error, TumorTwinError) else f"The result cannot be shown: {error!r}."
            self.result = RunResult(State.FAILED, sentence)
        self._let_go()
        if self._on_finished is not None:
            self._on_finished(self.result)

    def _outcome(self) -> RunResult:
        handle = self.handle
        how = (handle.state, handle.message, handle.details, handle.stats)
        try:
            result = handle.result()
        except TumorTwinError:  # its sentence is the handle's
            return RunResult(*how)
        if self._scene_closed:
            return RunResult(*how, result)
        patient_id = self._job.patient.patient_id
        if result.forecast is not None:
            forecast = replace(result.forecast, parameters=self._fit.parameters) if self._fit else result.forecast
            nodes = show_forecast(forecast) if self._job.in_scene else show(self._job.patient, forecast)[1]
            found = replace(result, forecast=forecast)
            posterior = nodes.uncertainty and nodes.uncertainty.posterior_table
            compared = None if result.comparison is None else show_comparison(result.comparison)
            return RunResult(*how, found, nodes, nodes.parameter_table, posterior, compared)
        if result.fit is not None and handle.state is State.COMPLETED:
            return RunResult(*how, result, None, *show_parameters(patient_id, result.fit.parameters, result.posterior))
        return RunResult(*how, result)

    def _leave_scene(self, *_) -> None:
        self._scene_closed = True
        self.handle.cancel()

    def _let_go(self) -> None:
        scene, tag = self._observation
        scene.RemoveObserver(tag)
        if self._temporary:
            shutil.rmtree(self._folder, ignore_errors=True)
