"""Margins in millimetres of the patient, and doses prescribed on them."""

from __future__ import annotations

import numpy as np
import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.treatment.targets import expand, per_fraction, prescribed_dose, with_boost


def one_voxel(spacing=(1.0, 2.0, 3.0), turned: bool = False) -> Image:
    """A single voxel at a known place, on an anisotropic grid whose axes may be turned against the patient's."""
    array = np.zeros((7, 6, 5), dtype=bool)
    array[3, 2, 2] = True
    affine = np.diag([*spacing, 1.0])
    if turned:
        c, s = np.cos(0.4), np.sin(0.4)
        affine = np.array([[c, -s, 0, 5], [s, c, 0, -3], [0, 0, -1, 2], [0, 0, 0, 1.0]]) @ affine
    return Image(array, Grid(array.shape, affine), "tumor")


def positions(image: Image) -> np.ndarray:
    return image.grid.ras_mm(np.argwhere(image.array > 0))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("margin_mm", [0.0, 3.0, 10.0])
def test_a_margin_is_a_ball_in_the_patient(turned, margin_mm):
    """It reaches beyond the segmentation's grid, and every voxel centre within it is in, no other."""
    mask = one_voxel(turned=turned)
    centre = positions(mask)[0]
    found = expand(mask, margin_mm)
    distance = np.linalg.norm(found.grid.ras_mm(np.stack(np.indices(found.grid.shape), axis=-1)) - centre, axis=-1)
    np.testing.assert_array_equal(found.array, distance <= margin_mm + 1e-6)
    assert distance.max() >= margin_mm


def test_a_clinical_target_stays_inside_the_organ():
    mask = one_voxel((1.0, 1.0, 1.0))
    organ = np.zeros(mask.grid.shape, dtype=bool)
    organ[:5] = True
    found = expand(mask, 4.0, within=Image(organ, mask.grid, "brain"))
    assert positions(found)[:, 0].max() == 4.0
    assert positions(found)[:, 0].min() == 0.0  # the organ begins there
    assert positions(expand(found, 2.0))[:, 0].max() == 6.0  # setup errors know no organ


def test_the_dose_is_full_in_the_target_and_falls_off_by_its_penumbra():
    mask = one_voxel((0.5, 0.5, 0.5))
    dose = prescribed_dose(mask, 2.0, penumbra_mm=6.0)
    row = dose.array[:, mask.array.shape[1] // 2 - 1 + (dose.grid.shape[1] - mask.grid.shape[1]) // 2]
    along = row[:, 2 + (dose.grid.shape[2] - mask.grid.shape[2]) // 2]
    peak = int(along.argmax())
    assert along[peak] == 2.0
    mm = np.arange(len(along) - peak) * 0.5
    at = [np.interp(-share * 2.0, -along[peak:], mm) for share in (0.8, 0.2)]
    assert at[1] - at[0] == pytest.approx(6.0, abs=0.05)
    assert along[0] < 0.002
    assert dose.unit == "Gy"


def test_a_boost_is_the_higher_of_two_doses():
    mask = one_voxel((1.0, 1.0, 1.0))
    wide = prescribed_dose(expand(mask, 5.0), 2.0)
    both = with_boost(wide, prescribed_dose(mask, 2.5))
    assert both.array.max() == pytest.approx(2.5, abs=1e-6)
    assert (both.array >= wide.array).all()
    assert both.grid is wide.grid


def test_a_course_is_shared_among_its_fractions():
    total = Image(np.full((2, 2, 2), 60.0), Grid.from_spacing((2, 2, 2), (1, 1, 1)), "plan", "Gy")
    np.testing.assert_allclose(per_fraction(total, 30).array, 2.0)


@pytest.mark.parametrize(
    ("attempt", "sentence"),
    [
        (lambda m: expand(m, -1.0), "margin around tumor is -1.0 mm"),
        (lambda m: expand(Image(m.array & False, m.grid, "tumor"), 1.0), "tumor is empty: segment the target"),
        (lambda m: prescribed_dose(m, 0.0), "prescription on tumor is 0.0 Gy"),
        (lambda m: per_fraction(Image(m.array, m.grid, "ct", "HU"), 3), "ct is in HU: give a dose volume in Gy"),
        (lambda m: per_fraction(m, 0), "tumor is to be given in 0 fractions"),
    ],
)
def test_bad_targets_are_one_sentence(attempt, sentence):
    with pytest.raises(TumorTwinError, match=sentence):
        attempt(one_voxel())


def test_a_sheared_grid_is_refused():
    affine = np.eye(4)
    affine[0, 1] = 0.5
    mask = Image(np.ones((2, 2, 2), bool), Grid((2, 2, 2), affine), "tumor")
    with pytest.raises(TumorTwinError, match="tumor is sheared"):
        expand(mask, 1.0)
