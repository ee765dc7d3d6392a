"""Model minus scan, condensed while solving: sums of squares and normal equations, never stored Jacobians."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from TumorTwinLib.geometry import bounding_box
from TumorTwinLib.models.observation import ObservedVisit, visible
from TumorTwinLib.physics.trackers import Fields, Tracker

CELLULARITY, SEGMENTATION = "cellularity", "segmentation"
_SOFTNESS = 0.1  # of a contour in cellularity
_SOFTNESS_OF_LEVEL = 0.4  # and at most this share of its level, so that healthy brain is surely not segmented
_SURE = 0.01  # a voxel whose probability is this close to what was segmented says nothing
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


def _lagged_products(residual: np.ndarray, axis: int) -> np.ndarray:
    """(33,) products of residuals 0, 1, ... 32 voxels apart along ``axis``, summed over every second line."""
    lines = np.moveaxis(residual, axis, -1)[::_EVERY_LINE, ::_EVERY_LINE]
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
        if CELLULARITY in self.kinds and visit.cellularity is not None:
            inside = np.ones_like(self.mask) if visit.whole is None else visit.whole
            # Outside the contour ADC is healthy tissue's; all it says is that no more cells are there than show.
            excess = u - np.float32(self.thresholds["whole_tumor"])
            where = self.mask & (inside | (excess > 0))
            self._add(CELLULARITY, where, np.where(inside, u - visit.cellularity, excess), None, du)
        if SEGMENTATION in self.kinds:
            for region, measured in (("core", visit.core), ("whole_tumor", visit.whole)):
                if measured is not None:
                    level = self.thresholds[region]
                    seen, slope = visible(u, level, min(_SOFTNESS, _SOFTNESS_OF_LEVEL * level))
                    residual = seen - measured
                    self._add(SEGMENTATION, self.mask & (np.abs(residual) > _SURE), residual, slope, du)

    def _add(
        self, kind: str, where: np.ndarray, residual: np.ndarray, slope: np.ndarray | None, du: np.ndarray
    ) -> None:
        """Residuals ``where`` they count; their derivative by cellularity is ``slope``, or one."""
        if not where.any():
            return
        box = tuple(slice(low, up) for low, up in zip(*bounding_box(where), strict=True))
        where = where[box]
        residual = np.where(where, residual[box], 0.0)
        r = residual[where].astype(np.float64)
        jacobian = du[:, *box][:, where].astype(np.float64)
        if slope is not None:
            jacobian *= slope[box][where]
        correlated = np.stack([_lagged_products(residual, axis) for axis in range(3)])
        block = Block(r.size, float(r @ r), jacobian @ r, jacobian @ jacobian.T, correlated)
        self.blocks[kind] = self.blocks[kind].plus(block)
