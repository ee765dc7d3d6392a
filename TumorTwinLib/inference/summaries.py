"""What is compared of a scan and a model: volumes, centres, radii and coarse blocks, as smooth functions of the field.

A region of the model is soft: ``p = u^3 / (u^3 + r^3 (1 - u)^3)``, ``r = c / (1 - c)``, a logistic function of the
log-odds of u about those of the contour's level c. A front is logistic too, so that p is symmetric in distance and its
volume that of the sharp region, yet every summary has derivatives. The summaries of a drawn mask are the same
functions of p = 0 or 1.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from TumorTwinLib.geometry import Grid, bounding_box
from TumorTwinLib.models.observation import ObservedVisit

SECTORS = 6
_SHARPNESS = 3
_FAINT = 1e-3  # cellularity below which a soft region holds nothing
BASE_VOXELS = 8.0  # added to volumes, so that an absent region has a logarithm and a radius
_LEAST_VOXELS = 30  # of a drawn region, to have a centre and radii
_SECTOR_ANGLE = 4.0 * np.pi / SECTORS
_DEPTHS = 3


@dataclass(frozen=True, eq=False)
class RegionSummary:
    """Log-volume (mm3), centre of mass (RAS mm, 3) and radii (mm, 6) of one drawn region at one visit.

    A drawn region of fewer than 30 voxels has its log-volume only.

    Args:
        drawn: (ni, nj, nk) Boolean.
    """

    region: str
    drawn: np.ndarray
    grid: Grid

    @functools.cached_property
    def base_mm3(self) -> float:
        return BASE_VOXELS * self.grid.voxel_volume_mm3

    @functools.cached_property
    def has_shape(self) -> bool:
        return int(self.drawn.sum()) >= _LEAST_VOXELS

    @functools.cached_property
    def center_ijk(self) -> np.ndarray:
        return np.argwhere(self.drawn).mean(axis=0) if self.has_shape else np.zeros(3)

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        shape = (*(f"center_{axis}" for axis in "ras"), *(f"radius_{n}" for n in range(1, SECTORS + 1)))
        return tuple(f"{self.region} {name}" for name in ("log_volume", *(shape if self.has_shape else ())))

    @functools.cached_property
    def _sector(self) -> np.ndarray:
        """(ni, nj, nk) which of the six directions (+-R, +-A, +-S) each voxel lies in from the drawn centre."""
        affine = self.grid.ijk_to_ras[:3, :3]
        i, j, k = (np.arange(n, dtype=np.float32) - c for n, c in zip(self.grid.shape, self.center_ijk, strict=True))
        ras = [a * i[:, None, None] + b * j[:, None] + c * k for a, b, c in affine.astype(np.float32)]
        size = np.abs(ras)
        return (2 * np.argmax(size, axis=0) + (np.choose(np.argmax(size, axis=0), ras) < 0)).astype(np.int8)

    @functools.cached_property
    def observed(self) -> np.ndarray:
        """(n,) summaries of the drawn region."""
        everywhere = (slice(None),) * 3
        return self._summary(self._sums(self.drawn.astype(np.float32), everywhere))[0]

    def of_field(self, u: np.ndarray, du: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        """(n,) summaries of the model's region, and (n, P + 1) derivatives: by each tangent, then by the level's odds.

        Args:
            u: (ni, nj, nk) cellularity; du: (P, ni, nj, nk).
            level: cellularity on the contour.
        """
        loud = u > _FAINT
        n, count = len(self.names), len(du) + 1
        if not loud.any():
            return self._summary(np.zeros(SECTORS + 3))[0], np.zeros((n, count))
        box = tuple(slice(low, up) for low, up in zip(*bounding_box(loud), strict=True))
        inside = np.clip(u[box], 0.0, 1.0)
        ratio = np.asarray(level / (1.0 - level), dtype=u.dtype)
        ours, others = inside**_SHARPNESS, (ratio * (1.0 - inside)) ** _SHARPNESS
        p = ours / (ours + others)
        summary, jacobian = self._summary(self._sums(p, box))
        if count == 1:
            return summary, np.zeros((n, 1))
        # dp/du = m p (1 - p) / (u (1 - u)), written so that nothing is divided by zero
        slope = _SHARPNESS * (ratio * inside * (1.0 - inside)) ** (_SHARPNESS - 1) * ratio / (ours + others) ** 2
        sums = [self._sums(slope * tangent[box], box) for tangent in du]
        sums.append(self._sums(-_SHARPNESS * p * (1.0 - p), box))
        return summary, jacobian @ np.stack(sums, axis=1)

    def _sums(self, p: np.ndarray, box: tuple[slice, ...]) -> np.ndarray:
        """(9,) volume in each sector (mm3), and first moments about the drawn centre along i, j, k (voxels mm3)."""
        sectors = np.bincount(self._sector[box].ravel(), p.ravel(), SECTORS)
        moments = []
        for axis in range(3):
            along = p.sum(axis=tuple(a for a in range(3) if a != axis), dtype=np.float64)
            start = box[axis].start or 0
            moments.append(along @ (np.arange(start, start + len(along)) - self.center_ijk[axis]))
        return np.concatenate([sectors, moments]) * self.grid.voxel_volume_mm3

    def _summary(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) summaries and (n, 9) their derivatives by the sums."""
        sectors, moments = sums[:SECTORS], sums[SECTORS:]
        total = sectors.sum() + self.base_mm3
        jacobian = np.zeros((1 + 3 + SECTORS, SECTORS + 3))
        jacobian[0, :SECTORS] = 1.0 / total
        affine = self.grid.ijk_to_ras[:3, :3]
        shift = affine @ moments / total
        center = self.grid.ras_mm(self.center_ijk) + shift
        jacobian[1:4, :SECTORS] = -(shift / total)[:, None]
        jacobian[1:4, SECTORS:] = affine / total
        radius = np.cbrt(3.0 / _SECTOR_ANGLE * (sectors + self.base_mm3 / SECTORS))
        jacobian[4:, :SECTORS] = np.diag(1.0 / (_SECTOR_ANGLE * radius**2))
        summary = np.concatenate([[np.log(total)], center, radius])
        return (summary, jacobian) if self.has_shape else (summary[:1], jacobian[:1])


@dataclass(frozen=True, eq=False)
class BlockSummary:
    """Mean cellularity of blocks inside a drawn contour: eight octants about its centre, three depths of equal size.

    Args:
        visit: with cellularity and a whole-tumor mask.
        mask: (ni, nj, nk) where the model holds; voxels outside are left out.
    """

    visit: ObservedVisit
    mask: np.ndarray

    @functools.cached_property
    def _labels(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) flat indices of the voxels inside and (n,) their block; blocks are numbered without gaps."""
        assert self.visit.whole is not None
        voxels = np.flatnonzero(self.visit.whole & self.mask)
        ijk = np.stack(np.unravel_index(voxels, self.mask.shape), axis=1)
        octant = ((ijk > np.median(ijk, axis=0)) * [1, 2, 4]).sum(axis=1)
        depth = -self.visit.contours.to_whole_mm.ravel()[voxels]
        shell = np.searchsorted(np.quantile(depth, np.arange(1, _DEPTHS) / _DEPTHS), depth)
        return voxels, np.unique(_DEPTHS * octant + shell, return_inverse=True)[1]

    @functools.cached_property
    def counts(self) -> np.ndarray:
        """(n,) voxels in each block."""
        return np.bincount(self._labels[1])

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"cellularity block_{n}" for n in range(1, len(self.counts) + 1))

    @functools.cached_property
    def observed(self) -> np.ndarray:
        assert self.visit.cellularity is not None
        return self._means(self.visit.cellularity)

    def of_field(self, u: np.ndarray, du: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) means and (n, P) derivatives."""
        return self._means(u), np.stack([self._means(d) for d in du], axis=1) if len(du) else np.zeros(
            (len(self.counts), 0)
        )

    def _means(self, field: np.ndarray) -> np.ndarray:
        voxels, labels = self._labels
        return np.bincount(labels, field.ravel()[voxels], len(self.counts)) / self.counts
