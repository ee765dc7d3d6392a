"""Model minus scan, condensed while solving: sums of squares and normal equations, never stored Jacobians."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from TumorTwinLib.models.observation import ObservedVisit, visible
from TumorTwinLib.physics.trackers import Fields, Tracker

CELLULARITY, SEGMENTATION = "cellularity", "segmentation"
_SOFTNESS = 0.1  # of a contour in cellularity: sharp enough that healthy brain is surely not segmented


@dataclass(frozen=True, eq=False)
class Block:
    """Residuals of one kind of data, condensed.

    Args:
        count: voxels compared.
        squares: sum of squared residuals (dimensionless cellularity or probability).
        gradient, hessian: ``J^T r`` (P,) and ``J^T J`` (P, P) by log-parameters.
        correlated: (3,) products of neighbouring residuals summed along each axis, for the effective sample size.
    """

    count: int
    squares: float
    gradient: np.ndarray
    hessian: np.ndarray
    correlated: np.ndarray

    @classmethod
    def empty(cls, parameters: int) -> Block:
        return cls(0, 0.0, np.zeros(parameters), np.zeros((parameters, parameters)), np.zeros(3))

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
        """Effective over actual sample size: ``prod (1 - r) / (1 + r)`` over axes, r the lag-one correlation."""
        if self.squares == 0:
            return 1.0
        r = np.clip(self.correlated / self.squares, 0.0, 0.98)
        return float(np.prod((1.0 - r) / (1.0 + r)))


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
            self._add(CELLULARITY, where, np.where(inside, u - visit.cellularity, excess), np.float32(1.0), du)
        if SEGMENTATION in self.kinds:
            for region, measured in (("core", visit.core), ("whole_tumor", visit.whole)):
                if measured is not None:
                    seen, slope = visible(u, self.thresholds[region], _SOFTNESS)
                    self._add(SEGMENTATION, self.mask, seen - measured, slope, du)

    def _add(self, kind: str, where: np.ndarray, residual: np.ndarray, slope, du: np.ndarray) -> None:
        residual = np.where(where, residual, 0.0)
        r = residual[where].astype(np.float64)
        jacobian = np.stack([(slope * d)[where] for d in du]).astype(np.float64) if len(du) else np.zeros((0, r.size))
        correlated = [
            float(np.sum(residual.take(range(1, n), axis) * residual.take(range(n - 1), axis), dtype=np.float64))
            for axis, n in enumerate(residual.shape)
        ]
        block = Block(r.size, float(r @ r), jacobian @ r, jacobian @ jacobian.T, np.array(correlated))
        self.blocks[kind] = self.blocks[kind].plus(block)
