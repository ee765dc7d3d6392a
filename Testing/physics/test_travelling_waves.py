"""Growth and diffusion together against exact and asymptotic waves (SCIENCE.md 5.1, tests 1 and 2)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from Testing.physics.problems import block, even_plan, final, grow, growth
from TumorTwinLib.physics.solver import SolverSettings

D, RHO = 0.1, 0.05


def _kpp_error(spacing_mm: float) -> float:
    """Largest error of the exact wave of Ablowitz and Zeppetella (1979) after 200 days."""
    days, voxels = 200.0, round(160 / spacing_mm)
    x = -60.0 + spacing_mm * (np.arange(voxels) + 0.5)

    def wave(day: float) -> np.ndarray:
        z = math.sqrt(RHO / (6 * D)) * (x - 5 * math.sqrt(D * RHO / 6) * day)
        return (1 + np.exp(z)) ** -2.0

    plan = even_plan(days, steps=round(days * D / (0.1 * spacing_mm**2)), degree=4)
    domain = block((voxels, 1, 1), (spacing_mm, 1.0, 1.0))
    found = final(domain, wave(0.0)[:, None, None], [days], D, growth(RHO), plan=plan)[:, 0, 0]
    inner = slice(20, -20)  # the wave is of a line without ends
    return float(np.abs(found - wave(days))[inner].max())


def test_the_exact_kpp_wave_is_met_to_second_order_in_the_spacing():
    errors = [_kpp_error(spacing) for spacing in (1.0, 0.5, 0.25)]
    assert errors[-1] < 6e-4
    rates = np.log2(np.divide(errors[:-1], errors[1:]))
    assert rates.min() >= 1.9


def _mean_speed_ratio(spacing_mm: float, first_day: float, last_day: float, dtype: str) -> tuple[float, float]:
    """Mean speed of the half-height point over 2 sqrt(D rho), found and after Bramson (1983)."""
    voxels = round(160 / spacing_mm)
    x = spacing_mm * (np.arange(voxels) + 0.5)
    domain = block((voxels, 1, 1), (spacing_mm, 1.0, 1.0))
    step = (x < 10.0).astype(float)[:, None, None]
    settings = SolverSettings(tolerance=1e-4, dtype=dtype)
    run = grow(domain, step, [first_day, last_day], D, growth(RHO), settings=settings)
    fronts = []
    for field in run.cellularity[:, 0, :, 0, 0]:
        at = np.flatnonzero(field >= 0.5)[-1]
        fronts.append(x[at] + spacing_mm * (field[at] - 0.5) / (field[at] - field[at + 1]))
    speed, length = 2 * math.sqrt(D * RHO), math.sqrt(D / RHO)
    span = last_day - first_day
    return (fronts[1] - fronts[0]) / span / speed, 1 - 1.5 * length * math.log(last_day / first_day) / span / speed


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_front_from_a_step_moves_with_bramsons_delayed_speed(dtype):
    found, expected = _mean_speed_ratio(0.25, 300.0, 800.0, dtype)
    assert expected == pytest.approx(0.9706, abs=1e-4)  # not 1: the delay is logarithmic
    assert found == pytest.approx(expected, abs=1e-3)


def test_a_coarse_grid_runs_the_front_ahead_by_the_square_of_the_spacing():
    gaps = [_mean_speed_ratio(h, 300.0, 800.0, "float64")[0] - 0.9702 for h in (1.0, 0.5)]
    assert gaps[0] > 0
    assert gaps[0] / gaps[1] == pytest.approx(4.0, rel=0.25)
