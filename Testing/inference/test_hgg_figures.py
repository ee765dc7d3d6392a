"""The demo glioblastoma HGG_demo_001 as the benchmarks measure it, with loose bounds: must not get worse unseen."""

from __future__ import annotations

import numpy as np
import pytest

from Testing.Benchmarks import hgg_reference as hgg
from Testing.Benchmarks.bench_hgg_forward import forward
from Testing.Benchmarks.fit_rows import errors_percent
from TumorTwinLib.inference.least_squares import FitStatus


@pytest.fixture(scope="module")
def patient(data_dir):
    return hgg.read_patient(data_dir, "001")


@pytest.fixture(scope="module")
def reference(data_dir):
    return hgg.read_reference(data_dir)


def test_270_days_with_all_treatments_match_the_converged_reference(patient, reference):
    days = [float(day) for day in reference.days]
    solution = forward(hgg.demo_model(patient), patient, reference.initial, days, 1e-2)
    fields = [u[0][reference.mask] for u in solution.cellularity]
    assert hgg.relative_l2_by_visit(fields, reference.packed["conv_fvstencil"]).max() < 1e-3


def test_parameters_are_found_again_in_correct_data(patient, reference):
    correct = hgg.patient_of_field(patient, reference, "conv_fvstencil")
    _, result = hgg.calibrate(correct, start=hgg.PEER_GUESS)
    assert result.status is FitStatus.CONVERGED
    assert result.model_solves < 20
    assert np.abs(errors_percent(correct, result, hgg.TRUTH["001"])).max() < 0.05


def test_the_patients_own_treatments_are_those_of_the_reference(patient, data_dir):
    with np.load(data_dir / "reference" / "hgg001_reference.npz") as arrays:
        rt_days, doses = arrays["rt_days"], arrays["ct_dose_norm"]
        mask = np.unpackbits(arrays["mask_packed"])[: patient.brain_mask.array.size]
    days = [patient.day(e.time) for e in patient.treatments if hasattr(e, "dose_gy")]
    amounts = [e.amount / hgg.LARGEST_DOSE_MG for e in patient.treatments if hasattr(e, "amount")]
    assert days == pytest.approx(rt_days)
    assert amounts == pytest.approx(doses, rel=1e-3)
    assert np.array_equal(patient.brain_mask.array.ravel() > 0, mask)
