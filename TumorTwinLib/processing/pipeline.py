"""``ImagingPipeline``: from a folder of scans to a patient folder on one grid, resumable step by step.

::

    OUT/                            a patient folder (``TumorTwinLib.patient.folder``), and beside what it needs:
      visits.csv  patient.json  treatment.csv
      brain_mask.nii.gz  white_matter.nii.gz  grey_matter.nii.gz  csf.nii.gz
      2024-03-05/  T1.nii.gz  T1CE.nii.gz  T2.nii.gz  FLAIR.nii.gz  ADC.nii.gz  seg.nii.gz
      other/2024-03-05/             PET.nii.gz and others that no model of the visit reads
      confidence/2024-03-05/        probability and standard deviation of the outline (mm) by region
      anatomy/                      ventricles, and resection cavities by visit
      features.csv                  a row a visit and region
      manifest.json                 what was made from what (``processing.record``)

A ``seg.nii.gz`` that someone corrects in OUT is kept, and what follows from it is computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.processing.record import Record
from TumorTwinLib.processing.result import Processed
from TumorTwinLib.processing.scans import MAPPING, Confirm, PatientScans, find_scans
from TumorTwinLib.roles import PATIENT_RANKS, role_of
from TumorTwinLib.visit_folders import time_of_folder, volumes_in
from TumorTwinLib.volume_files import volume_suffix

IMAGING, SEGMENTATION = "imaging", "segmentation"


@dataclass(frozen=True)
class StepProgress:
    """How far the pipeline is.

    Args:
        stage: ``IMAGING``, then ``SEGMENTATION`` with what follows from it.
        step: what is being done, e.g. ``"register 2024-03-05"``.
        done, total: steps of this run that are behind and in all, with the fraction of the running one.
    """

    stage: str
    step: str
    done: float
    total: float


@dataclass(frozen=True, kw_only=True)
class ImagingPipeline:
    """Scans of any number of visits to one grid, with outlines, tissues, features and their uncertainty.

    Args:
        modalities: to use, as ``["T1", "T1CE", "T2", "FLAIR"]``; None for all that are found.
        preprocessing: MONAI ``Compose`` applied to T1, T1CE, T2 and FLAIR in place of N4 bias correction.
        segmentation_model: name of a model (``segmentation.registry``), for visits that bring no outlines.
        replace_outlines: segment also the visits that bring outlines.
        label_convention: of label maps that come with the visits, a name of ``labels.CONVENTIONS``; guessed if None.
        spacing_mm: voxel size of the common grid.
        device: of the segmentation, ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Raises:
        TumorTwinError: a voxel size that has no meaning.
    """

    modalities: Sequence[str] | None = None
    preprocessing: Any = None
    segmentation_model: str = "tumortwin_brain"
    replace_outlines: bool = False
    label_convention: str | None = None
    spacing_mm: float = 1.0
    device: str = "auto"

    def __post_init__(self) -> None:
        if not 0.3 <= self.spacing_mm <= 5:
            raise TumorTwinError(f"spacing_mm is {self.spacing_mm:g}: give a voxel size between 0.3 and 5 mm.")

    def process(
        self,
        patient_dir: str | Path | Iterable[str | Path],
        output_dir: str | Path,
        *,
        patient_id: str | None = None,
        mapping: str | Path | Mapping[str, str | None] | None = None,
        confirm: Confirm | None = None,
        interval_days: float | None = None,
        brain_mask: str | Path | None = None,
        tissues: Mapping[str, str | Path] | None = None,
        treatment_file: str | Path | None = None,
        on_progress: Callable[[StepProgress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Processed:
        """Make the patient folder, or what of it is not there yet.

        Args:
            patient_dir: folder of DICOM, NIfTI, NRRD or MHA files (see ``imaging.scan_folder``), or files. A brain
                mask, tissue maps and ``treatment.csv`` in it are used.
            output_dir: new, empty, or of an earlier run, which is continued.
            patient_id: what to call the patient; by default a pseudonym.
            mapping, confirm: the user's word on which series is which modality; see ``processing.scans.find_scans``.
            interval_days: between visits that have no dates; 90 by default.
            brain_mask, tissues: files made elsewhere, in the space of the first visit's scans.
            treatment_file: ``treatment.csv``, by default the one in ``patient_dir``.
            on_progress: told before each step and within segmentations.
            cancelled: asked before each step and within segmentations.

        Raises:
            CancelledError: finished steps are kept, and a later call continues.
            TumorTwinError: with one sentence. Where the mapping must be corrected, ``mapping.csv`` of the output
                holds it.
        """
        from TumorTwinLib.processing.run import PipelineRun  # SciPy and more, which importing this is too early for

        output = Path(output_dir)
        _check_apart(patient_dir, output)
        stop = cancelled or (lambda: False)
        scans = self._scans(patient_dir, output, patient_id, mapping, confirm, interval_days, stop)
        shared = dict(scans.shared)
        if brain_mask is not None:
            shared["brain_mask"] = Path(brain_mask)
        shared |= {name: Path(path) for name, path in (tissues or {}).items()}
        run = PipelineRun(self, scans, shared, output, on_progress or (lambda progress: None), stop)
        run.make(_treatments(patient_dir, treatment_file))
        return Processed(output, tuple(dict.fromkeys((*scans.notices, *run.record.notices))), tuple(run.computed))

    def check(self, patient_dir: str | Path | Iterable[str | Path], **about: Any) -> PatientScans:
        """The scans that ``process`` would use, with the same arguments; nothing is computed or written.

        Raises:
            TumorTwinError: what ``process`` would refuse about them.
        """
        return find_scans(patient_dir, self.modalities, transforms=self.preprocessing, **about)

    def _scans(self, patient_dir, output, patient_id, mapping, confirm, interval_days, cancelled) -> PatientScans:
        indices: list = []
        try:
            return self.check(
                patient_dir, patient_id=patient_id, mapping=mapping, confirm=confirm, interval_days=interval_days,
                cancelled=cancelled, on_index=indices.append,
            )  # fmt: skip
        except CancelledError:
            raise
        except TumorTwinError as error:
            if not indices:
                raise
            Record(output)
            indices[0].write_mapping(output / MAPPING)
            raise TumorTwinError(f"{error} The mapping is in {output / MAPPING}.") from None


def is_raw(path: Path) -> bool:
    """Whether a folder's scans must be prepared first: it has no brain mask yet, or no visits."""
    if not path.is_dir():
        return False
    names = [file.name[: -len(volume_suffix(file) or "")] for file in volumes_in(path)]
    has_brain = any(role_of(name, PATIENT_RANKS, path) == "brain_mask" for name in names)
    has_visits = (path / "visits.csv").is_file() or any(
        time_of_folder(entry) is not None for entry in path.iterdir() if entry.is_dir()
    )
    return not (has_brain and has_visits)


def _check_apart(patient_dir: Any, output: Path) -> None:
    if not isinstance(patient_dir, (str, Path)):
        return
    source, target = Path(patient_dir).resolve(), output.resolve()
    if target == source or source in target.parents:
        raise TumorTwinError(f"{output} lies inside the patient's folder {patient_dir}: give a folder elsewhere.")


def _treatments(patient_dir: Any, treatment_file: str | Path | None) -> Path | None:
    if treatment_file is not None:
        return Path(treatment_file)
    beside = Path(patient_dir) / "treatment.csv" if isinstance(patient_dir, (str, Path)) else None
    return beside if beside is not None and beside.is_file() else None
