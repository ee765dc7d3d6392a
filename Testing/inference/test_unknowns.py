"""The unknowns beside the parameters: growth that wanders, the first state, and errors that hang together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from Testing.inference import small_patient as small
from TumorTwinLib.geometry import Grid
from TumorTwinLib.inference.first_state import first_state, smoothed, steepness_per_mm
from TumorTwinLib.inference.likelihood import ErrorGroup
from TumorTwinLib.inference.noise import ObservationNoise, roughness
from TumorTwinLib.inference.priors import find_priors
from TumorTwinLib.inference.problem import make_simulator
from TumorTwinLib.inference.summaries import RegionSummary
from TumorTwinLib.inference.unknowns import Doubts, Unknowns, interval_covariance
from TumorTwinLib.models import observation
from TumorTwinLib.models.glioblastoma import PARAMETERS
from TumorTwinLib.models.observation import ObservedVisit, contour_levels

SIGMA, TAU = 0.2, 30.0
GRID = Grid.from_spacing((32, 32, 32), (2.0, 2.0, 2.0))


def unknowns(days=(0.0, 35.0, 126.0, 183.0), **doubts) -> Unknowns:
    return Unknowns(PARAMETERS, find_priors(PARAMETERS), {}, Doubts(level={}, **doubts), days)


def test_growth_over_intervals_has_the_variance_of_the_process():
    """The variance of log-volume under exponential growth, SCIENCE test 15, whatever the intervals."""
    for edges in ([0.0, 90.0], [0.0, 7.0, 20.0, 90.0], [0.0, 30.0, 60.0, 90.0]):
        covariance, length = interval_covariance(edges, SIGMA, TAU), np.diff(edges)
        variance = length @ covariance @ length
        exact = 2 * SIGMA**2 * TAU * (90.0 - TAU * (1 - np.exp(-90.0 / TAU)))
        assert variance == pytest.approx(exact, rel=1e-9)
    quick = interval_covariance([0.0, 0.01], SIGMA, TAU)
    assert quick[0, 0] == pytest.approx(SIGMA**2, rel=1e-3)


def test_growth_to_come_continues_growth_seen():
    given, rng = unknowns(), np.random.default_rng(1)
    z = np.zeros((4000, given.size))
    z[:, -3:] = np.random.default_rng(2).standard_normal((4000, 3))
    later = given.growth_after(z, [183.0, 213.0, 243.0], rng)
    past = given.growth(z)
    together = np.cov(np.concatenate([past, later], axis=1).T)
    np.testing.assert_allclose(together, interval_covariance([0, 35, 126, 183, 213, 243], SIGMA, TAU), atol=0.002)
    known = np.zeros((2000, given.size))
    assert given.growth_after(known, [183.0, 213.0], rng).std() < np.sqrt(
        interval_covariance([0, 30], SIGMA, TAU)[0, 0]
    )


def test_certain_things_are_no_unknowns():
    certain = unknowns(amplitude=0.0, reach=0.0, growth=0.0)
    assert certain.names == (*(p.name for p in PARAMETERS), "first_state_displacement_mm")
    assert certain.growth_after(np.zeros((3, certain.size)), [183.0, 200.0], np.random.default_rng(0)).shape == (3, 1)
    assert unknowns().names[-3:] == ("growth_1", "growth_2", "growth_3")


def scan(cellularity: np.ndarray, level: float = 0.2) -> ObservedVisit:
    whole = cellularity > level
    return ObservedVisit("a visit", 0.0, GRID, np.where(whole, cellularity, 0.0).astype(np.float32), None, whole)


def ball(radius_mm: float = 16.0, length_mm: float = 3.0) -> np.ndarray:
    return 0.8 / (1.0 + np.exp((small.distance_mm(GRID) - radius_mm) / length_mm))


def test_smoothing_takes_noise_out_and_leaves_the_front():
    truth = ball()
    clean = scan(truth)
    noise = 0.05 * np.random.default_rng(3).standard_normal(GRID.shape)
    noisy = ObservedVisit("noisy", 0.0, GRID, np.where(clean.whole, truth + noise, 0.0), None, clean.whole)
    assert roughness(noisy) == pytest.approx(0.05, rel=0.1)
    assert roughness(clean) < 0.01
    before, after = (np.abs(v.cellularity - truth)[clean.whole] for v in (noisy, smoothed(noisy)))
    assert np.sqrt((after**2).mean()) < 0.45 * np.sqrt((before**2).mean())
    assert np.abs(smoothed(clean).cellularity - truth)[clean.whole].max() < 0.03
    assert not smoothed(noisy).cellularity[~clean.whole].any()


class FixedState:
    """A model whose first state is given."""

    def initial_state(self, first, values, calibrated=()):
        return np.concatenate([ball()[None], np.ones((len(calibrated), *GRID.shape))])[None]


def test_a_displacement_moves_the_front_by_so_many_millimetres():
    given = unknowns(growth=0.0, reach=0.0)
    first = scan(ball())
    slope = steepness_per_mm(ball(), first)
    z = np.zeros(given.size)
    z[given.column("first_state_displacement_mm")] = 2.0 / 0.7

    def radius(field: np.ndarray) -> float:
        return float(np.cbrt(3.0 * np.count_nonzero(field > 0.2) * GRID.voxel_volume_mm3 / 4.0 / np.pi))

    moved = first_state(FixedState(), first, slope, given, z, tangents=False)[0]
    assert radius(moved) - radius(ball()) == pytest.approx(2.0, abs=0.4)
    assert moved.max() <= 1.0
    still = first_state(FixedState(), first, slope, given, np.zeros(given.size), tangents=False)[0]
    np.testing.assert_allclose(still, ball())


def test_volume_centre_and_radii_err_together():
    """A reader who draws everything 1 mm larger changes volume and radii as the covariance says, and not the centre."""
    inside, outside = (RegionSummary("core", small.distance_mm(GRID) < radius, GRID) for radius in (16.0, 19.0))
    noise = ObservationNoise(reader_mm=1.0, contour_voxels=0.0, log_volume=1e-3, length_mm=1e-3)
    reading, _ = noise.region(inside)
    change = (outside.observed - inside.observed) / 3.0
    np.testing.assert_allclose(np.sqrt(np.diag(reading))[[0, *range(4, 10)]], change[[0, *range(4, 10)]], rtol=0.2)
    assert np.sqrt(np.diag(reading))[1:4].max() < 0.05
    correlation = reading[0, 4] / np.sqrt(reading[0, 0] * reading[4, 4])
    assert correlation > 0.99
    volume = inside.drawn.sum() * GRID.voxel_volume_mm3
    assert noise.log_volume_sd(np.array([volume]), 2.0)[0] == pytest.approx(change[0], rel=0.2)


def test_a_group_of_errors_is_a_multivariate_t():
    from scipy import stats

    root = np.linalg.cholesky(np.array([[0.5, 0.2], [0.2, 0.3]]))
    group = ErrorGroup("some", np.arange(2), root)
    x = np.array([0.4, -0.9])
    q = float((group.whiten(x) ** 2).sum())
    assert group.log_density(np.array(q)) == pytest.approx(stats.multivariate_t(None, root @ root.T, df=4).logpdf(x))
    scales = group.draw_lambda(np.full(20000, q), np.random.default_rng(4))
    assert (1.0 / scales).mean() == pytest.approx(group.weight(q), rel=0.02)


def test_a_coarse_search_has_the_unknowns_of_the_fine_grid(monkeypatch):
    """A small tumor's rim has too few coarse voxels to tell a level, which must not change what is unknown."""
    monkeypatch.setattr(observation, "_LEAST_RIM_VOXELS", 60)
    patient, fine = small.virtual_patient(), small.model()
    coarse = replace(fine, resolution_mm=6.0)
    seen = [contour_levels(model.observe(patient), model.grid.spacing_mm) for model in (fine, coarse)]
    assert set(seen[0]) != set(seen[1])
    searched = make_simulator(coarse, patient, contour_levels_of=fine.observe(patient))
    assert searched.unknowns.size == make_simulator(fine, patient).unknowns.size


def test_a_contour_whose_level_no_scan_tells_counts_with_an_uncertain_level(monkeypatch):
    patient, model = small.virtual_patient(), small.model()
    monkeypatch.setattr(observation, "_LEAST_RIM_VOXELS", 10**6)
    untold = make_simulator(model, patient)
    assert untold.unknowns.doubts.level == {"core": 0.5, "whole_tumor": 0.5}
    monkeypatch.setattr(observation, "_LEAST_RIM_VOXELS", 20)
    monkeypatch.setattr(observation, "_PLAUSIBLE", {"core": (0.5, 0.85), "whole": (0.45, 0.5)})
    refuted = make_simulator(model, patient)
    assert "whole_tumor" not in refuted.unknowns.doubts.level
    assert not any("whole_tumor" in name for name in refuted.likelihood.names)
