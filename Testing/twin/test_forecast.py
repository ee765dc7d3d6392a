"""A forecast: what it holds, that its numbers are those of its fields, how it stops, and what it refuses."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pytest

import TumorTwinLib as tt
from Testing.twin.heads import RAS, START, VALUES, VISIT_DAYS, head
from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.models.observation import cellularity_from_adc
from TumorTwinLib.physics.trackers import CancelTracker


@pytest.fixture(scope="module")
def patient() -> tt.PatientData:
    return head()


@pytest.fixture(scope="module")
def model(patient) -> tt.ReactionDiffusionModel:
    return tt.ReactionDiffusionModel.from_patient(patient)


@pytest.fixture(scope="module")
def twin(model, patient) -> tt.DigitalTwin:
    return tt.DigitalTwin(model=model, parameters=VALUES, patient=patient, visits=2)


@pytest.fixture(scope="module")
def forecast(twin) -> tt.Forecast:
    return twin.predict(60.0, [15.0, 40.0, 60.0])


def test_days_are_the_measured_ones_and_those_asked_for(forecast):
    assert forecast.start == START
    assert forecast.forecast_from_day == 30.25
    np.testing.assert_allclose(forecast.days, sorted([*VISIT_DAYS, 45.25, 70.25, 90.25]))
    assert forecast.cellularity.shape == (6, *RAS.shape)
    assert forecast.grid.same_as(RAS)


def test_a_visit_beyond_the_horizon_is_not_a_day_of_the_forecast(twin):
    assert list(twin.predict(20.0, [10.0, 20.0]).days) == [0.0, 30.25, 40.25, 50.25]


def test_default_output_times_are_six_equal_steps(twin):
    days = twin.predict(12.0).days
    np.testing.assert_allclose(days, [0.0, 30.25, *(30.25 + 2.0 * np.arange(1, 7))])


def test_all_visits_count_by_default(model, patient):
    assert tt.DigitalTwin(model=model, parameters=VALUES, patient=patient).predict(3.0).forecast_from_day == 61.5


def test_quantities_are_those_of_the_fields(forecast, model):
    assert set(forecast.volume_mm3) == {"core", "whole_tumor"} == set(forecast.thresholds)
    for region, level in forecast.thresholds.items():
        voxels = (forecast.cellularity >= level).sum(axis=(1, 2, 3))
        np.testing.assert_allclose(forecast.volume_mm3[region], voxels * 8.0)
    cells = forecast.cellularity.sum(axis=(1, 2, 3), dtype=np.float64) * 8.0 * model.carrying_capacity_per_mm3
    np.testing.assert_allclose(forecast.total_cell_count, cells, rtol=1e-6)
    assert forecast.total_cell_count.min() > 0
    assert 0 <= forecast.cellularity.min() <= forecast.cellularity.max() <= 1 + 1e-6


def test_curve_goes_through_the_forecast_every_few_days(forecast):
    curve = forecast.curve
    assert curve.days[0] == 0.0
    assert curve.days[-1] == forecast.days[-1]
    assert 0 < np.diff(curve.days).min() <= np.diff(curve.days).max() <= 3.0
    at = np.searchsorted(curve.days, forecast.days)
    np.testing.assert_array_equal(curve.days[at], forecast.days)
    np.testing.assert_array_equal(curve.total_cell_count[at], forecast.total_cell_count)
    for region, volume in forecast.volume_mm3.items():
        np.testing.assert_array_equal(curve.volume_mm3[region][at], volume)


def test_treatment_shows_in_the_curve_and_growth_after_it(forecast):
    days, cells = forecast.curve.days, forecast.curve.total_cell_count
    before, after, end = (cells[np.searchsorted(days, day)] for day in (9.0, 15.0, 90.25))
    assert after < 0.8 * before
    assert end > after


def test_measurements_are_what_the_scans_showed(forecast, patient, model):
    assert [m.day for m in forecast.measurements] == list(VISIT_DAYS)
    for measured, visit in zip(forecast.measurements, patient.visits, strict=True):
        volumes = {"core": visit.core.array.sum() * 8.0, "whole_tumor": visit.whole_tumor.array.sum() * 8.0}
        assert measured.volume_mm3 == pytest.approx(volumes)
        inside = cellularity_from_adc(visit.images["ADC"].array)[visit.whole_tumor.array]
        cells = inside.sum(dtype=float) * 8.0 * model.carrying_capacity_per_mm3
        assert measured.total_cell_count == pytest.approx(cells, rel=1e-5)


def test_the_first_day_shows_the_first_scan(forecast, patient, model):
    tumour = patient.visits[0].whole_tumor.array
    measured = cellularity_from_adc(patient.visits[0].images["ADC"].array)
    mask = model.physics_domain.unpack(model.physics_domain.mask)
    np.testing.assert_allclose(forecast.cellularity[0][tumour & mask], measured[tumour & mask], atol=1e-6)
    assert 0 < forecast.cellularity[0][~tumour].max() < model.whole_level


def test_no_cells_outside_the_brain_or_in_the_ventricle(forecast, model):
    mask = model.physics_domain.unpack(model.physics_domain.mask)
    assert (~mask).sum() > 1000
    np.testing.assert_array_equal(forecast.cellularity[:, ~mask], 0.0)


def test_parameters_and_provenance_are_told(forecast, model):
    rows = {row.name: row for row in forecast.parameters}
    assert rows["proliferation_per_day"].value == 0.04
    assert rows["radiosensitivity_per_gy"].value == 0.035
    assert [row.unit for row in forecast.parameters] == [p.unit for p in model.parameters]
    assert forecast.provenance["model"] == "glioblastoma"
    assert forecast.provenance["voxel size (mm)"] == "2 x 2 x 2"


def test_frames_are_the_fields(twin, forecast):
    frames = []
    again = twin.predict(60.0, [15.0, 40.0, 60.0], on_frame=lambda day, u: frames.append((day, u.copy())))
    assert [day for day, _ in frames] == list(forecast.days)
    np.testing.assert_array_equal([u for _, u in frames], again.cellularity)
    np.testing.assert_array_equal(again.cellularity, forecast.cellularity)


def test_cancelling_raises_and_keeps_the_frames_until_then(twin):
    frames, asked = [], itertools.count()
    with pytest.raises(CancelledError, match="Stopped on request at day"):
        twin.predict(
            60.0, trackers=[CancelTracker(lambda: next(asked) > 20)], on_frame=lambda day, _: frames.append(day)
        )
    assert 0 < len(frames) < 8
    assert frames[0] == 0.0


def test_a_forecast_changes_nothing_of_the_patient(twin, patient):
    def fingerprint() -> str:
        images = [patient.brain_mask, *patient.tissues.values()]
        for visit in patient.visits:
            images += [*visit.images.values(), *visit.regions.values()]
        return hashlib.sha256(b"".join(image.array.tobytes() for image in images)).hexdigest()

    before = fingerprint()
    first, second = (twin.predict(30.0, [30.0]).cellularity for _ in range(2))
    assert fingerprint() == before
    np.testing.assert_array_equal(first, second)


def test_more_diffusion_spreads_more_cells_beyond_the_contour(model, patient, forecast):
    faster = tt.DigitalTwin(
        model=model, parameters=VALUES | {"diffusivity_mm2_per_day": 0.6}, patient=patient, visits=2
    ).predict(60.0, [15.0, 40.0, 60.0])
    outside = ~patient.visits[-1].whole_tumor.array
    assert faster.cellularity[-1][outside].sum() > 1.2 * forecast.cellularity[-1][outside].sum()


BAD_REQUESTS = {
    "negative horizon": ((-5.0,), {}, "horizon_days is -5.0: give a number of days above zero."),
    "no horizon": ((0.0,), {}, "horizon_days is 0.0: give a number of days above zero."),
    "undefined horizon": ((float("nan"),), {}, "horizon_days is nan: give a number of days above zero."),
    "endless horizon": ((float("inf"),), {}, "horizon_days is inf: give a number of days above zero."),
    "unordered times": ((60.0, [30.0, 20.0]), {}, "output_times must increase between 0 and the horizon of 60 days"),
    "equal times": ((60.0, [20.0, 20.0]), {}, "output_times must increase"),
    "time beyond the horizon": ((60.0, [30.0, 61.0]), {}, "got [30.0, 61.0]"),
    "time of the visit itself": ((60.0, [0.0, 30.0]), {}, "output_times must increase"),
    "undefined time": ((60.0, [float("nan")]), {}, "output_times must increase"),
    "no times": ((60.0, []), {}, "output_times must increase"),
    "no patient": ((60.0,), {"patient": None}, "A twin with plain parameter values needs its patient: pass patient=."),
    "too many visits": ((60.0,), {"visits": 4}, "Patient HEAD has 3 visits and 4 are to be used"),
    "no visits": ((60.0,), {"visits": 0}, "Patient HEAD has 3 visits and 0 are to be used"),
    "unknown parameter": (
        (60.0,),
        {"parameters": {"diffusion": 0.1}},
        "Unknown parameter 'diffusion': choose from diffusivity_mm2_per_day, proliferation_per_day",
    ),
    "negative parameter": (
        (60.0,),
        {"parameters": {"proliferation_per_day": -0.1}},
        "Parameter proliferation_per_day is -0.1: give a finite value that is not negative.",
    ),
    "undefined parameter": ((60.0,), {"parameters": {"proliferation_per_day": float("nan")}}, "is nan: give a finite"),
}


@pytest.mark.parametrize(("request_", "settings", "sentence"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_bad_requests_get_one_sentence(model, patient, request_, settings, sentence):
    twin = tt.DigitalTwin(**({"model": model, "parameters": VALUES, "patient": patient} | settings))
    with pytest.raises(TumorTwinError) as refused:
        twin.predict(*request_)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("resolution_mm", [0, -2.0])
def test_a_resolution_of_nothing_is_refused(patient, resolution_mm):
    with pytest.raises(TumorTwinError, match=f"resolution_mm is {resolution_mm}: give a voxel size between"):
        tt.ReactionDiffusionModel(domain=patient.brain_mask, resolution_mm=resolution_mm)
