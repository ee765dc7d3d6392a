"""The polynomial that stands for ``exp(dt D L)``: accuracy, stability, exactness at zero frequency, derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from Testing.physics.problems import domain_of, final, ragged_mask
from TumorTwinLib.physics.domain import Domain
from TumorTwinLib.physics.propagator import choose_degree, clenshaw_stages, coefficients, spectral_error
from TumorTwinLib.physics.solver import SolverSettings, StepPlan

STIFFNESS = [0.01, 0.1, 0.7, 2.0, 5.0, 20.0, 70.0, 200.0]
SHAPE, SPACING_MM = (4, 5, 6), (1.5, 1.0, 3.0)


def _operator(domain: Domain) -> np.ndarray:
    """(n, n) matrix of the diffusion operator over the voxels of the state, from the face coefficients alone."""
    shape, size = domain.state_shape, int(np.prod(domain.state_shape))
    index = np.arange(size).reshape(shape)
    matrix = np.zeros((size, size))
    for axis in range(3):
        high = np.moveaxis(index, axis, 0)[1:].ravel()
        low = np.moveaxis(index, axis, 0)[:-1].ravel()
        face = np.moveaxis(domain.face_coefficients_per_mm2[axis], axis, 0)[1:].ravel()
        for a, b in ((high, low), (low, high)):
            np.add.at(matrix, (a, b), face)
            np.add.at(matrix, (a, a), -face)
    return matrix


@pytest.fixture
def ragged(rng) -> Domain:
    return domain_of(ragged_mask(rng, SHAPE), SPACING_MM, rng.uniform(0.05, 1.0, SHAPE))


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-8])
@pytest.mark.parametrize("z", STIFFNESS)
def test_one_step_is_the_matrix_exponential_to_the_tolerance(ragged, rng, z, tolerance):
    diffusivity = 0.3
    days = 2 * z / (diffusivity * ragged.rate_bound_per_mm2)
    degree = choose_degree(z, tolerance)
    field = rng.random(SHAPE)
    plan = StepPlan((days,), (degree,))
    found = final(ragged, field, [days], diffusivity, settings=SolverSettings(dtype="float64"), plan=plan)
    state = ragged.pack(field, np.float64)
    exact = (expm(days * diffusivity * _operator(ragged)) @ state.ravel()).reshape(state.shape)
    gap = np.linalg.norm(ragged.pack(found, np.float64) - exact)
    assert gap <= 1.001 * tolerance * np.linalg.norm(state) + 1e-13  # a symmetric operator: the spectrum decides


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-8])
@pytest.mark.parametrize("z", STIFFNESS)
def test_the_chosen_degree_is_stable_accurate_and_not_wasteful(z, tolerance):
    degree = choose_degree(z, tolerance)
    error, growth = spectral_error(z, degree)
    assert error <= tolerance
    assert growth <= 1 + 1e-9
    assert degree <= 5 + np.sqrt(8 * z * np.log(4 / tolerance))  # Chebyshev: about sqrt(z), where Euler needs z


@pytest.mark.parametrize("z", STIFFNESS)
def test_mass_and_the_first_three_moments_are_exact(z):
    """At x = 1 the value is 1 and the o-th derivative is z^o, whatever the degree."""
    degree = choose_degree(z, 1e-2)
    c, _ = coefficients(np.array([z]), degree)
    value = np.polynomial.chebyshev.Chebyshev(c[:, 0])
    for order in range(min(degree, 3) + 1):
        derivative = value.deriv(order) if order else value
        assert derivative(1.0) == pytest.approx(z**order, rel=1e-9)


@pytest.mark.parametrize("degree", [2, 3, 5, 12, 40])
@pytest.mark.parametrize("z", STIFFNESS)
def test_derivatives_by_z_agree_with_finite_differences(z, degree):
    step = 1e-4 * z
    c, dc = coefficients(np.array([z]), degree)
    high, low = (coefficients(np.array([z + s * step]), degree)[0] for s in (1, -1))
    np.testing.assert_allclose(dc, (high - low) / (2 * step), rtol=1e-5, atol=1e-7 * np.abs(dc).max())


@pytest.mark.parametrize("degree", [2, 3, 4, 7, 20])
def test_the_stages_evaluate_the_polynomial(rng, degree):
    """On numbers x in [-1, 1] in place of the operator, for two members of different stiffness."""
    z = np.array([1.3, 4.0])
    x, u = rng.uniform(-1, 1, 50), rng.random((50, 2))
    before, latest = None, u
    for stage in clenshaw_stages(z, degree):
        out = stage.alpha * u + stage.gamma * x[:, None] * latest
        if stage.omega:
            out = out + stage.omega * before
        before, latest = latest, out
    c, _ = coefficients(z, degree)
    polynomial = np.stack([np.polynomial.chebyshev.chebval(x, c[:, e]) for e in range(2)], axis=1)
    np.testing.assert_allclose(latest, polynomial * u, rtol=1e-12, atol=1e-13)


def test_a_member_far_less_stiff_than_the_stiffest_is_still_accurate():
    degree = choose_degree(200.0, 1e-4)
    for z in (1e-6, 0.01, 1.0, 50.0):
        error, growth = spectral_error(z, degree)
        assert error < 1e-4
        assert growth <= 1 + 1e-9
