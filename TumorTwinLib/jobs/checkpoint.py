"""What a stopped job need not compute again: every evaluation of its calibration, a small file each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, MutableMapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.inference.calibration import Evaluation
from TumorTwinLib.inference.residuals import Block
from TumorTwinLib.jobs.files import read_array, read_json, write_array, write_json
from TumorTwinLib.jobs.patient_store import patient_digest
from TumorTwinLib.jobs.spec import JobSpec
from TumorTwinLib.patient import PatientData
from TumorTwinLib.physics.solver import StepPlan
from TumorTwinLib.version import VERSION

CHECKPOINT = "checkpoint"
_COMPARISON = ("regimens", "regimen_start", "comparison_draws", "progression_rule", "target_margin_mm")
_NOT_FOR_THE_FIT = (
    *_COMPARISON, "patient", "patient_id", "horizon_days", "output_days", "frame_every_days", "parameters",
    "segmentation_model", "label_convention", "interval_days", "mapping",  # what they make is part of the patient
    "n_samples", "n_futures",  # how many draws, and not what one of them gives
)  # fmt: skip


def fingerprints(spec: JobSpec, patient: PatientData) -> tuple[str, str]:
    """Names of everything the forecast, and of what the calibration alone, follows from.

    A job changed in its horizon keeps its calibration, and one with other regimens to compare its forecast, too; one
    with another patient or resolution keeps nothing.
    """
    digest, settings = patient_digest(patient), spec.to_dict()
    for name in ("patient", *_COMPARISON):  # where the files lie changes nothing
        del settings[name]
    whole = repr((VERSION, digest, settings))
    fit = repr((VERSION, digest, {name: settings[name] for name in settings if name not in _NOT_FOR_THE_FIT}))
    whole_print, fit_print = (hashlib.blake2b(text.encode(), digest_size=12).hexdigest() for text in (whole, fit))
    return whole_print, fit_print


class EvaluationFolder(MutableMapping[str, Evaluation]):
    """Evaluations of a calibration in ``checkpoint/<fingerprint>/``, as ``MapCalibration`` remembers them.

    JSON keeps every bit of a float, so a resumed calibration continues as if it had not been stopped. A damaged file
    counts as absent.
    """

    def __init__(self, job: Path, fingerprint: str) -> None:
        self._folder = job / CHECKPOINT / fingerprint
        self._read: dict[str, Evaluation] = {}
        for path in sorted(self._folder.glob("*.json")):
            try:
                self._read[path.stem] = _evaluation(read_json(path))
            except (TumorTwinError, KeyError, TypeError, ValueError):
                path.unlink()

    def __setitem__(self, key: str, evaluation: Evaluation) -> None:
        self._read[key] = evaluation
        blocks = {
            kind: {
                name: value.tolist() if isinstance(value, np.ndarray) else value
                for name, value in asdict(block).items()
            }
            for kind, block in evaluation.blocks.items()
        }
        plan = {"ends": list(evaluation.plan.ends), "degrees": [int(degree) for degree in evaluation.plan.degrees]}
        write_json(self._folder / f"{key}.json", {"blocks": blocks, "plan": plan})

    def __getitem__(self, key: str) -> Evaluation:
        return self._read[key]

    def __delitem__(self, key: str) -> None:
        del self._read[key]
        (self._folder / f"{key}.json").unlink()

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)


class SummaryFolder(MutableMapping[str, np.ndarray]):
    """Model runs of a Bayesian calibration in ``checkpoint/<fingerprint>/``, as ``BayesianCalibration`` remembers them.

    Threads may write different ones at the same time. A damaged file counts as absent.
    """

    def __init__(self, job: Path, fingerprint: str) -> None:
        self._folder = job / CHECKPOINT / fingerprint
        self._read: dict[str, np.ndarray] = {}
        for path in sorted(self._folder.glob("*.npy")):
            try:
                self._read[path.stem] = read_array(path)
            except TumorTwinError:
                path.unlink()

    def __setitem__(self, key: str, summaries: np.ndarray) -> None:
        self._read[key] = summaries
        write_array(self._folder / f"{key}.npy", summaries)

    def __getitem__(self, key: str) -> np.ndarray:
        return self._read[key]

    def __delitem__(self, key: str) -> None:
        del self._read[key]
        (self._folder / f"{key}.npy").unlink()

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)


def _evaluation(data: dict) -> Evaluation:
    blocks = {
        kind: Block(
            block["count"], block["squares"], *(np.array(block[name]) for name in ("gradient", "hessian", "correlated"))
        )
        for kind, block in data["blocks"].items()
    }
    return Evaluation(blocks, StepPlan(tuple(data["plan"]["ends"]), tuple(data["plan"]["degrees"])))
