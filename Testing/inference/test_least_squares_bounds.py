"""Levenberg-Marquardt with bounds: the optimum inside the box, and few evaluations on the way along its wall."""

from __future__ import annotations

import numpy as np
import pytest

from TumorTwinLib.inference.least_squares import Fit, FitStatus, Objective, minimise
from TumorTwinLib.inference.residuals import Block

FREE_OPTIMUM = np.array([3.0, -50.0])
SENSITIVITY = np.array([1.0, 0.01])  # the second parameter hardly matters, so its free optimum is far away
CORRELATION = 0.9
NO_PRIOR = Objective({"linear": 2.0}, np.zeros(2), np.full(2, 1e6))


def _evaluate(x: np.ndarray) -> dict[str, Block]:
    """Linear residuals ``J (x - FREE_OPTIMUM)``, condensed."""
    hessian = np.array([[1.0, CORRELATION], [CORRELATION, 1.0]]) * np.outer(SENSITIVITY, SENSITIVITY)
    gap = x - FREE_OPTIMUM
    return {"linear": Block(2, float(gap @ hessian @ gap), hessian @ gap, hessian, np.zeros(3))}


def _fit(lower: np.ndarray, upper: np.ndarray) -> Fit:
    start = np.zeros(2)
    begin = Fit(FitStatus.STALLED, start, _evaluate(start), np.inf, 1, ())
    return minimise(_evaluate, begin, NO_PRIOR, lower, upper, max_iterations=200, expected_gain=1e-6)


def test_an_insensitive_parameter_at_its_bound_does_not_slow_the_others():
    # At the start the second parameter is at its bound, its gradient points inside and the step of both far outside.
    assert _evaluate(np.zeros(2))["linear"].gradient[1] < 0
    fit = _fit(np.array([-100.0, 0.0]), np.full(2, 100.0))
    best = FREE_OPTIMUM[0] + CORRELATION * SENSITIVITY[1] / SENSITIVITY[0] * FREE_OPTIMUM[1]
    assert fit.status is FitStatus.CONVERGED
    assert fit.x == pytest.approx([best, 0.0], abs=1e-2)
    assert fit.iterations < 10


def test_a_parameter_at_its_bound_leaves_it_when_the_step_points_inside():
    fit = _fit(np.full(2, -100.0), np.array([100.0, 0.0]))
    assert fit.status is FitStatus.CONVERGED
    assert fit.x == pytest.approx(FREE_OPTIMUM, abs=0.5)
