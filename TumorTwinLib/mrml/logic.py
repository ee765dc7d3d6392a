"""The module's logic: what scripts in Slicer's console, the self test and the panel call."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from TumorTwinLib.errors import TumorTwinError

# Slicer loads this file when it starts: the solver and all it needs are imported only for a run.
if TYPE_CHECKING:
    from TumorTwinLib.jobs.frames import Frame
    from TumorTwinLib.jobs.protocol import Progress
    from TumorTwinLib.jobs.runner import JobHandle
    from TumorTwinLib.mrml.scene_job import SceneJob
    from TumorTwinLib.mrml.scene_run import JobStarter, RunResult
    from TumorTwinLib.mrml.segmenting import SegmentedNodes


class TumorTwinLogic:
    """Calibrates and forecasts without widgets and popups; every setting is an argument.

    ::

        logic = slicer.util.getModuleLogic("TumorTwin")
        result = logic.run(logic.jobSpec("/data/GBM_001", horizonDays=180))
        slicer.util.saveNode(result.tableNode, "/data/forecast.csv")

    Args:
        starter: starts a job folder for ``start``; by default in a child process whose handle must be polled. The panel
            gives one whose callbacks come from Slicer's event loop.
    """

    def __init__(self, starter: JobStarter | None = None) -> None:
        self._starter = starter

    def jobSpec(
        self,
        patient: Any = None,
        *,
        t1: Any = None,
        t1ce: Any = None,
        t2: Any = None,
        flair: Any = None,
        adc: Any = None,
        segmentation: Any = None,
        times: Sequence = (),
        brainMask: Any = None,
        tissues: Mapping[str, Any] | None = None,
        treatments: Sequence = (),
        treatmentFile: str | Path | None = None,
        bodySurfaceAreaM2: float | None = None,
        patientId: str | None = None,
        model: str = "glioblastoma",
        horizonDays: float | None = 180.0,
        **settings,
    ) -> SceneJob:
        """Read and check a patient and the settings of a run; the scene is not changed.

        Args:
            patient: folder of visits, ``.json`` patient file, name of a patient in the subject hierarchy, a
                ``PatientSelection`` or a ``PatientData``. Or nothing, and the nodes by what they show:
            t1, t1ce, t2, flair, adc, segmentation: lists of nodes, one a visit, None where a visit has none.
            times: date and time of each visit, as datetime or ISO 8601 text.
            brainMask: segmentation or volume node. tissues: volume nodes by name (``white_matter``, ...).
            treatments: events, for a patient of nodes. treatmentFile: ``treatment.csv``, for any patient.
            model: the cancer whose model to use.
            horizonDays: beyond the last visit used.
            settings: other fields of ``JobSpec``: ``output_days``, ``calibration_visits``, ``resolution_mm``,
                ``bayesian=True`` for intervals and a posterior, ``n_samples``, ...

        Raises:
            TumorTwinError: with one sentence for the user.
        """
        from TumorTwinLib.mrml.scene_job import prepare_job, select_nodes

        images = {"T1": t1, "T1CE": t1ce, "T2": t2, "FLAIR": flair, "ADC": adc}
        given = any(nodes is not None for nodes in (*images.values(), segmentation, brainMask))
        if (patient is None) != given:
            raise TumorTwinError("A job needs one patient: give either a patient or nodes for its scans.")
        if patient is None:
            patient = select_nodes(
                images, segmentation, times, patient_id=patientId or "patient", brain_mask=brainMask,
                tissues=tissues or {},
            )  # fmt: skip
        return prepare_job(
            patient, patient_id=patientId, cancer=model, horizon_days=horizonDays, treatments=treatments,
            treatment_file=treatmentFile, body_surface_area_m2=bodySurfaceAreaM2, **settings,
        )  # fmt: skip

    def run(self, job: SceneJob, onProgress: Callable[[Progress], None] | None = None) -> RunResult:
        """Compute a job in a child process, wait for it, and put its forecast into the scene.

        Nodes of an earlier run of the patient are refilled.

        Raises:
            TumorTwinError: with one sentence for the user. The scene is then as it was.
        """
        return self._runThrough(job, onProgress)

    def start(
        self,
        job: SceneJob,
        onProgress: Callable[[Progress], None] | None = None,
        onFrame: Callable[[Frame], None] | None = None,
        onFinished: Callable[[RunResult], None] | None = None,
    ) -> JobHandle:
        """Compute a job in the background. Frames appear in the scene as they are solved, the forecast at the end.

        Args:
            onFinished: told how it ended, once, also when it was cancelled or failed.

        Returns:
            Handle with ``cancel()``, ``state``, ``progress``, ``message``. Without the panel's event loop, its
            ``poll()`` or ``wait()`` must be called for anything to happen.
        """
        from TumorTwinLib.jobs.runner import start_job
        from TumorTwinLib.mrml.scene_run import SceneRun

        starter = self._starter or start_job
        return SceneRun(job, starter, on_progress=onProgress, on_frame=onFrame, on_finished=onFinished).handle

    def calibrate(self, job: SceneJob, onProgress: Callable[[Progress], None] | None = None) -> RunResult:
        """Fit the model alone; the result has ``fit`` and a ``parameterTable`` in the scene, and no forecast.

        Of a job with ``bayesian=True`` it also has the ``posterior`` and a ``posteriorTable``.

        Raises:
            TumorTwinError: with one sentence for the user. The scene is then as it was.
        """
        return self._runThrough(job.changed(horizon_days=None, output_days=()), onProgress)

    def predict(
        self,
        job: SceneJob,
        parameters: RunResult | Mapping[str, float] | Any,
        onProgress: Callable[[Progress], None] | None = None,
    ) -> RunResult:
        """Forecast with known parameters: of a calibration, by name, or from a parameter table.

        With a posterior of the same job, the forecast has its intervals; nothing of the calibration is solved again.

        Args:
            parameters: what ``calibrate`` or ``run`` returned, values by name, or a table node with the columns
                ``parameter`` and ``value``.

        Raises:
            TumorTwinError: with one sentence for the user. The scene is then as it was.
        """
        from TumorTwinLib.mrml.scene_run import RunResult

        fit, folder = (parameters.fit, parameters.folder) if isinstance(parameters, RunResult) else (None, None)
        if folder is not None:
            return self._runThrough(_continued(job, folder), onProgress, folder=folder)
        values = _values(parameters) if fit is None else fit.values
        return self._runThrough(job.changed(parameters=values, bayesian=False), onProgress, fit)

    def compareRegimens(
        self,
        job: SceneJob,
        regimens: Sequence[str | Path],
        *,
        start: str | None = None,
        draws: int = 64,
        rule: str = "volume",
        targetMarginMm: float | None = 20.0,
        onProgress: Callable[[Progress], None] | None = None,
    ) -> RunResult:
        """Sample the posterior, forecast, and compare regimens on the same draws; all of it goes into the scene.

        In-silico research, not a treatment instruction.

        Args:
            job: of a patient on disk or of nodes, with a horizon.
            regimens: names of the library or of your own, ``"recorded"``, or files (``JobSpec.regimens``).
            start: day 1 and time of day, as ISO 8601 text; 9:00 on the day after the last visit used by default.
            draws: of the posterior, under every regimen.
            rule: of progression, a name in ``recommend.progression.RULES``.
            targetMarginMm: around the last outline, for the dose; None for the whole brain.

        Returns:
            With ``comparison`` (numbers and verdict) and ``comparisonNodes`` (table, chart, timeline, maps).

        Raises:
            TumorTwinError: with one sentence for the user. The scene is then as it was.
        """
        names = tuple(map(str, regimens))
        if not names:
            raise TumorTwinError("There is no regimen to compare: give at least one.")
        compared = job.changed(
            bayesian=True, regimens=names, regimen_start=start, comparison_draws=draws, progression_rule=rule,
            target_margin_mm=targetMarginMm,
        )  # fmt: skip
        return self._runThrough(compared, onProgress)

    def segment(
        self,
        *,
        t1: Any = None,
        t1ce: Any = None,
        t2: Any = None,
        flair: Any = None,
        brainMask: Any = None,
        model: str = "tumortwin_brain",
        device: str = "auto",
        onProgress: Callable[[float], None] | None = None,
    ) -> SegmentedNodes:
        """Outline the tumor of one visit with a network, here and now: a segmentation, a table, probability volumes.

        Args:
            t1, t1ce, t2, flair: volume nodes, aligned, on any grids.
            brainMask: segmentation or volume node; by default the brain is found in the scans.
            model: name in ``TumorTwinLib.segmentation.registry``.
            onProgress: told the share done, 0 to 1.

        Raises:
            TumorTwinError: with one sentence for the user. The scene is then as it was.
        """
        from TumorTwinLib.mrml.segmenting import segment_nodes

        volumes = {"T1": t1, "T1CE": t1ce, "T2": t2, "FLAIR": flair}
        return segment_nodes(volumes, model, brain_mask=brainMask, device=device, on_progress=onProgress)

    def _runThrough(self, job, onProgress, fit=None, folder=None) -> RunResult:
        from TumorTwinLib.jobs.conversation import State
        from TumorTwinLib.jobs.runner import start_job, wait_or_cancel
        from TumorTwinLib.mrml.scene_run import SceneRun

        made = folder is None and job.spec.bayesian  # a posterior is worth keeping as long as the result
        if made:
            folder = Path(tempfile.mkdtemp(prefix="TumorTwin-job-"))
        run = SceneRun(job, start_job, folder=folder, live=False, fit=fit, on_progress=onProgress)
        wait_or_cancel(run.handle)
        if run.result is None or run.result.state is not State.COMPLETED:
            if made:
                shutil.rmtree(folder, ignore_errors=True)
            raise TumorTwinError(run.result.message if run.result else "The run was stopped.")
        if not made:
            return run.result
        result = replace(run.result, folder=folder)
        weakref.finalize(result, shutil.rmtree, folder, True)
        return result


def _continued(job: SceneJob, folder: Path) -> SceneJob:
    """The job with the posterior in the folder of an earlier one.

    Raises:
        TumorTwinError: that is of another patient, or calibrated with other settings.
    """
    from TumorTwinLib.jobs.checkpoint import CHECKPOINT, fingerprints
    from TumorTwinLib.jobs.spec import read_spec

    same = job.changed(bayesian=True, n_samples=read_spec(folder).n_samples, parameters={})
    if not (folder / CHECKPOINT / fingerprints(same.spec, same.patient)[1]).is_dir():
        raise TumorTwinError(
            f"The posterior is not of {job.patient.patient_id} with these settings: calibrate this job first."
        )
    return same


def _values(parameters) -> dict[str, float]:
    """Values by name, of a mapping or of a table node."""
    if isinstance(parameters, Mapping):
        return dict(parameters)
    table = parameters.GetTable()
    names, values = (table.GetColumnByName(name) for name in ("parameter", "value"))
    if names is None or values is None:
        raise TumorTwinError(
            f"{parameters.GetName()} has no columns 'parameter' and 'value': choose the parameter table of a run."
        )
    return {names.GetValue(row): float(values.GetValue(row)) for row in range(table.GetNumberOfRows())}
