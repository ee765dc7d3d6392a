"""Levenberg-Marquardt on log-parameters with a Gaussian prior, from condensed normal equations.

Minimises ``F(x) = sum_k n_k log |r_k(x)|^2 + |(x - m) / s|^2`` (Madsen, Nielsen and Tingleff 2004), where k runs over
kinds of data and n_k is how many of their voxels are independent: minus twice the log-posterior, with the variance of
the noise at its most probable value ``|r_k|^2`` over the number of voxels, so that noise need not be known.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from TumorTwinLib.errors import CancelledError
from TumorTwinLib.inference.residuals import Block

_FIRST_DAMPING, _LARGEST_DAMPING = 1e-3, 1e9
_ROUNDING = 1e-5  # relative change of a sum of squares that float32 solutions cannot show
_LEAST_NOISE = 1e-5  # of cellularity
_LARGEST_STEP = 1.0  # in log-parameters: at most a factor e a step


class FitStatus(enum.Enum):
    """How a fit ended, with what to do about it."""

    CONVERGED = "converged"
    MAX_ITERATIONS = "not converged: allow more iterations or check the data"
    STALLED = "no step improves the fit: check the data and the bounds"
    CANCELLED = "cancelled: the best parameters so far are kept"


@dataclass(frozen=True, eq=False)
class Objective:
    """Number of independent voxels by kind of data, and the prior of the log-parameters."""

    independent: Mapping[str, float]
    prior_mean: np.ndarray
    prior_sd: np.ndarray

    def value(self, x: np.ndarray, blocks: Mapping[str, Block]) -> float:
        data = sum(n * math.log(_squares(blocks[kind])) for kind, n in self.independent.items())
        return data + float(np.sum(((x - self.prior_mean) / self.prior_sd) ** 2))

    def normal_equations(self, x: np.ndarray, blocks: Mapping[str, Block]) -> tuple[np.ndarray, np.ndarray]:
        """Half gradient (P,) and Gauss-Newton half Hessian (P, P) of the objective."""
        gradient = (x - self.prior_mean) / self.prior_sd**2
        hessian = np.diag(1.0 / self.prior_sd**2)
        for kind, n in self.independent.items():
            weight = n / _squares(blocks[kind])
            gradient = gradient + weight * blocks[kind].gradient
            hessian = hessian + weight * blocks[kind].hessian
        return gradient, hessian


def _squares(block: Block) -> float:
    """Sum of squares, with what rounding of scans would leave of a perfect fit."""
    return block.squares + _LEAST_NOISE**2 * max(block.count, 1)


@dataclass(frozen=True, eq=False)
class Fit:
    """Where the minimisation stands.

    Args:
        x: (P,) log-parameters; blocks: residuals there.
        iterations: evaluations of the model.
        history: objective after every accepted step.
    """

    status: FitStatus
    x: np.ndarray
    blocks: Mapping[str, Block]
    objective: float
    iterations: int
    history: tuple[float, ...]


def minimise(
    evaluate: Callable[[np.ndarray], Mapping[str, Block]],
    start: Fit,
    objective: Objective,
    lower: np.ndarray,
    upper: np.ndarray,
    *,
    max_iterations: int,
    expected_gain: float,
    on_step: Callable[[Fit], None] | None = None,
) -> Fit:
    """Iterate until the expected gain of another step, in units of the objective, falls below ``expected_gain``.

    One unit of the objective is one squared standard deviation, so 0.01 leaves every parameter within a tenth of its
    own standard error of the optimum. Where the noise is so low that rounding of the model hides such a gain, one last
    Gauss-Newton step is taken on trust: its gradient is still good. Steps are relative changes of the parameters
    themselves, ``x -> x + log(1 + step)``: rates add up in the exponent of growth, so that the valleys in which they
    make up for each other are straight in them and bent in their logarithms. ``on_step`` is told the fit so far before
    every step.
    """
    fit = replace(start, objective=objective.value(start.x, start.blocks))
    damping, trusted = _FIRST_DAMPING, False
    while True:
        if on_step is not None:
            on_step(fit)
        gradient, hessian = objective.normal_equations(fit.x, fit.blocks)
        lowest = np.expm1(np.maximum(lower - fit.x, -_LARGEST_STEP))
        highest = np.expm1(np.minimum(upper - fit.x, _LARGEST_STEP))
        step = _damped_step(gradient, hessian, lowest, highest, damping)
        trial_x = fit.x + np.log1p(step)
        gain = -float(2.0 * gradient @ step + step @ hessian @ step)
        if gain < 0.0 and damping < _LARGEST_DAMPING:  # several parameters stopped at walls
            damping = max(damping, 1e-3) * 8.0
            continue
        hidden = gain < _ROUNDING * sum(objective.independent.values())
        if gain < expected_gain or (hidden and trusted):
            return replace(fit, status=FitStatus.CONVERGED)
        if fit.iterations >= max_iterations:
            return replace(fit, status=FitStatus.MAX_ITERATIONS)
        try:
            blocks = evaluate(trial_x)
        except CancelledError:
            return replace(fit, status=FitStatus.CANCELLED)
        value = objective.value(trial_x, blocks)
        ratio = (fit.objective - value) / gain
        fit = replace(fit, iterations=fit.iterations + 1)
        if ratio > 1e-3 or hidden:
            trusted = hidden
            damping *= max(0.1, 1.0 - (2.0 * ratio - 1.0) ** 3)  # Nielsen's update: less when the model predicts well
            history = (*fit.history, value)
            fit = replace(fit, x=trial_x, blocks=blocks, objective=value, history=history)
        else:
            damping = max(damping, 1e-3) * 8.0
            if damping > _LARGEST_DAMPING:
                return replace(fit, status=FitStatus.STALLED)


def _damped_step(
    gradient: np.ndarray, hessian: np.ndarray, lowest: np.ndarray, highest: np.ndarray, damping: float
) -> np.ndarray:
    """Minimiser of the damped quadratic model in a box around zero.

    A parameter that would leave the box stays at its wall and the others are solved for anew: with correlated
    parameters, one that hardly matters may be sent far outside, and its length must not shorten the others' steps.
    """
    system = hessian + damping * np.diag(np.diag(hessian))
    step, free = np.zeros_like(gradient), np.ones(len(gradient), dtype=bool)
    while free.any():
        pull = gradient + system[:, ~free] @ step[~free]
        step[free] = np.linalg.solve(system[np.ix_(free, free)], -pull[free])
        outside = free & ((step < lowest) | (step > highest))
        if not outside.any():
            break
        step = np.clip(step, lowest, highest)
        free &= ~outside
    return step
