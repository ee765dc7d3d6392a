"""Simulation-based calibration: a sampler is right if the truth's rank among its draws is uniform.

Draw the unknowns from their prior, data from the likelihood, a posterior from the data: the truth is then one more draw
of that posterior, and its rank among L equal draws uniform on 0 ... L (Talts 2018), for any function of unknowns and
data (Modrak 2023). Ranks too often at the ends: intervals too narrow; too often in the middle: too wide.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from TumorTwinLib.inference.laplace import climb, climb_from_all, find_starts, log_prior
from TumorTwinLib.inference.sampling import (
    Draws,
    StudentProposal,
    adapted,
    importance_draws,
    tempered_draws,
)
from TumorTwinLib.inference.simulator import Simulator

_STARTS, _KEPT = 16, 2
Quantities = Callable[[np.ndarray, np.ndarray], Mapping[str, np.ndarray]]


def rank_of_truth(truth: float, draws: np.ndarray, rng: np.random.Generator) -> int:
    """Rank of the truth among equal draws, 0 ... L, with ties broken at random."""
    return int((draws < truth).sum()) + int(rng.integers(0, int((draws == truth).sum()) + 1))


@functools.lru_cache(maxsize=16)
def ecdf_band(replicates: int, bins: int, level: float = 0.95, *, draws: int = 4000, seed: int = 0) -> np.ndarray:
    """(2, bins) simultaneous band of the ECDF of uniform ranks, at z = 1 / bins ... 1 (Saeilynoja 2022).

    Pointwise binomial bands, their level found by simulation such that ``level`` of uniform samples stay inside
    everywhere.
    """
    from scipy.stats import binom

    rng = np.random.default_rng(seed)
    z = np.arange(1, bins + 1) / bins
    counts = np.cumsum(rng.multinomial(replicates, np.full(bins, 1.0 / bins), size=draws), axis=1)
    below, above = binom.cdf(counts, replicates, z), binom.sf(counts - 1, replicates, z)
    extreme = np.minimum(1.0, 2.0 * np.minimum(below, above)[:, :-1]).min(axis=1)
    gamma = float(np.quantile(extreme, 1.0 - level))
    return np.stack([binom.ppf(gamma / 2.0, replicates, z), binom.ppf(1.0 - gamma / 2.0, replicates, z)]) / replicates


@dataclass(frozen=True, eq=False)
class CalibrationCheck:
    """Ranks of many replicates.

    Args:
        ranks: by quantity, (n,) in 0 ... count.
        count: L, draws that each rank is among.
    """

    ranks: Mapping[str, np.ndarray]
    count: int

    def ecdf(self, name: str, bins: int) -> np.ndarray:
        """(bins,) of the ranks over L + 1, at 1 / bins ... 1."""
        edges = np.arange(1, bins + 1) / bins * (self.count + 1)
        return np.mean(self.ranks[name][:, None] < edges - 1e-9, axis=0)

    def inside(self, level: float = 0.95, bins: int | None = None) -> dict[str, bool]:
        """Whether the ECDF of each quantity's ranks stays in its simultaneous band."""
        bins = bins or self.count + 1
        replicates = len(next(iter(self.ranks.values())))
        low, up = ecdf_band(replicates, bins, level)
        found = {}
        for name in self.ranks:
            curve = self.ecdf(name, bins)
            found[name] = bool(((curve >= low - 1e-9) & (curve <= up + 1e-9)).all())
        return found


def sample_posterior(simulator: Simulator, count: int, rng: np.random.Generator) -> Draws:
    """What ``BayesianCalibration`` does, on one grid and without its chain of grids."""
    hills = climb_from_all(simulator, find_starts(simulator, _STARTS, _KEPT, int(rng.integers(2**31))))
    mode = climb(simulator, hills[0].z)
    proposal = StudentProposal.of(mode.z, mode.covariance)

    def target(z: np.ndarray) -> np.ndarray:
        return log_prior(z) + simulator.likelihood.log_likelihood(simulator.summaries(z))

    draws = importance_draws(target, proposal, count, rng)
    if not draws.reliable:
        proposal = adapted(proposal, draws)
        draws = importance_draws(target, proposal, count, rng)
    return draws if draws.reliable else tempered_draws(target, proposal, draws, rng)


def replicate(
    simulator: Simulator,
    seed: int,
    *,
    count: int = 99,
    draws: int = 400,
    sample: Callable[[Simulator, int, np.random.Generator], Draws] = sample_posterior,
    quantities: Quantities | None = None,
) -> dict[str, int]:
    """Ranks of one replicate: of every calibrated parameter, the log-likelihood, and further quantities.

    Args:
        simulator: of a patient; its visits' own data are replaced by simulated ones.
        seed: of the truth, its data and the draws.
        sample: the sampler under test.
        quantities: from (n, d) z and (n, s) summaries to (n,) values by name, such as a volume to come.
    """
    rng = np.random.default_rng(seed)
    unknowns = simulator.unknowns
    truth = rng.standard_normal((1, unknowns.size))
    clean = replace(simulator, memory={}, work=[])
    truth_summaries = clean.summaries(truth)
    data = clean.likelihood.simulate(truth_summaries[0], rng)
    fitted = replace(clean, likelihood=replace(clean.likelihood, observed=data), memory={})
    found = sample(fitted, draws, rng)
    # Independent thinning: systematic resampling would spread draws more evenly than the posterior's own.
    weights = np.exp(found.log_weights)
    chosen = rng.choice(len(found.z), size=count, p=weights / weights.sum())
    z = np.concatenate([truth, found.z[chosen]])
    values = dict(zip(unknowns.parameters, unknowns.parameter_values(z).T, strict=True))
    fitting = found.log_target[chosen] - log_prior(found.z[chosen])
    values["log_likelihood"] = np.append(fitted.likelihood.log_likelihood(truth_summaries), fitting)
    if quantities is not None:
        values.update(quantities(z, fitted.summaries(z)))
    return {name: rank_of_truth(float(x[0]), x[1:], rng) for name, x in values.items()}


def gather(replicates: Sequence[Mapping[str, int]], count: int = 99) -> CalibrationCheck:
    """The check of many replicates, made one by one or in many processes."""
    names = replicates[0].keys()
    return CalibrationCheck({name: np.array([one[name] for one in replicates]) for name in names}, count)
