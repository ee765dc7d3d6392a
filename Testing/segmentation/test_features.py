"""Diameters, surfaces and growth of bodies whose numbers are known, on isotropic, thick and tilted voxels."""

from __future__ import annotations

import csv
import math
from datetime import datetime, timedelta

import numpy as np
import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.segmentation.features import feature_rows, growth, region_features, write_feature_table
from TumorTwinLib.segmentation.shape import axial_diameters, feret_mm, slice_diameters, sphericity, surface_mm2


def centred(shape, spacing_mm, axes=((1, 0, 0), (0, 1, 0), (0, 0, 1))) -> Grid:
    """A grid whose index axes run along the rows of ``axes`` (RAS), with 0 mm in its middle."""
    affine = np.eye(4)
    affine[:3, :3] = np.array(axes, float).T * spacing_mm
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2) + (0.13, -0.21, 0.07)
    return Grid(shape, affine)


UPRIGHT = np.eye(3)


def ellipsoid(grid: Grid, radii_mm, turn=UPRIGHT) -> np.ndarray:
    ras = grid.ras_mm(np.stack(np.indices(grid.shape), -1))
    return (((ras @ turn) / np.array(radii_mm)) ** 2).sum(-1) <= 1


def rotation(axis: int, degrees: float) -> np.ndarray:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    first, second = [a for a in range(3) if a != axis]
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = c
    matrix[first, second], matrix[second, first] = -s, s
    return matrix


FINE = centred((70, 70, 70), (1.0, 1.0, 1.0))
THICK = centred((70, 70, 24), (1.0, 1.0, 3.0))


def knud_thomsen(a: float, b: float, c: float) -> float:
    """Area of an ellipsoid, to 1.1 %."""
    p = 1.6075
    return 4 * np.pi * (((a * b) ** p + (a * c) ** p + (b * c) ** p) / 3) ** (1 / p)


@pytest.mark.parametrize("grid", [FINE, THICK], ids=["fine", "thick"])
@pytest.mark.parametrize("radius_mm", [8.0, 15.0, 25.0])
def test_a_ball_has_the_area_and_diameter_of_a_ball(grid, radius_mm):
    ball = ellipsoid(grid, (radius_mm,) * 3)
    area = surface_mm2(ball, grid)
    assert area == pytest.approx(4 * np.pi * radius_mm**2, rel=0.03)
    assert sphericity(ball.sum() * grid.voxel_volume_mm3, area) == pytest.approx(1, rel=0.035)
    assert feret_mm(ball, grid) == pytest.approx(2 * radius_mm, abs=max(grid.spacing_mm))
    diameters = axial_diameters(ball, grid)
    assert diameters.longest_mm == pytest.approx(2 * radius_mm, abs=1.0)
    assert diameters.perpendicular_mm == pytest.approx(2 * radius_mm, abs=1.2)
    assert diameters.lesions == 1


@pytest.mark.parametrize("degrees", [0, 20, 45])
def test_an_ellipsoid_turned_in_plane_keeps_its_diameters(degrees):
    mask = ellipsoid(FINE, (24, 12, 9), rotation(2, degrees))
    diameters = axial_diameters(mask, FINE)
    assert diameters.longest_mm == pytest.approx(48, abs=1.0)
    assert diameters.perpendicular_mm == pytest.approx(24, abs=1.2)
    assert diameters.product_mm2 == diameters.longest_mm * diameters.perpendicular_mm
    assert diameters.sum_of_products_mm2 == diameters.product_mm2
    assert surface_mm2(mask, FINE) == pytest.approx(knud_thomsen(24, 12, 9), rel=0.04)


def test_the_longest_diameter_in_space_may_be_out_of_plane():
    upright = ellipsoid(FINE, (9, 12, 24))
    assert axial_diameters(upright, FINE).longest_mm == pytest.approx(24, abs=1.0)
    assert feret_mm(upright, FINE) == pytest.approx(48, abs=1.0)


def test_slices_are_axial_whichever_axis_they_lie_along():
    sagittal = centred((60, 64, 66), (1.0, 1.0, 1.0), axes=((0, -1, 0), (0, 0, -1), (1, 0, 0)))
    tall = ellipsoid(sagittal, (10, 15, 25))  # right, anterior, superior
    diameters = axial_diameters(tall, sagittal)
    assert diameters.longest_mm == pytest.approx(30, abs=1.0)
    assert diameters.perpendicular_mm == pytest.approx(20, abs=1.0)


def test_a_rectangle_has_its_diagonal_and_the_chord_across_it():
    plane = np.zeros((40, 30), bool)
    plane[5:35, 5:15] = True  # 30 mm by 10 mm
    longest, perpendicular = slice_diameters(plane, [1.0, 1.0])
    diagonal = np.hypot(30, 9)  # between the middles of the outermost faces
    assert longest == pytest.approx(diagonal)
    assert perpendicular == pytest.approx(10 / (30 / diagonal), rel=0.05)
    single = np.zeros((3, 3), bool)
    single[1, 1] = True
    assert slice_diameters(single, [1.0, 2.0]) == pytest.approx((2.0, 1.0))


def test_hull_diameters_are_those_of_every_pair_of_points(rng):
    plane = np.zeros((40, 40), bool)
    for i, j in rng.integers(5, 35, (6, 2)):
        plane[i - 3 : i + 4, j - 2 : j + 5] = True
    from TumorTwinLib.segmentation.shape import _rim

    rim = _rim(plane)
    expected = np.linalg.norm(rim[:, None] - rim[None], axis=-1).max()
    assert slice_diameters(plane, [1.0, 1.0])[0] == pytest.approx(expected)


def test_lesions_are_measured_apart():
    two = ellipsoid(FINE, (10, 10, 10))
    two[:6, :6, :6] = True  # 6 mm: counted, not measurable
    one = axial_diameters(ellipsoid(FINE, (10, 10, 10)), FINE)
    both = axial_diameters(two, FINE)
    assert both.lesions == 2
    assert both.longest_mm == one.longest_mm
    assert both.sum_of_products_mm2 == one.sum_of_products_mm2
    assert axial_diameters(two & ~ellipsoid(FINE, (11, 11, 11)), FINE).sum_of_products_mm2 == 0


def test_an_empty_region_has_no_size():
    empty = Image(np.zeros(FINE.shape, bool), FINE)
    flair = Image(np.ones(FINE.shape), FINE)
    features = region_features({"enhancing": empty}, {"FLAIR": flair})["enhancing"]
    assert (features.volume_ml, features.feret_mm, features.surface_mm2) == (0, 0, 0)
    assert math.isnan(features.center_ras_mm[0])
    assert math.isnan(features.sphericity)
    assert math.isnan(features.intensities["FLAIR_mean"])


def test_place_volume_and_brightness():
    mask = ellipsoid(FINE, (10, 10, 10))
    coarse = centred((35, 35, 35), (2.0, 2.0, 2.0))
    ras = coarse.ras_mm(np.stack(np.indices(coarse.shape), -1))
    adc = Image(1000 + ras[..., 0], coarse, "adc.nii", "1e-6 mm2/s")
    features = region_features({"core": Image(mask, FINE)}, {"ADC": adc}, volume_sd_ml={"core": 0.4})["core"]
    assert features.volume_ml == pytest.approx(4 / 3 * np.pi, rel=0.01)
    assert features.volume_sd_ml == 0.4
    np.testing.assert_allclose(features.center_ras_mm, 0, atol=0.05)
    assert features.intensities["ADC_mean_1e-6 mm2/s"] == pytest.approx(1000, abs=0.1)
    assert features.intensities["ADC_sd_1e-6 mm2/s"] == pytest.approx(10 / np.sqrt(5), rel=0.03)
    assert features.intensities["ADC_p95_1e-6 mm2/s"] == pytest.approx(1007.3, abs=0.4)


def visit(radius_mm: float):
    mask = Image(ellipsoid(FINE, (radius_mm,) * 3), FINE)
    return region_features({"whole_tumor": mask}, {})["whole_tumor"]


def test_growth_between_two_balls():
    small, large = visit(10), visit(10 * 2 ** (1 / 3))
    change = growth(small, large, 30)
    assert change.doubling_time_days == pytest.approx(30, rel=0.02)
    assert change.ml_per_day == pytest.approx(4 / 3 * np.pi / 30, rel=0.02)
    assert change.volume_change_percent == pytest.approx(100, rel=0.02)
    assert change.rano_change_percent == pytest.approx(100 * (2 ** (2 / 3) - 1), rel=0.15)
    assert growth(large, small, 30).doubling_time_days == pytest.approx(-30, rel=0.02)
    assert growth(small, small, 30).doubling_time_days == math.inf
    with pytest.raises(TumorTwinError, match="0 days on"):
        growth(small, large, 0)


def test_the_table_has_units_growth_and_empty_cells(tmp_path):
    start = datetime(2024, 3, 5)
    visits = [
        (start + timedelta(days=30 * number), {"whole_tumor": visit(radius)})
        for number, radius in enumerate((12, 10, 13))
    ]
    path = tmp_path / "features.csv"
    write_feature_table(feature_rows(visits), path)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["visit_time"] for row in rows] == ["2024-03-05 00:00", "2024-04-04 00:00", "2024-05-04 00:00"]
    assert [row["day"] for row in rows] == ["0", "30", "60"]
    assert rows[0]["growth_ml_per_day"] == rows[0]["volume_sd_ml"] == ""
    assert float(rows[1]["growth_ml_per_day"]) < 0 < float(rows[2]["growth_ml_per_day"])
    assert rows[2]["rano_change_from_smallest_percent"] == rows[2]["rano_change_percent"]
    assert float(rows[2]["rano_change_percent"]) == pytest.approx(69, abs=15)
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(TumorTwinError, match=r"features\.csv cannot be written"):
        write_feature_table([], tmp_path / "absent" / "features.csv")
