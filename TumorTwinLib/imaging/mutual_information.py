"""Two scans at several resolutions, and the climb to the nearest maximum of their mutual information."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.imaging.itk import matrix_of, to_itk
from TumorTwinLib.imaging.transforms import LPS_TO_RAS, move

_LEVELS_MM = (8.0, 4.0, 2.0)
_HEAD_RADIUS_MM = 80.0
_TO_RADII = np.diag([1 / _HEAD_RADIUS_MM] * 3 + [1.0])
_BINS = 32
_SAMPLES = 60_000.0


@dataclass(frozen=True, eq=False)
class Level:
    """Both scans at one resolution."""

    fixed: Image
    moving: Image
    mask: Image | None
    spacing_mm: float


def pyramid(fixed: Image, moving: Image, mask: Image | None) -> list[Level]:
    """Coarse to fine; each is made from the finer one, which is cheaper than from the scan."""
    levels: list[Level] = []
    for spacing in reversed(_LEVELS_MM):
        fixed, moving = (image.resample(_at_spacing(image, spacing)) for image in (fixed, moving))
        mask = None if mask is None else mask.resample(fixed.grid)
        levels.insert(0, Level(_clipped(fixed), _clipped(moving), mask, spacing))
    return levels


def _at_spacing(image: Image, spacing_mm: float) -> Grid:
    grid = image.grid.with_spacing(spacing_mm)
    # ITK interpolates between voxels, and a single slice has none
    return grid if min(grid.shape) >= 4 else grid.crop((-2,) * 3, tuple(n + 2 for n in grid.shape))


def _clipped(image: Image) -> Image:
    low, high = np.percentile(image.array, (0.5, 99.8))
    if not high > low:
        raise TumorTwinError(f"{image.name} is the same everywhere: choose a scan that shows the patient.")
    return Image(np.clip(image.array, low, high), image.grid, image.name)


class Climber:
    """Runs of ITK's registration that share a center and a random seed.

    ITK is given lengths in units of the head's radius. A change of 1 in a rotation, a matrix element or a shift then
    moves the brain's surface equally far, which is what steps of a fixed length need.
    """

    def __init__(self, center_mm: np.ndarray, affine: bool, seed: int) -> None:
        self.center_mm = center_mm
        self.affine = affine
        self.seed = seed

    def rigid(self, level: Level, start_ras: np.ndarray, step_mm: float, attempt: int = 0) -> tuple[np.ndarray, float]:
        """Matrix and mutual information in nats of the maximum uphill from ``start_ras``."""
        import SimpleITK as sitk

        return self._climb(level, sitk.Euler3DTransform(), start_ras, step_mm, attempt)

    def final(self, levels: list[Level], start_ras: np.ndarray, attempt: int) -> tuple[np.ndarray, float]:
        """From the middle level to the finest, with scales and shears if two heads differ, on its own sample points."""
        import SimpleITK as sitk

        end = start_ras, 0.0
        for level, step_mm in zip(levels[1:], (2.0, 1.0), strict=True):
            if not self.affine or level is levels[1]:
                end = self.rigid(level, end[0], step_mm, attempt)
            if self.affine:
                end = self._climb(level, sitk.AffineTransform(3), end[0], step_mm, attempt)
        return end

    def _climb(
        self, level: Level, transform: Any, start_ras: np.ndarray, step_mm: float, attempt: int
    ) -> tuple[np.ndarray, float]:
        method = self._method(level, attempt)
        method.SetOptimizerAsRegularStepGradientDescent(
            learningRate=step_mm / _HEAD_RADIUS_MM,
            minStep=0.005 * level.spacing_mm / _HEAD_RADIUS_MM,
            numberOfIterations=100,
            relaxationFactor=0.6,
        )
        method.SetInitialTransform(self._placed(transform, start_ras), inPlace=True)
        try:
            method.Execute(*_in_radii(level))
        except RuntimeError:  # a start where the scans do not overlap
            return start_ras, 0.0
        fixed_to_moving = matrix_of(transform)
        fixed_to_moving[:3, 3] *= _HEAD_RADIUS_MM
        return np.linalg.inv(fixed_to_moving), -method.GetMetricValue()

    def _method(self, level: Level, attempt: int) -> Any:
        import SimpleITK as sitk

        method = sitk.ImageRegistrationMethod()
        method.SetMetricAsMattesMutualInformation(_BINS)
        method.SetInterpolator(sitk.sitkLinear)
        method.SetMetricSamplingStrategy(method.RANDOM)
        voxels = float(np.prod(level.fixed.grid.shape))
        method.SetMetricSamplingPercentage(min(1.0, _SAMPLES / voxels), self.seed + attempt)
        if level.mask is not None:
            inside = Image(level.mask.array > 0.5, level.mask.grid)
            method.SetMetricFixedMask(to_itk(move(inside, _TO_RADII), np.uint8))
        return method

    def _placed(self, transform: Any, matrix_ras: np.ndarray) -> Any:
        """The ITK transform, fixed to moving, of a matrix from moving to fixed."""
        lps = LPS_TO_RAS @ np.linalg.inv(matrix_ras) @ LPS_TO_RAS
        center = LPS_TO_RAS[:3, :3] @ self.center_mm
        transform.SetCenter((center / _HEAD_RADIUS_MM).tolist())
        transform.SetMatrix(lps[:3, :3].ravel().tolist())
        transform.SetTranslation(((lps[:3, 3] - center + lps[:3, :3] @ center) / _HEAD_RADIUS_MM).tolist())
        return transform


def _in_radii(level: Level) -> tuple[Any, Any]:
    """Both ITK images, with lengths in units of the head's radius."""
    return to_itk(move(level.fixed, _TO_RADII)), to_itk(move(level.moving, _TO_RADII))
