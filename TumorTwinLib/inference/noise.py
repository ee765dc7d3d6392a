"""How far summaries of a scan may be from a perfect model's: reading, scanner noise and model discrepancy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from TumorTwinLib.inference.summaries import BASE_VOXELS, SECTORS, BlockSummary, RegionSummary
from TumorTwinLib.models.observation import ObservedVisit


@dataclass(frozen=True)
class ObservationNoise:
    """Standard deviations of what is seen about what the model says.

    Args:
        reader_mm: displacement of a whole contour from one reading to the next.
        contour_voxels: local displacement of a contour, correlated over ``contour_mm`` along it.
        cellularity: of one voxel of the map, or None to take it from the map's own roughness.
        gain: relative error of a whole cellularity map.
        common_mm, sector_mm: discrepancy of the model's surface, of all of it and of each sixth.
        common_cellularity, block_cellularity: discrepancy of cellularity, of all blocks and of each.
        memory_days: over which discrepancies stay what they are.
        log_volume, length_mm: what is lost in the summaries themselves.
    """

    reader_mm: float = 0.5
    contour_voxels: float = 1.0
    contour_mm: float = 5.0
    cellularity: float | None = None
    gain: float = 0.05
    common_mm: float = 0.3
    sector_mm: float = 0.7
    common_cellularity: float = 0.03
    block_cellularity: float = 0.05
    memory_days: float = 60.0
    log_volume: float = 0.02
    length_mm: float = 0.3

    def memory(self, days: np.ndarray) -> np.ndarray:
        """(v, v) correlation of discrepancies between visits."""
        return np.exp(-np.abs(days[:, None] - days[None, :]) / self.memory_days)

    def region(self, summary: RegionSummary) -> tuple[np.ndarray, np.ndarray]:
        """(n, n) covariance of reading and (n, n) of discrepancy, of one region at one visit."""
        spread = _of_displacement(summary)
        radius_mm = float(_ball_radius_mm(np.exp(summary.observed[0])))
        patches = max(1.0, 4.0 * np.pi * radius_mm**2 / SECTORS / (2.0 * np.pi * self.contour_mm**2))
        local = (self.contour_voxels * max(summary.grid.spacing_mm)) ** 2 / patches
        everywhere, each = np.ones((SECTORS, SECTORS)), np.eye(SECTORS)
        reading = spread @ (self.reader_mm**2 * everywhere + local * each) @ spread.T
        lost = np.full(len(summary.names), self.length_mm**2)
        lost[0] = self.log_volume**2
        discrepancy = spread @ (self.common_mm**2 * everywhere + self.sector_mm**2 * each) @ spread.T
        return reading + np.diag(lost), discrepancy

    def blocks(self, summary: BlockSummary) -> tuple[np.ndarray, np.ndarray]:
        """The same of cellularity."""
        voxel = self.cellularity if self.cellularity is not None else roughness(summary.visit)
        mean = summary.observed
        reading = np.diag(voxel**2 / summary.counts) + self.gain**2 * np.outer(mean, mean)
        discrepancy = self.block_cellularity**2 * np.eye(len(mean)) + self.common_cellularity**2
        return reading, discrepancy

    def log_volume_sd(self, volume_mm3: np.ndarray, grid_mm: float) -> tuple[np.ndarray, np.ndarray]:
        """Of a measured log-volume about the model's: by reading and by discrepancy, for balls of these volumes."""
        radius_mm = _ball_radius_mm(np.asarray(volume_mm3) + BASE_VOXELS * grid_mm**3)
        patches = np.maximum(1.0, 2.0 * radius_mm**2 / self.contour_mm**2)
        reading = np.sqrt(self.reader_mm**2 + (self.contour_voxels * grid_mm) ** 2 / patches)
        discrepancy = np.sqrt(self.common_mm**2 + self.sector_mm**2 / SECTORS)
        return np.hypot(3.0 / radius_mm * reading, self.log_volume), 3.0 / radius_mm * discrepancy


def _ball_radius_mm(volume_mm3: np.ndarray) -> np.ndarray:
    return np.cbrt(3.0 * volume_mm3 / (4.0 * np.pi))


def _of_displacement(summary: RegionSummary) -> np.ndarray:
    """(n, 6) change of the summaries by an outward displacement of each sector's surface, as if it were a ball's."""
    observed = summary.observed
    if not summary.has_shape:
        return np.full((1, SECTORS), 3.0 / _ball_radius_mm(np.exp(observed[0])) / SECTORS)
    volume, radii = float(np.exp(observed[0])), observed[4:]
    area = 4.0 * np.pi / SECTORS * radii**2
    axes = np.repeat(np.eye(3), 2, axis=0) * np.tile([1.0, -1.0], 3)[:, None]  # +R, -R, +A, ...
    return np.concatenate([(area / volume)[None], (axes * (area * radii / volume)[:, None]).T, np.eye(SECTORS)])


def roughness(visit: ObservedVisit) -> float:
    """Standard deviation of the noise of a cellularity map, from its second differences inside the contour.

    Of independent noise ``a - 2 b + c`` is root 6 times as large, and hardly anything of a smooth tumour; the median
    leaves out fronts.
    """
    if visit.cellularity is None or visit.whole is None:
        return 0.0
    deviations = []
    for axis in range(3):
        u, inside = np.moveaxis(visit.cellularity, axis, 0), np.moveaxis(visit.whole, axis, 0)
        usable = inside[2:] & inside[1:-1] & inside[:-2] & (u[1:-1] < 0.99)
        deviations.append(np.abs(u[2:] - 2.0 * u[1:-1] + u[:-2])[usable])
    found = np.concatenate(deviations)
    return float(np.median(found)) / 0.6745 / np.sqrt(6.0) if found.size else 0.0
