"""Outputs become regions inside each other, probabilities agree with labels, and small islands go."""

from __future__ import annotations

import numpy as np
import pytest

from Testing.segmentation.small_models import SOFT, head, model
from TumorTwinLib.geometry import Grid
from TumorTwinLib.segmentation import decoding
from TumorTwinLib.segmentation.decoding import decode, decode_on_box, on_whole_grid, regions_of, without_small_islands
from TumorTwinLib.segmentation.preprocessing import prepare


def column(*voxels: tuple[float, ...]) -> np.ndarray:
    """(outputs, n, 1, 1) logits of a row of voxels."""
    return np.array(voxels, np.float32).T[:, :, None, None]


def test_nested_outputs_are_painted_from_whole_to_enhancing():
    # core, whole, enhancing: nothing, whole, core, enhancing, and enhancing that its core and whole do not know of
    labels, probabilities = decode(column((-5, -5, -5), (-5, 5, -5), (5, 5, -5), (5, 5, 5), (-5, -5, 5)), model())
    assert labels.ravel().tolist() == [0, 2, 1, 4, 4]
    assert labels.dtype == np.uint8
    assert set(probabilities) == {"core", "whole_tumor", "enhancing"}
    assert (probabilities["enhancing"] <= probabilities["core"]).all()
    assert (probabilities["core"] <= probabilities["whole_tumor"]).all()
    np.testing.assert_array_equal((probabilities["whole_tumor"] >= 0.5).ravel(), labels.ravel() > 0)
    assert probabilities["core"].ravel()[2] == pytest.approx(1 / (1 + np.exp(-5)))


def test_softmax_outputs_take_the_largest_and_sum_to_unions():
    logits = column((5, 0, 0, 0), (0, 5, 0, 0), (0, 0, 5, 0), (0, 0, 0, 5), (1, 0.9, 0.9, 0.9))
    labels, probabilities = decode(logits, model(**SOFT))
    assert labels.ravel().tolist() == [0, 1, 2, 4, 0]
    core = probabilities["necrotic_core"] + probabilities["enhancing"]
    np.testing.assert_allclose(probabilities["core"], core)
    np.testing.assert_allclose(probabilities["whole_tumor"], core + probabilities["edema"], rtol=1e-6)
    assert "background" not in probabilities


def test_huge_logits_stay_finite():
    for settings in ({}, SOFT):
        channels = 4 if settings else 3
        logits = np.full((channels, 2, 1, 1), 300.0, np.float32)
        logits[:, 1] = -300
        with np.errstate(over="raise"):
            _, probabilities = decode(logits, model(**settings))
        assert all(np.isfinite(p).all() and p.max() <= 1 for p in probabilities.values())


@pytest.mark.parametrize("settings", [{}, SOFT])
def test_regions_of_labels(settings):
    assert regions_of(model(**settings)) == {1: "necrotic_core", 2: "edema", 4: "enhancing"}


def test_an_outline_between_coarse_voxels_is_found_in_the_fine_ones():
    """Logits of a ball on 2 mm voxels give the ball of 1 mm voxels, to a few percent of its surface."""
    images = head(Grid.from_spacing((60, 60, 60), (1, 1, 1), (-29.5, -29.5, -29.5)), radius_mm=28)
    description = model(spacing_mm=(2.0, 2.0, 2.0))
    prepared = prepare(images, description)
    ras = prepared.grid.ras_mm(np.stack(np.indices(prepared.grid.shape), -1)) - np.array([1.3, -2.1, 0.4])
    logit = 15 - np.linalg.norm(ras, axis=-1)
    logits = np.stack([logit - 5, logit, logit - 10]).astype(np.float32)
    labels, _ = decode_on_box(logits, prepared, description)
    whole = on_whole_grid(labels, prepared) > 0
    fine = images["T1"].grid.ras_mm(np.stack(np.indices(whole.shape), -1)) - np.array([1.3, -2.1, 0.4])
    truth = np.linalg.norm(fine, axis=-1) <= 15
    assert whole.sum() == pytest.approx(truth.sum(), rel=0.01)
    assert np.logical_xor(whole, truth).sum() < 0.02 * truth.sum()


def test_many_organs_are_labelled_one_by_one(rng, monkeypatch):
    """The same labels as from all outputs at once, without holding them."""
    description = model(**SOFT, spacing_mm=(2.0, 2.0, 2.0))
    prepared = prepare(head(Grid.from_spacing((40, 40, 40), (1, 1, 1), (-20, -20, -20)), radius_mm=15), description)
    logits = rng.normal(size=(4, *prepared.grid.shape)).astype(np.float32)
    labels, probabilities = decode_on_box(logits, prepared, description)
    monkeypatch.setattr(decoding, "_MOST_PROBABILITIES", 3)
    one_by_one, none = decode_on_box(logits, prepared, description)
    np.testing.assert_array_equal(one_by_one, labels)
    assert one_by_one.dtype == labels.dtype
    assert len(np.unique(labels)) == 4
    assert not labels[~prepared.box_foreground].any()
    assert probabilities
    assert none == {}


def test_small_enhancing_islands_become_necrotic_core():
    grid = Grid.from_spacing((20, 20, 20), (1, 1, 2))  # 0.002 mL a voxel
    labels = np.zeros(grid.shape, np.uint8)
    labels[2:6, 2:6, 2:6] = 4  # 0.128 mL
    labels[10:12, 10, 10] = 4  # 0.004 mL
    labels[12, 11, 11] = 4  # touches the former at a corner: 0.006 mL together
    labels[15, 15, 15] = 2
    regions = regions_of(model())
    cleaned, count = without_small_islands(labels, regions, grid, 0.007)
    assert count == 1
    assert (cleaned == 4).sum() == 64
    assert (cleaned == 1).sum() == 3
    assert (cleaned == 2).sum() == 1
    assert without_small_islands(labels, regions, grid, 0.006)[1] == 0
    assert without_small_islands(labels, regions, grid, 0.0)[1] == 0
