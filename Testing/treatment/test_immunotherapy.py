"""The exploratory immune model against its own fixed points and limits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.treatment.immunotherapy import EXPLORATORY, ImmuneParameters, plasma_level, simulate
from TumorTwinLib.treatment.pharmacokinetics import concentration, exposure

Q = ImmuneParameters()


def test_without_tumor_effector_cells_rest_at_supply_over_death():
    course = simulate(0.0, 1e3, [0.0, 400.0])
    assert course.effector_cells[-1] == pytest.approx(Q.supply / Q.effector_death, rel=1e-6)
    assert course.tumor_cells[-1] == 0.0
    assert course.note == EXPLORATORY


def test_without_effector_cells_growth_is_logistic():
    alone = ImmuneParameters(supply=0.0)
    days = [0.0, 10.0, 60.0]
    found = simulate(1e6, 0.0, days, parameters=alone).tumor_cells
    growth = np.exp(alone.growth * np.array(days))
    expected = 1e6 * growth / (1 + alone.crowding * 1e6 * (growth - 1))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_drug_multiplies_the_kill():
    """At a level far above its half effect, kill is (1 + epsilon) times as fast: the tumor alone decays or grows so."""
    still = ImmuneParameters(supply=0.0, recruitment=0.0, exhaustion=0.0, effector_death=0.0, crowding=0.0)
    level = plasma_level([(0.0, 1e9)])
    for drug, gain in (((), 1.0), (level, 2.0)):
        found = simulate(1e5, 2e6, [0.0, 5.0], drug, still).tumor_cells[-1]
        expected = 1e5 * math.exp((still.growth - still.kill * gain * 2e6) * 5.0)
        assert found == pytest.approx(expected, rel=1e-5)


def test_a_dose_acts_from_its_day_on():
    days, dose = [0.0, 20.0, 40.0], plasma_level([(20.0, 200.0)])
    with_drug, without = simulate(1e6, 3e5, days, dose), simulate(1e6, 3e5, days)
    assert with_drug.tumor_cells[1] == pytest.approx(without.tumor_cells[1], rel=1e-6)
    assert with_drug.tumor_cells[2] < 0.9 * without.tumor_cells[2]


def test_pembrolizumab_in_plasma():
    level = plasma_level([(0.0, 200.0)])
    assert concentration(level, 0.0) == pytest.approx(200 / 2.88, rel=1e-9)
    assert exposure(level, 0.0, 2000.0) == pytest.approx(200 / 0.168, rel=1e-6)  # dose over clearance
    with pytest.raises(TumorTwinError, match="compartments of temozolomide are not known"):
        plasma_level([(0.0, 1.0)], "temozolomide")


def test_bad_questions_are_one_sentence():
    with pytest.raises(TumorTwinError, match="cell counts that are not negative"):
        simulate(-1.0, 1.0, [0.0, 1.0])
    with pytest.raises(TumorTwinError, match="increasing order"):
        simulate(1.0, 1.0, [1.0, 0.0])
