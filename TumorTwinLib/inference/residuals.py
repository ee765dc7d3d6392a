"""Model minus scan, condensed while solving: sums of squares and normal equations, never stored Jacobians."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from TumorTwinLib.inference.contours import contour_residuals
from TumorTwinLib.models.observation import ObservedVisit
from TumorTwinLib.physics.trackers import Fields, Tracker

CELLULARITY, SEGMENTATION = "cellularity", "segmentation"
_LAGS = 32  # voxels over which residuals are looked at for correlation
_EVERY_LINE = 2  # neighbouring lines of voxels tell the same correlation


@dataclass(frozen=True, eq=False)
class Block:
    """Residuals of one kind of data, condensed.

    Args:
        count: voxels that have something to say.
        squares: sum of squared residuals (dimensionless cellularity or probability).
        gradient, hessian: ``J^T r`` (P,) and ``J^T J`` (P, P) by log-parameters.
        correlated: (3, 33) products of residuals 0, 1, ... 32 voxels apart, summed along each axis.
    """

    count: int
    squares: float
    gradient: np.ndarray
    hessian: np.ndarray
    correlated: np.ndarray

    @classmethod
    def empty(cls, parameters: int) -> Block:
        return cls(0, 0.0, np.zeros(parameters), np.zeros((parameters, parameters)), np.zeros((3, 1 + _LAGS)))

    def plus(self, other: Block) -> Block:
        return Block(
            self.count + other.count,
            self.squares + other.squares,
            self.gradient + other.gradient,
            self.hessian + other.hessian,
            self.correlated + other.correlated,
        )

    @property
    def independent_share(self) -> float:
        """Effective over actual sample size: ``prod 1 / (1 + 2 sum_k r_k)`` over the axes.

        r_k is the correlation of residuals k voxels apart, summed up to the first that is not positive (Geyer 1992).
        """
        share = 1.0
        for products in self.correlated:
            if products[0] > 0:
                r = products[1:] / products[0]
                ends = np.flatnonzero(r <= 0)
                share /= 1.0 + 2.0 * float(r[: ends[0] if ends.size else None].sum())
        return share


def _lagged_products(field: np.ndarray, axis: int) -> np.ndarray:
    """(33,) products of residuals 0, 1, ... 32 voxels apart along ``axis``, summed over every second line."""
    lines = np.moveaxis(field, axis, -1)[::_EVERY_LINE, ::_EVERY_LINE]
    n = lines.shape[-1]
    spectrum = np.fft.rfft(lines, 2 * n)  # twice as long: the far ends of a line are no neighbours
    power = (spectrum.real**2 + spectrum.imag**2).sum(axis=(0, 1), dtype=np.float64)
    products = np.zeros(1 + _LAGS)
    products[: min(n, 1 + _LAGS)] = np.fft.irfft(power, 2 * n)[: min(n, 1 + _LAGS)]
    return products


@dataclass
class ResidualCollector(Tracker):
    """Compares the solution with each visit as the solver reaches it.

    Args:
        visits: those to compare with, by day.
        kinds: ``"cellularity"`` and, or, ``"segmentation"``; each where the visit has it.
        thresholds: ``core`` and ``whole_tumor`` levels.
        parameters: P.
    """

    visits: Sequence[ObservedVisit]
    kinds: Sequence[str]
    thresholds: dict[str, float]
    mask: np.ndarray
    parameters: int

    def __post_init__(self) -> None:
        self.blocks = {kind: Block.empty(self.parameters) for kind in self.kinds}

    def output(self, day: float, fields: Fields) -> None:
        for visit in self.visits:
            if visit.day == day:
                self._compare(visit, fields.cellularity()[0], fields.tangents()[0])

    def _compare(self, visit: ObservedVisit, u: np.ndarray, du: np.ndarray) -> None:
        if CELLULARITY in self.kinds and visit.cellularity is not None and visit.whole is not None:
            # Outside the contour ADC is healthy tissue's; all it says is that no more cells are there than show.
            expected = np.where(visit.whole, visit.cellularity, np.float32(self.thresholds["whole_tumor"]))
            voxels = np.flatnonzero(self.mask & (visit.whole | (u > expected)))
            residual = u.ravel()[voxels] - expected.ravel()[voxels]
            self._add(CELLULARITY, voxels, residual, du.reshape(len(du), u.size)[:, voxels])
        if SEGMENTATION in self.kinds:
            for region, drawn in (("core", visit.core), ("whole_tumor", visit.whole)):
                if drawn is not None:
                    self._add(SEGMENTATION, *contour_residuals(u, du, self.mask, drawn, self.thresholds[region]))

    def _add(self, kind: str, voxels: np.ndarray, residual: np.ndarray, jacobian: np.ndarray) -> None:
        """(n,) residuals at flat voxel indices and their (P, n) derivatives."""
        if voxels.size == 0:
            return
        corners = [(i.min(), i.max() + 1) for i in np.unravel_index(voxels, self.mask.shape)]
        field = np.zeros(self.mask.shape, dtype=np.float32)
        field.ravel()[voxels] = residual
        field = field[tuple(slice(low, up) for low, up in corners)]
        correlated = np.stack([_lagged_products(field, axis) for axis in range(3)])
        r, j = residual.astype(np.float64), jacobian.astype(np.float64)
        self.blocks[kind] = self.blocks[kind].plus(Block(r.size, float(r @ r), j @ r, j @ j.T, correlated))
