"""Apparent diffusion coefficients in one unit, 1e-6 mm2/s, whatever the scanner wrote."""

from __future__ import annotations

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image

ADC_UNIT = "1e-6 mm2/s"
# Somewhere in every brain is fluid or loose tissue, so the 99th percentile lies between healthy tissue and a little
# above free water (3000), and the units in use are a thousand apart. The maximum would hang on single noisy voxels,
# the median on how much of the brain the tumor has filled with cells.
_PERCENTILE = 99.0
_PLAUSIBLE = (600.0, 10_000.0)  # 1e-6 mm2/s
_FACTOR = {"1e-6 mm2/s": 1.0, "1e-3 mm2/s": 1e3, "mm2/s": 1e6}


def adc_in_standard_unit(adc: Image, brain_mask: Image | None = None) -> Image:
    """``adc`` in 1e-6 mm2/s; its unit is recognised from the positive values inside the brain, or of
    the whole image before there is a mask.

    Values are only scaled: those above free water or outside the brain stay for the model to judge. An image that names
    its unit is converted from that unit without guessing.

    Args:
        adc: (ni, nj, nk), unit empty or one of 1e-6 mm2/s, 1e-3 mm2/s, mm2/s.
        brain_mask: on any grid, or None.

    Raises:
        TumorTwinError: no voxel in the brain is positive, or their 99th percentile is implausible in every unit.
    """
    unit = adc.unit or _recognised_unit(adc, brain_mask)
    if unit not in _FACTOR:
        raise TumorTwinError(f"{adc.name} is in {unit}: give ADC in {', '.join(_FACTOR)}.")
    if unit == ADC_UNIT:
        return Image(adc.array, adc.grid, adc.name, ADC_UNIT)
    scaled = (adc.array * _FACTOR[unit]).astype(np.float32)
    return Image(scaled, adc.grid, adc.name, ADC_UNIT)


def _recognised_unit(adc: Image, brain_mask: Image | None) -> str:
    values, where = adc.array, "the image"
    if brain_mask is not None:
        values, where = values[brain_mask.resample(adc.grid, order=0).array > 0], "the brain mask"
    positive = values[values > 0]
    if not positive.size:
        raise TumorTwinError(f"{adc.name} has no positive ADC inside {where}: check that it is the ADC map.")
    high_value = float(np.percentile(positive, _PERCENTILE))
    for unit, factor in _FACTOR.items():
        if _PLAUSIBLE[0] <= high_value * factor <= _PLAUSIBLE[1]:
            return unit
    raise TumorTwinError(
        f"{adc.name} reaches {high_value:.3g} in {where.removesuffix(' mask')}, which is ADC in no usual unit: "
        "give it in 1e-6 mm2/s."
    )
