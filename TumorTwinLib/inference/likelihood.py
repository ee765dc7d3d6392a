"""The likelihood of a patient's later visits: summaries with correlated errors whose size the data may correct.

    y = S(z) + e,   e_g ~ N(0, lambda_g C_g),   lambda_g ~ InvGamma(nu / 2, nu / 2)

for groups g of summaries (contours, cellularity) over all visits. Integrated over lambda: a multivariate t.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.inference.noise import ObservationNoise
from TumorTwinLib.inference.summaries import BlockSummary, RegionSummary
from TumorTwinLib.inference.unknowns import LEVELS
from TumorTwinLib.models.observation import ObservedVisit

_DEGREES = 4.0  # nu: lambda's 95 % range is 0.36 to 8.3 before data


@dataclass(frozen=True, eq=False)
class ErrorGroup:
    """Summaries that share one lambda.

    Args:
        rows: (n,) where they are in the data vector.
        root: (n, n) Cholesky factor of their covariance C.
        degrees: nu.
    """

    name: str
    rows: np.ndarray
    root: np.ndarray
    degrees: float = _DEGREES

    def whiten(self, x: np.ndarray) -> np.ndarray:
        """(n, ...) rows of the data vector to units of their errors."""
        from scipy.linalg import solve_triangular

        return solve_triangular(self.root, x, lower=True)

    def log_density(self, q: np.ndarray) -> np.ndarray:
        """Of residuals with these squared lengths, any shape."""
        n, nu = len(self.rows), self.degrees
        constant = math.lgamma((nu + n) / 2) - math.lgamma(nu / 2) - n / 2 * math.log(nu * math.pi)
        return constant - float(np.log(np.diag(self.root)).sum()) - (nu + n) / 2 * np.log1p(q / nu)

    def weight(self, q: float) -> float:
        """Mean of 1 / lambda given residuals: how much the group is trusted."""
        return (self.degrees + len(self.rows)) / (self.degrees + q)

    def draw_lambda(self, q: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Given residuals of squared length q, any shape."""
        shape = (self.degrees + len(self.rows)) / 2.0
        return 0.5 * (self.degrees + np.asarray(q)) / rng.gamma(shape, size=np.shape(q))


@dataclass(frozen=True, eq=False)
class VisitSummary:
    """What is compared at one visit.

    Args:
        rows: where its numbers are in the data vector.
    """

    day: float
    regions: tuple[RegionSummary, ...]
    blocks: BlockSummary | None
    rows: slice

    def of_field(
        self, u: np.ndarray, du: np.ndarray, levels: Mapping[str, float], level_names: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """(n,) summaries of the model and (n, P + L) derivatives by tangents, then by the log-odds of levels.

        Args:
            u: (ni, nj, nk); du: (P, ni, nj, nk).
            levels: cellularity on the contour, by region.
            level_names: of the L level shifts that are unknown.
        """
        values, rows = [], []
        for summary in self.regions:
            value, jacobian = summary.of_field(u, du, levels[summary.region])
            row = np.zeros((len(value), len(du) + len(level_names)))
            row[:, : len(du)] = jacobian[:, :-1]
            if LEVELS[summary.region] in level_names:
                row[:, len(du) + level_names.index(LEVELS[summary.region])] = jacobian[:, -1]
            values.append(value)
            rows.append(row)
        if self.blocks is not None:
            value, jacobian = self.blocks.of_field(u, du)
            values.append(value)
            rows.append(np.pad(jacobian, ((0, 0), (0, len(level_names)))))
        return np.concatenate(values), np.concatenate(rows)


@dataclass(frozen=True, eq=False)
class SummaryLikelihood:
    """Data, their errors and their density; knows no model and so serves every cancer.

    Args:
        visits: what is compared, by visit.
        names: (n,) of the data vector; observed: (n,) the data.
        groups: every number is in one of them.
    """

    visits: tuple[VisitSummary, ...]
    names: tuple[str, ...]
    observed: np.ndarray
    groups: tuple[ErrorGroup, ...]

    def lengths(self, summaries: np.ndarray) -> np.ndarray:
        """(groups, ...) squared length q of the residuals of (..., n) model summaries."""
        rest = np.moveaxis(self.observed - summaries, -1, 0)
        return np.stack([
            (g.whiten(rest[g.rows].reshape(len(g.rows), -1)) ** 2).sum(axis=0).reshape(rest.shape[1:])
            for g in self.groups
        ])  # fmt: skip

    def log_likelihood(self, summaries: np.ndarray) -> np.ndarray:
        """(...,) of (..., n) model summaries; minus infinity where these are not finite."""
        finite = np.isfinite(summaries).all(axis=-1)
        q = self.lengths(np.where(finite[..., None], summaries, 0.0))
        total = sum((g.log_density(x) for g, x in zip(self.groups, q, strict=True)), np.zeros(finite.shape))
        return np.where(finite, total, -np.inf)

    def normal_equations(self, summaries: np.ndarray, jacobian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient (d,) of the log-likelihood by z and Gauss-Newton Hessian (d, d) of its negative.

        Args:
            summaries: (n,); jacobian: (n, d).
        """
        d = jacobian.shape[1]
        gradient, hessian = np.zeros(d), np.zeros((d, d))
        for group in self.groups:
            rest = group.whiten((self.observed - summaries)[group.rows])
            slope = group.whiten(jacobian[group.rows])
            weight = group.weight(float(rest @ rest))
            gradient += weight * slope.T @ rest
            hessian += weight * slope.T @ slope
        return gradient, hessian

    def simulate(self, summaries: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(n,) data that a model with these (n,) summaries gives rise to."""
        data = summaries.copy()
        for group in self.groups:
            scale = 0.5 * group.degrees / rng.gamma(group.degrees / 2.0)
            data[group.rows] += np.sqrt(scale) * group.root @ rng.standard_normal(len(group.rows))
        return data


def make_likelihood(
    later: Sequence[ObservedVisit],
    mask: np.ndarray,
    regions: Sequence[str],
    noise: ObservationNoise,
    patient_id: str,
) -> SummaryLikelihood:
    """From the visits after the first.

    Args:
        mask: (ni, nj, nk) where the model holds.
        regions: ``"core"`` and, or, ``"whole_tumor"``: those whose contours are at a known cellularity.

    Raises:
        TumorTwinError: nothing to compare with.
    """
    visits: list[VisitSummary] = []
    names: list[str] = []
    start = 0
    for visit in later:
        drawn = {"core": visit.core, "whole_tumor": visit.whole}
        shown = tuple(
            RegionSummary(region, mask_, visit.grid)
            for region, mask_ in drawn.items()
            if region in regions and mask_ is not None
        )
        has_cells = visit.cellularity is not None and visit.whole is not None and (visit.whole & mask).any()
        blocks = BlockSummary(visit, mask) if has_cells else None
        found = [name for part in (*shown, blocks) if part is not None for name in part.names]
        visits.append(VisitSummary(visit.day, shown, blocks, slice(start, start + len(found))))
        names += [f"day {visit.day:.0f} {name}" for name in found]
        start += len(found)
    if not names:
        raise TumorTwinError(
            f"No visit after the first of patient {patient_id} shows a tumour: segment one, or add an ADC map."
        )
    observed = np.concatenate([
        part.observed for visit in visits for part in (*visit.regions, visit.blocks) if part is not None
    ])  # fmt: skip
    return SummaryLikelihood(tuple(visits), tuple(names), observed, _groups(visits, names, noise))


def _groups(visits: Sequence[VisitSummary], names: Sequence[str], noise: ObservationNoise) -> tuple[ErrorGroup, ...]:
    """Errors of reading at each visit, and discrepancies that visits share as far as they have the same summaries."""
    total = len(names)
    covariance = np.zeros((total, total))
    memory = noise.memory(np.array([visit.day for visit in visits]))
    shared: dict[str, list[tuple[int, int, np.ndarray]]] = {}  # by part: visit, first row, root of its discrepancy
    cells = np.zeros(total, dtype=bool)
    for number, visit in enumerate(visits):
        row = visit.rows.start
        for part in (*visit.regions, visit.blocks):
            if part is None:
                continue
            is_region = isinstance(part, RegionSummary)
            reading, discrepancy = noise.region(part) if isinstance(part, RegionSummary) else noise.blocks(part)
            size = len(reading)
            covariance[row : row + size, row : row + size] += reading
            key = f"{part.region} {size}" if isinstance(part, RegionSummary) else f"cellularity {size}"
            shared.setdefault(key, []).append((number, row, _root(discrepancy)))
            cells[row : row + size] = not is_region
            row += size
    for parts in shared.values():
        for a, row_a, root_a in parts:
            for b, row_b, root_b in parts:
                block = memory[a, b] * root_a @ root_b.T
                covariance[row_a : row_a + len(block), row_b : row_b + block.shape[1]] += block
    return tuple(
        ErrorGroup(name, rows, np.linalg.cholesky(covariance[np.ix_(rows, rows)]))
        for name, rows in (("contours", np.flatnonzero(~cells)), ("cellularity", np.flatnonzero(cells)))
        if rows.size
    )


def _root(covariance: np.ndarray) -> np.ndarray:
    """Symmetric square root: between similar covariances, roots vary smoothly and keep the meaning of each row."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
