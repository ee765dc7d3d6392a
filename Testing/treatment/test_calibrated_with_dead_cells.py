"""Why dead cells must be seen: with them a calibration finds the radiosensitivity, without them it finds too little."""

from __future__ import annotations

import pytest

from Testing.inference.small_patient import TREATMENTS, TRUTH, model, virtual_patient
from TumorTwinLib.inference.calibration import MapCalibration
from TumorTwinLib.twin import DigitalTwin

DAYS = (0.0, 16.0, 30.0, 60.0)  # the second scan shows what radiotherapy has killed and nothing has cleared
SEEN = TRUTH | {"clearance_half_life_days": 20.0}


@pytest.fixture(scope="module")
def patient():
    return virtual_patient(DAYS, SEEN, TREATMENTS, visible_dead=True)


def test_with_the_dead_the_truth_is_found(patient):
    fit = MapCalibration(model(visible_dead=True), patient, data="cellularity").run()
    assert fit.names[-1] == "clearance_half_life_days"
    for name, truth in SEEN.items():
        assert fit.map_estimate[name] == pytest.approx(truth, rel=0.01), name
    twin = DigitalTwin(model(visible_dead=True), fit.map_estimate)
    forecast = twin.predict(30.0)
    assert forecast.parameters[-1].name == "clearance_half_life_days"


def test_without_them_radiation_seems_weak(patient):
    fit = MapCalibration(model(), patient, data="cellularity").run()
    assert fit.map_estimate["radiosensitivity_per_gy"] < 0.5 * TRUTH["radiosensitivity_per_gy"]
