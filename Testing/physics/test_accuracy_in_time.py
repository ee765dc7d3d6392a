"""Second order in the step, an error estimate that bounds the error, and a tolerance that is kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from Testing.physics.problems import ball, block, domain_of, even_plan, final, grow, growth, rate, relative_l2
from Testing.physics.problems import voxel_centres_mm as centres
from TumorTwinLib.physics.domain import Domain
from TumorTwinLib.physics.reaction import Drug, InstantKill, LogisticReaction
from TumorTwinLib.physics.solver import Solution, SolverSettings


@pytest.mark.parametrize("degree", [12, 16])
def test_splitting_is_of_second_order_in_the_step(degree):
    shape, days = (16, 15, 14), 24.0
    drug = Drug(rate(0.3), 0.5, np.array([2.0, 11.0]), np.ones(2))
    reaction = growth(0.15, drugs=(drug,), instants=(InstantKill(6.0, rate(0.4)),))
    tumour, domain = ball(shape, 4.0), block(shape)

    def field(steps: int) -> np.ndarray:
        settings = SolverSettings(dtype="float64")
        return final(domain, tumour, [days], 0.3, reaction, settings, plan=even_plan(days, steps, degree))

    converged = field(1536)
    errors = [relative_l2(field(steps), converged) for steps in (24, 48, 96)]
    rates = np.log2(np.divide(errors[:-1], errors[1:]))
    assert errors[0] < 2e-3
    assert rates == pytest.approx([2.0, 2.0], abs=0.1)


@dataclass(frozen=True)
class Problem:
    domain: Domain
    tumour: np.ndarray
    diffusivity: float
    reaction: LogisticReaction
    days: tuple[float, ...]

    def solve(self, tolerance: float, dtype: str = "float64") -> Solution:
        settings = SolverSettings(tolerance, dtype)
        return grow(self.domain, self.tumour, self.days, self.diffusivity, self.reaction, settings)


def _problem(name: str) -> Problem:
    shape = (24, 26, 28)
    organ = sum((x / (0.5 * n)) ** 2 for x, n in zip(centres(shape), shape, strict=True)) < 1
    sharp = 0.8 * (ball(shape, 5.0) > 0.3)
    if name == "growth from a sharp edge":
        return Problem(domain_of(organ), sharp, 0.1, growth(0.05), (30.0, 60.0))
    if name == "chemoradiation":
        fractions = tuple(InstantKill(float(7 * w + d + 5), rate(0.12)) for w in range(5) for d in range(5))
        drug = Drug(rate(0.2), 9.242, np.arange(5.0, 40.0), np.full(35, 0.5))
        reaction = growth(0.05, instants=fractions, drugs=(drug,))
        return Problem(domain_of(organ), sharp, 0.1, reaction, (20.0, 60.0))
    stripes = np.where(np.arange(shape[0])[:, None, None] // 4 % 2, 1.0, 0.1) * np.ones(shape)
    return Problem(domain_of(organ, (1.0, 1.0, 2.0), stripes), sharp, 1.0, growth(0.03), (20.0, 40.0))


PROBLEMS = ["growth from a sharp edge", "chemoradiation", "patchy and fast diffusion"]


@pytest.fixture(scope="module", params=PROBLEMS)
def problem_and_truth(request) -> tuple[Problem, np.ndarray]:
    problem = _problem(request.param)
    return problem, problem.solve(2e-6).cellularity[:, 0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("tolerance", [1e-2, 1e-3, 1e-4])
def test_the_tolerance_is_kept_and_the_estimate_bounds_the_error(problem_and_truth, tolerance, dtype):
    problem, truth = problem_and_truth
    run = problem.solve(tolerance, dtype)
    error = max(relative_l2(found, exact) for found, exact in zip(run.cellularity[:, 0], truth, strict=True))
    assert error < 1.6 * tolerance
    assert error < run.error_estimate < 40 * error


def test_a_tighter_tolerance_takes_more_steps_and_errs_less(problem_and_truth):
    problem, truth = problem_and_truth
    runs = [problem.solve(tolerance) for tolerance in (1e-2, 1e-3, 1e-4)]
    errors = [relative_l2(run.cellularity[-1, 0], truth[-1]) for run in runs]
    steps = [run.stats["steps"] for run in runs]
    assert steps == sorted(steps)
    assert errors == sorted(errors, reverse=True)


def test_stiffness_costs_its_square_root():
    """Twenty times the diffusivity must not take twenty times the stages: there is no stability limit."""
    shape = (12, 12, 12)
    settings = SolverSettings(1e-3, "float64", largest_step_days=2.0)
    slow, fast = (grow(block(shape), ball(shape, 3.0), [30.0], d, growth(0.01), settings) for d in (0.5, 10.0))
    assert fast.stats["stages"] < 6 * slow.stats["stages"]


@pytest.mark.parametrize("tolerance", [1e-3, 1e-4])
def test_events_hours_apart_do_not_spoil_the_estimate_in_single_precision(tolerance):
    """The error of a step of an hour drowns in rounding and must not be taken for that of the days to come."""
    shape = (20, 20, 20)
    mornings = np.array([7 * week + day + 8 / 24 for week in range(6) for day in range(5)])
    drug = Drug(rate(0.3), 9.242, mornings, np.ones(len(mornings)))
    fractions = tuple(InstantKill(float(day), rate(0.08)) for day in mornings + 1.5 / 24)
    reaction = growth(0.06, drugs=(drug,), instants=fractions)
    problem = Problem(block(shape, (2.0, 2.0, 2.0)), ball(shape, 10.0, (2.0, 2.0, 2.0)), 0.5, reaction, (45.0, 90.0))
    truth, run = problem.solve(1e-6).cellularity[:, 0], problem.solve(tolerance, "float32")
    errors = [relative_l2(found, exact) for found, exact in zip(run.cellularity[:, 0], truth, strict=True)]
    assert max(errors) < tolerance
    assert max(errors) < run.error_estimate < 3 * tolerance
