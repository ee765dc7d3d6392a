"""The slow brightness changes of a receiver coil, taken out of an MR image by N4 (Tustison, IEEE TMI 2010)."""

from __future__ import annotations

import numpy as np

from TumorTwinLib.geometry import Image
from TumorTwinLib.imaging.foreground import foreground
from TumorTwinLib.imaging.itk import array_of, to_itk

_FIT_SPACING_MM = 4.0  # the field is smooth over centimetres: a coarse image tells it as well, and 64 times faster
_ITERATIONS = (30, 30, 20)  # at each of three ever finer control grids


def correct_bias(image: Image, mask: Image | None = None) -> Image:
    """The image divided by its bias field, whose mean over the mask is 1.

    Args:
        image: (ni, nj, nk) MR intensity. Not for CT, PET, ADC or any other quantity with a unit.
        mask: where to estimate the field, on the image's grid, e.g. the brain; by default the whole head.

    Returns:
        Image on the same grid; voxels outside the mask are divided by the same smooth field.
    """
    import SimpleITK as sitk

    inside = foreground(image) if mask is None else mask.array > 0.5
    lowest = min(float(image.array[inside].min()), 0.0)  # N4 works on logarithms
    positive = Image(image.array.astype(np.float32) - lowest, image.grid, image.name)
    volume, region = to_itk(positive), to_itk(Image(inside & (positive.array > 0), image.grid), np.uint8)
    shrink = [max(1, round(_FIT_SPACING_MM / spacing)) for spacing in image.grid.spacing_mm]
    shrink = [min(factor, max(1, n // 8)) for factor, n in zip(shrink, image.grid.shape, strict=True)]
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations(_ITERATIONS)
    n4.Execute(sitk.Shrink(volume, shrink), sitk.Shrink(region, shrink))
    field = np.exp(array_of(n4.GetLogBiasFieldAsImage(volume)))
    field /= field[inside].mean()
    return Image((positive.array / field + lowest).astype(np.float32), image.grid, image.name, image.unit)
