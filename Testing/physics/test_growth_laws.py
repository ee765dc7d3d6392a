"""SCIENCE 5.1, test 5: Gompertz growth against the integrated equation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from TumorTwinLib.physics.growth_laws import gompertz


@pytest.mark.parametrize(("volume", "rate", "capacity"), [(500.0, 0.01, 5e4), (2e4, 0.05, 1e4), (1.0, 0.002, 1e6)])
def test_gompertz_solves_its_equation(volume, rate, capacity):
    days = np.array([1.0, 30.0, 180.0])
    path = solve_ivp(
        lambda _, v: rate * v * np.log(capacity / v), (0.0, days[-1]), [volume], t_eval=days, rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(gompertz(volume, rate, capacity, days), path.y[0], rtol=1e-8)


def test_gompertz_in_pieces_is_gompertz_at_once():
    once = gompertz(800.0, 0.02, 3e4, 90.0)
    assert gompertz(gompertz(800.0, 0.02, 3e4, 37.5), 0.02, 3e4, 52.5) == pytest.approx(once, rel=1e-12)


def test_gompertz_stays_at_its_capacity():
    assert gompertz(3e4, 0.02, 3e4, 1000.0) == pytest.approx(3e4, rel=1e-12)
