"""The patient of a job, made ready first where the job begins with raw scans or asks for new outlines."""

from __future__ import annotations

import time
from pathlib import Path

from TumorTwinLib.errors import CancelledError
from TumorTwinLib.jobs.job_folder import load_patient
from TumorTwinLib.jobs.observer import Observer
from TumorTwinLib.jobs.protocol import IMAGING, SEGMENT, Progress
from TumorTwinLib.jobs.spec import JobSpec
from TumorTwinLib.patient import PatientData
from TumorTwinLib.processing.pipeline import SEGMENTATION, ImagingPipeline, StepProgress, is_raw
from TumorTwinLib.segmentation.registry import DEFAULT_MODEL, runnable_model

IMAGING_FOLDER = "imaging"
_REPORT_EVERY_S = 0.2


def starts_from_scans(spec: JobSpec, folder: Path) -> bool:
    """Whether the job's patient is a folder of scans that nobody has prepared."""
    return spec.patient is not None and is_raw(folder / spec.patient)


def prepare_patient(spec: JobSpec, folder: Path, observer: Observer, work: Path | None = None) -> PatientData:
    """The patient of a job, with its scans on one grid and outlined.

    Raw scans go through the imaging pipeline; visits that bring an outline keep it unless the job names a model. A
    patient who is ready is only outlined anew, and only where the job names a model.

    Args:
        work: keeps what was made, so that a second run does only what changed; by default inside the job folder.

    Raises:
        TumorTwinError: with one sentence naming the file, what is wrong and what to do.
        CancelledError: the observer said so; finished steps are kept.
    """
    work = work or folder / IMAGING_FOLDER
    teller = _Teller(observer)
    if starts_from_scans(spec, folder):
        processed = _pipeline(spec).process(
            folder / str(spec.patient), work, patient_id=spec.patient_id, mapping=spec.mapping,
            interval_days=spec.interval_days, on_progress=teller.step, cancelled=observer.cancelled,
        )  # fmt: skip
        read = processed.patient
        return PatientData(
            read.patient_id, visits=read.visits, treatments=read.treatments, brain_mask=read.brain_mask,
            tissues=read.tissues, body_surface_area_m2=read.body_surface_area_m2,
            notices=(*processed.notices, *read.notices),
        )  # fmt: skip
    patient = load_patient(spec, folder)
    if spec.segmentation_model is None:
        return patient
    from TumorTwinLib.processing.resegment import segment_patient

    return segment_patient(
        patient, spec.segmentation_model, work, device=_device(spec), on_progress=teller.visit,
        cancelled=observer.cancelled,
    )  # fmt: skip


def check_patient(spec: JobSpec, folder: Path) -> PatientData | None:
    """What can be checked of a job's patient without computing: the patient where it is ready, else None.

    Raises:
        TumorTwinError: what a run would refuse.
    """
    if starts_from_scans(spec, folder):
        pipeline = _pipeline(spec)
        scans = pipeline.check(
            folder / str(spec.patient), patient_id=spec.patient_id, mapping=spec.mapping,
            interval_days=spec.interval_days,
        )  # fmt: skip
        if not pipeline.replace_outlines and all(visit.outlines for visit in scans.visits):
            return None
        runnable_model(pipeline.segmentation_model)
        return None
    patient = load_patient(spec, folder)
    if spec.segmentation_model is None:
        return patient
    runnable_model(spec.segmentation_model)
    return None


def _pipeline(spec: JobSpec) -> ImagingPipeline:
    return ImagingPipeline(
        segmentation_model=spec.segmentation_model or DEFAULT_MODEL,
        replace_outlines=spec.segmentation_model is not None,
        label_convention=spec.label_convention,
        device=_device(spec),
    )


def _device(spec: JobSpec) -> str:
    return "cpu" if spec.device == "cpu" else "cuda"


class _Teller:
    """Passes progress on, a few times a second and at each change of stage."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._stage, self._told = "", 0.0

    def step(self, progress: StepProgress) -> None:
        self._tell(SEGMENT if progress.stage == SEGMENTATION else IMAGING, progress.done, progress.total)

    def visit(self, done: float, total: int) -> None:
        self._tell(SEGMENT, done, total)

    def _tell(self, stage: str, done: float, total: float) -> None:
        if self._observer.cancelled():
            raise CancelledError("Stopped on request; what was complete has been kept.")
        now = time.monotonic()
        if stage == self._stage and now - self._told < _REPORT_EVERY_S:
            return
        self._stage, self._told = stage, now
        self._observer.progress(Progress(stage, done, total))
