"""Priors: every family against scipy's distribution, the tuple form, and short names."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.inference.priors import Prior, PriorKind, default_prior, find_priors
from TumorTwinLib.models.glioblastoma import PARAMETERS

FAMILIES = [
    (PriorKind.LOGNORMAL, 0.13, 0.9, stats.lognorm(0.9, scale=0.13)),
    (PriorKind.NORMAL, -2.0, 0.5, stats.norm(-2.0, 0.5)),
    (PriorKind.UNIFORM, 0.05, 0.5, stats.uniform(0.05, 0.45)),
    (PriorKind.BETA, 1.0, 20.0, stats.beta(1.0, 20.0)),
]


@pytest.mark.parametrize(("kind", "first", "second", "law"), FAMILIES)
def test_values_have_the_named_distribution(kind, first, second, law):
    prior, z = Prior(kind, first, second), np.linspace(-3, 3, 13)
    np.testing.assert_allclose(prior.value(z), law.ppf(stats.norm.cdf(z)), rtol=1e-9)
    assert prior.median == pytest.approx(law.median())
    assert prior.interval(0.9) == pytest.approx(law.interval(0.9))


def test_logit_normal_is_normal_in_log_odds():
    prior = Prior(PriorKind.LOGIT_NORMAL, 0.01, 1.5)
    x = prior.value(np.array([-1.0, 0.0, 2.0]))
    np.testing.assert_allclose(np.log(x / (1 - x)), np.log(0.01 / 0.99) + 1.5 * np.array([-1.0, 0.0, 2.0]))


@pytest.mark.parametrize("kind", list(PriorKind))
def test_slope_and_inverse_agree_with_the_value(kind):
    first, second = {PriorKind.BETA: (2.0, 5.0), PriorKind.LOGIT_NORMAL: (0.3, 0.8)}.get(kind, (0.4, 0.9))
    prior, z, h = Prior(kind, first, second), np.array([-1.3, 0.2, 1.7]), 1e-6
    np.testing.assert_allclose(prior.slope(z), (prior.value(z + h) - prior.value(z - h)) / (2 * h), rtol=1e-6)
    for one in z:
        assert prior.z_of(float(prior.value(one))) == pytest.approx(one, abs=1e-8)


def test_a_model_s_own_priors_are_kept_unless_another_is_given():
    priors = find_priors(PARAMETERS, {"diffusion": ("lognormal", 0.1, 0.5), "proliferation": ("uniform", 0.01, 0.1)})
    assert priors["diffusivity_mm2_per_day"].interval() == pytest.approx((0.0375, 0.2664), rel=1e-3)
    assert priors["diffusivity_mm2_per_day"].unit == "mm2/day"
    assert priors["proliferation_per_day"].kind is PriorKind.UNIFORM
    assert priors["radiosensitivity_per_gy"] == default_prior(PARAMETERS[2])
    assert priors["radiosensitivity_per_gy"].source == "Rockne 2010"


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"speed": ("lognormal", 1.0, 1.0)}, "Unknown parameter 'speed'"),
        ({"diffusion": ("gamma", 1.0, 1.0)}, "give a family"),
        ({"diffusion": ("lognormal", 1.0)}, "give a family"),
        ({"diffusion": ("lognormal", -1.0, 1.0)}, "is no distribution"),
        ({"diffusion": ("uniform", 2.0, 1.0)}, "is no distribution"),
    ],
)
def test_a_prior_that_means_nothing_is_refused(chosen, message):
    with pytest.raises(TumorTwinError, match=message):
        find_priors(PARAMETERS, chosen)
