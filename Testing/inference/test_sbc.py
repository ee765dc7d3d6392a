"""Simulation-based calibration finds right samplers right and wrong ones wrong."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from scipy import stats

from Testing.inference import small_patient as small
from TumorTwinLib.inference.likelihood import ErrorGroup, SummaryLikelihood
from TumorTwinLib.inference.priors import find_priors
from TumorTwinLib.inference.problem import make_simulator
from TumorTwinLib.inference.sampling import Draws
from TumorTwinLib.inference.sbc import (
    CalibrationCheck,
    ecdf_band,
    gather,
    rank_of_truth,
    replicate,
    sample_posterior,
)
from TumorTwinLib.inference.unknowns import Doubts, Unknowns
from TumorTwinLib.models.glioblastoma import PARAMETERS
from TumorTwinLib.physics.solver import SolverSettings

REPLICATES = 200
CERTAIN = Doubts(0.0, 0.0, 0.0, {}, 0.0)
MATRIX = np.array([[1.0, 0.5, 0.0], [0.3, -1.0, 0.2], [0.0, 0.4, 0.8], [0.6, 0.0, -0.5], [0.2, 0.2, 0.2]])


@dataclass(frozen=True, eq=False)
class LinearSimulator:
    """Summaries that are linear in z."""

    unknowns: Unknowns
    likelihood: SummaryLikelihood
    memory: dict = field(default_factory=dict)
    work: list = field(default_factory=list)

    def summaries(self, z, on_done=None):
        return z @ MATRIX.T

    def linearised(self, z):
        return MATRIX @ z, MATRIX


@pytest.fixture(scope="module")
def linear() -> LinearSimulator:
    priors = {name: prior for name, prior in list(find_priors(PARAMETERS).items())[:3]}
    unknowns = Unknowns(PARAMETERS, priors, {}, CERTAIN, (0.0, 30.0))
    root = np.linalg.cholesky(0.3 * np.eye(5) + 0.1)
    return LinearSimulator(
        unknowns, SummaryLikelihood((), tuple("abcde"), np.zeros(5), (ErrorGroup("all", np.arange(5), root, 1e7),))
    )


def test_the_linear_gaussian_posterior_is_the_one_in_closed_form(linear):
    data = np.array([0.5, -1.0, 0.3, 1.2, 0.0])
    given = replace(linear, likelihood=replace(linear.likelihood, observed=data))
    covariance = 0.3 * np.eye(5) + 0.1
    precision = np.eye(3) + MATRIX.T @ np.linalg.solve(covariance, MATRIX)
    mean = np.linalg.solve(precision, MATRIX.T @ np.linalg.solve(covariance, data))
    draws = sample_posterior(given, 4000, np.random.default_rng(1))
    weights = np.exp(draws.log_weights)
    np.testing.assert_allclose(weights @ draws.z, mean, atol=0.03)
    spread = (draws.z - mean).T @ ((draws.z - mean) * weights[:, None])
    np.testing.assert_allclose(spread, np.linalg.inv(precision), atol=0.04)
    marginal = stats.multivariate_normal(np.zeros(5), covariance + MATRIX @ MATRIX.T).logpdf(data)
    assert draws.log_evidence == pytest.approx(marginal, abs=0.03)


def ranks_of(simulator, sample) -> CalibrationCheck:
    return gather([replicate(simulator, seed, draws=400, sample=sample) for seed in range(REPLICATES)])


def test_a_right_sampler_is_inside_every_band(linear):
    inside = ranks_of(linear, sample_posterior).inside()
    assert set(inside) == {*linear.unknowns.parameters, "log_likelihood"}
    assert all(inside.values()), inside


def narrowed(simulator, count, rng) -> Draws:
    """Draws with two thirds of the right spread."""
    draws = sample_posterior(simulator, count, rng)
    mean = np.exp(draws.log_weights) @ draws.z
    return replace(draws, z=mean + 0.67 * (draws.z - mean))


def shifted(simulator, count, rng) -> Draws:
    """Draws off by half a posterior standard deviation."""
    draws = sample_posterior(simulator, count, rng)
    return replace(draws, z=draws.z + 0.5 * draws.z.std(axis=0))


def unweighted(simulator, count, rng) -> Draws:
    """The proposal's draws as if they were the posterior's: too wide."""
    draws = sample_posterior(simulator, count, rng)
    return replace(draws, log_weights=np.full(len(draws.z), -np.log(len(draws.z))))


@pytest.mark.parametrize("broken", [narrowed, shifted, unweighted])
def test_a_broken_sampler_is_found_out(linear, broken):
    inside = ranks_of(linear, broken).inside()
    assert not all(inside[name] for name in inside), inside


@pytest.fixture(scope="module")
def coarse_patient():
    """The real equation with its treatments, tangents and summaries, on a grid that solves in milliseconds."""
    mask = small.brain(12, 5.0)
    first = small.visit(0.0, small.young_tumor(mask.grid, 12.0) * mask.array, mask.grid)
    model = small.model(mask)
    fields = small.grow(small.patient([first], brain_mask=mask), model, small.DAYS[1:])
    scans = [small.visit(day, u, mask.grid) for day, u in zip(small.DAYS[1:], fields, strict=True)]
    patient = small.patient([first, *scans], brain_mask=mask)
    return make_simulator(
        model,
        patient,
        priors={"proliferation": ("lognormal", 0.04, 0.4), "diffusivity": ("lognormal", 0.2, 0.5)},
        calibrate=["proliferation_per_day", "diffusivity_mm2_per_day"],
        doubts=Doubts(reach=0.0, level={"whole_tumor": 0.15}),
        settings=SolverSettings(tolerance=1e-2),
        threads=1,
    )


def test_the_whole_machine_is_calibrated_on_a_small_tumor(coarse_patient):
    found = gather([replicate(coarse_patient, seed, count=49, draws=150) for seed in range(40)], 49)
    inside = found.inside(0.99, bins=10)
    assert all(inside.values()), (inside, {name: np.sort(r).tolist() for name, r in found.ranks.items()})


def test_the_band_holds_uniform_ranks_as_often_as_it_says():
    rng = np.random.default_rng(3)
    low, up = ecdf_band(100, 20)
    assert (low <= np.arange(1, 21) / 20).all()
    assert (up >= np.arange(1, 21) / 20).all()
    kept = 0
    for _ in range(400):
        check = CalibrationCheck({"q": rng.integers(0, 100, 100)}, 99)
        kept += check.inside(bins=20)["q"]
    assert 0.91 < kept / 400 < 0.985


def test_ties_are_broken_at_random():
    rng = np.random.default_rng(4)
    ranks = [rank_of_truth(1.0, np.ones(9), rng) for _ in range(2000)]
    assert np.bincount(ranks, minlength=10).min() > 140
    assert rank_of_truth(2.0, np.array([1.0, 3.0, 1.5]), rng) == 2
