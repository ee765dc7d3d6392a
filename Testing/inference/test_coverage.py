"""Coverage, scores and conformal factors against closed forms and against forecasts known to be wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from TumorTwinLib.inference.conformal import ConformalFactors, conformal_quantile
from TumorTwinLib.inference.coverage import ForecastCheck, coverage, fit_factors, two_point_exponential
from TumorTwinLib.metrics import clopper_pearson, crps, interval_score


def forecasts(count: int, seed: int, told_sd: float = 1.0, true_sd: float = 1.0) -> list[ForecastCheck]:
    """Log-volumes about 9 with one spread, told with another."""
    rng = np.random.default_rng(seed)
    centers = 9.0 + rng.standard_normal(count)
    return [
        ForecastCheck("core", 90.0, c + told_sd * rng.standard_normal(400), c + true_sd * rng.standard_normal())
        for c in centers
    ]


def test_crps_of_a_normal_has_its_closed_form():
    draws, y = np.random.default_rng(0).standard_normal(40000), 0.7
    exact = y * (2 * stats.norm.cdf(y) - 1) + 2 * stats.norm.pdf(y) - 1 / math.sqrt(math.pi)
    assert crps(draws, y) == pytest.approx(exact, abs=0.01)
    assert crps(np.array([2.0]), 5.0) == 3.0
    weights = np.array([0.5, 0.25, 0.25])
    repeated = np.array([1.0, 1.0, 2.0, 4.0])
    assert crps(np.array([1.0, 2.0, 4.0]), 2.5, weights) == pytest.approx(crps(repeated, 2.5))


def test_interval_score_and_clopper_pearson():
    assert interval_score(1.0, 3.0, 2.0, 0.9) == 2.0
    assert interval_score(1.0, 3.0, 3.5, 0.9) == pytest.approx(2.0 + 20.0 * 0.5)
    low, up = clopper_pearson(185, 200)
    assert (low, up) == pytest.approx((0.8792, 0.9574), abs=2e-4)
    assert clopper_pearson(0, 10)[0] == 0.0
    assert clopper_pearson(10, 10)[1] == 1.0


def test_honest_forecasts_cover_and_bold_ones_do_not():
    honest = coverage(forecasts(400, 1), 0.95)
    assert honest.contains_nominal
    assert 0.92 < honest.share < 0.98
    bold = coverage(forecasts(400, 2, told_sd=0.5), 0.95)
    assert not bold.contains_nominal
    assert bold.share < 0.8
    assert bold.mean_width < honest.mean_width
    assert bold.mean_interval_score > honest.mean_interval_score
    assert bold.mean_crps > honest.mean_crps


@pytest.mark.parametrize("told_sd", [0.5, 2.0])
def test_conformal_factors_of_one_cohort_mend_another(told_sd):
    factors = fit_factors(forecasts(300, 3, told_sd), [0.9, 0.95], "300 made up")
    for level in (0.9, 0.95):
        mended = coverage(forecasts(300, 4, told_sd), level, factors)
        assert mended.contains_nominal, mended
        expected = stats.norm.ppf(0.5 + level / 2) / told_sd
        assert factors.factor("core", 90.0, level) == pytest.approx(expected, rel=0.2)


def test_conformal_quantile_counts_the_one_to_come():
    assert conformal_quantile(np.arange(1.0, 20.0), 0.95) == 19.0  # the 19th of 19 for rank 20 * 0.95
    assert conformal_quantile(np.arange(1.0, 10.0), 0.95) == math.inf
    assert conformal_quantile(np.array([3.0, 1.0, 2.0]), 0.5) == 2.0


def test_factors_lie_between_horizons_and_survive_json():
    factors = ConformalFactors({("core", 30.0, 0.95): 2.0, ("core", 90.0, 0.95): 4.0}, "made up")
    assert factors.factor("core", 60.0, 0.95) == 3.0
    assert factors.factor("core", 300.0, 0.95) == 4.0
    assert ConformalFactors.from_dict(factors.to_dict()) == factors
    with pytest.raises(KeyError, match="no conformal factor of whole_tumor"):
        factors.factor("whole_tumor", 30.0, 0.95)


def test_two_point_extrapolation_is_a_line_in_log_volume():
    draws = two_point_exponential((0.0, 30.0), (9.0, 9.3), 60.0, 0.1, 20000, np.random.default_rng(5))
    assert draws.mean() == pytest.approx(9.6, abs=0.01)
    assert draws.std() == pytest.approx(0.1 * math.sqrt(1 + 4 + 1), rel=0.03)
