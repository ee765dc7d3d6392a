"""The fused loops and plain torch are one solver (the torch one is also the reference and runs on CUDA)."""

from __future__ import annotations

import numpy as np
import pytest

from Testing.physics.problems import relative_l2
from Testing.physics.treated import TRUTH, treated_patient
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.physics.solver import SolverSettings

MEMBERS = TRUTH * np.array([[1.0, 1, 1, 1, 1], [0.5, 1.5, 0.5, 1.2, 1.2], [2.0, 0.5, 1.5, 0.3, 0.6]])
SHAPES = [((13, 15, 12), (1.0, 1.0, 1.0)), ((21, 9, 17), (1.5, 1.0, 3.0))]


def _settings(dtype: str, backend: str, device: str = "cpu") -> SolverSettings:
    return SolverSettings(tolerance=1e-3, dtype=dtype, backend=backend, device=device)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-6)])
@pytest.mark.parametrize(("shape", "spacing_mm"), SHAPES)
def test_numba_and_torch_agree(rng, shape, spacing_mm, dtype, tolerance):
    patient = treated_patient(rng, shape, spacing_mm)
    fused = patient.solve(MEMBERS, _settings(dtype, "numba"))
    plain = patient.solve(MEMBERS, _settings(dtype, "torch"), fused.plan)
    assert fused.stats["backend"] == "numba"
    assert plain.stats["backend"] == "torch"
    for n in range(len(fused.days)):
        for member in range(len(MEMBERS)):
            assert relative_l2(plain.cellularity[n, member], fused.cellularity[n, member]) < tolerance
            for p in range(MEMBERS.shape[1]):
                scale = np.linalg.norm(fused.tangents[n, member, p])
                gap = np.linalg.norm(plain.tangents[n, member, p] - fused.tangents[n, member, p])
                assert gap <= 3 * tolerance * scale


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_single_precision_is_close_to_double(rng, backend):
    patient = treated_patient(rng)
    single = patient.solve(MEMBERS, _settings("float32", backend))
    double = patient.solve(MEMBERS, _settings("float64", backend), single.plan)
    assert single.cellularity.dtype == np.float32
    assert double.cellularity.dtype == np.float64
    assert relative_l2(single.cellularity, double.cellularity) < 2e-6
    assert relative_l2(single.tangents, double.tangents) < 2e-6


def test_both_backends_choose_the_same_steps(rng):
    patient = treated_patient(rng)
    plans = [
        patient.solve(MEMBERS, _settings("float64", backend), tangents=False).plan for backend in ("numba", "torch")
    ]
    assert plans[0].degrees == plans[1].degrees
    np.testing.assert_allclose(plans[0].ends, plans[1].ends, rtol=1e-9)


def test_cuda_is_refused_where_there_is_none_and_agrees_where_there_is(rng):
    import torch

    patient = treated_patient(rng)
    if not torch.cuda.is_available():
        with pytest.raises(TumorTwinError, match="No CUDA device"):
            patient.solve(MEMBERS, _settings("float32", "auto", "cuda"))
        return
    there = patient.solve(MEMBERS, _settings("float64", "auto", "cuda"))
    here = patient.solve(MEMBERS, _settings("float64", "numba"), there.plan)
    assert relative_l2(there.cellularity, here.cellularity) < 1e-12
    assert relative_l2(there.tangents, here.tangents) < 1e-12


def test_the_numba_kernels_refuse_a_gpu(rng):
    with pytest.raises(TumorTwinError, match="numba kernels run on the CPU"):
        treated_patient(rng).solve(MEMBERS, _settings("float32", "numba", "cuda"))
