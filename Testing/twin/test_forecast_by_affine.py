"""The same head stored along other axes, or on a turned grid, has the same future."""

from __future__ import annotations

import numpy as np
import pytest

import TumorTwinLib as tt
from Testing.twin.heads import RAS, VALUES, head, stored, turned
from TumorTwinLib.geometry import Image
from TumorTwinLib.metrics import center_of_mass_mm, dice

STORED = {
    "LAS": stored((0, 1, 2), (True, False, False)),
    "LPS": stored((0, 1, 2), (True, True, False)),
    "SRP": stored((2, 0, 1), (False, False, True)),
}


def forecast_of(grid, **settings) -> tt.Forecast:
    patient = head(grid, **settings)
    model = tt.ReactionDiffusionModel(domain=patient.brain_mask, tissues=patient.tissues)
    return tt.DigitalTwin(model=model, parameters=VALUES, patient=patient, visits=1).predict(60.0, [30.0, 60.0])


def on_ras(forecast: tt.Forecast, index: int) -> np.ndarray:
    return Image(forecast.cellularity[index], forecast.grid).resample(RAS).array


@pytest.fixture(scope="module")
def reference() -> tt.Forecast:
    return forecast_of(RAS)


@pytest.mark.parametrize("grid", STORED.values(), ids=STORED)
def test_flipped_and_reordered_heads_agree(reference, grid):
    found = forecast_of(grid)
    assert not grid.same_as(RAS)
    np.testing.assert_allclose(found.total_cell_count, reference.total_cell_count, rtol=1e-5)
    for region, volume in reference.volume_mm3.items():
        np.testing.assert_allclose(found.volume_mm3[region], volume, atol=8.0)  # a voxel may sit on the threshold
    for index in range(len(reference.days)):
        np.testing.assert_allclose(on_ras(found, index), reference.cellularity[index], atol=1e-5)


def test_a_turned_head_agrees_to_interpolation(reference):
    found = forecast_of(turned(20.0))
    np.testing.assert_allclose(found.days, reference.days)
    np.testing.assert_allclose(found.total_cell_count, reference.total_cell_count, rtol=0.015)
    np.testing.assert_allclose(found.volume_mm3["whole_tumor"], reference.volume_mm3["whole_tumor"], rtol=0.04)
    for index in range(len(reference.days)):
        level = reference.thresholds["whole_tumor"]
        assert dice(on_ras(found, index) >= level, reference.cellularity[index] >= level) > 0.94
        centres = [center_of_mass_mm(f.cellularity[index], f.grid) for f in (found, reference)]
        assert np.linalg.norm(centres[0] - centres[1]) < 0.2
