"""The grower behind the shipped patient obeys the closed forms of its own equation."""

from __future__ import annotations

import importlib
import math

import numpy as np
import pytest


@pytest.fixture
def growth(repository, monkeypatch):
    """The grower's module, which belongs to a script and to no package."""
    monkeypatch.syspath_prepend(str(repository / "Resources" / "SampleData"))
    return importlib.import_module("generator.growth")


@pytest.fixture
def make_tumour(growth, repository):
    """A tumour in a block of white matter with a fluid-filled slab, seeded in the middle."""
    head_module = importlib.import_module("generator.head")

    def make(size: int = 41, fluid_from: int | None = None, **parameters):
        white = np.zeros((size,) * 3)
        white[1:-1, 1:-1, 1:-1] = 1.0
        brain = white > 0
        if fluid_from is not None:
            white[fluid_from : fluid_from + 2] = 0.0
        head = head_module.Head(white, 0 * white, brain - white, white, brain, np.eye(4))
        biology = growth.Biology(seed_ras_mm=(size // 2,) * 3, **({"proliferation_sd": 0.0} | parameters))
        return growth.Tumour(head, biology)

    return make


def test_diffusion_spreads_at_two_d_t_and_keeps_every_cell(make_tumour):
    tumour = make_tumour(proliferation_per_day=0.0, diffusivity_mm2_per_day=0.2)
    across = np.arange(41) - 20.0

    def spread() -> float:
        profile = tumour.cellularity.sum(axis=(1, 2))
        return float((profile * across**2).sum() / profile.sum())

    cells, before = tumour.cellularity.sum(), spread()
    tumour.grow_until(30.0)
    assert tumour.cellularity.sum() == pytest.approx(cells, rel=1e-9)
    assert spread() - before == pytest.approx(2 * 0.2 * 30.0, rel=1e-3)


def test_nothing_crosses_fluid_or_leaves_the_brain(make_tumour):
    tumour = make_tumour(fluid_from=28, proliferation_per_day=0.1, diffusivity_mm2_per_day=0.5)
    tumour.grow_until(150.0)
    assert not tumour.cellularity[28:].any()
    assert not tumour.cellularity[0].any()
    assert tumour.cellularity[1:28, 1:-1, 1:-1].min() > 0.01


def test_growth_is_logistic_and_a_dose_kills_its_log_kill(make_tumour):
    tumour = make_tumour(size=19, proliferation_per_day=0.05, diffusivity_mm2_per_day=0.0, temozolomide_log_kill=0.3)
    start = tumour.cellularity[9, 9, 9]
    tumour.grow_until(10.0)
    growth = math.exp(0.5)
    assert tumour.cellularity[9, 9, 9] == pytest.approx(start * growth / (1 + start * (growth - 1)), rel=1e-9)

    quiet = make_tumour(size=19, proliferation_per_day=0.0, diffusivity_mm2_per_day=0.0, temozolomide_log_kill=0.3)
    doses = [(0.0, 75.0), (1.0, 150.0)]
    quiet.grow_until(1.0, doses[:1])
    quiet.grow_until(9.0, doses)
    assert quiet.cellularity[9, 9, 9] == pytest.approx(start * math.exp(-0.9), rel=1e-9)


def test_a_fraction_kills_by_the_linear_quadratic_law(make_tumour):
    tumour = make_tumour(size=19, alpha_per_gy=0.035, alpha_beta_gy=10.0)
    before = tumour.cellularity.sum()
    tumour.irradiate(2.0)
    assert tumour.cellularity.sum() / before == pytest.approx(0.9194, abs=5e-5)


def test_the_front_moves_at_the_fisher_speed(make_tumour):
    """Against the exact wave u = (1 + e^z)^-2, z = sqrt(rho/6D)(x - 5 sqrt(D rho/6) t)."""
    diffusivity, rho, size = 0.5, 0.05, 101
    tumour = make_tumour(size=size, proliferation_per_day=rho, diffusivity_mm2_per_day=diffusivity)
    steepness, speed = math.sqrt(rho / (6 * diffusivity)), 5 * math.sqrt(diffusivity * rho / 6)
    x = np.arange(size) - 25.0

    def wave(day: float) -> np.ndarray:
        return (1 + np.exp(steepness * (x - speed * day))) ** -2

    middle = slice(48, 53)  # the walls along the front let nothing through, so it stays flat
    tumour.cellularity[:] = 0
    tumour.cellularity[1:-1, 1:-1, 1:-1] = wave(0.0)[1:-1, None, None]
    tumour.grow_until(100.0)
    error = tumour.cellularity[15:-15, middle, middle] - wave(100.0)[15:-15, None, None]
    assert np.abs(error).max() < 0.01
