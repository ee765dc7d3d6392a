"""Pareto-smoothed importance sampling (Vehtari, Simpson, Gelman, Yao and Gabry, JMLR 2024) and its k-hat."""

from __future__ import annotations

import math

import numpy as np

_LEAST_TAIL = 5


def pareto_smoothed(log_ratios: np.ndarray) -> tuple[np.ndarray, float]:
    """Log-weights with their largest replaced by quantiles of a fitted generalised Pareto distribution.

    Args:
        log_ratios: (n,) log target minus log proposal density; minus infinity counts as weight zero.

    Returns:
        (n,) normalised log-weights, and k-hat: the fitted shape. Below 0.7 estimates with the weights are reliable.
        Infinite where there are too few draws to say.
    """
    finite = np.isfinite(log_ratios)
    n = int(finite.sum())
    if n == 0:
        return np.full(len(log_ratios), -np.inf), math.inf
    log_weights = np.where(finite, log_ratios - log_ratios[finite].max(), -np.inf)
    tail = int(min(n / 5.0, 3.0 * math.sqrt(n)))
    k_hat = math.inf
    if tail >= _LEAST_TAIL:
        order = np.argsort(log_weights, kind="stable")[-tail - 1 :]
        cutoff = max(float(log_weights[order[0]]), math.log(np.finfo(float).tiny))
        excess = np.exp(log_weights[order[1:]]) - math.exp(cutoff)
        if excess[-1] <= np.finfo(float).eps:  # all of the tail is the same: nothing to smooth
            k_hat = -math.inf
        else:
            k_hat, sigma = _fit_pareto(excess)
            p = (np.arange(tail) + 0.5) / tail
            quantile = sigma * (np.expm1(-k_hat * np.log1p(-p)) / k_hat if k_hat else -np.log1p(-p))
            log_weights[order[1:]] = np.minimum(np.log(quantile + math.exp(cutoff)), 0.0)
    top = log_weights.max()
    return log_weights - (top + math.log(np.exp(log_weights - top).sum())), k_hat


def _fit_pareto(x: np.ndarray) -> tuple[float, float]:
    """Shape k and scale of sorted (n,) excesses, by the empirical Bayes estimate of Zhang and Stephens (2009).

    The shape is drawn towards 0.5 as if ten more excesses had said so, as Vehtari and others do.
    """
    n = len(x)
    grid = 30 + int(math.sqrt(n))
    b = 1.0 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))
    b = b / (3.0 * x[int(n / 4 + 0.5) - 1]) + 1.0 / x[-1]
    k = np.log1p(-b[:, None] * x).mean(axis=1)
    profile = n * (np.log(-b / k) - k - 1.0)
    weights = 1.0 / np.exp(profile[None, :] - profile[:, None]).sum(axis=1)
    weights = np.where(weights >= 10.0 * np.finfo(float).eps, weights, 0.0)
    mean_b = float(b @ weights / weights.sum())
    shape = float(np.log1p(-mean_b * x).mean())
    return (n * shape + 5.0) / (n + 10.0), -shape / mean_b


def effective_sample_size(log_weights: np.ndarray) -> float:
    """Kish's: how many equal draws the normalised weights are worth."""
    weights = np.exp(log_weights)
    return float(1.0 / (weights**2).sum()) if weights.any() else 0.0
