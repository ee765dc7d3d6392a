"""The documentation's example on the shipped patient (DESIGN.md, section 2).

Adapted in two places: ``MapCalibration`` stands where the example has ``BayesianCalibration(n_samples=1000)``, with two
visits; and voxels are 4 mm, not 1 mm, so that it runs in seconds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import TumorTwinLib as tt


@pytest.fixture(scope="module")
def example(repository: Path) -> dict:
    """The example's names after it ran."""
    folder = repository / "Resources" / "SampleData" / "glioblastoma"
    patient = tt.PatientData(patient_id="GBM_001", imaging_dir=folder, treatment_file=folder / "treatment.csv")
    model = tt.ReactionDiffusionModel(domain=patient.brain_mask, resolution_mm=4.0)
    posterior = tt.MapCalibration(model=model, patient=patient, visits=2).run()
    twin = tt.DigitalTwin(model=model, parameters=posterior.map_estimate, uncertainty=posterior.credible_interval(0.95))
    prediction = twin.predict(horizon_days=180, output_times=[30, 60, 90, 120, 150, 180])
    return locals()


def test_the_patient_is_the_one_asked_for(example):
    assert example["patient"].patient_id == "GBM_001" == example["prediction"].patient_id
    assert len(example["patient"].treatments) > 30


def test_the_calibration_informs_and_brackets_its_estimate(example):
    estimate, interval = example["posterior"].map_estimate, example["twin"].uncertainty
    assert set(interval) == set(estimate)
    for parameter in example["model"].parameters:
        low, high = interval[parameter.name]
        assert low < estimate[parameter.name] < high
        assert parameter.lower <= estimate[parameter.name] <= parameter.upper
    assert any(example["posterior"].informed.values())


def test_the_prediction_is_on_the_output_times_after_the_last_visit_used(example):
    prediction, visit_days = example["prediction"], example["patient"].visit_days
    assert prediction.forecast_from_day == visit_days[1]
    for output in (30, 60, 90, 120, 150, 180):
        assert np.isclose(prediction.days, visit_days[1] + output).any()
    assert set(visit_days) <= set(prediction.days)
    assert prediction.grid.spacing_mm == pytest.approx((4.0, 4.0, 4.0))
    assert np.isfinite(prediction.cellularity).all()
    assert prediction.volume_mm3["whole_tumor"].min() > 0


def test_the_fitted_visit_is_near_its_scan(example):
    prediction = example["prediction"]
    fitted = int(np.flatnonzero(prediction.days == prediction.forecast_from_day)[0])
    measured = prediction.measurements[1].volume_mm3["whole_tumor"]
    assert prediction.volume_mm3["whole_tumor"][fitted] == pytest.approx(measured, rel=0.3)


def test_the_forecast_tells_where_its_parameters_come_from(example):
    prediction = example["prediction"]
    assert "calibration" in prediction.provenance
    assert {row.name for row in prediction.parameters} == {p.name for p in example["model"].parameters}
    for row in prediction.parameters:
        assert row.standard_error > 0
        assert row.source
