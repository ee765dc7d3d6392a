"""The visits of a patient who is on common grids already, outlined by a network."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.geometry import Image
from TumorTwinLib.labels import regions_from_labels
from TumorTwinLib.patient import PatientData, Visit
from TumorTwinLib.processing.outlines import Networks, labels_file, model_identity, visit_files
from TumorTwinLib.processing.record import Made, Record
from TumorTwinLib.segmentation.registry import runnable_model


@dataclass(frozen=True)
class _Listeners:
    on_progress: Callable[[float, int], None]
    cancelled: Callable[[], bool]

    def before(self, name: str) -> None:
        if self.cancelled():
            raise CancelledError("Stopped on request; the visits that were segmented are kept.")


def segment_patient(
    patient: PatientData,
    model: str,
    folder: Path,
    *,
    device: str = "auto",
    on_progress: Callable[[float, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> PatientData:
    """The patient with the regions that a network finds in each visit; what the visits brought is replaced.

    A visit that lacks a scan the network needs keeps its own regions, with a notice.

    Args:
        model: name in ``segmentation.registry``.
        folder: keeps the outlines, so that a second call does only what changed.
        on_progress: told visits done, with the fraction of the running one, and visits in all.
        cancelled: asked within each visit.

    Raises:
        TumorTwinError: the model cannot run here, or a visit has neither its scans nor regions.
        CancelledError: ``cancelled`` said so.
    """
    description, notices = runnable_model(model)
    network, listeners = Networks(description), _Listeners(on_progress, cancelled)
    record, told = Record(folder, listeners.before), list(notices)
    identity, total = model_identity(description), len(patient.visits)
    visits = []
    for number, visit in enumerate(patient.visits):
        label = f"visit_{number + 1}"
        missing = [name for name in description.modalities if name not in visit.images]
        if missing:
            if not visit.regions:
                raise TumorTwinError(
                    f"The visit of {visit.time:%Y-%m-%d} has no {' and no '.join(missing)}, which {description.title} "
                    "needs, and no outline of its own: add either."
                )
            told.append(f"The visit of {visit.time:%Y-%m-%d} has no {' and no '.join(missing)}: its outline was kept.")
            visits.append(visit)
            continue
        chosen = {name: visit.images[name] for name in description.modalities}

        def make(chosen=chosen, label=label, number=number) -> Made:
            found = network.segment(
                chosen, patient.brain_mask, device, lambda share: on_progress(number + share, total), cancelled
            )
            return visit_files(found, label, "model")

        on_progress(number, total)
        scans = {name: _digest(image) for name, image in chosen.items()}
        step = record.step(
            f"segment {label}", {"model": identity, "scans": scans, "brain": _digest(patient.brain_mask)}, make
        )
        regions = {}
        if labels_file(label) in step.files:
            labels = record.image(labels_file(label))
            grid = chosen[description.modalities[0]].grid
            name = f"{description.title} at {visit.time:%Y-%m-%d}"
            regions = regions_from_labels(Image(labels.array, grid, name), "brats2021")
        visits.append(Visit(visit.time, visit.images, regions))
    record.finish()
    return PatientData(
        patient.patient_id, visits=visits, treatments=patient.treatments, brain_mask=patient.brain_mask,
        tissues=patient.tissues, body_surface_area_m2=patient.body_surface_area_m2,
        notices=(*patient.notices, *told, *record.notices),
    )  # fmt: skip


def _digest(image: Image) -> str:
    digest = hashlib.blake2b(repr((image.array.dtype, image.grid.to_dict())).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image.array).data)
    return digest.hexdigest()
