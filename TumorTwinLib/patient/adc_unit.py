"""Apparent diffusion coefficients in one unit, 1e-6 mm2/s, whatever the scanner wrote."""

from __future__ import annotations

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image

ADC_UNIT = "1e-6 mm2/s"
# Brain tissue is at 700-1000 and free water at 3000 (1e-6 mm2/s), so the median inside the head is known to a factor of
# about four either way, and the units in use are a thousand apart. The median, unlike the maximum, does not depend on
# single voxels of noise or of a fill value.
_MEDIAN_RANGE = (200.0, 4000.0)
_FACTOR = {"1e-6 mm2/s": 1.0, "1e-3 mm2/s": 1e3, "mm2/s": 1e6}


def adc_in_standard_unit(adc: Image, brain_mask: Image) -> Image:
    """``adc`` in 1e-6 mm2/s; its unit is recognised from the median of the positive values inside the brain.

    Values are only scaled: those above free water or outside the brain stay for the model to judge. An image that names
    its unit is converted from that unit without guessing.

    Args:
        adc: (ni, nj, nk), unit empty or one of 1e-6 mm2/s, 1e-3 mm2/s, mm2/s.
        brain_mask: on any grid.

    Raises:
        TumorTwinError: no voxel in the brain is positive, or no unit puts the median between 200 and 4000.
    """
    unit = adc.unit or _recognised_unit(adc, brain_mask)
    if unit not in _FACTOR:
        raise TumorTwinError(f"{adc.name} is in {unit}: give ADC in {', '.join(_FACTOR)}.")
    if unit == ADC_UNIT:
        return Image(adc.array, adc.grid, adc.name, ADC_UNIT)
    scaled = (adc.array * _FACTOR[unit]).astype(np.float32)
    return Image(scaled, adc.grid, adc.name, ADC_UNIT)


def _recognised_unit(adc: Image, brain_mask: Image) -> str:
    in_brain = adc.array[brain_mask.resample(adc.grid, order=0).array > 0]
    positive = in_brain[in_brain > 0]
    if not positive.size:
        raise TumorTwinError(f"{adc.name} has no positive ADC inside the brain mask: check that it is the ADC map.")
    median = float(np.median(positive))
    low, high = _MEDIAN_RANGE
    for unit, factor in _FACTOR.items():
        if low <= median * factor <= high:
            return unit
    raise TumorTwinError(
        f"{adc.name} has a median of {median:.3g} in the brain, which is ADC in no usual unit: give it in 1e-6 mm2/s."
    )
