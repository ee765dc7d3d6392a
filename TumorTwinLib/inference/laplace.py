"""The most probable z and the Gaussian there: Gauss-Newton with damping, from the best of many starts."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from TumorTwinLib.errors import CancelledError
from TumorTwinLib.inference.simulator import Simulator

_FIRST_DAMPING, _LARGEST_DAMPING = 1e-2, 1e6
_LARGEST_STEP = 1.5  # prior standard deviations a step
_FARTHEST = 6.0  # prior standard deviations from the prior's middle


class ModeStatus(enum.Enum):
    """How the search for the most probable z ended."""

    CONVERGED = "converged"
    MAX_ITERATIONS = "not converged: allow more iterations or check the data"
    STALLED = "no step improves the fit: check the data"
    CANCELLED = "cancelled: the best parameters so far are kept"


@dataclass(frozen=True, eq=False)
class Mode:
    """A maximum of the posterior of z.

    Args:
        z: (d,); log_posterior: unnormalised, with the prior's and likelihood's own constants.
        hessian: (d, d) Gauss-Newton Hessian of its negative, prior included.
        iterations: linearised solves it took.
    """

    status: ModeStatus
    z: np.ndarray
    log_posterior: float
    gradient: np.ndarray
    hessian: np.ndarray
    iterations: int

    @property
    def covariance(self) -> np.ndarray:
        return np.linalg.inv(self.hessian)


def log_prior(z: np.ndarray) -> np.ndarray:
    """(...,) log-density of the standard normal at (..., d)."""
    return -0.5 * (z**2).sum(axis=-1) - 0.5 * z.shape[-1] * np.log(2.0 * np.pi)


def _evaluate(simulator: Simulator, z: np.ndarray, before: Mode | None) -> Mode:
    iterations = 1 if before is None else before.iterations + 1
    if not simulator.unknowns.possible(z[None])[0]:
        return Mode(ModeStatus.STALLED, z, -np.inf, np.zeros_like(z), np.eye(len(z)), iterations)
    summaries, jacobian = simulator.linearised(z)
    gradient, hessian = simulator.likelihood.normal_equations(summaries, jacobian)
    value = float(log_prior(z) + simulator.likelihood.log_likelihood(summaries))
    return Mode(ModeStatus.STALLED, z, value, gradient - z, hessian + np.eye(len(z)), iterations)


def climb(
    simulator: Simulator,
    start: np.ndarray,
    *,
    max_iterations: int = 30,
    expected_gain: float = 0.01,
    on_step: Callable[[Mode], None] | None = None,
) -> Mode:
    """Levenberg-Marquardt in z until another step is expected to gain less than ``expected_gain`` in log-posterior.

    0.005 is a tenth of a standard deviation.

    Raises:
        CancelledError: stopped before the first solve was complete.
    """
    best = _evaluate(simulator, start, None)
    damping = _FIRST_DAMPING
    while True:
        if on_step is not None:
            on_step(best)
        system = best.hessian + damping * np.diag(np.diag(best.hessian))
        step = np.linalg.solve(system, best.gradient)
        step *= min(1.0, _LARGEST_STEP / max(float(np.abs(step).max()), 1e-300))
        z = np.clip(best.z + step, -_FARTHEST, _FARTHEST)
        step = z - best.z
        gain = float(best.gradient @ step - 0.5 * step @ best.hessian @ step)
        if gain < expected_gain:
            return replace(best, status=ModeStatus.CONVERGED)
        if best.iterations >= max_iterations:
            return replace(best, status=ModeStatus.MAX_ITERATIONS)
        try:
            trial = _evaluate(simulator, z, best)
        except CancelledError:
            return replace(best, status=ModeStatus.CANCELLED)
        ratio = (trial.log_posterior - best.log_posterior) / gain
        if ratio > 1e-3:
            best = trial
            damping *= max(0.1, 1.0 - (2.0 * ratio - 1.0) ** 3)
        else:
            best = replace(best, iterations=trial.iterations)
            damping = max(damping, 1e-3) * 8.0
            if damping > _LARGEST_DAMPING:
                return replace(best, status=ModeStatus.STALLED)


def find_starts(simulator: Simulator, count: int, kept: int, seed: int) -> np.ndarray:
    """(kept, d) best of ``count`` draws of the model parameters from their priors, all else at its middle.

    The prior's middle is one of them.
    """
    rng = np.random.default_rng(seed)
    z = np.zeros((count, simulator.unknowns.size))
    parameters = len(simulator.unknowns.parameters)
    z[1:, :parameters] = rng.standard_normal((count - 1, parameters))
    found = simulator.likelihood.log_likelihood(simulator.summaries(z)) + log_prior(z)
    return z[np.argsort(-found, kind="stable")[:kept]]


def climb_from_all(simulator: Simulator, starts: np.ndarray, *, max_iterations: int = 12) -> Sequence[Mode]:
    """The modes reached from each start, best first; those that are the same hill count once."""
    modes = sorted(
        (climb(simulator, start, max_iterations=max_iterations, expected_gain=0.2) for start in starts),
        key=lambda mode: -mode.log_posterior,
    )
    distinct: list[Mode] = []
    for mode in modes:
        gaps = [mode.z - other.z for other in distinct]
        if all(gap @ other.hessian @ gap > 9.0 * len(mode.z) for gap, other in zip(gaps, distinct, strict=True)):
            distinct.append(mode)
    return distinct
