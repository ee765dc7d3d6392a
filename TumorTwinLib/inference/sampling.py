"""Draws from a posterior known up to a constant: importance sampling, and tempering where that fails."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from TumorTwinLib.inference.psis import effective_sample_size, pareto_smoothed

LogDensity = Callable[[np.ndarray], np.ndarray]  # (n, d) -> (n,); NaN where it was not evaluated
_DEGREES = 5.0
RELIABLE_K_HAT = 0.7
_ISLANDS = 4
_MOVES = 5  # at every temperature
_LEAST_ESS = 0.5  # share kept from one temperature to the next
_JITTER = 1e-9


@dataclass(frozen=True, eq=False)
class StudentProposal:
    """A multivariate t of five degrees of freedom, wider in the tails than the Gaussian of the same scale.

    Args:
        center: (d,); root: (d, d) Cholesky factor of its scale matrix.
    """

    center: np.ndarray
    root: np.ndarray

    @classmethod
    def of(cls, center: np.ndarray, covariance: np.ndarray) -> StudentProposal:
        return cls(center, np.linalg.cholesky(covariance + _JITTER * np.eye(len(center))))

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """(count, d), antithetic: every other draw mirrors the one before, which cancels odd errors."""
        half = (count + 1) // 2
        normal = rng.standard_normal((half, len(self.center)))
        stretch = np.sqrt(_DEGREES / rng.chisquare(_DEGREES, size=(half, 1)))
        step = (normal * stretch) @ self.root.T
        return (self.center + np.stack([step, -step], axis=1).reshape(-1, len(self.center)))[:count]

    def log_density(self, z: np.ndarray) -> np.ndarray:
        from scipy.special import gammaln

        d = len(self.center)
        q = (np.linalg.solve(self.root, (z - self.center).T) ** 2).sum(axis=0)
        constant = gammaln((_DEGREES + d) / 2) - gammaln(_DEGREES / 2) - d / 2 * np.log(_DEGREES * np.pi)
        return constant - np.log(np.diag(self.root)).sum() - (_DEGREES + d) / 2 * np.log1p(q / _DEGREES)


@dataclass(frozen=True, eq=False)
class Draws:
    """Weighted draws and how far they can be trusted.

    Args:
        method: ``"importance sampling"``, ``"tempered SMC"`` or, without any check, ``"Laplace"``.
        z: (n, d); log_weights: (n,) normalised; log_target: (n,) unnormalised log-posterior.
        k_hat: of the importance weights.
        effective: number of equal draws they are worth.
        r_hat: (d,) over the islands of the SMC, or None.
        log_evidence: of the target, that is, the logarithm of its integral.
        evaluations: of the target.
        complete: False after a cancel.
    """

    method: str
    z: np.ndarray
    log_weights: np.ndarray
    log_target: np.ndarray
    k_hat: float
    effective: float
    r_hat: np.ndarray | None
    log_evidence: float
    evaluations: int
    complete: bool

    @property
    def reliable(self) -> bool:
        if self.r_hat is not None:
            return bool(self.r_hat.max() < 1.05)
        return self.k_hat < RELIABLE_K_HAT


def importance_draws(target: LogDensity, proposal: StudentProposal, count: int, rng: np.random.Generator) -> Draws:
    """Draws of the proposal, weighted by the target at every one and Pareto-smoothed."""
    z = proposal.draw(count, rng)
    log_target = target(z)
    known = ~np.isnan(log_target)
    z, log_target = z[known], log_target[known]
    ratios = log_target - proposal.log_density(z)
    log_weights, k_hat = pareto_smoothed(ratios)
    evidence = _log_mean(ratios)
    return Draws(
        "importance sampling", z, log_weights, log_target, k_hat, effective_sample_size(log_weights), None,
        evidence, int(known.sum()), bool(known.all()),
    )  # fmt: skip


def moments(draws: Draws) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean (d,) and covariance (d, d)."""
    weights = np.exp(draws.log_weights)
    mean = weights @ draws.z
    rest = draws.z - mean
    return mean, (rest * weights[:, None]).T @ rest


def adapted(proposal: StudentProposal, draws: Draws) -> StudentProposal:
    """A proposal with the mean and covariance that its weighted draws found, as far as these are worth something."""
    mean, covariance = moments(draws)
    before, d = proposal.root @ proposal.root.T, len(mean)
    share = draws.effective / (draws.effective + 2.0 * d)
    return StudentProposal.of(
        share * mean + (1.0 - share) * proposal.center, share * covariance + (1.0 - share) * before
    )


def tempered_draws(target: LogDensity, proposal: StudentProposal, first: Draws, rng: np.random.Generator) -> Draws:
    """From the proposal to the target in steps that keep half of the effective sample size (adaptive SMC).

    Densities between are ``proposal^(1 - g) target^g``. At every g the particles are resampled and moved by random
    walks with the particles' own covariance, their length set by the acceptance. Of four islands none resamples
    another's particles; R-hat compares them.

    Args:
        first: draws of the proposal with the target at each, from ``importance_draws``.
    """
    count = len(first.z) // _ISLANDS * _ISLANDS
    z, log_target = first.z[:count].copy(), first.log_target[:count].copy()
    log_start = proposal.log_density(z)
    island = np.arange(count) % _ISLANDS
    g, evidence, evaluations = 0.0, 0.0, first.evaluations
    step = 2.38 / math.sqrt(z.shape[1])
    complete = first.complete
    while g < 1.0 and complete:
        ratio = log_target - log_start
        rise = min(_next_rise(ratio[island == i], 1.0 - g) for i in range(_ISLANDS))
        evidence += float(np.mean([_log_mean(rise * ratio[island == i]) for i in range(_ISLANDS)]))
        g = min(1.0, g + rise)
        for i in range(_ISLANDS):
            own = np.flatnonzero(island == i)
            chosen = own[systematic_resample(_normalised(rise * ratio[own]), len(own), rng)]
            z[own], log_target[own], log_start[own] = z[chosen], log_target[chosen], log_start[chosen]
        root = np.linalg.cholesky(np.cov(z.T) + _JITTER * np.eye(z.shape[1]))
        moves = _MOVES if g < 1.0 else 2 * _MOVES
        for _ in range(moves):
            trial = z + step * rng.standard_normal(z.shape) @ root.T
            trial_target = target(trial)
            evaluations += count
            if np.isnan(trial_target).any():
                complete = False
                break
            trial_start = proposal.log_density(trial)
            gain = _bridge(g, trial_target, trial_start) - _bridge(g, log_target, log_start)
            accepted = np.log(rng.random(count)) < gain
            z[accepted] = trial[accepted]
            log_target[accepted], log_start[accepted] = trial_target[accepted], trial_start[accepted]
            step *= math.exp(accepted.mean() - 0.25)
    chains = np.stack([z[island == i] for i in range(_ISLANDS)])
    weights = np.full(count, -math.log(count))
    return Draws(
        "tempered SMC", z, weights, log_target, first.k_hat, _island_effective(chains), r_hat(chains), evidence,
        evaluations, complete,
    )  # fmt: skip


def r_hat(chains: np.ndarray) -> np.ndarray:
    """(d,) potential scale reduction of (m, n, d) chains (Gelman and Rubin 1992)."""
    n = chains.shape[1]
    within = chains.var(axis=1, ddof=1).mean(axis=0)
    between = n * chains.mean(axis=1).var(axis=0, ddof=1)
    return np.sqrt((n - 1) / n + between / np.maximum(within, 1e-300) / n)


def systematic_resample(weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count,) indices, each in proportion to its weight as evenly as can be (Kitagawa 1996)."""
    points = (rng.random() + np.arange(count)) / count
    return np.minimum(np.searchsorted(np.cumsum(weights), points), len(weights) - 1)


def _island_effective(chains: np.ndarray) -> float:
    """From how much the islands' means differ: within variance over that of the mean, the least over components."""
    within = chains.var(axis=1, ddof=1).mean(axis=0)
    of_mean = chains.mean(axis=1).var(axis=0, ddof=1) / len(chains)
    return float(min(chains.shape[0] * chains.shape[1], np.median(within / np.maximum(of_mean, 1e-300))))


def _bridge(g: float, log_target: np.ndarray, log_start: np.ndarray) -> np.ndarray:
    return g * log_target + (1.0 - g) * log_start


def _next_rise(ratio: np.ndarray, most: float) -> float:
    """The largest rise of g that keeps the effective sample size, found by halving."""

    def share(rise: float) -> float:
        return float(1.0 / (_normalised(rise * ratio) ** 2).sum() / len(ratio))

    if share(most) >= _LEAST_ESS:
        return most
    low, high = 0.0, most
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if share(middle) >= _LEAST_ESS else (low, middle)
    return max(low, 1e-6)


def _normalised(log_weights: np.ndarray) -> np.ndarray:
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum()


def _log_mean(log_values: np.ndarray) -> float:
    top = float(np.max(log_values)) if len(log_values) else -math.inf
    return top + math.log(float(np.mean(np.exp(log_values - top)))) if math.isfinite(top) else -math.inf
