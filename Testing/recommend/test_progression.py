"""Progression by the published rules, and days gained, on series whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.recommend.outcomes import conditional_value_at_risk
from TumorTwinLib.recommend.progression import RULES, days_gained, find_rule, time_to_progression

DAYS = np.linspace(0.0, 200.0, 401)


def test_an_exponential_progresses_when_it_has_grown_by_the_factor():
    rho = np.array([0.01, 0.05])
    volume = 20000.0 * np.exp(rho[:, None] * DAYS)
    assert time_to_progression(DAYS, volume, RULES["volume"]) == pytest.approx(np.log(1.4) / rho, abs=0.01)
    assert time_to_progression(DAYS, volume, RULES["RECIST volume"]) == pytest.approx(np.log(1.73) / rho, abs=0.01)
    diameter = 30.0 * np.exp(rho[:, None] / 3 * DAYS)
    assert time_to_progression(DAYS, diameter, RULES["RECIST"]) == pytest.approx(3 * np.log(1.2) / rho, abs=0.01)


def test_the_nadir_counts_and_not_the_start():
    volume = 20000.0 * np.where(DAYS < 50, np.exp(-0.02 * DAYS), np.exp(-1.0 + 0.02 * (DAYS - 50)))[None]
    assert time_to_progression(DAYS, volume, RULES["volume"])[0] == pytest.approx(50 + np.log(1.4) / 0.02, abs=0.01)
    shrinking = 20000.0 * np.exp(-0.01 * DAYS)[None]
    assert time_to_progression(DAYS, shrinking, RULES["volume"])[0] == np.inf


def test_a_tumor_that_was_gone_has_progressed_when_it_is_measurable():
    product = np.maximum(0.0, DAYS - 100.0)[None] * 2.0
    product[0, 0] = 400.0
    assert time_to_progression(DAYS, product, RULES["RANO"])[0] == pytest.approx(150.0, abs=0.01)


def test_recist_needs_five_millimetres_and_psa_two_nanograms():
    diameter = (12.0 + 0.05 * DAYS)[None]  # 20 % is 2.4 mm, at day 48
    assert time_to_progression(DAYS, diameter, RULES["RECIST"])[0] == pytest.approx(100.0, abs=0.01)
    psa = (np.abs(DAYS - 40.0) / 40.0 + 0.5)[None]
    assert time_to_progression(DAYS, psa, RULES["PSA"])[0] == pytest.approx(120.0, abs=0.01)


def test_rules_are_found_by_name():
    assert find_rule("RANO") is RULES["RANO"] is find_rule(RULES["RANO"])
    assert RULES["RANO"].unit == "mm2"
    with pytest.raises(TumorTwinError, match="choose from volume, RANO"):
        find_rule("Macdonald")


def test_days_gained_of_a_delay_is_the_delay():
    untreated = 1000.0 * np.exp(0.02 * DAYS)[None]
    delayed = 1000.0 * np.exp(0.02 * (DAYS - 37.0))[None]
    assert days_gained(DAYS, delayed, untreated)[0] == pytest.approx(37.0, abs=0.01)
    assert days_gained(DAYS, untreated, untreated)[0] == 0.0
    gone = np.full_like(untreated, 1.0)
    assert days_gained(DAYS, gone, untreated)[0] == 200.0


def test_value_at_risk_is_the_mean_of_the_worst():
    values = np.arange(1.0, 101.0)
    assert conditional_value_at_risk(values) == pytest.approx(5.5)
    assert conditional_value_at_risk(values[::-1], 0.25) == pytest.approx(13.0)
    assert conditional_value_at_risk(np.array([3.0, 2.0])) == 2.0
