"""What a job is to do, as a frozen value and as ``job.json``."""

from __future__ import annotations

import itertools
import math
import numbers
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.jobs.files import read_json, write_json
from TumorTwinLib.models.registry import find_cancer

SCHEMA_VERSION = 1
JOB_FILE = "job.json"
_MAY_BE_NONE = (
    "patient", "patient_id", "horizon_days", "calibration_visits", "segmentation_model", "label_convention",
    "interval_days", "mapping", "regimen_start", "target_margin_mm",
)  # fmt: skip
_DEVICE = re.compile(r"cpu|cuda(:\d+)?")


@dataclass(frozen=True)
class JobSpec:
    """A calibration and a forecast, or one of them.

    Args:
        patient: folder of visits, folder of raw scans, or ``.json`` patient file, relative to the job folder unless
            absolute; None when the patient's arrays are in the job folder.
        patient_id: what to call the patient instead of what the files say.
        cancer: whose model to use (``models.registry``).
        horizon_days: how far to forecast beyond the last visit used; None calibrates only.
        output_days: days after that visit to show; every ``frame_every_days`` up to the horizon when empty.
        frame_every_days: see ``output_days``.
        calibration_visits: how many visits to fit, from the first; the others are only compared. None is all.
        parameters: known values by name; with any, nothing is calibrated and those not named keep their prior median.
        resolution_mm: voxel size of the model.
        tolerance: relative error aimed at on every output of the solver.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.
        seed: of everything random; it is recorded with the results.
        segmentation_model: outlines every visit (``segmentation.registry``). None keeps the outlines that there are;
            raw scans without any are then outlined by TumorTwin's own model.
        label_convention: of label maps among raw scans (``labels.CONVENTIONS``); None is guessed.
        interval_days: between visits of raw scans that have no dates; None is assumed, and said.
        mapping: file that says which series of raw scans is what (``imaging.scan_index``); None takes the proposal.
        bayesian: sample the posterior of everything unknown and forecast with intervals, instead of the most probable
            parameters alone (docs/uncertainty.md).
        n_samples: weighted draws of the posterior, each a run of the model.
        n_futures: of them, run into the future for intervals and maps.
        regimens: to compare on the same draws of the posterior (docs/comparison.md): names of the library or of the
            user's own, ``recorded`` for what the record holds, a ``.json`` file of regimens, a ``.csv`` list of events.
        regimen_start: day 1 and time of day of the regimens; None is 9:00 on the day after the last visit used.
        comparison_draws: of the posterior, under every regimen.
        progression_rule: name in ``recommend.progression.RULES``.
        target_margin_mm: around the last outline, for the dose of regimens with radiotherapy; None is the whole brain.

    Raises:
        TumorTwinError: a value that cannot be worked with, in one sentence.
    """

    patient: str | None = None
    patient_id: str | None = None
    cancer: str = "glioblastoma"
    horizon_days: float | None = 180.0
    output_days: tuple[float, ...] = ()
    frame_every_days: float = 30.0
    calibration_visits: int | None = None
    parameters: Mapping[str, float] = field(default_factory=dict)
    resolution_mm: float = 2.0
    tolerance: float = 1e-3
    device: str = "cpu"
    seed: int = 0
    segmentation_model: str | None = None
    label_convention: str | None = None
    interval_days: float | None = None
    mapping: str | None = None
    bayesian: bool = False
    n_samples: int = 1000
    n_futures: int = 128
    regimens: tuple[str, ...] = ()
    regimen_start: str | None = None
    comparison_draws: int = 64
    progression_rule: str = "volume"
    target_margin_mm: float | None = 20.0
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.schema_version != SCHEMA_VERSION:
            raise TumorTwinError(
                f"The job has schema_version {self.schema_version!r} and this TumorTwin reads {SCHEMA_VERSION}: "
                "update TumorTwin, or save the job again."
            )
        self._convert(_text, "patient", "patient_id", "cancer", "device")
        self._convert(_text, "segmentation_model", "label_convention", "mapping", "regimen_start", "progression_rule")
        self._convert(_texts, "regimens")
        self._convert(
            _number,
            "target_margin_mm",
            "interval_days",
            "horizon_days",
            "frame_every_days",
            "resolution_mm",
            "tolerance",
        )
        self._convert(_integer, "calibration_visits", "seed", "n_samples", "n_futures", "comparison_draws")
        self._convert(_flag, "bayesian")
        self._convert(_numbers, "output_days")
        self._convert(_values, "parameters")
        find_cancer(self.cancer)
        self._check_days()
        for name in ("frame_every_days", "resolution_mm", "tolerance"):
            if not 0 < getattr(self, name) < math.inf:
                raise TumorTwinError(f"{name} is {getattr(self, name):g}: give a number above zero.")
        if self.calibration_visits is not None and self.calibration_visits < 1:
            raise TumorTwinError(f"calibration_visits is {self.calibration_visits}: give at least 1, or leave it out.")
        for name in ("n_samples", "n_futures"):
            if getattr(self, name) < 1:
                raise TumorTwinError(f"{name} is {getattr(self, name)}: give at least 1.")
        if self.bayesian and self.parameters:
            raise TumorTwinError("With known parameters there is nothing to sample: leave out parameters or bayesian.")
        self._check_comparison()
        if self.horizon_days is None and self.parameters:
            raise TumorTwinError("With known parameters and no horizon there is nothing to do: give horizon_days.")
        if not _DEVICE.fullmatch(self.device):
            raise TumorTwinError(f"The device is {self.device!r}: give cpu, cuda or cuda:0.")
        if not 0 <= self.seed < 2**32:
            raise TumorTwinError(f"The seed is {self.seed}: give a whole number from 0 to {2**32 - 1}.")

    def _convert(self, check: Callable[[str, Any], Any], *names: str) -> None:
        """Put checked values of one type into the fields."""
        for name in names:
            value = getattr(self, name)
            if value is not None or name not in _MAY_BE_NONE:
                object.__setattr__(self, name, check(name, value))

    def _check_comparison(self) -> None:
        if self.regimens and not (self.bayesian and self.horizon_days):
            raise TumorTwinError("Regimens are compared on draws of the posterior: set bayesian and horizon_days.")
        if len(set(self.regimens)) < len(self.regimens):
            raise TumorTwinError(f"regimens is {', '.join(self.regimens)}: give each once.")
        if self.comparison_draws < 16:
            raise TumorTwinError(f"comparison_draws is {self.comparison_draws}: give at least 16, 64 as a rule.")
        if self.target_margin_mm is not None and not 0 <= self.target_margin_mm < math.inf:
            raise TumorTwinError(f"target_margin_mm is {self.target_margin_mm:g}: give zero or more.")
        if self.regimen_start is not None:
            try:
                datetime.fromisoformat(self.regimen_start)
            except ValueError:
                raise TumorTwinError(
                    f"regimen_start is {self.regimen_start!r}: give a date and time as in 2024-03-04T09:00."
                ) from None

    def _check_days(self) -> None:
        days, horizon = (0.0, *self.output_days), math.inf if self.horizon_days is None else self.horizon_days
        if self.horizon_days is not None and not 0 < horizon < math.inf:
            raise TumorTwinError(f"The horizon is {horizon:g} days: give a number above zero.")
        if any(not later > earlier for earlier, later in itertools.pairwise(days)) or days[-1] > horizon:
            raise TumorTwinError(
                f"The output days are {', '.join(f'{day:g}' for day in self.output_days)}: give them in rising order, "
                f"between 0 and the horizon of {horizon:g}."
            )

    @property
    def forecast_days(self) -> tuple[float, ...]:
        """Days after the last visit used that the forecast shows."""
        if self.output_days or self.horizon_days is None:
            return self.output_days
        count = math.ceil(self.horizon_days / self.frame_every_days - 1e-9)
        return (*(number * self.frame_every_days for number in range(1, count)), self.horizon_days)

    @property
    def images_needed(self) -> tuple[str, ...]:
        """Modalities that the job reads of each visit: the cancer's model's, and those of the network that outlines.

        Raises:
            TumorTwinError: there is no such network.
        """
        images = find_cancer(self.cancer).images
        if self.segmentation_model is None:
            return images
        from TumorTwinLib.segmentation.store import ModelStore

        return tuple(dict.fromkeys((*images, *ModelStore().description(self.segmentation_model).modalities)))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"output_days": list(self.output_days), "regimens": list(self.regimens)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str = JOB_FILE) -> JobSpec:
        """The job in a dictionary, as ``to_dict`` made it; fields left out keep their defaults.

        Raises:
            TumorTwinError: naming ``where``, the field, what is wrong and what to do.
        """
        known = [one.name for one in fields(cls)]
        for name in data:
            if name not in known:
                raise TumorTwinError(f"{where} has the unknown field {name!r}: use {', '.join(known)}.")
        if "schema_version" not in data:
            raise TumorTwinError(f"{where} has no schema_version: add it with the value {SCHEMA_VERSION}.")
        try:
            return cls(**data)
        except TumorTwinError as error:
            raise TumorTwinError(f"{where}: {error}") from error


def write_spec(folder: Path, spec: JobSpec) -> None:
    write_json(folder / JOB_FILE, spec.to_dict())


def read_spec(folder: Path) -> JobSpec:
    """The job of a folder.

    Raises:
        TumorTwinError: no job, or one with a wrong or unknown field.
    """
    path = folder / JOB_FILE
    return JobSpec.from_dict(read_json(path), str(path))


def _text(name: str, value: object) -> str:
    if isinstance(value, Path):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise TumorTwinError(f"{name} is {value!r}: give text.")
    return value


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TumorTwinError(f"{name} is {value!r}: give true or false.")
    return value


def _integer(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TumorTwinError(f"{name} is {value!r}: give a whole number.")
    return int(value)


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TumorTwinError(f"{name} is {value!r}: give a number.")
    return float(value)


def _numbers(name: str, value: object) -> tuple[float, ...]:
    if not isinstance(value, list | tuple):
        raise TumorTwinError(f"{name} is {value!r}: give a list of numbers.")
    return tuple(_number(name, one) for one in value)


def _texts(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise TumorTwinError(f"{name} is {value!r}: give a list of names.")
    return tuple(_text(name, one) for one in value)


def _values(name: str, value: object) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise TumorTwinError(f"{name} is {value!r}: give values by parameter name.")
    return {_text(name, key): _number(str(key), one) for key, one in value.items()}
