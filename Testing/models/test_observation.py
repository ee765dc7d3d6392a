"""What a scan shows: cellularity from ADC, a visit on another grid, and the levels of the contours."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.models.observation import ObservedVisit, cellularity_from_adc, contour_levels, observe_visit
from TumorTwinLib.patient import Visit

TIME = datetime(2024, 3, 5, 9, 30)
FINE = Grid.from_spacing((44, 44, 44), (1.0, 1.0, 1.0), (-21.5, -21.5, -21.5))


CENTRE_MM = (0.4, -0.7, 0.9)  # a ball centred on a voxel's corner gains or loses whole shells on a coarser grid


def radius_mm(grid: Grid) -> np.ndarray:
    return np.linalg.norm(grid.ras_mm(np.stack(np.indices(grid.shape), axis=-1)) - CENTRE_MM, axis=-1)


def visit_on(grid: Grid, adc: np.ndarray | None = None) -> Visit:
    """A ball of 13 mm with a core of 8 mm; ADC of 1500 at its middle, more outward, healthy tissue around it."""
    r = radius_mm(grid)
    whole, core = r <= 13.0, r <= 8.0
    adc = np.where(whole, 1500.0 + 60.0 * r, 800.0) if adc is None else adc
    regions = {"enhancing": Image(core, grid, "core"), "edema": Image(whole & ~core, grid, "edema")}
    return Visit(TIME, {"ADC": Image(adc.astype(np.float32), grid, "ADC", "1e-6 mm2/s")}, regions)


def cells(visit: ObservedVisit, grid: Grid) -> float:
    return float(visit.cellularity.sum(dtype=np.float64)) * grid.voxel_volume_mm3


def test_adc_maps_to_cellularity_linearly():
    found = cellularity_from_adc(np.array([0.0, 600.0, 1500.0, 3000.0]))
    np.testing.assert_allclose(found, [1.0, 0.8, 0.5, 0.0], atol=1e-6)
    np.testing.assert_allclose(cellularity_from_adc(np.array([500.0, 1750.0]), densest=500.0), [1.0, 0.5], atol=1e-6)


def test_ADC_1_above_free_water_there_are_no_cells():
    found = cellularity_from_adc(np.array([3000, 3600, 4500, 32767], dtype=np.int16))
    np.testing.assert_array_equal(found, 0.0)


def test_ADC_2_one_outlier_changes_no_other_voxel():
    adc = np.linspace(700.0, 2900.0, 500)
    spiked = adc.copy()
    spiked[17] = 60000.0
    others = np.arange(500) != 17
    np.testing.assert_array_equal(cellularity_from_adc(spiked)[others], cellularity_from_adc(adc)[others])
    assert cellularity_from_adc(spiked)[17] == 0.0


def test_ADC_2_a_map_of_low_values_is_not_rescaled():
    for highest in (900.0, 1000.0):
        assert cellularity_from_adc(np.array([0.0, highest]))[1] == pytest.approx(1 - highest / 3000, abs=1e-6)


@pytest.mark.parametrize("spacing_mm", [None, 2.0])
@pytest.mark.parametrize("background", [0.0, 32767.0, -5.0])
def test_what_the_background_holds_is_harmless(background, spacing_mm):
    r = radius_mm(FINE)
    adc = visit_on(FINE).images["ADC"].array.copy()
    adc[r > 18] = background
    grid = FINE if spacing_mm is None else FINE.with_spacing(spacing_mm)
    clean, filled = (observe_visit(visit_on(FINE, a), 0.0, grid) for a in (None, adc))
    np.testing.assert_array_equal(filled.cellularity, clean.cellularity)


@pytest.mark.parametrize("spacing_mm", [1.5, 2.0, 3.0])
def test_a_visit_on_another_grid_keeps_its_cells_and_volumes(spacing_mm):
    grid = FINE.with_spacing(spacing_mm)
    there, here = observe_visit(visit_on(FINE), 3.5, FINE), observe_visit(visit_on(FINE), 3.5, grid)
    assert here.day == 3.5
    assert cells(here, grid) == pytest.approx(cells(there, FINE), rel=0.02)
    assert here.whole.sum() * grid.voxel_volume_mm3 == pytest.approx(there.whole.sum(), rel=0.02)
    np.testing.assert_array_equal(here.cellularity[~here.whole], 0.0)
    inside = (radius_mm(grid) > 4) & (radius_mm(grid) < 10)  # not the tip of the cone, which averaging rounds off
    np.testing.assert_allclose(
        here.cellularity[inside], cellularity_from_adc(1500 + 60 * radius_mm(grid)[inside]), atol=0.02
    )


def test_an_adc_map_on_its_own_grid_meets_masks_on_theirs():
    """ADC is often acquired with thick slices; segmentations are drawn on T1."""
    thick = Grid.from_spacing((22, 22, 11), (2.0, 2.0, 4.0), (-21.0, -21.0, -20.0))
    visit = Visit(TIME, visit_on(thick).images, visit_on(FINE).regions)
    found, expected = observe_visit(visit, 0.0, FINE), observe_visit(visit_on(FINE), 0.0, FINE)
    np.testing.assert_array_equal(found.whole, expected.whole)
    np.testing.assert_array_equal(found.cellularity[~found.whole], 0.0)
    assert cells(found, FINE) == pytest.approx(cells(expected, FINE), rel=0.05)


def test_a_finer_grid_adds_no_tumour():
    coarse = Grid.from_spacing((22, 22, 22), (2.0, 2.0, 2.0), (-21.0, -21.0, -21.0))
    found = observe_visit(visit_on(coarse), 0.0, FINE)
    there = observe_visit(visit_on(coarse), 0.0, coarse)
    assert found.whole.sum() == pytest.approx(there.whole.sum() * 8, rel=0.02)
    assert cells(found, FINE) == pytest.approx(cells(there, coarse), rel=0.02)


def test_a_visit_without_adc_has_contours_only():
    found = observe_visit(Visit(TIME, {}, visit_on(FINE).regions), 0.0, FINE)
    assert found.cellularity is None
    assert found.core.sum() == (radius_mm(FINE) <= 8).sum()
    assert found.whole.sum() == (radius_mm(FINE) <= 13).sum()


def seen(core_level: float, whole_level: float, core_mm: float = 9.0, whole_mm: float = 17.0, **masks) -> ObservedVisit:
    """A ball whose cellularity falls evenly, with contours where it has the two levels."""
    r = radius_mm(FINE)
    slope = (core_level - whole_level) / (whole_mm - core_mm)
    whole = r <= whole_mm
    cellularity = np.where(whole, np.clip(core_level - slope * (r - core_mm), 0, 1), 0.0)
    parts = {"core": r <= core_mm, "whole": whole} | masks
    return ObservedVisit("visit", 0.0, FINE, cellularity, **parts)


@pytest.mark.parametrize(("core_level", "whole_level"), [(0.65, 0.25), (0.8, 0.16), (0.6, 0.4)])
def test_levels_of_the_contours_are_found_from_adc(core_level, whole_level):
    found = contour_levels([seen(core_level, whole_level)], FINE.spacing_mm)
    assert found == pytest.approx({"core": core_level, "whole": whole_level}, abs=0.02)


def test_levels_are_the_median_over_visits():
    visits = [seen(core, 0.25) for core in (0.62, 0.7, 0.84)]
    assert contour_levels(visits, FINE.spacing_mm)["core"] == pytest.approx(0.7, abs=0.02)


def test_levels_that_cannot_be_are_left_out():
    assert contour_levels([seen(0.95, 0.7)], FINE.spacing_mm) == {}
    assert set(contour_levels([seen(0.65, 0.25, core=None)], FINE.spacing_mm)) == {"whole"}
    r = radius_mm(FINE)
    assert "core" not in contour_levels([seen(0.65, 0.25, core=r <= 3)], FINE.spacing_mm)  # too few voxels to tell
    blind = ObservedVisit("visit", 0.0, FINE, None, r <= 9, r <= 17)
    assert contour_levels([blind], FINE.spacing_mm) == {}


def test_CROP_moves_the_origin():
    whole = Grid.from_spacing((90, 116, 36), (1.5, 1.5, 3.0), (-10.0, -20.0, -30.0))
    part = whole.crop((3, 2, 1), (53, 52, 26))
    assert part.shape == (50, 50, 25)
    np.testing.assert_allclose(part.ijk_to_ras[:3, 3], (-5.5, -17.0, -27.0))
    assert part.spacing_mm == whole.spacing_mm


def test_CROP_keeps_every_voxel_where_it_was(rng):
    affine = np.array([[-0.8, 0.6, 0, 12], [1.2, 1.6, 0, -7], [0, 0, 3, 5], [0, 0, 0, 1.0]])
    whole = Grid((9, 8, 7), affine)
    array = rng.random(whole.shape)
    part = Image(array[2:6, 1:7, 3:5], whole.crop((2, 1, 3), (6, 7, 5)))
    np.testing.assert_allclose(part.grid.ras_mm((1, 2, 0)), whole.ras_mm((3, 3, 3)))
    back = part.resample(whole, order=0, fill=-1.0).array
    np.testing.assert_array_equal(back[2:6, 1:7, 3:5], array[2:6, 1:7, 3:5])
    assert (back == -1.0).sum() == array.size - part.array.size
    padded = whole.pad(2)
    np.testing.assert_allclose(padded.ras_mm((2, 2, 2)), whole.ras_mm((0, 0, 0)))
