"""All that a calibration does not know, as functions of one vector z whose prior is standard normal."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from TumorTwinLib.inference.priors import Prior
from TumorTwinLib.models.parameters import Parameter, ParameterValues

AMPLITUDE, DISPLACEMENT, REACH = "first_state_amplitude", "first_state_displacement_mm", "first_state_reach"
FIRST_STATE = (AMPLITUDE, DISPLACEMENT, REACH)
LEVELS = {"core": "core_level_shift", "whole_tumor": "whole_level_shift"}


@dataclass(frozen=True)
class Doubts:
    """Prior standard deviations of what is no model parameter; zero means certain.

    Args:
        amplitude: of the first state, in log-odds of cellularity.
        displacement_mm: of its boundary.
        reach: of its invisible tail, in the logarithm of the infiltration length.
        level: by region, of the cellularity on its contour, in log-odds.
        growth, growth_days: standard deviation of the log growth rate about its mean, and its correlation time.
    """

    amplitude: float = 0.2
    displacement_mm: float = 0.7
    reach: float = 0.3
    level: Mapping[str, float] | None = None
    growth: float = 0.2
    growth_days: float = 30.0


@dataclass(frozen=True, eq=False)
class Unknowns:
    """The layout of z: model parameters, first state, contour levels, growth between visits.

    Args:
        declared: the model's parameters; those without a prior are fixed at ``fixed`` or their median.
        priors: by name, of the parameters to calibrate.
        fixed: values by name of the others.
        doubts: of all else.
        days: (K + 1,) of the visits; growth has one factor for each interval between them.
    """

    declared: tuple[Parameter, ...]
    priors: Mapping[str, Prior]
    fixed: Mapping[str, float]
    doubts: Doubts
    days: tuple[float, ...]

    @functools.cached_property
    def parameters(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.declared if p.name in self.priors)

    @functools.cached_property
    def _spread(self) -> dict[str, float]:
        d = self.doubts
        first = dict(zip(FIRST_STATE, (d.amplitude, d.displacement_mm, d.reach), strict=True))
        levels = {LEVELS[region]: sd for region, sd in (d.level or {}).items()}
        return {name: sd for name, sd in (first | levels).items() if sd > 0}

    @functools.cached_property
    def growth_names(self) -> tuple[str, ...]:
        count = len(self.days) - 1 if self.doubts.growth > 0 else 0
        return tuple(f"growth_{k}" for k in range(1, count + 1))

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Of the components of z."""
        return (*self.parameters, *self._spread, *self.growth_names)

    @property
    def size(self) -> int:
        return len(self.names)

    @functools.cached_property
    def directions(self) -> tuple[str, ...]:
        """What tangents are carried for: logarithms of parameters and growth factors, and the first state."""
        return (*self.parameters, *(name for name in self._spread if name in FIRST_STATE), *self.growth_names)

    @functools.cached_property
    def _growth_root(self) -> np.ndarray:
        """(K, K) Cholesky factor of the growth factors' covariance."""
        count = len(self.growth_names)
        if not count:
            return np.zeros((0, 0))
        return np.linalg.cholesky(interval_covariance(self.days, self.doubts.growth, self.doubts.growth_days))

    def column(self, name: str) -> int:
        return self.names.index(name)

    def values(self, z: np.ndarray) -> ParameterValues:
        """Model parameters at one (d,) z."""
        found = {name: float(self.priors[name].value(z[i])) for i, name in enumerate(self.parameters)}
        return ParameterValues(self.declared, {**self.fixed, **found})

    def parameter_values(self, z: np.ndarray) -> np.ndarray:
        """(n, p) calibrated parameters at (n, d) draws."""
        return np.stack([self.priors[name].value(z[:, i]) for i, name in enumerate(self.parameters)], axis=1)

    def possible(self, z: np.ndarray) -> np.ndarray:
        """(n,) whether every rate is positive, as not every prior makes sure."""
        return np.asarray((self.parameter_values(z) > 0).all(axis=1))

    def nuisance(self, z: np.ndarray, name: str) -> float:
        """A part of the first state or a level shift at one z; zero where it is certain."""
        return float(z[self.column(name)]) * self._spread[name] if name in self._spread else 0.0

    def growth(self, z: np.ndarray) -> np.ndarray:
        """(..., K) log growth factors at (..., d) z."""
        start = self.size - len(self.growth_names)
        return z[..., start:] @ self._growth_root.T

    def chain(self, z: np.ndarray) -> np.ndarray:
        """(directions + levels, d) derivative of what tangents are carried for, then of level shifts, by z."""
        rows = (*self.directions, *(name for name in self._spread if name not in FIRST_STATE))
        matrix = np.zeros((len(rows), self.size))
        for row, name in enumerate(rows):
            if name in self.priors:
                prior, column = self.priors[name], self.column(name)
                matrix[row, column] = float(prior.slope(z[column]) / prior.value(z[column]))
            elif name in self._spread:
                matrix[row, self.column(name)] = self._spread[name]
        first, start = len(self.directions) - len(self.growth_names), self.size - len(self.growth_names)
        matrix[first : len(self.directions), start:] = self._growth_root
        return matrix

    @functools.cached_property
    def level_names(self) -> tuple[str, ...]:
        return tuple(name for name in self._spread if name not in FIRST_STATE)

    def growth_after(self, z: np.ndarray, edges: Sequence[float], rng: np.random.Generator) -> np.ndarray:
        """(n, m) log growth factors, drawn given (n, d) z, of the m intervals between ``edges``.

        The first edge is the last visit.
        """
        if not self.growth_names:
            return np.zeros((len(z), len(edges) - 1))
        known = len(self.growth_names)
        joint = interval_covariance((*self.days, *edges[1:]), self.doubts.growth, self.doubts.growth_days)
        gain = np.linalg.solve(joint[:known, :known], joint[:known, known:]).T
        rest = joint[known:, known:] - gain @ joint[:known, known:]
        root = np.linalg.cholesky(rest + 1e-12 * np.eye(len(rest)))
        return self.growth(z) @ gain.T + rng.standard_normal((len(z), len(rest))) @ root.T


def interval_covariance(edges: Sequence[float], sd: float, correlation_days: float) -> np.ndarray:
    """(K, K) covariance of the means of an Ornstein-Uhlenbeck process over the intervals between K + 1 ``edges``.

    The double integral of ``sd^2 exp(-|t - s| / tau)`` over two intervals is a sum of ``f(x) = tau^2 exp(-|x| / tau)
    + tau |x|``, whose second derivative is the kernel, at the four differences of their ends.
    """
    t = np.asarray(edges, dtype=float)

    def f(x: np.ndarray) -> np.ndarray:
        return correlation_days**2 * np.exp(-np.abs(x) / correlation_days) + correlation_days * np.abs(x)

    gaps = f(t[:, None] - t[None, :])
    double = gaps[1:, :-1] + gaps[:-1, 1:] - gaps[1:, 1:] - gaps[:-1, :-1]
    length = np.diff(t)
    return sd**2 * double / np.outer(length, length)
