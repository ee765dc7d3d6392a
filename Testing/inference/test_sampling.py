"""Samplers against posteriors in closed form, and PSIS against arviz."""

from __future__ import annotations

import numpy as np
import pytest

from TumorTwinLib.inference.psis import effective_sample_size, pareto_smoothed
from TumorTwinLib.inference.sampling import (
    StudentProposal,
    importance_draws,
    moments,
    r_hat,
    systematic_resample,
    tempered_draws,
)

MEAN, COVARIANCE = np.array([0.5, -1.0, 2.0]), np.array([[1.0, 0.6, 0.1], [0.6, 0.8, 0.2], [0.1, 0.2, 0.3]])
LOG_INTEGRAL = 1.7


def gaussian(z: np.ndarray) -> np.ndarray:
    """A Gaussian times exp(1.7)."""
    q = np.einsum("ni,ij,nj->n", z - MEAN, np.linalg.inv(COVARIANCE), z - MEAN)
    return LOG_INTEGRAL - 0.5 * q - 0.5 * np.log(np.linalg.det(2 * np.pi * COVARIANCE))


def two_hills(z: np.ndarray) -> np.ndarray:
    """A Gaussian whose mirror image at 2.5 along the first axis has as much mass."""
    hills = [-0.5 * ((z - [s, 0.0]) ** 2).sum(axis=1) / 0.5 for s in (-2.5, 2.5)]
    return np.logaddexp(*hills) - np.log(2 * np.pi * 0.5) - np.log(2.0)


def test_importance_draws_have_the_target_s_moments_and_integral():
    proposal = StudentProposal.of(MEAN + 0.2, 1.3 * COVARIANCE)
    draws = importance_draws(gaussian, proposal, 4000, np.random.default_rng(1))
    mean, covariance = moments(draws)
    np.testing.assert_allclose(mean, MEAN, atol=0.06)
    np.testing.assert_allclose(covariance, COVARIANCE, atol=0.08)
    assert draws.log_evidence == pytest.approx(LOG_INTEGRAL, abs=0.03)
    assert draws.k_hat < 0.5
    assert draws.reliable
    assert 1500 < draws.effective < 4000


def test_the_proposal_s_density_is_that_of_its_draws():
    from scipy import stats

    proposal = StudentProposal.of(MEAN, COVARIANCE)
    z = proposal.draw(7, np.random.default_rng(2))
    law = stats.multivariate_t(MEAN, COVARIANCE, df=5)
    np.testing.assert_allclose(proposal.log_density(z), law.logpdf(z), atol=1e-6)
    many = proposal.draw(40000, np.random.default_rng(3))
    np.testing.assert_allclose(np.cov(many.T), COVARIANCE * 5 / 3, rtol=0.15, atol=0.05)


def test_a_proposal_that_misses_the_target_is_found_out_and_tempering_mends_it():
    proposal = StudentProposal.of(MEAN + [2.0, -1.5, 1.0], 0.2 * COVARIANCE)
    first = importance_draws(gaussian, proposal, 2000, np.random.default_rng(4))
    assert first.k_hat > 0.7
    assert not first.reliable
    mended = tempered_draws(gaussian, proposal, first, np.random.default_rng(5))
    np.testing.assert_allclose(mended.z.mean(axis=0), MEAN, atol=0.15)
    np.testing.assert_allclose(np.cov(mended.z.T), COVARIANCE, atol=0.2)
    assert mended.log_evidence == pytest.approx(LOG_INTEGRAL, abs=0.5)
    assert mended.r_hat.max() < 1.1
    assert mended.evaluations > 2000


def test_tempering_keeps_two_hills_that_a_single_proposal_covers_badly():
    proposal = StudentProposal.of(np.zeros(2), np.diag([4.0, 0.5]))
    first = importance_draws(two_hills, proposal, 2000, np.random.default_rng(6))
    draws = tempered_draws(two_hills, proposal, first, np.random.default_rng(7))
    assert 0.4 < (draws.z[:, 0] > 0).mean() < 0.6
    assert np.abs(draws.z[:, 0]).mean() == pytest.approx(2.5, abs=0.1)
    assert draws.log_evidence == pytest.approx(0.0, abs=0.1)


def test_what_was_not_evaluated_is_left_out_and_said():
    def half(z: np.ndarray) -> np.ndarray:
        return np.where(np.arange(len(z)) < 300, gaussian(z), np.nan)

    draws = importance_draws(half, StudentProposal.of(MEAN, COVARIANCE), 1000, np.random.default_rng(8))
    assert len(draws.z) == draws.evaluations == 300
    assert not draws.complete


def test_pareto_smoothing_agrees_with_arviz():
    array_stats = pytest.importorskip("arviz_stats.base", reason="arviz-stats is not installed").array_stats
    rng = np.random.default_rng(9)
    for scale in (0.5, 1.0, 2.5):
        log_ratios = scale * rng.standard_normal(1000)
        ours, k = pareto_smoothed(log_ratios)
        theirs, k_theirs = array_stats.psislw(-log_ratios)  # it takes log-likelihoods
        assert k == pytest.approx(float(k_theirs), abs=1e-6)
        np.testing.assert_allclose(np.exp(ours), np.exp(theirs - np.logaddexp.reduce(theirs)), rtol=1e-5)


def test_weights_that_cannot_be_trusted_have_a_large_k_hat():
    rng = np.random.default_rng(10)
    heavy = 1.0 * rng.pareto(1.0, 4000)  # shape 1: no mean
    light = rng.random(4000) + 1.0
    assert pareto_smoothed(np.log(heavy))[1] == pytest.approx(1.0, abs=0.15)
    assert pareto_smoothed(np.log(light))[1] < 0.0
    log_weights, k = pareto_smoothed(np.zeros(100))
    assert k < 0.7
    assert effective_sample_size(log_weights) == pytest.approx(100.0)


def test_resampling_is_in_proportion_and_r_hat_sees_chains_that_disagree():
    rng = np.random.default_rng(11)
    chosen = systematic_resample(np.array([0.5, 0.0, 0.3, 0.2]), 100, rng)
    assert np.bincount(chosen, minlength=4).tolist() == pytest.approx([50, 0, 30, 20], abs=1)
    same = rng.standard_normal((4, 500, 2))
    assert r_hat(same).max() < 1.02
    assert r_hat(same + np.arange(4)[:, None, None])[0] > 1.5
