"""ParameterEstimator: parameters from two scans and the days between them."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image
from TumorTwinLib.inference.bayes import BayesianCalibration
from TumorTwinLib.inference.posterior import Posterior
from TumorTwinLib.inference.priors import Prior, full_name
from TumorTwinLib.models.glioblastoma import ReactionDiffusionModel
from TumorTwinLib.models.parameters import Parameter
from TumorTwinLib.patient import PatientData, Visit
from TumorTwinLib.treatment.events import TreatmentEvent

_FIRST_DAY = datetime(2000, 1, 1)  # only the days between the scans count
_SKULL = 0.6  # of an image that is not zero, above which it shows more than a brain
_MODELS = {"reaction_diffusion": ReactionDiffusionModel, "glioblastoma": ReactionDiffusionModel}


class Optimization(enum.Enum):
    """What is estimated: the posterior by weighted draws, its maximum with the Gaussian there, or equal draws too."""

    BAYESIAN = "bayesian"
    MAP = "map"
    ENSEMBLE = "ensemble"


class EstimatedParameters(Mapping[str, float]):
    """Parameters by name, or by the beginning of one (``"diffusion"``), and the carrying capacity.

    Args:
        result: the posterior that they come from.
        ensemble: equal draws of all parameters by name, (n,) each; empty unless asked for.
    """

    def __init__(self, result: Posterior, ensemble: Mapping[str, np.ndarray] | None = None) -> None:
        self.result = result
        self.ensemble = dict(ensemble or {})
        self._values = dict(result.map_estimate)
        self._extra = {"carrying_capacity": float(result.model.carrying_capacity_per_mm3)}
        self._declared: tuple[Parameter, ...] = result.model.parameters

    def __getitem__(self, key: str) -> float:
        if key in self._extra:
            return self._extra[key]
        try:
            return self._values[full_name(self._declared, key)]
        except TumorTwinError as fault:
            raise KeyError(str(fault)) from None

    def __iter__(self):
        return iter([*self._values, *self._extra])

    def __len__(self) -> int:
        return len(self._values) + len(self._extra)

    def credible_interval(self, level: float = 0.95) -> dict[str, tuple[float, float]]:
        return self.result.credible_interval(level)


@dataclass(frozen=True)
class ParameterEstimator:
    """Parameters of a tumor from two scans.

    Args:
        model_type: ``"reaction_diffusion"``.
        optimization: ``"bayesian"``, ``"map"`` or ``"ensemble"``.
        n_samples: draws, or members of the ensemble.
        settings: further arguments of ``BayesianCalibration``.

    Raises:
        TumorTwinError: an unknown model or optimization.
    """

    model_type: str = "reaction_diffusion"
    optimization: str = "bayesian"
    n_samples: int = 1000
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.model_type not in _MODELS:
            raise TumorTwinError(f"Unknown model {self.model_type!r}: choose from {', '.join(sorted(_MODELS))}.")
        if self.optimization not in {kind.value for kind in Optimization}:
            kinds = ", ".join(kind.value for kind in Optimization)
            raise TumorTwinError(f"Unknown optimization {self.optimization!r}: choose from {kinds}.")

    def estimate(
        self,
        imaging_t0: Visit,
        imaging_t1: Visit,
        time_interval_days: float,
        prior_distributions: Mapping[str, Prior | Sequence] | None = None,
        *,
        brain_mask: Image | None = None,
        tissues: Mapping[str, Image] | None = None,
        treatments: Sequence[TreatmentEvent] = (),
    ) -> EstimatedParameters:
        """Calibrate to two scans.

        Args:
            imaging_t0, imaging_t1: images and segmented regions of either; their own dates are not used.
            time_interval_days: from the first to the second.
            prior_distributions: by parameter name or its beginning, such as ``("lognormal", median, log_sd)``.
            brain_mask: without it, where the images of a skull-stripped scan are not zero.
            treatments: between the scans; their times count from the first scan's own date.

        Raises:
            TumorTwinError: an interval that is not positive, no brain, or scans that show no tumor.
        """
        if not 0 < time_interval_days < np.inf:
            raise TumorTwinError(f"time_interval_days is {time_interval_days}: give the days between the two scans.")
        start = imaging_t0.time or _FIRST_DAY
        visits = [
            Visit(start + timedelta(days=days), scan.images, scan.regions)
            for days, scan in ((0.0, imaging_t0), (float(time_interval_days), imaging_t1))
        ]
        patient = PatientData(
            "two scans", visits=visits, treatments=treatments, brain_mask=brain_mask or _skull_stripped(imaging_t0),
            tissues=tissues or {},
        )  # fmt: skip
        model = _MODELS[self.model_type].from_patient(patient)
        samples = self.n_samples if self.optimization != Optimization.MAP.value else 0
        calibration = BayesianCalibration(model, patient, samples, priors=prior_distributions, **self.settings)
        posterior = calibration.run()
        if self.optimization != Optimization.ENSEMBLE.value:
            return EstimatedParameters(posterior)
        return EstimatedParameters(posterior, posterior.equal_draws(self.n_samples))


def _skull_stripped(scan: Visit) -> Image:
    """The brain of images that are zero everywhere else."""
    anatomical = [image for name, image in scan.images.items() if name != "ADC"]
    if anatomical:
        first = anatomical[0]
        brain = first.array != 0
        if 0 < brain.mean() < _SKULL:
            return Image(brain, first.grid, "brain of " + first.name)
    raise TumorTwinError("The scans show no brain that stands alone: pass brain_mask=.")
