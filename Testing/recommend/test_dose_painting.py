"""Dose painting: its derivative against differences, what it keeps, and histograms of known doses."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from Testing.recommend import regimens as given
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.recommend import DISCLAIMER
from TumorTwinLib.recommend.dose_painting import DosePainting, _problem, paint_dose, project
from TumorTwinLib.recommend.dose_volume import DoseVolumeHistogram
from TumorTwinLib.recommend.plans import standard_targets

COURSE = given.plan("course", given.fractions(10, 3.0), given.doses(10))


@pytest.fixture(scope="module")
def posterior():
    return given.posterior()


@pytest.fixture(scope="module")
def target(posterior):
    return standard_targets(posterior.patient, margin_mm=6.0)["ptv"]


@pytest.fixture(scope="module")
def painted(posterior, target) -> DosePainting:
    return paint_dose(posterior, COURSE, target, draws=2, least_gy=20.0, largest_gy=40.0, resolution_mm=None)


def test_the_derivative_is_that_of_what_is_computed(posterior, rng):
    problem, dose, count = _problem(posterior, given.plan("six", given.fractions(6), given.doses(6)), 10.0, 2, None, 0)
    problem = replace(problem, dtype="float64")
    assert count == 6
    dose = dose * (1.0 + 0.2 * rng.random(dose.shape))
    log_cells, slope = problem.gradient(dose)
    assert log_cells == pytest.approx(problem.log_cells(dose), abs=1e-12)
    for _ in range(2):
        direction = rng.standard_normal(dose.shape)
        step = 1e-3
        less, more = (problem.log_cells(dose + sign * step * direction).mean() for sign in (-1, 1))
        assert (slope * direction).sum() == pytest.approx((more - less) / (2 * step), rel=1e-4)


def test_fewer_cells_for_the_same_integral_dose(painted, target):
    assert (painted.gain_log10 > 0.01).all()
    inside = target.resample(painted.dose.grid).array > 0.5
    assert painted.dose.array.sum() == pytest.approx(painted.reference.array.sum(), rel=1e-5)
    assert np.array_equal(painted.dose.array[~inside], painted.reference.array[~inside])
    assert painted.dose.array[inside].min() >= 20.0 - 1e-4
    assert painted.dose.array[inside].max() <= 40.0 + 1e-4
    assert painted.iterations > 0
    before = {h.structure: h for h in painted.reference_histograms}
    after = {h.structure: h for h in painted.histograms}
    assert after["target"].mean_gy == pytest.approx(before["target"].mean_gy, rel=1e-5)
    assert after["brain outside the target"].mean_gy == before["brain outside the target"].mean_gy
    assert after["target"].dose_to(2) > before["target"].dose_to(2) + 1.0


def test_dose_goes_where_the_cells_are(painted, posterior):
    core = posterior.patient.visits[-1].whole_tumor.resample(painted.dose.grid).array > 0.5
    change = painted.dose.array - painted.reference.array
    assert change[core].mean() > 0.5


def test_it_is_marked_and_survives_its_file(painted):
    assert painted.notes[0] == DISCLAIMER
    assert painted.notes[1].startswith("Exploratory")
    text = json.dumps(painted.to_dict(), allow_nan=False)
    loaded = DosePainting.from_dict(json.loads(text), painted.dose, painted.reference)
    assert json.dumps(loaded.to_dict()) == text


def test_projection_keeps_the_sum_and_the_bounds(rng):
    dose = rng.normal(2.0, 2.0, 500)
    moved = project(dose, 1000.0, 0.5, 3.0)
    assert moved.sum() == pytest.approx(1000.0)
    assert moved.min() >= 0.5
    assert moved.max() <= 3.0
    free = (moved > 0.5) & (moved < 3.0)
    assert np.ptp((moved - dose)[free]) < 1e-9


def test_histograms_of_a_ramp():
    ramp = np.linspace(0.0, 60.0, 6001)
    histogram = DoseVolumeHistogram.of("ramp", ramp, np.ones(ramp.shape, bool))
    assert histogram.mean_gy == pytest.approx(30.0)
    assert histogram.dose_to(95) == pytest.approx(3.0, abs=0.05)
    assert histogram.volume_above(45.0) == pytest.approx(25.0, abs=0.1)
    assert histogram.volume_above(61.0) == 0.0
    assert (np.diff(histogram.volume_percent) <= 0).all()
    with pytest.raises(TumorTwinError, match="no voxel"):
        DoseVolumeHistogram.of("nothing", ramp, np.zeros(ramp.shape, bool))


def test_what_cannot_be_painted_is_refused(posterior, target):
    for plan, words in (
        (given.plan("none", given.doses(3)), "no fractions"),
        (given.plan("unequal", given.fractions(3), given.fractions(3, 3.0, first=10)), "unequal"),
    ):
        with pytest.raises(TumorTwinError, match=words):
            paint_dose(posterior, plan, target)
    with pytest.raises(TumorTwinError, match="choose bounds around that"):
        paint_dose(posterior, COURSE, target, largest_gy=25.0)
