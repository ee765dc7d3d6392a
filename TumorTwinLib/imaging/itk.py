"""Images and linear transforms to ITK and back, for the algorithms of SimpleITK."""

from __future__ import annotations

from typing import Any

import numpy as np

from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.imaging.transforms import LPS_TO_RAS


def to_itk(image: Image, pixel_type: type = np.float32) -> Any:
    """A SimpleITK image with the same voxels at the same place."""
    import SimpleITK as sitk

    spacing = np.array(image.grid.spacing_mm)
    lps = LPS_TO_RAS @ image.grid.ijk_to_ras
    volume = sitk.GetImageFromArray(np.ascontiguousarray(image.array.astype(pixel_type).T))
    volume.SetSpacing(spacing.tolist())
    volume.SetOrigin(lps[:3, 3].tolist())
    volume.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    return volume


def array_of(volume: Any) -> np.ndarray:
    """(ni, nj, nk) voxels of a SimpleITK image."""
    import SimpleITK as sitk

    return np.ascontiguousarray(sitk.GetArrayFromImage(volume).T)


def on_grid_of(volume: Any, grid: Grid, name: str) -> Image:
    """The voxels of a SimpleITK image that was made from an image on ``grid``."""
    return Image(array_of(volume), grid, name)


def matrix_of(transform: Any) -> np.ndarray:
    """(4, 4) RAS matrix of a linear ITK transform, fixed to moving as ITK has it."""
    center, offset = np.array(transform.GetCenter()), np.array(transform.GetTranslation())
    lps = np.eye(4)
    lps[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    lps[:3, 3] = offset + center - lps[:3, :3] @ center
    return LPS_TO_RAS @ lps @ LPS_TO_RAS
