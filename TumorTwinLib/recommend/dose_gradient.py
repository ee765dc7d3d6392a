"""How the number of cells after a course depends on the dose in every voxel: an exact derivative of what is computed.

The discrete adjoint of Strang's steps. A diffusion step is a symmetric matrix and so its own adjoint; a reaction
``u -> a u / (1 + b u)`` multiplies the adjoint by ``a / (1 + b u)^2``, a fraction by its survival. The derivative by
dose collects, over fractions, ``-alpha E'(d) u lambda`` just after each, with E the exponent of the survival curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from TumorTwinLib.geometry import Image
from TumorTwinLib.patient import PatientData
from TumorTwinLib.physics.backends import make_backend
from TumorTwinLib.physics.reaction import LogisticReaction, Moebius, Rate
from TumorTwinLib.physics.stepper import Stepper
from TumorTwinLib.treatment.events import RadiotherapyFraction

_STEP_DAYS = 2.0
_SPECTRAL = 1e-3  # error allowed to a diffusion step
_DOSE_STEP_GY = 1e-3


@dataclass(frozen=True, eq=False)
class DoseResponse:
    """A course of equal fractions, everything but the dose fixed.

    Args:
        patient: whose model it is; members: E sets of parameter values.
        state: (E, 1, ni, nj, nk) at ``start_day``.
        reaction: growth and drugs of all members, without the fractions.
        fraction_days: increasing, from ``start_day`` on and before ``end_day``, on which cells are counted.
    """

    model: Any
    patient: PatientData
    members: Sequence[Any]
    state: np.ndarray
    reaction: LogisticReaction
    diffusivity: Rate
    fraction_days: tuple[float, ...]
    start_day: float
    end_day: float
    dtype: str = "float32"

    def log_cells(self, dose_gy: np.ndarray) -> np.ndarray:
        """(E,) log10 of the cells on the last day, for an (ni, nj, nk) dose of each fraction."""
        return self._run(dose_gy)[0]

    def gradient(self, dose_gy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(E,) log10 cells, and the derivative of their mean by the dose of a fraction, (ni, nj, nk) per Gy."""
        log_cells, kept = self._run(dose_gy)
        domain = self.model.physics_domain
        inside = domain.unpack(domain.mask)
        _, coefficient = self._exponent(dose_gy)
        less, more = np.maximum(dose_gy - _DOSE_STEP_GY, 0.0), dose_gy + _DOSE_STEP_GY
        slope = (self._exponent(more)[0] - self._exponent(less)[0]) / (more - less)
        adjoint = self._stepper(np.broadcast_to(inside, self.state[:, 0].shape)[:, None].astype(float))
        total = np.zeros((len(log_cells), int(inside.sum())))
        for what, given, u in reversed(kept):
            if what == "react":
                a, b = given.a[:, None], given.b[:, None]
                self._multiply(adjoint, inside, a / (1.0 + b * u) ** 2)
            elif what == "diffuse":
                length, degree = given
                adjoint.diffuse(length, degree, self.reaction.identity())
            else:
                total += adjoint.cellularity()[:, inside] * u * given
                self._multiply(adjoint, inside, given)
        per_cell = 1.0 / (10.0**log_cells / self._cells_per_voxel * np.log(10.0) * len(log_cells))
        result = np.zeros(inside.shape)
        result[inside] = (-coefficient[:, None] * total * per_cell[:, None]).sum(axis=0) * slope[inside]
        return log_cells, result

    @property
    def _cells_per_voxel(self) -> float:
        return self.model.grid.voxel_volume_mm3 * self.model.carrying_capacity_per_mm3

    def _run(self, dose_gy: np.ndarray) -> tuple[np.ndarray, list[tuple[str, Any, Any]]]:
        """log10 cells, and every operation with what its adjoint needs, in the voxels that hold cells."""
        domain = self.model.physics_domain
        inside = domain.unpack(domain.mask)
        exponent, coefficient = self._exponent(dose_gy)
        survival = np.exp(-coefficient[:, None] * exponent[inside])
        stepper = self._stepper(self.state)
        kept: list[tuple[str, Any, Any]] = []

        def react(flow: Moebius) -> None:
            kept.append(("react", flow, stepper.cellularity()[:, inside]))
            stepper.react(flow)

        fractions, edges = set(self.fraction_days), self._edges()
        for start, end in zip(edges[:-1], edges[1:], strict=True):
            if start in fractions:
                kept.append(("fraction", survival, stepper.cellularity()[:, inside]))
                self._multiply(stepper, inside, survival)
            middle, degree = 0.5 * (start + end), stepper.degree(end - start, _SPECTRAL)
            react(self.reaction.flow(start, middle))
            stepper.diffuse(end - start, degree, self.reaction.identity())
            kept.append(("diffuse", (end - start, degree), None))
            react(self.reaction.flow(middle, end))
        cells = stepper.cellularity().reshape(len(self.members), -1).sum(axis=1, dtype=np.float64)
        return np.log10(cells * self._cells_per_voxel), kept

    def _edges(self) -> list[float]:
        events = [day for day in self.reaction.event_days if self.start_day < day < self.end_day]
        count = max(1, int(np.ceil((self.end_day - self.start_day) / _STEP_DAYS)))
        return sorted({*np.linspace(self.start_day, self.end_day, count + 1).tolist(), *events, *self.fraction_days})

    def _stepper(self, state: np.ndarray) -> Stepper:
        backend = make_backend(dtype=self.dtype)
        return Stepper(self.model.physics_domain, backend, state, self.diffusivity, self.reaction)

    def _multiply(self, stepper: Stepper, inside: np.ndarray, values: np.ndarray) -> None:
        factor = np.zeros((len(self.members), *inside.shape))
        factor[:, inside] = values
        stepper.multiply(factor, np.zeros((len(self.members), 0, *inside.shape)))

    def _exponent(self, dose_gy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(ni, nj, nk) log kill over alpha of a fraction of this dose, as the model has it, and (E,) alpha."""
        time = self.patient.visits[0].time
        fraction = RadiotherapyFraction(time, float(dose_gy.max()), Image(dose_gy, self.model.grid, "dose", "Gy"))
        reaction, _ = self.model.dynamics(replace(self.patient, treatments=(fraction,)), self.members)
        return np.asarray(reaction.fields[0].exponent), reaction.fields[0].coefficient.value
