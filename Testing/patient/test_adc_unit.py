"""ADC arrives in 1e-6 mm2/s from whatever unit the file has."""

from __future__ import annotations

import numpy as np
import pytest

from TumorTwinLib.adc_unit import ADC_UNIT, adc_in_standard_unit
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image

GRID = Grid.from_spacing((10, 10, 10), (2.0, 2.0, 2.0))
BRAIN = Image(np.pad(np.ones((6, 6, 6), bool), 2), GRID, "brain")


def adc_map(rng, scale: float = 1.0) -> np.ndarray:
    return np.where(BRAIN.array, rng.normal(850, 150, GRID.shape), 0) * scale


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-6])
def test_units_in_use_are_recognised(rng, scale):
    raw = adc_map(rng, scale)
    before = raw.copy()
    converted = adc_in_standard_unit(Image(raw, GRID, "ADC.nii.gz"), BRAIN)
    assert converted.unit == ADC_UNIT
    assert np.allclose(converted.array, raw / scale, rtol=1e-5)
    assert np.array_equal(raw, before)


def test_free_water_all_over_is_still_1e_6(rng):
    free_water = np.where(BRAIN.array, 3000, 0).astype(np.int16)
    converted = adc_in_standard_unit(Image(free_water, GRID), BRAIN)
    assert converted.array.dtype == np.int16
    assert np.array_equal(converted.array, free_water)


def test_a_brain_full_of_tumor_is_still_1e_6(rng):
    """Dense tumor everywhere brings nearly all values towards 0, as in the last visits of HGG_demo_002."""
    raw = np.where(BRAIN.array, 6, 0)
    raw[2:4, 2:4, 2:4] = 2900
    assert np.array_equal(adc_in_standard_unit(Image(raw, GRID), BRAIN).array, raw)


def test_single_voxels_and_fill_values_outside_do_not_change_the_unit(rng):
    raw = adc_map(rng)
    raw[5, 5, 5] = 1e6
    raw[~BRAIN.array] = 32767
    assert np.array_equal(adc_in_standard_unit(Image(raw, GRID), BRAIN).array, raw)


def test_a_named_unit_is_believed(rng):
    raw = np.full(GRID.shape, 0.05)
    assert adc_in_standard_unit(Image(raw, GRID, unit="1e-3 mm2/s"), BRAIN).array[0, 0, 0] == pytest.approx(50)
    with pytest.raises(TumorTwinError, match="SUV"):
        adc_in_standard_unit(Image(raw, GRID, unit="SUV"), BRAIN)


def test_a_brain_mask_on_another_grid_serves(rng):
    fine = Grid.from_spacing((20, 20, 20), (1.0, 1.0, 1.0), (-0.5, -0.5, -0.5))
    brain = BRAIN.resample(fine, order=0)
    assert adc_in_standard_unit(Image(adc_map(rng, 1e-3), GRID), brain).array.max() > 700


@pytest.mark.parametrize("scale", [0.05, 50.0, 1e-9])
def test_no_usual_unit_is_refused(rng, scale):
    with pytest.raises(TumorTwinError, match=r"ADC\.nii\.gz reaches"):
        adc_in_standard_unit(Image(adc_map(rng, scale), GRID, "ADC.nii.gz"), BRAIN)


def test_a_map_without_positive_values_is_refused():
    with pytest.raises(TumorTwinError, match="no positive ADC"):
        adc_in_standard_unit(Image(np.zeros(GRID.shape), GRID, "ADC.nii.gz"), BRAIN)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-6])
def test_before_there_is_a_mask_the_whole_image_tells_the_unit(rng, scale):
    noise = np.where(BRAIN.array, 0, rng.uniform(0, 4095, GRID.shape))  # air around an unmasked head
    raw = adc_map(rng, scale) + noise * scale
    converted = adc_in_standard_unit(Image(raw, GRID, "ADC.nii.gz"))
    assert np.allclose(converted.array, raw / scale, rtol=1e-5)
